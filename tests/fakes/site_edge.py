"""Edge nodes of a simulated site: real rules, service, store and outbox; scripted cameras."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from contracts import topics
from contracts.envelope import Ack
from contracts.observations import (
    Appearance,
    CameraState,
    CameraView,
    NodeHealth,
    NodeState,
    PictureRef,
)
from contracts.units import CameraId, NodeId, RoomId, UtcMs
from edge.core import room as core
from edge.core.attention import LookTimes
from edge.core.people import Detection, Instant, Rect, Track
from edge.core.recording import Request
from edge.core.rule_settings import rule_settings
from edge.core.state import CameraSetup, RoomSetup, RoomState, StoredRoom, restore
from edge.perception.analyst import Analyst
from edge.ports import Attended, CameraCounts, Caption, Frame, Latest, LinkState, Rgb
from edge.service import NodeService, Wiring, health_message
from edge.store import Announced, EdgeStore, Freeze, SessionOver, StoredRule
from runtime.clock import Clock
from runtime.metrics import Metrics
from runtime.mqtt import Outgoing
from runtime.outbox import Entry, InboxCursor, Outbox, OutboxPump
from tests.fakes.site_clock import InlineExecutor, Life
from tests.fakes.site_machine import RUN_KEY, Ground, Machine
from tests.fakes.site_truth import Truth

NARROW = 0.008  # beside one another, or two boxes would count as one body
NUMBERS = 100  # a person's number is carried by the left edge of the box, in hundredths
STRANGERS_FROM = 50  # people with these numbers wear no red vest
NOTICED_AFTER_MS = 1_000  # what a capture needs to see that a camera hung up
FREE_BYTES = 10**10


@dataclass
class Scene:
    """What one camera looks at; the day's script changes it."""

    people: list[int] = field(default_factory=list)
    plugged: bool = True
    period_ms: int = 400


class ScriptedCamera:
    """Delivers one picture a period: a row of pixels that holds the numbers of the people."""

    def __init__(
        self,
        camera_id: CameraId,
        scene: Scene,
        clock: Clock,
        report: Callable[[LinkState], None],
    ) -> None:
        self.camera_id = camera_id
        self.frames: Latest[Frame] = Latest(asyncio.get_running_loop())
        self._scene = scene
        self._clock = clock
        self._report = report
        self._taken = 0

    @property
    def counts(self) -> CameraCounts:
        return CameraCounts(frames=self._taken, dropped=self.frames.dropped, connections=1)

    async def run(self) -> None:
        live, last = False, self._now()
        while True:
            now = self._now()
            if self._scene.plugged:
                if not live:
                    self._report(LinkState(self.camera_id, CameraState.LIVE, now, now))
                live, last = True, now
                self._taken += 1
                self.frames.put(
                    Frame.of_rgb(self.camera_id, picture_of(self._scene), now, self._taken)
                )
            elif live and now.mono_ms - last.mono_ms >= NOTICED_AFTER_MS:
                live = False
                state = CameraState.OFFLINE
                self._report(LinkState(self.camera_id, state, last, now, "hung up"))
            await self._clock.sleep_ms(self._scene.period_ms)

    def _now(self) -> Instant:
        return Instant(self._clock.mono_ms(), self._clock.utc_ms())


def picture_of(scene: Scene) -> Rgb:
    """The people of a scene as one row of pixels; the first pixel is nobody."""
    row = np.zeros((1, len(scene.people) + 1, 3), np.uint8)
    row[0, 1:, 0] = scene.people
    return row


class RowDetector:
    """Reads ``picture_of``."""

    def find(self, rgb: Rgb, regions: tuple[Rect, ...] | None) -> tuple[Detection, ...]:
        return tuple(
            Detection(Rect(number / NUMBERS, 0.2, number / NUMBERS + NARROW, 0.8), 0.9)
            for number in rgb[0, 1:, 0].tolist()
        )


class NumberTracker:
    """Never confuses people: they carry their numbers."""

    def __init__(self) -> None:
        self._since: dict[int, Instant] = {}

    def update(
        self, found: Sequence[Detection], at: Instant, looked: tuple[Rect, ...] | None
    ) -> tuple[Track, ...]:
        numbers = {round(one.rect.x1 * NUMBERS): one for one in found}
        self._since = {number: self._since.get(number, at) for number in numbers}
        return tuple(
            Track(
                number=number,
                rect=one.rect,
                score=one.score,
                detected=True,
                first_seen=self._since[number],
                last_seen_mono_ms=at.mono_ms,
                appearance=Appearance.NONE if number >= STRANGERS_FROM else Appearance.RED,
            )
            for number, one in numbers.items()
        )

    def reset(self) -> None:
        self._since.clear()


class NoViewers:
    """Nobody looks."""

    def offer(
        self, frame: Frame, view: CameraView, caption: Caption, attended: Attended | None = None
    ) -> None:
        """Show nothing."""


class HashShelf:
    """Keeps no picture, but names it as the real shelf does."""

    def keep(self, rgb: Rgb, camera_id: CameraId, taken: Instant) -> PictureRef:
        data = rgb.tobytes() + camera_id.encode() + str(taken.utc_ms).encode()
        sha256 = hashlib.sha256(data).hexdigest()
        return PictureRef(
            sha256=sha256,
            bytes=len(data),
            path=f"/api/v1/pictures/{sha256}.jpg",
            camera_id=camera_id,
            taken_utc_ms=taken.utc_ms,
        )


@dataclass
class Disk:
    """What the disks of one node report to."""

    life: Life
    truth: Truth
    node: NodeId


class MortalStore(EdgeStore):
    """The node's real store, on a disk whose machine may die before and after each write."""

    disk: Disk

    def commit(
        self,
        *,
        room: StoredRoom | None = None,
        cursor: InboxCursor | None = None,
        entries: Sequence[Entry] = (),
        requests: Sequence[Request] = (),
        announced: Sequence[Announced] = (),
        freeze: Freeze | None = None,
        rules: StoredRule | SessionOver | None = None,
    ) -> None:
        self.disk.life.touch()
        super().commit(
            room=room,
            cursor=cursor,
            entries=entries,
            requests=requests,
            announced=announced,
            freeze=freeze,
            rules=rules,
        )
        self.disk.truth.committed(self.disk.node, entries)
        self.disk.life.touch()

    def forget_unsent(self, message_ids: Iterable[str]) -> None:
        self.disk.life.touch()
        super().forget_unsent(message_ids)  # handed on as it came
        self.disk.life.touch()


class MortalOutbox(Outbox):
    """The same for the outbox."""

    disk: Disk

    def append_many(self, entries: Iterable[Entry]) -> list[int]:
        self.disk.life.touch()
        seqs = super().append_many(entries)  # handed on as it came
        self.disk.life.touch()
        return seqs

    def acknowledge(self, ack: Ack) -> int:
        self.disk.life.touch()
        gone = super().acknowledge(ack)
        self.disk.life.touch()
        return gone


class EdgeMachine(Machine):
    """One edge node."""

    def __init__(self, node: NodeId, ground: Ground, scenes: Mapping[CameraId, Scene]) -> None:
        super().__init__(node, ground)
        self.areas = next(row.areas for row in ground.site.nodes if row.id == node)
        self._scenes = scenes
        self.service: NodeService | None = None
        self.outbox: MortalOutbox | None = None
        self.store: MortalStore | None = None
        self._pump: OutboxPump | None = None

    def build(self) -> Sequence[Coroutine[object, object, None]]:
        site_id, clock = self.ground.site.config.id, self.clock
        disk = Disk(self.life, self.ground.truth, self.name)
        self.store = MortalStore(self.folder / "edge.sqlite3")
        self.outbox = MortalOutbox(
            self.folder / "outbox.sqlite3",
            self.name,
            self.name,
            clock,
            new_epoch=lambda: f"{self.ground.rng.getrandbits(64):016x}",
        )
        self.store.disk = self.outbox.disk = disk
        self.bus = self.ground.broker.connect(
            self.name, self.life, will=self._will(clock), birth=self._birth
        )
        wiring = self._wiring(self.store, self.outbox)
        service = NodeService(
            wiring,
            self._rooms(self.store),
            version="sim",
            api_url=None,
            disk_free_bytes=lambda: FREE_BYTES,
        )
        self.service = service
        for area in self.areas:
            for camera in self.ground.site.cameras_of(area):
                made = ScriptedCamera(camera.id, self._scenes[camera.id], clock, service.report)
                sight = Analyst(
                    made.camera_id,
                    RowDetector(),
                    NumberTracker(),
                    clock,
                    times=LookTimes(enabled=False),
                )
                service.add_camera(made, sight)
        pump = OutboxPump(
            self.outbox,
            self.bus,
            clock,
            random.Random(self.ground.rng.random()),
            ack_topic=topics.ack_topic(site_id, self.name),
            signing_key=RUN_KEY,
        )
        return self.bus.run(), service.run(), pump.run()

    def _birth(self) -> Sequence[Outgoing]:
        assert self.service is not None
        return self.service.birth()

    def _wiring(self, store: EdgeStore, outbox: Outbox) -> Wiring:
        assert self.bus is not None
        ids = iter(range(10**9))
        start = self.starts
        return Wiring(
            site_id=self.ground.site.config.id,
            node_id=self.name,
            clock=self.clock,
            bus=self.bus,
            store=store,
            outbox=outbox,
            shelf=HashShelf(),
            live=NoViewers(),
            metrics=Metrics(),
            new_id=lambda: f"{self.name}-{start}-{next(ids)}",
            workers=InlineExecutor(),
            disk=InlineExecutor(),
            run_key=RUN_KEY,
        )

    def _rooms(self, store: EdgeStore) -> Mapping[RoomId, RoomState]:
        stored = store.rooms()
        now = Instant(self.clock.mono_ms(), self.clock.utc_ms())
        return {
            area: restore(
                RoomSetup(
                    area,
                    self.name,
                    tuple(
                        CameraSetup(camera.id, has_sound=False)
                        for camera in self.ground.site.cameras_of(area)
                    ),
                    rule_settings({}),
                ),
                stored.get(area),
                now,
            )
            for area in self.areas
        }

    def _will(self, clock: Clock) -> Outgoing:
        lost = NodeHealth(
            node_id=self.name,
            state=NodeState.LOST,
            utc_ms=UtcMs(clock.utc_ms()),
            boot_id=clock.boot_id,
        )
        return health_message(self.ground.site.config.id, lost, f"{self.name}-{self.starts}-will")

    def close(self) -> None:
        if self.store is not None and self.outbox is not None:
            self.store.close()
            self.outbox.close()

    def head_count(self, area: RoomId) -> int | None:
        """How many people the node counts in an area; None while it is dead or blind."""
        if not self.alive or self.service is None:
            return None
        now = Instant(self.clock.mono_ms(), self.clock.utc_ms())
        return core.head_count(self.service.rooms[area].state, now)

    def sealed_session(self, area: RoomId) -> str | None:
        """The session that the node enforces in an area."""
        assert self.service is not None
        sealed = self.service.rooms[area].state.sealed
        return sealed.session_id if sealed else None
