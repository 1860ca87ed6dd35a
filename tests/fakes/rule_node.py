"""A node of two areas whose rules are set over the API: real service, store and recorder queue."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from fastapi import FastAPI

from contracts import codec, topics
from contracts.commands import Keep, Release, Seal
from contracts.envelope import Delivered
from contracts.evidence.entries import ClockSource, ClockState
from contracts.observations import RecordingHealth
from contracts.topics import Kind
from contracts.units import SessionId, Sha256Hex, UtcMs
from edge.api import problems
from edge.api.access import Gate, tokens_from_environ
from edge.api.explanations import ExplanationDesk, add_explanations
from edge.api.rules import RuleDesk, add_rules
from edge.core.machine_watch import DiskSeen
from edge.core.people import Instant
from edge.core.recording import NoteTracks, Request, SealTracks
from edge.core.rule_settings import RuleChange
from edge.core.state import CameraSetup, RecordingSeen, RoomSetup, restore
from edge.recordings import request_for
from edge.rule_book import RuleBook
from edge.service import NodeService, Wiring
from edge.store import EdgeStore
from runtime.clock import SimulatedClock
from runtime.metrics import Metrics
from runtime.mqtt import Outgoing
from runtime.outbox import Outbox
from runtime.tokens import sign_message
from tests.fakes.bus import MemoryBroker
from tests.fakes.edge_api import FakePictures
from tests.fakes.site_clock import InlineExecutor
from tests.fakes.site_edge import HashShelf, NoViewers
from tests.fakes.waiting import until

KEY = b"k" * 32
COMMANDS = topics.command_topic("demo", "edge-1")
VIEW, OPS, SECOND, BOTH, AGAIN, RECORDING = (
    f"{name}-token-of-the-test-1"
    for name in ("view", "ops", "second", "both", "again", "recording")
)
TOKENS = ",".join(
    (
        f"li.wei:view:{VIEW}",
        f"ops.wang:view+ops:{OPS}",
        f"lead.zhao:approve:{SECOND}",
        f"ops.chen:view+ops+approve:{BOTH}",
        f"ops.wang:approve:{AGAIN}",
        f"auditor.sun:recording:{RECORDING}",
    )
)
DEVICES = {"room-1": {"cameras": ["room-1-cam"]}}


class QueueOnly:
    """The node's side of a recorder that never comes: requests wait in the store."""

    def __init__(self, now: Instant) -> None:
        self._seen = RecordingSeen(
            at=now,
            running=True,
            since=now,
            tracks={},
            disk=DiskSeen(),
            disk_low_percent=10.0,
            clock=ClockState(source=ClockSource.UNKNOWN),
            clock_step_ms=0,
        )

    def request_for(
        self, command: Seal | Release | Keep, frozen: Mapping[str, Sha256Hex]
    ) -> Request:
        return request_for(command, frozen)

    def stir(self) -> None:
        """Nobody asks."""

    def seen(self) -> RecordingSeen:
        return self._seen

    def health(self) -> RecordingHealth:
        return RecordingHealth(running=False)

    async def run(self) -> None:
        await asyncio.Event().wait()


class BrokenDisk(EdgeStore):
    """A store that refuses when told to."""

    full = False
    _left: int | None = None

    def refuse_after(self, commits: int) -> None:
        """Take so many more, then none."""
        self._left = commits

    def commit(self, **what: object) -> None:
        if self._left is not None:
            self.full, self._left = self._left == 0, max(self._left - 1, 0)
            self._left = None if self.full else self._left
        if self.full:
            raise OSError("no space left on device")
        super().commit(**what)  # type: ignore[arg-type] # as they came


@dataclass
class RuleNode:
    """A running node, its API, and a controller's way to give it orders."""

    service: NodeService
    store: BrokenDisk
    outbox: Outbox
    book: RuleBook
    app: FastAPI
    client: httpx.AsyncClient
    broker: MemoryBroker
    clock: SimulatedClock
    metrics: Metrics
    seq: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def order(self, body: Seal | Release | Keep) -> None:
        """Give an order and wait until the node has acknowledged it."""
        self.seq += 1
        payload = codec.encode(
            Kind.COMMAND,
            body,
            message_id=body.command_id,
            sender="controller",
            sent_utc_ms=UtcMs(1),
            delivered=Delivered(stream="edge-1.cmd", epoch="a" * 16, seq=self.seq, floor=1),
            signature=sign_message(
                KEY, codec.signed_part(COMMANDS, body.command_id, codec.body_bytes(body))
            ),
        )
        await self.broker.client("controller").publish(Outgoing(COMMANDS, payload))
        stream, epoch = "edge-1.cmd", "a" * 16

        def taken() -> bool:
            return (
                any(
                    (one.stream, one.epoch, one.seq) == (stream, epoch, self.seq)
                    for one in self.store.cursors()
                )
                and not self.book.changing.locked()
            )

        await until(taken, what=f"{body.kind} is taken")

    async def seal(self, session_id: SessionId = "s-1", room: str = "room-1") -> None:
        await self.order(
            Seal(
                command_id=f"seal-{self.seq}",
                room_id=room,
                session_id=session_id,
                admitted=5,
                at_utc_ms=UtcMs(1),
            )
        )

    async def release(self, session_id: SessionId = "s-1", room: str = "room-1") -> None:
        await self.order(
            Release(
                command_id=f"release-{self.seq}",
                room_id=room,
                session_id=session_id,
                at_utc_ms=UtcMs(2),
            )
        )

    def notes(self) -> list[NoteTracks]:
        """What the chains are to be told of changes."""
        bodies = [request.body for request in self.store.requests()]
        return [body for body in bodies if isinstance(body, NoteTracks)]

    def seals(self) -> list[SealTracks]:
        bodies = [request.body for request in self.store.requests()]
        return [body for body in bodies if isinstance(body, SealTracks)]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.client.aclose()
        self.store.close()
        self.outbox.close()


def drawn_on(content: bytes, alert: object, zone: object) -> bytes:
    """A drawing that says what it was given."""
    return content + b" with boxes"


def start_rule_node(
    folder: Path,
    *,
    declared: Mapping[str, RuleChange] | None = None,
    devices: Mapping[str, object] | None = None,
) -> RuleNode:
    """A node on the folder's disk; call it again on the same folder for a restart."""
    clock, metrics, broker = SimulatedClock(), Metrics(), MemoryBroker()
    store = BrokenDisk(folder / "edge.sqlite3")
    outbox = Outbox(folder / "outbox.sqlite3", "edge-1", "edge-1", clock)
    disk = InlineExecutor()
    book = RuleBook(declared or {}, store, disk, clock)
    start = len(list(folder.iterdir())) + len(store.requests())
    ids = iter(range(start * 1_000, 10**9))
    wiring = Wiring(
        site_id="demo",
        node_id="edge-1",
        clock=clock,
        bus=broker.client("edge-1"),
        store=store,
        outbox=outbox,
        shelf=HashShelf(),
        live=NoViewers(),
        metrics=metrics,
        new_id=lambda: f"id-{next(ids)}",
        workers=InlineExecutor(),
        disk=disk,
        run_key=KEY,
    )
    stored, now = store.rooms(), Instant(clock.mono_ms(), clock.utc_ms())
    states = {}
    for room_id in ("room-1", "corridor-1"):
        room = stored.get(room_id)
        session = room.sealed.session_id if room and room.sealed else None
        setup = RoomSetup(
            room_id,
            "edge-1",
            (CameraSetup(f"{room_id}-cam", has_sound=False),),
            book.rules(room_id, session),
        )
        states[room_id] = restore(setup, room, now)
    service = NodeService(
        wiring,
        states,
        version="test",
        api_url=None,
        disk_free_bytes=lambda: 5,
        recordings=QueueOnly(now),
        devices=devices or DEVICES,
        book=book,
    )
    pictures = FakePictures()
    app = FastAPI(openapi_url=None)
    app.state.gate = Gate(tokens_from_environ(TOKENS), None, clock)
    problems.install(app)
    add_rules(app, RuleDesk(book, service.rooms, clock, store.frozen_text))
    desk = ExplanationDesk(service.rooms, pictures, drawn_on, clock, records=True)
    add_explanations(app, desk)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://edge", trust_env=False
    )
    node = RuleNode(service, store, outbox, book, app, client, broker, clock, metrics)
    node.tasks.append(asyncio.create_task(service.run()))
    return node
