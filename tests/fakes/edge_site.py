"""A site of one room with its controller's side of the bus, and a proxy that freezes a camera."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from contracts import codec, topics
from contracts.commands import Release, Seal
from contracts.devices import Area, CameraConfig, Named, NodeConfig, Site, SiteConfig, StreamConfig
from contracts.observations import (
    Alert,
    CheckpointTaken,
    EntryAppended,
    NodeHealth,
    RoomObservation,
    SealApplied,
    VoiceTold,
    WitnessGiven,
)
from contracts.topics import Kind
from runtime.clock import SystemClock
from runtime.mqtt import MqttLost, MqttSession, MqttSettings, Outgoing
from runtime.outbox import InboxCursor, Outbox, OutboxPump, accept, ack_for, cursor_after

if TYPE_CHECKING:
    from edge.__main__ import Node

SITE = "demo"
NODE = "edge-1"
ROOM = "room-1"
CAMERA = "room-1-cam"
FPS = 10
RUN_KEY = "11" * 32
NODE_KEY = "22" * 32
TOKEN = "view-token-of-the-test-0001"
SECOND_TOKEN = "second-token-of-the-test-0001"
ENVIRON = {
    "ZEROENTRY_RUN_KEY": RUN_KEY,
    "ZEROENTRY_NODE_KEY": NODE_KEY,
    "ZEROENTRY_EDGE_TOKENS": f"all:view+ops+metrics:{TOKEN},second:approve:{SECOND_TOKEN}",
}
NAME = Named(zh="评标室", en="Room")


@dataclass
class Proxy:
    """A TCP proxy that can stop forwarding without a word, as a frozen camera does."""

    target_port: int
    port: int = 0
    frozen: bool = False
    last_forwarded_utc_ms: int = 0
    connections: int = 0
    clock: SystemClock = field(default_factory=SystemClock)

    async def serve(self) -> None:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            await server.serve_forever()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        inner, outer = await asyncio.open_connection("127.0.0.1", self.target_port)
        ways = [
            asyncio.create_task(self._pump(reader, outer)),
            asyncio.create_task(self._pump(inner, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (outer, writer):
                end.close()
            await asyncio.gather(
                *ways, outer.wait_closed(), writer.wait_closed(), return_exceptions=True
            )
            self.connections -= 1

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if self.frozen:
                continue
            self.last_forwarded_utc_ms = self.clock.utc_ms()
            sink.write(data)
            await sink.drain()


class ControllerSide:
    """What the controller does on the bus: stores and acknowledges, sends commands."""

    def __init__(self, port: int, folder: Path) -> None:
        clock = SystemClock()
        self.clock = clock
        settings = MqttSettings(port=port, client_id="controller")
        self._session = MqttSession(settings, clock, rng=random.Random(1))
        key = bytes.fromhex(RUN_KEY)
        self.outbox = Outbox(folder / "controller.sqlite3", f"{NODE}.cmd", "controller", clock)
        self._pump = OutboxPump(
            self.outbox,
            self._session,
            clock,
            random.Random(2),
            ack_topic=topics.ack_topic(SITE, f"{NODE}.cmd"),
            signing_key=key,
        )
        self.alerts: list[Alert] = []
        self.applied: list[SealApplied] = []
        self.health: list[NodeHealth] = []
        self.observations: list[RoomObservation] = []
        self.entries: list[EntryAppended] = []
        self.checkpoints: list[CheckpointTaken] = []
        self.voices: list[VoiceTold] = []
        self._cursors: dict[str, InboxCursor] = {}

    async def run(self) -> None:
        filters = [
            topics.room_filter(kind, SITE)
            for kind in (Kind.ALERT, Kind.APPLIED, Kind.OBSERVATION, Kind.ENTRY, Kind.VOICE)
        ]
        filters.append(topics.checkpoint_filter(SITE))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._session.run())
            group.create_task(self._pump.run())
            for wanted in (*filters, topics.health_filter(SITE)):
                group.create_task(self._take(wanted))

    async def _take(self, wanted: str) -> None:
        async for inbound in self._session.subscribe(wanted, qos=1):
            message = codec.decode(inbound.topic, inbound.payload)
            assert isinstance(message, codec.Message), message
            if message.delivered is not None:
                cursor = self._cursors.get(message.delivered.epoch)
                verdict = accept(cursor, message.delivered)
                if verdict.stores:
                    self._store(message.body)
                    cursor = self._cursors[message.delivered.epoch] = cursor_after(
                        message.delivered
                    )
                if verdict.acknowledges and cursor is not None:
                    ack = codec.encode_ack(ack_for(cursor, by="controller"))
                    topic = topics.ack_topic(SITE, message.delivered.stream)
                    # A broker that goes first takes the Ack with it; the message comes again then.
                    with suppress(MqttLost):
                        await self._session.publish(Outgoing(topic, ack, retain=True))
            else:
                self._store(message.body)

    def _store(self, body: codec.Body) -> None:
        match body:
            case Alert():
                self.alerts.append(body)
            case SealApplied():
                self.applied.append(body)
            case NodeHealth():
                self.health.append(body)
            case RoomObservation():
                self.observations.append(body)
            case EntryAppended():
                self.entries.append(body)
            case CheckpointTaken():
                self.checkpoints.append(body)
            case VoiceTold():
                self.voices.append(body)

    def seal(self, admitted: int, command_id: str = "seal-1") -> None:
        command = Seal(
            command_id=command_id,
            room_id=ROOM,
            session_id="session-1",
            admitted=admitted,
            at_utc_ms=self.clock.utc_ms(),
        )
        self._send(command, command_id)

    def release(self, command_id: str = "release-1") -> None:
        command = Release(
            command_id=command_id,
            room_id=ROOM,
            session_id="session-1",
            at_utc_ms=self.clock.utc_ms(),
        )
        self._send(command, command_id)

    async def witness(self, track: str, line: str) -> None:
        """Publish a countersignature, retained."""
        given = WitnessGiven(node_id=NODE, track_id=track, line=line)
        payload = codec.encode(
            Kind.WITNESS,
            given,
            message_id=f"witness-{self.clock.mono_ms()}",
            sender="controller",
            sent_utc_ms=self.clock.utc_ms(),
        )
        topic = topics.witness_topic(SITE, NODE, track)
        await self._session.publish(Outgoing(topic, payload, qos=1, retain=True))

    def _send(self, command: Seal | Release, command_id: str) -> None:
        self.outbox.append(topics.command_topic(SITE, NODE), command, ROOM, command_id)

    def of(self, rule: str) -> list[Alert]:
        return [alert for alert in self.alerts if alert.rule == rule]


def site(url: str, *, sound: Literal["aac", "none"] = "aac") -> Site:
    stream = StreamConfig(url=url, width=640, height=360, fps=FPS)
    camera = CameraConfig(
        kind="camera", id=CAMERA, area=ROOM, name=NAME, main=stream, sound=sound, simulated=True
    )
    config = SiteConfig(
        kind="site",
        id=SITE,
        name=NAME,
        map="maps/none.lif.json",
        kitchen_node="kitchen",
        areas=(Area(id=ROOM, name=NAME),),
    )
    node = NodeConfig(kind="node", id=NODE, areas=(ROOM,))
    return Site(config=config, cameras=(camera,), nodes=(node,))


def write_site(folder: Path, url: str) -> Path:
    """The folder of ``site(url)``, one device a file; JSON is YAML too."""
    made = site(url)
    for kind, devices in (("cameras", made.cameras), ("nodes", made.nodes)):
        (folder / kind).mkdir(parents=True)
        for device in devices:
            (folder / kind / f"{device.id}.yaml").write_text(device.model_dump_json())
    (folder / "site.yaml").write_text(made.config.model_dump_json())
    return folder


@dataclass
class Running:
    """A node under test and its tasks."""

    node: "Node"
    tasks: list[asyncio.Task[None]]
    opened: ExitStack

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.to_thread(self.opened.close)


StartNode = Callable[[str], Awaitable[Running]]
"""Starts a node on a stream's address."""
