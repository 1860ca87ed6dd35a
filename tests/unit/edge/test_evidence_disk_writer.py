"""Shows what a track's writer puts on the disk, in which order, and what refusal makes of it."""

import errno
import hashlib
import threading

import pytest

from contracts.evidence.entries import (
    Changed,
    Checkpoint,
    Ending,
    Entry,
    Gap,
    GapReason,
    Opened,
    Segment,
    parse_entry,
)
from contracts.evidence.lines import split_line
from contracts.units import MonoMs
from edge.core.people import Instant
from edge.core.recording import (
    FragmentMade,
    GapBegan,
    GapEnded,
    Noted,
    SealTracks,
    SegmentOpened,
    TrackItem,
)
from edge.evidence.segments import TrackQueue
from tests.fakes.disk import Fate
from tests.fakes.track_rig import (
    FRAGMENT_MS,
    MEDIA,
    TRACK,
    Machine,
    Rig,
    fragment,
    head,
    judged,
    lines,
    of,
)
from tests.fakes.waiting import until_blocking


def kinds(machine: Machine) -> list[str]:
    return [entry.kind for entry in judged(machine.recordings)]


def gaps_of(machine: Machine) -> list[Gap]:
    return [entry for entry in judged(machine.recordings) if isinstance(entry, Gap)]


def segments_of(machine: Machine) -> list[Segment]:
    return [entry for entry in judged(machine.recordings) if isinstance(entry, Segment)]


def started(machine: Machine, *, max_bytes: int = 1_000_000) -> Rig:
    rig = machine.start(max_bytes=max_bytes)
    rig.writer.work()
    return rig


def test_segments_and_gaps_make_a_chain_that_a_stranger_can_check() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(4)
    rig.gap(GapReason.CAMERA_OFFLINE, 3_000)
    rig.record(2)
    rig.stop()
    assert kinds(machine) == ["opened", "segment", "gap", "segment", "changed"]
    first, second = segments_of(machine)
    assert (first.number, first.duration_ms, first.video_packets) == (1, 2_000, 20)
    assert (second.number, second.ending) == (2, Ending.FULL)
    (gap,) = gaps_of(machine)
    assert (gap.reason, gap.duration_ms, gap.ended) == (GapReason.CAMERA_OFFLINE, 3_000, True)
    assert rig.writer.bytes_written == first.bytes + second.bytes


def test_a_file_is_synced_before_it_is_entered_and_entered_before_it_is_told() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    rig.grow(2)
    before = len(machine.recordings.journal)
    rig.end()
    (segment,) = segments_of(machine)
    day = f"{TRACK}/2026-01-01"
    assert machine.recordings.journal[before:] == [
        ("sync", f"{day}/{segment.file}"),
        ("sync_folder", day),
        ("write", f"{day}/manifest.jsonl"),
        ("sync", f"{day}/manifest.jsonl"),
        ("write", f"{day}/manifest.jsonl"),  # the line feed: only now may a follower take it
    ]


def test_a_new_manifest_is_on_disk_with_its_name_before_its_first_line_is_told() -> None:
    machine = Machine()
    told: list[int] = []
    rig = machine.start()
    rig.chain._on_entry = lambda entry, line: told.append(
        machine.recordings.synced_bytes(f"{TRACK}/2026-01-01/manifest.jsonl")
    )
    rig.writer.work()
    assert told
    assert told[0] > 0


def test_a_growing_file_is_synced_every_second() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    path = f"{TRACK}/2026-01-01/{TRACK}_00000001_20260101T010000Z.mp4"
    assert machine.recordings.synced_bytes(path) == len(head())
    for _ in range(20):
        rig.grow()
        unsynced = len(machine.recordings.files()[path]) - machine.recordings.synced_bytes(path)
        assert unsynced <= 2 * 400


def test_a_stalled_camera_leaves_nothing_unsynced() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    rig.grow()
    rig.wait(1_000)
    (path,) = (name for name in machine.recordings.files() if name.endswith(".mp4"))
    assert machine.recordings.synced_bytes(path) == len(machine.recordings.files()[path])


def test_every_ten_seconds_a_checkpoint_says_what_is_on_disk() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    rig.grow(50)
    assert len(rig.checkpoints) == 2
    line = split_line(rig.checkpoints[-1])
    said = Checkpoint.model_validate_json(line.signed)
    path = f"{TRACK}/2026-01-01/{said.file}"
    content = machine.recordings.after_power_cut().files()[path]
    assert said.offset <= len(content)
    assert said.sha256 == hashlib.sha256(content[: said.offset]).hexdigest()
    assert said.sequence == rig.chain.sequence
    assert rig.chain.key.id == said.key


def test_a_long_gap_is_told_every_minute_and_at_its_end() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.gap(GapReason.CAMERA_SILENT, 150_000)
    rig.record(2)
    assert [(gap.duration_ms, gap.ended) for gap in gaps_of(machine)] == [
        (60_000, False),
        (60_000, False),
        (30_000, True),
    ]


def test_a_new_reason_follows_the_old_one_without_a_hole() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.queue.offer(GapBegan(GapReason.CAMERA_SILENT, rig.now()))
    rig.wait(5_000)
    rig.queue.offer(GapBegan(GapReason.CAMERA_OFFLINE, rig.now(), "connection refused"))
    rig.wait(2_000)
    rig.record(2)
    silent, offline = gaps_of(machine)
    assert (silent.duration_ms, silent.ended) == (5_000, False)
    assert (offline.duration_ms, offline.ended) == (2_000, True)
    assert offline.detail == "connection refused"
    assert offline.start.mono_ms == silent.start.mono_ms + 5_000


def test_time_that_nobody_explains_is_a_gap_all_the_same() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.wait(10_000)
    rig.record(2)
    (gap,) = gaps_of(machine)
    assert (gap.reason, gap.duration_ms) == (GapReason.UNKNOWN, 10_000)


@pytest.mark.parametrize("speed", [0.25, 1, 4])
def test_a_camera_that_counts_time_wrongly_neither_hides_a_gap_nor_makes_one(speed: float) -> None:
    machine = Machine()
    rig = started(machine)
    for _ in range(2):
        rig.open()
        for index in range(40):
            rig.clock.advance_ms(FRAGMENT_MS)
            duration_ms = round((index + 1) * FRAGMENT_MS * speed)
            rig.queue.offer(FragmentMade(bytes(100), duration_ms, 5, 0, rig.now()))
            rig.writer.work()
        rig.end()
    rig.gap(GapReason.CAMERA_OFFLINE, 30_000)
    rig.open()
    found = [
        entry
        for _, raw in lines(machine.recordings)
        if isinstance(entry := parse_entry(raw)[1], Gap)
    ]
    assert {gap.reason for gap in found} == {GapReason.CAMERA_OFFLINE}
    assert sum(gap.duration_ms for gap in found) == pytest.approx(30_000, abs=2_000)


def test_who_listens_and_fails_costs_nothing() -> None:
    machine = Machine()
    rig = started(machine)

    def fail(entry: Entry, line: bytes) -> None:
        raise RuntimeError("the listener is broken")

    rig.chain._on_entry = fail
    rig.record(2)
    rig.stop()
    assert kinds(machine) == ["opened", "segment", "changed"]


def test_a_bug_in_the_writer_costs_a_gap_and_not_the_thread() -> None:
    machine = Machine()
    rig = machine.start()
    failures = iter([True])

    def break_once(line: bytes) -> None:
        if next(failures, False):
            raise RuntimeError("a bug")

    rig.writer._on_checkpoint = break_once
    rig.writer.work()
    rig.open()
    for _ in range(40):
        rig.clock.advance_ms(FRAGMENT_MS)
        rig.queue.offer(FragmentMade(fragment(0), 500, 5, 0, rig.now()))
        rig.writer._work_on()
    assert rig.queue.ready()
    rig.record(2)
    rig.stop()
    assert "RuntimeError: a bug" in gaps_of(machine)[0].detail


def test_a_note_is_entered() -> None:
    machine = Machine()
    rig = started(machine)
    rig.note("stream", "1920x1080", "1280x720")
    changed = [entry for entry in judged(machine.recordings) if isinstance(entry, Changed)]
    assert [(entry.what, entry.before, entry.after) for entry in changed] == [
        ("stream", "1920x1080", "1280x720")
    ]


def test_midnight_turns_the_page_after_the_file_that_was_open() -> None:
    machine = Machine()
    rig = started(machine)
    rig.clock.step_utc_ms(23 * 3_600_000 - 5_000)  # 23:59:55
    rig.open()
    rig.grow(20)
    rig.chain.perform("seal-1", seal())
    rig.end()
    rig.record(4)
    rig.stop()
    entries = judged(machine.recordings)  # every file lies beside the manifest that tells of it
    assert len(of(Segment, entries)) == 2
    files = machine.recordings.files()
    days = {path.split("/")[1] for path in files if path.endswith("manifest.jsonl")}
    assert days == {"2026-01-01", "2026-01-02"}
    assert f"{TRACK}/2026-01-01/{TRACK}_00000001_20260101T235955Z.mp4" in files
    assert f"{TRACK}/2026-01-02/{TRACK}_00000002_20260102T000005Z.mp4" in files


@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000, 86_400_000, -86_400_000])
def test_a_clock_that_steps_leaves_a_chain_and_names_without_collision(step_ms: int) -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(4)
    rig.open()
    rig.grow(4)
    rig.clock.step_utc_ms(step_ms)
    rig.note("clock_step", "0", str(step_ms))
    rig.grow(4)
    rig.end(Ending.TIME_JUMPED)
    rig.record(4)
    rig.clock.step_utc_ms(-step_ms)
    rig.record(4)
    rig.gap(GapReason.CAMERA_OFFLINE, 1_000)
    rig.record(1)
    rig.stop()
    assert [entry.number for entry in segments_of(machine)] == [1, 2, 3, 4, 5]
    assert [gap.duration_ms for gap in gaps_of(machine)] == [1_000]
    days = [path.split("/")[1] for path in machine.recordings.files() if "manifest" in path]
    assert days == sorted(days)


# A disk that refuses.


def test_a_full_disk_makes_a_gap_and_recording_goes_on_when_there_is_room() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(4)
    rig.open()
    rig.grow(3)
    machine.recordings.total_bytes = machine.recordings.used_bytes + 100  # in mid-fragment
    assert rig.grow(1)
    assert rig.queue.broken is GapReason.DISK_FULL
    assert not rig.queue.ready()
    assert not rig.grow(1)
    rig.wait(90_000)
    machine.recordings.total_bytes += 100_000_000
    rig.wait(1_250)
    assert rig.queue.ready()
    rig.record(4)
    rig.stop()
    first, broken, third = segments_of(machine)
    assert (broken.ending, broken.duration_ms) == (Ending.DISK, 3 * FRAGMENT_MS)
    gaps = gaps_of(machine)
    assert {gap.reason for gap in gaps} == {GapReason.DISK_FULL}
    assert [gap.ended for gap in gaps][-1]
    assert gaps[0].start.mono_ms == broken.start.mono_ms + broken.duration_ms
    assert gaps[-1].start.mono_ms + gaps[-1].duration_ms == third.start.mono_ms
    assert "No space left" in gaps[0].detail
    assert first.number == 1


def test_a_disk_with_room_for_a_second_is_still_full() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    machine.recordings.total_bytes = machine.recordings.used_bytes + 10
    rig.grow(1)
    machine.recordings.total_bytes += 1_000_000
    rig.wait(5_000)
    assert rig.queue.broken is GapReason.DISK_FULL


def test_a_disk_that_turns_read_only_keeps_what_was_synced() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    rig.grow(4)
    synced = rig.writer._growing.synced.bytes if rig.writer._growing else 0
    machine.recordings.read_only = True
    rig.grow(2)
    assert rig.queue.broken is GapReason.DISK_READ_ONLY
    rig.wait(20_000)
    machine.recordings.read_only = False
    rig.wait(1_250)
    rig.record(2)
    rig.stop()
    broken, _ = segments_of(machine)
    assert broken.bytes >= synced > 0
    assert [gap.reason for gap in gaps_of(machine)] == [GapReason.DISK_READ_ONLY]


@pytest.mark.parametrize(
    "operation", ["write", "sync", "create", "sync_folder", "open", "size", "truncate"]
)
def test_a_failing_disk_never_ends_the_thread_and_the_gap_is_truthful(operation: str) -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(4)
    rig.open()
    rig.grow(2)
    machine.recordings.failing = frozenset({operation})
    rig.grow(2)
    rig.end()
    rig.open()
    rig.wait(10_000)
    machine.recordings.failing = frozenset()
    rig.wait(1_250)
    rig.record(2)
    rig.stop()
    covered = sum(entry.duration_ms for entry in segments_of(machine))
    missing = sum(gap.duration_ms for gap in gaps_of(machine))
    first = segments_of(machine)[0].start.mono_ms
    last = segments_of(machine)[-1]
    assert covered + missing == last.start.mono_ms + last.duration_ms - first


def test_after_a_refused_sync_only_what_was_synced_before_is_entered() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    rig.grow(2)
    rig.wait(1_000)
    machine.recordings.failing = frozenset({"sync"})
    rig.grow(1)
    rig.wait(1_000)
    machine.recordings.failing = frozenset()
    rig.wait(1_250)
    rig.stop()
    (broken,) = segments_of(machine)
    assert broken.duration_ms == 2 * FRAGMENT_MS


def test_a_refused_line_is_cut_off_before_the_next_is_written() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(1)
    machine.recordings.total_bytes = machine.recordings.used_bytes + 5_000
    manifest = f"{TRACK}/2026-01-01/manifest.jsonl"

    def fill(operation: str, path: str) -> None:
        if (operation, path) == ("write", manifest):
            machine.recordings.total_bytes = machine.recordings.used_bytes + 30

    machine.recordings.before = fill
    with pytest.raises(OSError, match="No space") as caught:
        rig.chain.perform("seal-1", seal())
    assert caught.value.errno == errno.ENOSPC
    machine.recordings.before = lambda operation, path: None
    machine.recordings.total_bytes += 10_000_000
    assert rig.chain.perform("seal-1", seal()) is not None
    rig.stop()
    assert kinds(machine) == ["opened", "segment", "seal", "changed"]


def test_gaps_of_camera_and_disk_that_overlap_are_told_in_order() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.queue.offer(GapBegan(GapReason.CAMERA_OFFLINE, rig.now()))
    rig.wait(5_000)
    machine.recordings.failing = frozenset({"write"})
    rig.note("stream", "a", "b")
    rig.wait(5_000)
    rig.queue.offer(GapEnded(rig.now()))
    rig.wait(5_000)
    machine.recordings.failing = frozenset()
    rig.wait(1_000)
    rig.record(2)
    assert [(gap.reason, gap.duration_ms) for gap in gaps_of(machine)] == [
        (GapReason.CAMERA_OFFLINE, 10_000),
        (GapReason.DISK_FAILED, 6_000),
    ]


def test_nothing_grows_while_the_disk_is_away_for_days() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(1)
    machine.recordings.failing = frozenset({"write", "create"})
    rig.note("stream")
    for number in range(1_000):
        reason = GapReason.CAMERA_OFFLINE if number % 2 else GapReason.CAMERA_SILENT
        rig.queue.offer(GapBegan(reason, rig.now()))
        rig.queue.offer(GapEnded(rig.now()))
        rig.queue.offer(Noted("stream", "", "", rig.now()))
        rig.clock.advance_ms(30_000)
        rig.writer.work()
    assert len(rig.writer._owed) < 300
    machine.recordings.failing = frozenset()
    rig.wait(1_250)
    rig.record(1)
    rig.stop()
    assert sum(gap.duration_ms for gap in gaps_of(machine)) >= 1_000 * 30_000


def test_a_disk_that_refuses_from_the_start_is_asked_until_it_takes() -> None:
    machine = Machine()
    machine.recordings.read_only = True
    rig = started(machine)
    assert not rig.chain.is_open
    assert not rig.open()
    rig.wait(5_000)
    machine.recordings.read_only = False
    rig.wait(1_250)
    rig.record(2)
    rig.stop()
    assert kinds(machine) == ["opened", "gap", "segment", "changed"]
    assert gaps_of(machine)[0].duration_ms >= 5_000


def test_what_cannot_be_entered_does_not_stop_recording() -> None:
    machine = Machine()
    rig = started(machine)
    rig.note("Not A Word")
    rig.record(2)
    rig.stop()
    assert kinds(machine) == ["opened", "segment", "changed"]


# A disk that is slow.


def test_a_slow_disk_fills_the_queue_and_then_makes_a_gap() -> None:
    machine = Machine()
    rig = started(machine, max_bytes=2_000)
    rig.open()
    rig.grow(2)
    # The writer hangs in the disk while the camera goes on.
    taken = []
    for index in range(2, 12):
        rig.clock.advance_ms(FRAGMENT_MS)
        made = FragmentMade(bytes(400), (index + 1) * FRAGMENT_MS, index * 5, 0, rig.now())
        taken.append(rig.queue.offer(made))
    assert taken == [True, True, True] + [False] * 7
    assert rig.queue.broken is GapReason.DISK_SLOW
    assert rig.queue.items_dropped == 7
    rig.writer.work()
    assert rig.queue.ready()
    rig.record(2)
    rig.stop()
    broken, _ = segments_of(machine)
    assert (broken.ending, broken.duration_ms) == (Ending.DISK, 5 * FRAGMENT_MS)
    (gap,) = gaps_of(machine)
    assert (gap.reason, gap.duration_ms) == (GapReason.DISK_SLOW, 7 * FRAGMENT_MS)


def test_the_queue_refuses_the_rest_of_a_broken_file_even_when_it_has_room_again() -> None:
    queue = TrackQueue(max_bytes=1_000)
    now = Instant(MonoMs(1), Machine().clock.utc_ms())
    assert queue.offer(SegmentOpened(now, MEDIA, bytes(100)))
    assert not queue.offer(FragmentMade(bytes(900), 500, 1, 0, now))
    while queue.take() is not None:
        pass
    assert queue.mend()
    assert not queue.offer(FragmentMade(bytes(10), 1_000, 2, 0, now))
    assert queue.offer(SegmentOpened(now, MEDIA, bytes(100)))
    assert queue.bytes < queue.max_bytes


def test_the_queue_never_blocks_and_never_grows_whatever_comes() -> None:
    queue = TrackQueue(max_bytes=100_000)
    now = Instant(MonoMs(1), Machine().clock.utc_ms())
    items: list[TrackItem] = [
        SegmentOpened(now, MEDIA, bytes(100)),
        FragmentMade(bytes(5_000), 500, 1, 0, now),
        GapBegan(GapReason.CAMERA_OFFLINE, now),
        GapEnded(now),
        Noted("stream", "", "", now),
    ]
    for item in items * 5_000:
        queue.offer(item)
    assert queue.bytes < 100_000 + 2_000 * 200 + 5_300


# The thread.


def test_the_thread_writes_by_itself_and_stops_orderly() -> None:
    machine = Machine()
    rig = machine.start()
    thread = threading.Thread(target=rig.writer.run, name="writer")
    thread.start()
    until_blocking(lambda: rig.chain.is_open, what="the chain is open")
    rig.queue.offer(SegmentOpened(rig.now(), MEDIA, head()))
    rig.queue.offer(FragmentMade(bytes(100), 500, 5, 0, rig.now()))
    until_blocking(lambda: rig.writer.bytes_written > len(head()), what="the fragment is written")
    assert rig.writer.number == 1
    rig.writer.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()
    entries = judged(machine.recordings.after_power_cut(Fate.LOST))
    assert [entry.kind for entry in entries] == ["opened", "segment", "changed"]
    assert isinstance(entries[0], Opened)


def seal(session_id: str = "session-1") -> SealTracks:
    return SealTracks(room_id="room", session_id=session_id, admitted=5, keep_days=10)
