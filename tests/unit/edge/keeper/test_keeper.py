"""Shows what the keeper copies, what it asks to delete, and when it does not."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.evidence.entries import ClockSource, ClockState
from contracts.units import MonoMs, UtcMs
from edge.core.recording import DeleteFiles, Reply, StatusSaid
from edge.core.retention import Disk, Marks
from edge.evidence.copies import CopyBook, CopyLost, Mirror
from edge.evidence.index import RecordingIndex
from edge.keeper import Keeper, KeeperPorts, KeeperSettings
from runtime.clock import SimulatedClock
from runtime.metrics import Metrics
from tests.fakes.evidence_sets import DAY_MS, FIRST_DAY_MS, EvidenceSet, write_set

LAST_MS = FIRST_DAY_MS + 3 * DAY_MS
ROOMY = Disk(total=10**9, free=9 * 10**8)


@dataclass
class Rig:
    made: EvidenceSet
    mirror: Path
    book: CopyBook
    index: RecordingIndex
    keeper: Keeper = field(init=False)
    ids: list[str] = field(default_factory=list)
    asked: list[DeleteFiles] = field(default_factory=list)
    disk: Disk = ROOMY
    step_ms: int = 0
    answer: str | None = None

    async def ask(self, body: DeleteFiles, request_id: str) -> Reply:
        self.asked.append(body)
        self.ids.append(request_id)
        return Reply(id=request_id, error=self.answer)

    def status(self) -> StatusSaid:
        return StatusSaid(
            utc_ms=UtcMs(LAST_MS),
            mono_ms=MonoMs(0),
            boot_id="b",
            version="1",
            pid=1,
            key=self.made.keys[0].id,
            clock=ClockState(source=ClockSource.SYNCHRONISED),
            clock_step_ms=self.step_ms,
        )


KEPT_UNTIL_MS = FIRST_DAY_MS + 9 * DAY_MS  # of the set's order to keep


def rig_at(
    tmp_path: Path, now_utc_ms: int, *, keep_days: int = 90, ahead_ms: int = 400 * DAY_MS
) -> Rig:
    made = write_set(tmp_path, seed=3)
    index = RecordingIndex(":memory:", made.root)
    while index.follow():
        pass
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    clock = SimulatedClock(start_utc_ms=UtcMs(now_utc_ms))
    rig = Rig(made, mirror, CopyBook(":memory:"), index)
    rig.keeper = Keeper(
        KeeperSettings(made.root, "demo/edge-1", Marks(keep_days, 10, 3), ahead_ms),
        KeeperPorts(
            index,
            rig.book,
            (Mirror(mirror),),
            ask=rig.ask,
            status=rig.status,
            disk=lambda: rig.disk,
        ),
        clock,
        Metrics(),
        ThreadPoolExecutor(1),
    )
    return rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return rig_at(tmp_path, LAST_MS)


def present(rig: Rig, track: str) -> list[int]:
    return [row.number for row in rig.index.segments_by_number(track)]


def copy_everything(rig: Rig) -> None:
    while rig.keeper.copy_once(rig.keeper._ports.places[0]):
        pass


def test_every_file_and_its_papers_are_copied(rig: Rig) -> None:
    copy_everything(rig)
    for track, written in rig.made.tracks.items():
        for one in written.present:
            copy = rig.mirror / "demo/edge-1" / one.path.relative_to(rig.made.root)
            assert copy.read_bytes() == one.path.read_bytes()
        assert rig.book.done("mirror", track) == max(present(rig, track))
        assert rig.keeper.pending(track) == 0
    names = {path.name for path in rig.mirror.rglob("*") if path.is_file()}
    assert {"manifest.jsonl", "witness.jsonl"} <= names
    assert any(name.endswith(".pem") for name in names)


def test_a_damaged_file_is_named_and_passed_over(rig: Rig) -> None:
    one = rig.made.tracks["room-1-cam"].present[0]
    one.path.write_bytes(b"not what the entry says")
    copy_everything(rig)
    assert list(rig.book.bad("mirror", "room-1-cam")) == [one.number]
    assert not rig.book.has("mirror", "room-1-cam", one.number)
    assert rig.book.has("mirror", "room-1-cam", one.number + 1)


def test_an_unmounted_mirror_is_lost_and_nothing_counts_as_copied(rig: Rig) -> None:
    rig.mirror.rmdir()
    with pytest.raises(CopyLost):
        copy_everything(rig)
    assert rig.book.done("mirror", "room-1-cam") == 0


async def test_with_room_and_young_files_nothing_is_asked(rig: Rig) -> None:
    assert not await rig.keeper.retain_once()
    assert rig.asked == []
    assert rig.keeper.forecast is not None


async def test_a_full_disk_frees_copied_files_first_and_oldest_first(rig: Rig) -> None:
    copy_everything(rig)
    rig.disk = Disk(total=10**9, free=10**8 - 1)
    assert await rig.keeper.retain_once()
    assert rig.asked, "something goes"
    assert all(body.copies == ("mirror",) and body.reason == "space" for body in rig.asked)
    first = next(body for body in rig.asked if body.track_id == "room-1-cam")
    assert first.numbers[0] == present(rig, "room-1-cam")[0]


async def test_a_copy_that_is_gone_is_not_relied_on(rig: Rig) -> None:
    copy_everything(rig)
    for path in rig.mirror.rglob("*.mp4"):
        path.unlink()
    rig.disk = Disk(total=10**9, free=10**8 - 1)
    await rig.keeper.retain_once()
    assert rig.asked == []
    copy_everything(rig)
    assert list(rig.mirror.rglob("*.mp4")), "they are copied again"


@pytest.mark.parametrize("wrong", ["future", "step"])
async def test_a_clock_that_is_not_believed_deletes_nothing(tmp_path: Path, wrong: str) -> None:
    rig = rig_at(
        tmp_path,
        KEPT_UNTIL_MS + DAY_MS,
        keep_days=1,
        ahead_ms=DAY_MS if wrong == "future" else 400 * DAY_MS,
    )
    rig.step_ms = 3_600_000 if wrong == "step" else 0
    await rig.keeper.retain_once()
    assert rig.asked == []


async def test_what_expired_is_asked_for_with_its_reason(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, KEPT_UNTIL_MS + DAY_MS, keep_days=1)
    await rig.keeper.retain_once()
    assert {body.reason for body in rig.asked} == {"expired"}
    sealed_to = {seal.track_id: seal.to_utc_ms for seal in rig.index.seals()}
    for body in rig.asked:
        for number in body.numbers:
            row = rig.index.segment(body.track_id, number)
            assert row is not None
            assert row.start_utc_ms >= (sealed_to[body.track_id] or 0)


async def test_a_refused_deletion_is_not_the_end(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, KEPT_UNTIL_MS + DAY_MS, keep_days=1)
    rig.answer = "held by hold-1"
    assert await rig.keeper.retain_once()
    assert await rig.keeper.retain_once()
    assert len(rig.asked) >= 2


async def test_the_same_deletion_has_the_same_request_id(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, KEPT_UNTIL_MS + DAY_MS, keep_days=1)
    await rig.keeper.retain_once()
    once = list(rig.ids)
    await rig.keeper.retain_once()
    assert once
    assert rig.ids == once * 2


async def test_it_runs_until_it_is_cancelled(rig: Rig) -> None:
    task = asyncio.create_task(rig.keeper.run())
    clock = rig.keeper._clock
    assert isinstance(clock, SimulatedClock)
    while not rig.book.has("mirror", "room-2-cam", max(present(rig, "room-2-cam"))):
        await clock.run_ms(1_000)
        await asyncio.to_thread(lambda: None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.keeper.places["mirror"].error is None
