"""The node's side of recording: orders wait for the recorder, and what it says is passed on."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.commands import Keep, Release, Seal
from contracts.devices import Area, CameraConfig, Named, NodeConfig, Site, SiteConfig, StreamConfig
from contracts.evidence.entries import ClockSource, ClockState, GapReason
from contracts.observations import RecordingState
from contracts.units import MonoMs, UtcMs
from contracts.zones import PictureZone, ZoneKind, ZoneName
from edge.announcer import Announcer, Chains
from edge.core.recording import (
    KeepTracks,
    LevelSaid,
    ReleaseTracks,
    Reply,
    Request,
    SealTracks,
    StatusSaid,
    TrackStatus,
)
from edge.core.retention import Disk, Marks
from edge.core.rule_settings import RuleChange, rule_settings
from edge.evidence.copies import CopyBook
from edge.evidence.index import RecordingIndex
from edge.freezing import devices_document, frozen_of, text_of, texts_of
from edge.keeper import Keeper, KeeperPorts, KeeperSettings
from edge.recorder.client import RecorderClient
from edge.recorder.control import ControlServer
from edge.recordings import (
    RecordingParts,
    Recordings,
    RecordingSetup,
    request_for,
)
from edge.store import EdgeStore
from edge.witnesses import WitnessBook
from runtime.clock import SimulatedClock
from runtime.metrics import Metrics
from runtime.outbox import Outbox
from tests.fakes.bus import MemoryBroker
from tests.fakes.waiting import until

NAME = Named(zh="评标室", en="Room")


FROZEN = {"rules": "a" * 64}


def site(url: str = "rtsp://127.0.0.1/a") -> Site:
    stream = StreamConfig(url=url, width=640, height=360, fps=10)
    camera = CameraConfig(kind="camera", id="cam-1", area="room-1", name=NAME, main=stream)
    config = SiteConfig(
        kind="site",
        id="demo",
        name=NAME,
        map="maps/none.lif.json",
        kitchen_node="kitchen",
        areas=(Area(id="room-1", name=NAME),),
    )
    nodes = (NodeConfig(kind="node", id="edge-1", areas=("room-1",)),)
    return Site(config=config, cameras=(camera,), nodes=nodes)


def seal(command_id: str = "c-1", roster: str | None = None) -> Seal:
    return Seal(
        command_id=command_id,
        room_id="room-1",
        session_id="s-1",
        admitted=5,
        at_utc_ms=UtcMs(1),
        keep_days=30,
        roster_sha256=roster,
    )


def status(reason: GapReason | None = None) -> StatusSaid:
    track = TrackStatus(
        track_id="cam-1",
        room_id="room-1",
        state=RecordingState.GAP if reason else RecordingState.RECORDING,
        since_utc_ms=UtcMs(5),
        since_mono_ms=MonoMs(5),
        reason=reason,
        sequence=12,
    )
    return StatusSaid(
        utc_ms=UtcMs(9),
        mono_ms=MonoMs(9),
        boot_id="b",
        version="1",
        pid=1,
        key="ed25519:" + "0" * 16,
        clock=ClockState(source=ClockSource.SYNCHRONISED),
        disk_free_bytes=40,
        disk_total_bytes=100,
        tracks=(track,),
    )


@dataclass
class Desk:
    """A node's side of recording before a recorder that answers as the test says."""

    recordings: Recordings
    store: EdgeStore
    clock: SimulatedClock
    path: Path
    asked: list[Request] = field(default_factory=list)
    answers: dict[str, Reply] = field(default_factory=dict)
    server: ControlServer | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.answers.get(request.id, Reply(id=request.id))

    def start_recorder(self, said: StatusSaid) -> None:
        self.server = ControlServer(self.path, self.answer)
        self.server.say(said)
        self.tasks.append(asyncio.create_task(self.server.run()))

    def order(self, command: Seal | Release | Keep) -> None:
        self.store.commit(requests=(self.recordings.request_for(command, FROZEN),))
        self.recordings.stir()

    async def run(self, condition: Callable[[], object], what: str) -> None:
        async def pass_time() -> object:
            await self.clock.run_ms(50)
            return condition()

        await until(pass_time, within_s=30, what=what)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = SimulatedClock()
    folder = tmp_path / "recordings"
    folder.mkdir()
    store = EdgeStore(tmp_path / "edge.sqlite3")
    outbox = Outbox(tmp_path / "outbox.sqlite3", "edge-1", "edge-1", clock)
    index = RecordingIndex(tmp_path / "index.sqlite3", folder)
    rooms = {"cam-1": "room-1"}
    client = RecorderClient(tmp_path / "recorder.sock", clock, random.Random(1))
    disk, keep = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
    keeper = Keeper(
        KeeperSettings(folder, "demo/edge-1", Marks(90, 10, 3)),
        KeeperPorts(
            index,
            CopyBook(":memory:"),
            (),
            ask=client.request,
            status=lambda: client.status,
            disk=lambda: Disk(total=100, free=50),
        ),
        clock,
        Metrics(),
        keep,
    )
    recordings = Recordings(
        RecordingSetup("demo", "edge-1", rooms, 10.0),
        RecordingParts(
            clock=clock,
            bus=MemoryBroker().client("edge-1"),
            store=store,
            index=index,
            announcer=Announcer(
                Chains("demo", "edge-1", rooms, folder / "keys"), index, store, outbox
            ),
            witnesses=WitnessBook("demo", "edge-1", folder, lambda track, number: None),
            client=client,
            disk=disk,
            new_id=lambda: "id",
            keeper=keeper,
        ),
    )
    made = Desk(recordings, store, clock, tmp_path / "recorder.sock")
    made.tasks.append(asyncio.create_task(recordings.run()))
    yield made
    for task in made.tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    for pool in (disk, keep):
        pool.shutdown()
    index.close()
    store.close()
    outbox.close()


async def test_orders_wait_for_a_recorder_and_are_asked_in_order(desk: Desk) -> None:
    desk.order(seal("c-1"))
    desk.order(Release(command_id="c-2", room_id="room-1", session_id="s-1", at_utc_ms=UtcMs(2)))
    await desk.run(lambda: len(desk.store.requests()) == 2, "both are owed")
    assert not desk.recordings.seen().running
    desk.start_recorder(status())
    await desk.run(lambda: not desk.store.requests(), "the recorder has confirmed both")
    assert [one.id for one in desk.asked] == ["c-1", "c-2"]


async def test_a_disk_that_refuses_is_asked_again_and_a_refusal_holds_up_nobody(
    desk: Desk,
) -> None:
    desk.answers["c-1"] = Reply(id="c-1", error="the disk refuses", again=True)
    desk.answers["c-2"] = Reply(id="c-2", error="nothing is recorded there")
    desk.start_recorder(status())
    for name in ("c-1", "c-2", "c-3"):
        desk.order(seal(name))
    await desk.run(lambda: [one.id for one in desk.asked] == ["c-1", "c-1"], "asked again")
    del desk.answers["c-1"]
    await desk.run(lambda: not desk.store.requests(), "all are done with")
    assert [one.id for one in desk.asked][-3:] == ["c-1", "c-2", "c-3"]


async def test_what_the_recorder_says_is_health_and_what_rules_see(desk: Desk) -> None:
    assert not desk.recordings.health().running
    desk.start_recorder(status(GapReason.DISK_FULL))
    await desk.run(lambda: desk.recordings.seen().running, "it speaks")
    seen, health = desk.recordings.seen(), desk.recordings.health()
    assert seen.tracks["cam-1"].reason is GapReason.DISK_FULL
    assert seen.disk.free_percent == 40
    assert health.tracks[0].sequence == 12
    assert health.disk_total_bytes == 100
    assert desk.server is not None
    desk.server.say(LevelSaid(track_id="cam-1", dbfs=-20, at_utc_ms=UtcMs(1), at_mono_ms=MonoMs(1)))
    await desk.run(lambda: desk.recordings.levels, "the level is known")
    desk.tasks.pop().cancel()
    await desk.run(lambda: not desk.recordings.seen().running, "it is gone")
    gone = desk.recordings.health().tracks[0]
    assert (gone.state, gone.reason) == (RecordingState.GAP, None)


def devices(url: str = "rtsp://127.0.0.1/a") -> str:
    return text_of(devices_document(site(url), "room-1"))


def drawn(name: str, x: float) -> PictureZone:
    points = ((0.1, 0.1), (x, 0.1), (x, 0.9))
    return PictureZone(
        id=name, name=ZoneName(zh="区", en="Z"), kind=ZoneKind.FORBIDDEN, points=points
    )


def test_a_seal_freezes_rules_zones_devices_and_roster() -> None:
    rules, zones = rule_settings({}), {"cam-1": (drawn("a", 0.8), drawn("b", 0.7))}
    frozen = frozen_of(texts_of(devices(), rules, zones))
    request = request_for(seal(roster="a" * 64), frozen)
    assert isinstance(request.body, SealTracks)
    assert request.id == "c-1"
    assert request.body.frozen == {**frozen, "roster": "a" * 64}
    assert request.body.keep_days == 30
    other = frozen_of(texts_of(devices("rtsp://127.0.0.1/b"), rules, zones))
    assert other["devices"] != frozen["devices"]
    changed = rule_settings({"area.over_admitted": RuleChange(parameters={"dwell_ms": 500})})
    assert frozen_of(texts_of(devices(), changed, zones))["rules"] != frozen["rules"]
    moved = {"cam-1": (drawn("a", 0.8), drawn("b", 0.6))}
    assert frozen_of(texts_of(devices(), rules, moved))["zones"] != frozen["zones"]
    turned = {"cam-1": tuple(reversed(zones["cam-1"])), "cam-2": ()}
    assert frozen_of(texts_of(devices(), rule_settings({}), turned)) == frozen


def test_a_release_and_a_keep_become_requests_under_their_own_ids() -> None:
    release = Release(command_id="c-2", room_id="room-1", session_id="s-1", at_utc_ms=UtcMs(2))
    keep = Keep(
        command_id="c-3",
        room_id="room-1",
        session_id="s-1",
        from_utc_ms=UtcMs(1),
        keep_until_utc_ms=UtcMs(9),
    )
    released, kept = request_for(release, {}), request_for(keep, {})
    assert (released.id, type(released.body)) == ("c-2", ReleaseTracks)
    assert isinstance(kept.body, KeepTracks)
    assert (kept.id, kept.body.to_utc_ms, kept.body.keep_until_utc_ms) == ("c-3", None, 9)
