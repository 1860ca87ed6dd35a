"""A recorder on disks in memory with scripted sources: orders, space, clock, faults, stop."""

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from contracts.evidence.entries import (
    Changed,
    Deleted,
    Ending,
    Entry,
    Gap,
    GapReason,
    HandedOver,
    Held,
    Kept,
    Lifted,
    Released,
    Sealed,
    Segment,
    parse_entry,
)
from contracts.observations import RecordingState
from contracts.units import UtcMs
from edge.core.people import Instant
from edge.core.recording import (
    DeleteFiles,
    FragmentMade,
    GapBegan,
    GapEnded,
    HoldTracks,
    KeepTracks,
    LiftHold,
    ReleaseTracks,
    Reply,
    Request,
    RequestBody,
    RotateKey,
    SaveSpace,
    SealTracks,
    SegmentEnded,
    SegmentOpened,
    StatusSaid,
    TrackStatus,
)
from edge.evidence.disk import Space
from edge.evidence.keys import NodeKeys
from edge.evidence.manifest import Chain
from edge.evidence.segments import TrackQueue, TrackWriter
from edge.recorder.orders import Orders
from edge.recorder.service import Books, RecorderService, RecorderSetup, Threads
from edge.recorder.track import RecordedTrack
from edge.recording.track import TrackFacts
from runtime.clock import SimulatedClock
from tests.fakes.disk import MemoryDisk
from tests.fakes.track_rig import FRAGMENT_MS, FRAMES, MEDIA, fragment, head, lines
from tests.fakes.waiting import until

ROOMS: Final = {"cam-1": "room-1", "cam-2": "room-2"}
TURN_MS: Final = 100
SEAL = SealTracks(
    room_id="room-1", session_id="s-1", admitted=5, keep_days=10, frozen={"rules": "a" * 64}
)


class CrowdedDisk(MemoryDisk):
    """Says that others have taken the most of it, and has room all the same."""

    free_share = 0.5

    def space(self) -> Space:
        return Space(int(self.free_share * 10**12), 10**12)


class ScriptedTrack:
    """Recorder and source in one: a fragment every half second while it is wanted."""

    def __init__(self, queue: TrackQueue, clock: SimulatedClock) -> None:
        self._queue = queue
        self._clock = clock
        self._paused: GapReason | None = None
        self._open = False
        self._index = 0
        self.packets = 0
        self.fault: Exception | None = None
        self.starts = 0
        self._broken = False

    @property
    def now(self) -> Instant:
        return Instant(self._clock.mono_ms(), self._clock.utc_ms())

    @property
    def facts(self) -> TrackFacts:
        return TrackFacts(self._open, None, None, "", self.packets, 0, 0, 0)

    def make(self) -> "ScriptedTrack":
        self.starts += 1
        if self.fault is not None:
            raise self.fault
        return self

    def break_off(self) -> None:
        """Let the source end with an error at its next picture."""
        self._broken = True

    async def run(self) -> None:
        self._broken = False
        while not self._broken:
            if self._paused is None:
                self._grow()
            await self._clock.sleep_ms(FRAGMENT_MS)

    def _grow(self) -> None:
        if not self._open and self._queue.ready():
            self._queue.offer(GapEnded(self.now))
            self._open = self._queue.offer(SegmentOpened(self.now, MEDIA, head()))
            self._index = 0
        if not self._open:
            return
        self._index += 1
        length_ms = self._index * FRAGMENT_MS
        made = FragmentMade(fragment(self._index - 1), length_ms, self._index * FRAMES, 0, self.now)
        self._open = self._queue.offer(made)
        self.packets += FRAMES

    def cut(self, ending: Ending = Ending.FULL) -> None:
        self._queue.offer(SegmentEnded(ending))
        self._open = False

    def lose(self, reason: GapReason, since: Instant, detail: str = "") -> None:
        self.cut(Ending.STREAM_ENDED)
        self._queue.offer(GapBegan(reason, since, detail))

    def pause(self, reason: GapReason) -> None:
        self.cut(Ending.STOPPED)
        self._paused = reason
        self._queue.offer(GapBegan(reason, self.now))

    def resume(self) -> None:
        self._paused = None

    def stop(self) -> None:
        self.cut(Ending.STOPPED)


@dataclass
class Desk:
    """A recorder under test. ``run`` lets simulated time pass until something is so."""

    service: RecorderService
    disk: MemoryDisk
    clock: SimulatedClock
    tracks: dict[str, ScriptedTrack]
    task: asyncio.Task[None] | None = None
    asked: int = 0

    @property
    def status(self) -> StatusSaid:
        return self.service.status()

    def track(self, name: str) -> TrackStatus:
        return next(one for one in self.status.tracks if one.track_id == name)

    async def run(self, condition: Callable[[], object], what: str) -> None:
        async def pass_time() -> object:
            await self.clock.run_ms(TURN_MS)
            return condition()

        await until(pass_time, within_s=30, what=what)

    async def recording(self) -> None:
        def all_record() -> bool:
            return all(one.state is RecordingState.RECORDING for one in self.status.tracks)

        await self.run(all_record, "everything is recorded")

    async def ask(self, body: RequestBody, request_id: str | None = None) -> Reply:
        self.asked += 1
        request = Request(id=request_id or f"r-{self.asked}", body=body)
        return await self.service.answer(request)

    def entries(self, track: str) -> list[Entry]:
        return [parse_entry(raw)[1] for _, raw in lines(self.disk, track)]

    def of(self, kind: type[Entry], track: str = "cam-1") -> Sequence[Entry]:
        return [entry for entry in self.entries(track) if isinstance(entry, kind)]

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
            self.task = None


StartDesk = Callable[[MemoryDisk, MemoryDisk], Awaitable[Desk]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[StartDesk]:
    running: list[Desk] = []
    with ExitStack() as stack:

        async def make(disk: MemoryDisk, private: MemoryDisk) -> Desk:
            clock = running[-1].clock if running else SimulatedClock()
            desk = open_desk(disk, private, clock, tmp_path, stack)
            desk.task = asyncio.create_task(desk.service.run())
            running.append(desk)
            return desk

        yield make
        for desk in running:
            await desk.stop()


@pytest.fixture
async def desk(start: StartDesk) -> Desk:
    made = await start(MemoryDisk(), MemoryDisk())
    await made.recording()
    return made


def open_desk(
    disk: MemoryDisk, private: MemoryDisk, clock: SimulatedClock, folder: Path, stack: ExitStack
) -> Desk:
    keys = NodeKeys(private, disk)

    def new_chain(track_id: str) -> Chain:
        return Chain(
            disk,
            site="demo",
            node="edge-1",
            track=track_id,
            keys=keys,
            clock=clock,
            version="test",
        )

    scripted: dict[str, ScriptedTrack] = {}
    tracks = []
    for track_id, room_id in ROOMS.items():
        queue, chain = TrackQueue(max_bytes=1_000_000), new_chain(track_id)
        one = scripted[track_id] = ScriptedTrack(queue, clock)
        tracks.append(
            RecordedTrack(
                track_id,
                room_id,
                chain=chain,
                queue=queue,
                writer=TrackWriter(disk=disk, chain=chain, queue=queue, clock=clock),
                recorder=one,
                new_source=one.make,
                clock=clock,
            )
        )
    pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2)]
    orders = Orders(ROOMS, {one.track_id: one.chain for one in tracks}, disk, keys, new_chain)
    setup = RecorderSetup("edge-1", "test", folder / "recorder.sock", critical_percent=3.0)
    books = Books(disk, keys, orders)
    service = RecorderService(setup, tracks, books, Threads(pools[0], pools[1]), clock)
    return Desk(service, disk, clock, scripted)


async def test_a_seal_is_entered_once_in_each_track_of_its_room(desk: Desk) -> None:
    reply = await desk.ask(SEAL, "c-1")
    assert reply.error is None
    assert [one.track_id for one in reply.written] == ["cam-1"]
    assert await desk.ask(SEAL, "c-1") == reply
    (seal,) = desk.of(Sealed)
    assert isinstance(seal, Sealed)
    assert (seal.request_id, seal.frozen) == ("c-1", {"rules": "a" * 64})
    assert not desk.of(Sealed, "cam-2")
    await desk.ask(ReleaseTracks(room_id="room-1", session_id="s-1"))
    assert len(desk.of(Released)) == 1


async def test_a_request_repeated_after_a_restart_is_entered_once(
    desk: Desk, start: StartDesk
) -> None:
    first = await desk.ask(SEAL, "c-1")
    await desk.stop()
    private = desk.service._keys._private
    assert isinstance(private, MemoryDisk)
    again = await start(desk.disk, private)
    await again.recording()
    assert (await again.ask(SEAL, "c-1")).written == first.written
    assert len(again.of(Sealed)) == 1


async def test_what_cannot_be_done_is_refused_with_what_there_is(desk: Desk) -> None:
    keep = KeepTracks(
        room_id="attic", session_id="s-1", from_utc_ms=UtcMs(1), keep_until_utc_ms=UtcMs(2)
    )
    delete = DeleteFiles(track_id="cam-1", numbers=(7,), reason="expired", by="retention")
    lift = LiftHold(hold_id="h-9", reason="over", by="li.wei")
    hold = HoldTracks(
        tracks=("cam-7",),
        hold_id="h-1",
        from_utc_ms=UtcMs(1),
        to_utc_ms=UtcMs(2),
        reason="complaint",
        by="li.wei",
    )
    for body, words in (
        (keep, "attic.*room-1, room-2"),
        (delete, "no finished file of number 7"),
        (lift, "no track here has a hold"),
        (hold, "cam-7.*cam-1, cam-2"),
    ):
        reply = await desk.ask(body)
        assert reply.error is not None
        assert not reply.again
        assert not reply.written
        assert re.search(words, reply.error), reply.error


async def test_holds_are_entered_lifted_and_beat_deletion(desk: Desk) -> None:
    desk.tracks["cam-1"].cut()
    await desk.run(lambda: desk.of(Segment), "a file is finished")
    hold = HoldTracks(
        tracks=("cam-1", "cam-2"),
        hold_id="h-1",
        from_utc_ms=UtcMs(0),
        to_utc_ms=UtcMs(desk.clock.utc_ms() + 10**9),
        reason="complaint",
        by="li.wei",
    )
    assert len((await desk.ask(hold)).written) == 2
    delete = DeleteFiles(track_id="cam-1", numbers=(1,), reason="order", by="li.wei")
    refused = await desk.ask(delete)
    assert refused.error is not None
    assert "h-1" in refused.error
    assert len((await desk.ask(LiftHold(hold_id="h-1", reason="over", by="li.wei"))).written) == 2
    assert len(desk.of(Held)) == len(desk.of(Lifted)) == 1
    assert (await desk.ask(delete)).error is None
    assert len(desk.of(Deleted)) == 1


async def test_a_track_that_is_recorded_no_more_can_still_be_held(
    desk: Desk, start: StartDesk
) -> None:
    await desk.stop()
    desk.disk.root.live["cam-9"] = desk.disk.root.live["cam-2"]
    del desk.disk.root.live["cam-2"]
    assert "cam-9" in desk.disk.root.live
    private = desk.service._keys._private
    assert isinstance(private, MemoryDisk)
    again = await start(desk.disk, private)
    await again.recording()
    body = HoldTracks(
        tracks=("cam-9",),
        hold_id="h-1",
        from_utc_ms=UtcMs(0),
        to_utc_ms=UtcMs(1),
        reason="complaint",
        by="li.wei",
    )
    reply = await again.ask(body)
    assert [one.track_id for one in reply.written] == ["cam-9"]


async def test_a_disk_that_refuses_is_a_gap_a_status_and_a_request_to_repeat(desk: Desk) -> None:
    desk.disk.read_only = True
    await desk.run(
        lambda: desk.track("cam-1").reason is GapReason.DISK_READ_ONLY, "the status says so"
    )
    assert desk.track("cam-1").state is RecordingState.GAP
    reply = await desk.ask(SEAL, "c-1")
    assert reply.again
    assert reply.error is not None
    desk.disk.read_only = False
    await desk.recording()
    assert (await desk.ask(SEAL, "c-1")).error is None
    gaps = [one for one in desk.of(Gap) if isinstance(one, Gap)]
    assert GapReason.DISK_READ_ONLY in {one.reason for one in gaps}
    assert gaps[-1].ended


async def test_a_nearly_full_disk_keeps_what_is_sealed(start: StartDesk) -> None:
    disk = CrowdedDisk()
    desk = await start(disk, MemoryDisk())
    await desk.recording()
    await desk.ask(SEAL)
    disk.free_share = 0.025
    await desk.run(
        lambda: desk.track("cam-2").reason is GapReason.SPACE_SAVED, "the unsealed track stops"
    )
    assert desk.status.saving_space
    assert desk.track("cam-1").state is RecordingState.RECORDING
    seal_2 = SEAL.model_copy(update={"room_id": "room-2", "session_id": "s-2"})
    await desk.ask(seal_2)
    await desk.run(
        lambda: desk.track("cam-2").state is RecordingState.RECORDING, "a seal brings it back"
    )
    await desk.ask(ReleaseTracks(room_id="room-2", session_id="s-2"))
    await desk.run(lambda: desk.track("cam-2").state is RecordingState.GAP, "a release ends that")
    disk.free_share = 0.05
    await desk.recording()
    assert not desk.status.saving_space


async def test_room_can_be_saved_by_order(desk: Desk) -> None:
    keep = KeepTracks(
        room_id="room-2",
        session_id="s-1",
        from_utc_ms=UtcMs(desk.clock.utc_ms() - 1),
        keep_until_utc_ms=UtcMs(desk.clock.utc_ms() + 10**9),
    )
    await desk.ask(keep)
    assert len(desk.of(Kept, "cam-2")) == 1
    assert (await desk.ask(SaveSpace(stop=True))).error is None
    await desk.run(lambda: desk.track("cam-1").state is RecordingState.GAP, "cam-1 stops")
    assert desk.track("cam-2").state is RecordingState.RECORDING
    await desk.ask(SaveSpace(stop=False))
    await desk.recording()


async def test_a_step_of_the_clock_is_in_every_chain_and_in_the_status(desk: Desk) -> None:
    desk.clock.step_utc_ms(3_600_000)

    def noted(track: str) -> list[str]:
        found = [one for one in desk.of(Changed, track) if isinstance(one, Changed)]
        return [one.after for one in found if one.what == "clock_step"]

    await desk.run(lambda: noted("cam-1") and noted("cam-2"), "both chains say so")
    assert abs(desk.status.clock_step_ms - 3_600_000) <= TURN_MS
    assert "+3600" in noted("cam-1")[0]
    desk.clock.step_utc_ms(-7_200_000)
    await desk.run(lambda: len(noted("cam-1")) == 2, "and back")
    assert desk.status.clock_step_ms < 0


async def test_a_source_that_breaks_costs_its_own_track_alone(desk: Desk) -> None:
    one = desk.tracks["cam-1"]
    one.fault = LookupError("no credential 'gate' is stored")
    one.break_off()
    await desk.run(lambda: one.starts >= 4, "it is tried again and again")
    told = desk.track("cam-1")
    assert (told.state, told.reason) == (RecordingState.GAP, GapReason.UNKNOWN)
    assert "no credential 'gate'" in told.detail
    assert desk.track("cam-2").state is RecordingState.RECORDING
    one.fault = None
    await desk.recording()


async def test_a_key_is_handed_over_once_in_all_chains(desk: Desk) -> None:
    before = desk.status.key
    reply = await desk.ask(RotateKey(), "rotate-1")
    assert len(reply.written) == 2
    assert await desk.ask(RotateKey(), "rotate-1") == reply
    assert desk.status.key != before
    for track in ROOMS:
        assert len(desk.of(HandedOver, track)) == 1
    folder = {path for path in desk.disk.files() if path.startswith("keys/")}
    assert len(folder) == 2


async def test_a_stop_ends_every_file_and_says_so(desk: Desk) -> None:
    await desk.stop()
    for track in ROOMS:
        *_, segment, last = desk.entries(track)
        assert isinstance(segment, Segment)
        assert segment.ending is Ending.STOPPED
        assert isinstance(last, Changed)
        assert last.what == "stopped"
    assert {one.state for one in desk.status.tracks} == {RecordingState.STOPPED}


async def test_it_starts_on_a_disk_that_takes_nothing(start: StartDesk) -> None:
    disk = MemoryDisk()
    private = MemoryDisk()
    NodeKeys(private, disk)
    disk.read_only = True
    desk = await start(disk, private)
    await desk.run(
        lambda: desk.track("cam-1").reason is GapReason.DISK_READ_ONLY, "the status says so"
    )
    assert (await desk.ask(SEAL)).again
    disk.read_only = False
    await desk.recording()


FORBIDDEN: Final = ("aiomqtt", "paho", "fastapi", "uvicorn", "sqlite3", "onnxruntime", "cv2")


def test_the_recorder_imports_nothing_that_it_could_fail_with() -> None:
    code = (
        "import sys, edge.recorder.__main__; "
        f"print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"
