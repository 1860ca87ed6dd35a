"""The service on a bus in memory: orders, refusals, disk faults, crashes, what is published."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from contracts import codec, topics
from contracts.commands import Release, Seal
from contracts.envelope import Ack, Delivered
from contracts.observations import (
    Alert,
    CameraState,
    CameraView,
    NodeHealth,
    RoomObservation,
    SealApplied,
)
from contracts.topics import Kind
from contracts.units import MonoMs, UtcMs
from edge.core.attention import LookTimes
from edge.core.people import Detection, Instant, Rect
from edge.core.rule_settings import RuleChange, rule_settings
from edge.core.state import CameraSetup, RoomSetup, StoredRoom, restore
from edge.evidence.pictures import Pictures
from edge.perception.analyst import Analyst
from edge.perception.tracker import IouTracker
from edge.ports import Attended, CameraCounts, Caption, DetectionLost, Frame, Latest, LinkState, Rgb
from edge.service import NodeService, Wiring
from edge.store import EdgeStore, StoreError, hand_over
from runtime.clock import SystemClock
from runtime.metrics import Metrics
from runtime.mqtt import Outgoing
from runtime.outbox import Entry, InboxCursor, Outbox, OutboxPump
from runtime.tokens import sign_message
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.fakes.waiting import until

KEY = b"k" * 32
NOBODY_CARES = Instant(MonoMs(0), UtcMs(0))
COMMANDS = topics.command_topic("demo", "edge-1")


class FakeCamera:
    """Frames are put by the test."""

    camera_id = "cam-1"

    def __init__(self) -> None:
        self.frames: Latest[Frame] = Latest(asyncio.get_running_loop())
        self.counts = CameraCounts(frames=0, dropped=0, connections=1)

    async def run(self) -> None:
        await asyncio.Event().wait()


class FakeDetector:
    """Finds as many people as the first pixel says."""

    def find(self, rgb: Rgb, regions: tuple[Rect, ...] | None) -> tuple[Detection, ...]:
        people = int(rgb[0, 0, 0])
        if people == 255:
            raise DetectionLost("out of memory")
        return tuple(Detection(Rect(n * 0.1, 0.2, n * 0.1 + 0.09, 0.6), 0.9) for n in range(people))


class FakeLive:
    """Remembers the captions."""

    def __init__(self) -> None:
        self.captions: list[Caption] = []

    def offer(
        self, frame: Frame, view: CameraView, caption: Caption, attended: Attended | None = None
    ) -> None:
        self.captions.append(caption)


@dataclass
class House:
    """A node on a broker in memory, with a controller's bus beside it."""

    service: NodeService
    wiring: Wiring
    camera: FakeCamera
    live: FakeLive
    broker: MemoryBroker
    pictures: Pictures
    clock: SystemClock
    seq: int = 0

    def sent(self, kind: Kind) -> list[codec.Body]:
        found = []
        for message in self.broker.sent:
            read = codec.decode(message.topic, message.payload)
            if isinstance(read, codec.Message) and read.topic.kind is kind:
                found.append(read.body)
        return found

    def acks(self) -> list[Ack]:
        read = [codec.decode(message.topic, message.payload) for message in self.broker.sent]
        return [one for one in read if isinstance(one, Ack) and one.stream == "edge-1.cmd"]

    async def command(
        self, bus: MemoryBus, body: Seal | Release, *, seq: int, key: bytes | None = KEY
    ) -> None:
        signed = codec.signed_part(COMMANDS, body.command_id, codec.body_bytes(body))
        payload = codec.encode(
            Kind.COMMAND,
            body,
            message_id=body.command_id,
            sender="controller",
            sent_utc_ms=UtcMs(1),
            delivered=Delivered(stream="edge-1.cmd", epoch="a" * 16, seq=seq, floor=1),
            signature=sign_message(key, signed) if key else None,
        )
        await bus.publish(Outgoing(COMMANDS, payload))

    def show(self, people: int) -> None:
        rgb = np.zeros((36, 64, 3), np.uint8)
        rgb[0, 0, 0] = people
        now = Instant(self.clock.mono_ms(), self.clock.utc_ms())
        self.camera.frames.put(Frame.of_rgb("cam-1", rgb, now, 0))


def seal(command_id: str = "c-1", room: str = "room-1", admitted: int = 1) -> Seal:
    return Seal(
        command_id=command_id, room_id=room, session_id="s-1", admitted=admitted, at_utc_ms=UtcMs(1)
    )


StartHouse = Callable[[], Awaitable[House]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[StartHouse]:
    broker = MemoryBroker()
    closers: list[Callable[[], object]] = []
    tasks: list[asyncio.Task[None]] = []

    async def build() -> House:
        clock, metrics = SystemClock(), Metrics()
        store = EdgeStore(tmp_path / "edge.sqlite3")
        outbox = Outbox(tmp_path / "outbox.sqlite3", "edge-1", "edge-1", clock)
        bus = broker.client("edge-1")
        workers, disk = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        ids = iter(range(10_000))
        live, pictures = FakeLive(), Pictures(tmp_path / "pictures")
        wiring = Wiring(
            site_id="demo",
            node_id="edge-1",
            clock=clock,
            bus=bus,
            store=store,
            outbox=outbox,
            shelf=pictures,
            live=live,
            metrics=metrics,
            new_id=lambda: f"id-{clock.mono_ms()}-{next(ids)}",
            workers=workers,
            disk=disk,
            run_key=KEY,
        )
        setup = RoomSetup(
            "room-1",
            "edge-1",
            (CameraSetup("cam-1", has_sound=False),),
            rule_settings(
                {"area.over_admitted": RuleChange(parameters={"dwell_ms": 400, "clear_ms": 400})}
            ),
        )
        now = Instant(clock.mono_ms(), clock.utc_ms())
        states = {"room-1": restore(setup, store.rooms().get("room-1"), now)}
        service = NodeService(
            wiring, states, version="test", api_url=None, disk_free_bytes=lambda: 5
        )
        camera = FakeCamera()
        sight = Analyst(
            "cam-1", FakeDetector(), IouTracker(), clock, times=LookTimes(enabled=False)
        )
        service.add_camera(camera, sight)
        pump = OutboxPump(
            outbox, bus, clock, random.Random(1), ack_topic=topics.ack_topic("demo", "edge-1")
        )
        tasks.extend(asyncio.create_task(part) for part in (service.run(), pump.run()))
        closers.extend((store.close, outbox.close, workers.shutdown, disk.shutdown))
        return House(service, wiring, camera, live, broker, pictures, clock)

    yield build
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for close in closers:
        close()


async def test_a_seal_is_applied_once_and_acknowledged_again_on_a_duplicate(
    start: StartHouse,
) -> None:
    house = await start()
    bus = house.broker.client("controller")
    await house.command(bus, seal(), seq=1)
    await until(lambda: house.sent(Kind.APPLIED), what="the seal is applied")
    (applied,) = house.sent(Kind.APPLIED)
    assert isinstance(applied, SealApplied)
    assert (applied.sealed, applied.admitted, applied.command_id) == (True, 1, "c-1")
    await until(lambda: len(house.acks()) == 1, what="it is acknowledged")
    await house.command(bus, seal(), seq=1)
    await until(lambda: len(house.acks()) == 2, what="the duplicate is acknowledged")
    assert [ack.seq for ack in house.acks()] == [1, 1]
    await house.command(bus, seal("c-3"), seq=3)  # 2 is missing: neither done nor acknowledged
    await house.command(bus, seal("c-2", admitted=2), seq=2)
    await until(lambda: len(house.acks()) == 3, what="the missing one is taken")
    assert house.acks()[-1].seq == 2
    room = house.service.rooms["room-1"]
    assert room.state.sealed is not None
    assert room.state.sealed.admitted == 2


async def test_bad_commands_are_counted_and_nothing_dies(start: StartHouse) -> None:
    house = await start()
    bus = house.broker.client("mallory")
    await house.command(bus, seal("c-1"), seq=1, key=b"x" * 32)
    await house.command(bus, seal("c-2"), seq=1, key=None)
    await bus.publish(Outgoing(COMMANDS, b"{"))
    await bus.publish(Outgoing(COMMANDS, b"x" * 65_536))
    await bus.publish(Outgoing(COMMANDS, b'{"schema":"zeroentry.command/9","id":"1"}'))
    value = house.wiring.metrics.value
    await until(
        lambda: (
            sum(
                value("mqtt_rejected_total", reason=reason)
                for reason in ("bad_signature", "not_json", "invalid")
            )
            == 5
        ),
        what="all five are counted",
    )
    assert value("mqtt_rejected_total", reason="bad_signature") == 2
    assert house.sent(Kind.APPLIED) == []
    await house.command(bus, seal("c-9"), seq=1)
    await until(lambda: house.sent(Kind.APPLIED), what="a right command still works")


async def test_an_order_for_a_foreign_room_does_not_block_the_stream(start: StartHouse) -> None:
    house = await start()
    bus = house.broker.client("controller")
    await house.command(bus, seal("c-1", room="room-7"), seq=1)
    await house.command(bus, seal("c-2"), seq=2)
    await until(lambda: house.sent(Kind.APPLIED), what="the second order is applied")
    await until(lambda: house.acks() and house.acks()[-1].seq == 2, what="both are acknowledged")
    applied = [
        body.command_id for body in house.sent(Kind.APPLIED) if isinstance(body, SealApplied)
    ]
    assert applied == ["c-2"]


async def over_admitted(house: House) -> Alert:
    house.service.report(
        LinkState("cam-1", CameraState.LIVE, house.service.rooms["room-1"].now(), NOBODY_CARES)
    )

    def alerts() -> Sequence[codec.Body]:
        house.show(2)
        return house.sent(Kind.ALERT)

    await until(alerts, what="the alert is published")
    alert = house.sent(Kind.ALERT)[0]
    assert isinstance(alert, Alert)
    return alert


async def test_alert_carries_a_plain_picture_whose_hash_is_true(start: StartHouse) -> None:
    import hashlib

    house = await start()
    await house.command(house.broker.client("controller"), seal(), seq=1)
    alert = await over_admitted(house)
    assert alert.picture is not None
    content = house.pictures.read(alert.picture.sha256)
    assert content is not None
    assert hashlib.sha256(content).hexdigest() == alert.picture.sha256
    assert len(alert.boxes) == 2
    room = house.service.rooms["room-1"]
    await until(lambda: room.state.alerts == (alert,), what="the room knows its alert")
    await until(
        lambda: house.live.captions[-1] == Caption(people=2, admitted=1, alarm=True),
        what="viewers see it",
    )
    seen = house.sent(Kind.OBSERVATION)[-1]
    assert isinstance(seen, RoomObservation)
    assert (seen.head_count, len(seen.views[0].people)) == (2, 2)


async def test_a_refusing_disk_loses_no_alert(start: StartHouse) -> None:
    house = await start()
    await house.command(house.broker.client("controller"), seal(), seq=1)
    await until(lambda: house.sent(Kind.APPLIED), what="the seal is applied")
    blocker = sqlite3.connect(house.wiring.store._path, isolation_level=None)
    house.wiring.store._db.execute("PRAGMA busy_timeout=10")
    blocker.execute("BEGIN IMMEDIATE")  # as a disk that takes no writes
    house.service.report(
        LinkState("cam-1", CameraState.LIVE, house.service.rooms["room-1"].now(), NOBODY_CARES)
    )

    def refused() -> float:
        house.show(2)
        return house.wiring.metrics.value("edge_disk_refusals_total")

    await until(refused, what="the disk refuses the alert")
    assert house.sent(Kind.ALERT) == []
    blocker.execute("ROLLBACK")
    blocker.close()
    alert = await over_admitted(house)
    assert alert.picture is not None
    assert len({one.alert_id for one in house.sent(Kind.ALERT) if isinstance(one, Alert)}) == 1


async def test_what_a_crash_left_between_store_and_outbox_is_sent_once(
    start: StartHouse, tmp_path: Path
) -> None:
    applied = SealApplied(
        node_id="edge-1",
        room_id="room-1",
        session_id="s",
        sealed=True,
        command_id="c",
        utc_ms=UtcMs(1),
    )
    topic = topics.room_topic(Kind.APPLIED, "demo", "room-1")
    entry = Entry(topic, applied, "room-1", "message-1")
    store = EdgeStore(tmp_path / "edge.sqlite3")
    store.commit(
        room=StoredRoom(room_id="room-1"), cursor=InboxCursor("s", "a" * 16, 4), entries=[entry]
    )
    outbox = Outbox(tmp_path / "outbox.sqlite3", "edge-1", "edge-1", SystemClock())
    outbox.append_many([entry])  # killed after the outbox had it, before it was forgotten here
    assert store.unsent() == [entry]
    outbox.close()
    store.close()
    house = await start()
    await until(lambda: house.sent(Kind.APPLIED), what="it is sent")
    await until(lambda: not house.wiring.store.unsent(), what="it is forgotten")
    assert house.wiring.outbox.depth == 1
    assert house.wiring.store.cursors() == (InboxCursor("s", "a" * 16, 4),)


async def test_a_picture_that_cannot_be_analysed_is_counted_and_passed_over(
    start: StartHouse,
) -> None:
    house = await start()
    house.show(255)
    value = house.wiring.metrics.value
    await until(lambda: value("edge_detections_lost_total") == 1, what="it is counted")
    house.show(1)
    await until(lambda: house.live.captions, what="the next picture is analysed")
    assert value("edge_detections_lost_total") == 1
    (seen,) = house.live.captions
    assert not seen.alarm


async def test_health_is_retained_and_tells_the_camera(start: StartHouse) -> None:
    house = await start()
    await until(lambda: house.sent(Kind.HEALTH), within_s=30, what="health is published")
    health = house.sent(Kind.HEALTH)[-1]
    assert isinstance(health, NodeHealth)
    assert health.cameras[0].camera_id == "cam-1"
    assert health.disk_free_bytes == 5
    assert topics.health_topic("demo", "edge-1") in house.broker.retained


def test_a_failed_commit_stores_nothing(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "edge.sqlite3")
    applied = SealApplied(
        node_id="edge-1",
        room_id="room-1",
        session_id="s",
        sealed=True,
        command_id="c",
        utc_ms=UtcMs(1),
    )
    topic = topics.room_topic(Kind.APPLIED, "demo", "room-1")
    twice = [Entry(topic, applied, "room-1", "same"), Entry(topic, applied, "room-1", "same")]
    with pytest.raises(sqlite3.IntegrityError):
        store.commit(room=StoredRoom(room_id="room-1"), entries=twice)
    assert store.rooms() == {}
    assert store.unsent() == []
    store.close()


def test_hand_over_may_be_repeated(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "edge.sqlite3")
    outbox = Outbox(tmp_path / "outbox.sqlite3", "edge-1", "edge-1", SystemClock())
    hand_over(store, outbox, [])
    assert outbox.depth == 0
    outbox.close()
    store.close()


def test_damaged_and_foreign_databases_are_named(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot open the node's database"):
        EdgeStore(path)
    path.unlink()
    store = EdgeStore(path)
    store._db.execute("INSERT INTO room VALUES ('room-1', '{}')")
    with pytest.raises(StoreError, match="is damaged"):
        store.rooms()
    store.close()
