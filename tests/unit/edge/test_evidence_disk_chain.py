"""Shows what a chain does when asked: marks once an id, refuses deletions, hands over keys."""

from pathlib import Path

import pytest

from contracts.evidence.entries import (
    Changed,
    Deleted,
    Entry,
    Gap,
    GapReason,
    HandedOver,
    Held,
    Kept,
    Lifted,
    Opened,
    Released,
    Sealed,
    Segment,
)
from contracts.units import UtcMs
from edge.core.recording import (
    DeleteFiles,
    HoldTracks,
    KeepTracks,
    LiftHold,
    NoteTracks,
    ReleaseTracks,
    SealTracks,
)
from edge.evidence.disk import LocalDisk
from edge.evidence.history import SAVED
from edge.evidence.keys import KEY_FILE, NEXT_FILE, NodeKeys
from edge.evidence.manifest import PROBE, PROBE_BYTES, Chain, ChainNotOpenError, RefusedError
from edge.evidence.protection import DAY_MS
from edge.evidence.recovery import tracks_on_disk
from runtime.clock import SimulatedClock
from runtime.signing import KeyFileError, SigningKey
from tests.fakes.disk import Fate, MemoryDisk
from tests.fakes.track_rig import TRACK, Machine, Rig, judged, lines

FOR_EVER = UtcMs(4_000_000_000_000)


def started(machine: Machine) -> Rig:
    rig = machine.start()
    rig.writer.work()
    return rig


def seal(session_id: str = "s-1", keep_days: int = 10) -> SealTracks:
    return SealTracks(room_id="room", session_id=session_id, admitted=5, keep_days=keep_days)


def release(session_id: str = "s-1") -> ReleaseTracks:
    return ReleaseTracks(room_id="room", session_id=session_id)


def delete(*numbers: int) -> DeleteFiles:
    return DeleteFiles(track_id=TRACK, numbers=numbers, reason="expired", by="retention")


def hold(rig: Rig, hold_id: str = "h-1", from_ms: int = -3_600_000) -> HoldTracks:
    now = rig.clock.utc_ms()
    return HoldTracks(
        tracks=(TRACK,),
        hold_id=hold_id,
        from_utc_ms=UtcMs(now + from_ms),
        to_utc_ms=UtcMs(now + 3_600_000),
        reason="complaint 7",
        by="court",
    )


def lift(hold_id: str = "h-1") -> LiftHold:
    return LiftHold(hold_id=hold_id, reason="settled", by="court")


def keep(rig: Rig, *, to_ms: int | None, days: int, session_id: str = "s-1") -> KeepTracks:
    now = rig.clock.utc_ms()
    return KeepTracks(
        room_id="room",
        session_id=session_id,
        from_utc_ms=UtcMs(now - 60_000),
        to_utc_ms=None if to_ms is None else UtcMs(now + to_ms),
        keep_until_utc_ms=UtcMs(now + days * DAY_MS),
    )


def last(machine: Machine, kind: type[Entry]) -> Entry:
    return [entry for entry in judged(machine.recordings) if isinstance(entry, kind)][-1]


def files(machine: Machine) -> list[int]:
    names = [path.rpartition("/")[2] for path in machine.recordings.files()]
    return sorted(int(name.split("_")[1]) for name in names if name.endswith(".mp4"))


# Marks.


def test_each_order_becomes_its_entry() -> None:
    machine = Machine()
    rig = started(machine)
    rig.chain.perform("r-1", seal())
    rig.chain.perform("r-2", keep(rig, to_ms=None, days=5))
    rig.chain.perform("r-3", hold(rig))
    rig.chain.perform("r-4", lift())
    rig.chain.perform("r-5", release())
    kinds = [type(entry) for entry in judged(machine.recordings)]
    assert kinds == [Opened, Sealed, Kept, Held, Lifted, Released]


def test_the_same_request_twice_is_written_once_on_any_day_of_two_and_after_a_start() -> None:
    machine = Machine()
    rig = started(machine)
    first = rig.chain.perform("r-1", seal())
    assert rig.chain.perform("r-1", seal()) == first
    rig.clock.step_utc_ms(DAY_MS)
    rig.chain.perform("r-2", release())
    assert rig.chain.perform("r-1", seal()) == first
    rig.stop()
    machine.restart()
    rig = started(machine)
    assert rig.chain.perform("r-1", seal()) == first
    assert [entry.kind for entry in judged(machine.recordings)].count("seal") == 1


def test_a_change_of_what_a_seal_froze_is_entered_once_with_both_names() -> None:
    machine = Machine()
    rig = started(machine)
    note = NoteTracks(
        room_id="room", what="rules", before="a" * 64, after=f"{'b' * 64} ops.wang + lead.zhao"
    )
    first = rig.chain.perform("n-1", note)
    assert rig.chain.perform("n-1", note) == first
    rig.stop()
    machine.restart()
    rig = started(machine)
    assert rig.chain.perform("n-1", note) == first
    (entry,) = [one for one in judged(machine.recordings) if isinstance(one, Changed)
                and one.what == "rules"]  # fmt: skip
    assert (entry.request_id, entry.before) == ("n-1", "a" * 64)
    assert entry.after.endswith("ops.wang + lead.zhao")


def test_a_hold_that_is_not_here_is_nothing_to_lift() -> None:
    machine = Machine()
    rig = started(machine)
    assert rig.chain.perform("r-1", lift()) is None
    assert rig.chain.sequence == 1


def test_a_chain_that_was_not_opened_writes_nothing() -> None:
    rig = Machine().start()
    with pytest.raises(ChainNotOpenError, match=r"cam-1 is not open"):
        rig.chain.perform("r-1", seal())


# Deleting.


def test_a_deletion_is_entered_before_the_files_go_and_only_those_go() -> None:
    machine = Machine()
    rig = started(machine)
    for _ in range(4):
        rig.record(2)
    rig.chain.perform("d-1", delete(1, 3))
    assert files(machine) == [2, 4]
    entry = last(machine, Deleted)
    assert isinstance(entry, Deleted)
    assert [file.number for file in entry.files] == [1, 3]
    assert rig.chain.perform("d-1", delete(1, 3)) is not None
    assert rig.chain.sequence == entry.sequence


def test_a_deletion_that_the_disk_interrupted_is_finished_when_it_is_asked_again() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    machine.recordings.failing = frozenset({"unlink"})
    with pytest.raises(OSError, match="Input/output"):
        rig.chain.perform("d-1", delete(1))
    machine.recordings.failing = frozenset()
    assert rig.chain.perform("d-1", delete(1)) is not None
    assert files(machine) == []
    assert len([1 for _, raw in lines(machine.recordings) if b"deletion" in raw]) == 1


def test_on_a_disk_without_a_free_byte_a_deletion_still_makes_room() -> None:
    machine = Machine()
    rig = started(machine)
    for _ in range(3):
        rig.record(2)
    machine.recordings.total_bytes = machine.recordings.used_bytes
    assert rig.chain.perform("d-1", delete(1)) is not None
    machine.recordings.total_bytes = machine.recordings.used_bytes
    assert rig.chain.perform("d-2", delete(2)) is not None
    assert files(machine) == [3]
    machine.recordings.total_bytes += 1_000_000
    rig.chain.perform("d-3", delete(3))
    assert len(machine.recordings.files()[f"{TRACK}/{PROBE}"]) == PROBE_BYTES
    rig.stop()
    judged(machine.recordings)


@pytest.mark.parametrize("numbers", [(7,), (1, 7), (2,)])
def test_what_is_not_a_finished_file_cannot_be_deleted(numbers: tuple[int, ...]) -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.open()
    rig.grow(2)
    with pytest.raises(RefusedError, match="no finished file of number"):
        rig.chain.perform("d-1", delete(*numbers))
    assert files(machine) == [1, 2]


def test_a_file_that_somebody_took_is_not_whitewashed_by_a_deletion() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    (path,) = (name for name in machine.recordings.files() if name.endswith(".mp4"))
    machine.recordings.unlink(path)
    with pytest.raises(RefusedError, match="no finished file of number 1"):
        rig.chain.perform("d-1", delete(1))


def test_a_hold_beats_everything_until_it_is_lifted() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.chain.perform("h-1", hold(rig))
    assert rig.chain.is_held
    assert rig.chain.has_hold("h-1")
    rig.clock.step_utc_ms(20 * 365 * DAY_MS)
    with pytest.raises(RefusedError, match=r"number 1 is protected by hold h-1"):
        rig.chain.perform("d-1", delete(1))
    assert files(machine) == [1]
    rig.chain.perform("h-2", lift())
    rig.chain.perform("d-2", delete(1))
    assert files(machine) == []


def test_a_hold_on_another_time_protects_nothing_here() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.wait(5_000)
    rig.chain.perform("h-1", hold(rig, from_ms=0))
    rig.chain.perform("d-1", delete(1))
    assert files(machine) == []


def test_sealed_files_stay_while_the_session_lasts_and_its_days_after() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.wait(1_000)
    rig.open()
    rig.grow(2)
    rig.chain.perform("s-1", seal(keep_days=10))
    during = rig.chain.is_sealed
    rig.grow(2)
    rig.end()
    rig.record(2)
    rig.chain.perform("s-2", release())
    assert (during, rig.chain.is_sealed) == (True, False)
    rig.chain.perform("d-1", delete(1))
    for number in (2, 3):
        with pytest.raises(RefusedError, match="protected by seal s-1"):
            rig.chain.perform(f"d-{number}", delete(number))
    rig.clock.step_utc_ms(11 * DAY_MS)
    rig.chain.perform("d-9", delete(2, 3))
    assert files(machine) == []


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000, 30 * DAY_MS])
def test_a_stepped_clock_exposes_nothing_that_is_sealed(step_ms: int) -> None:
    machine = Machine()
    rig = started(machine)
    rig.chain.perform("s-1", seal(keep_days=100))
    rig.clock.step_utc_ms(step_ms)
    rig.record(2)
    rig.record(2)
    rig.clock.step_utc_ms(-step_ms)
    rig.chain.perform("s-2", release())
    for number in (1, 2):
        with pytest.raises(RefusedError, match="protected by seal s-1"):
            rig.chain.perform(f"d-{number}", delete(number))


def test_a_keep_lasts_until_its_day_and_is_closed_by_its_session() -> None:
    machine = Machine()
    rig = started(machine)
    rig.chain.perform("k-1", keep(rig, to_ms=None, days=5))
    rig.record(2)
    rig.wait(120_000)
    rig.chain.perform("k-2", keep(rig, to_ms=-60_000, days=20))
    rig.wait(120_000)
    rig.record(2)
    rig.chain.perform("d-2", delete(2))
    with pytest.raises(RefusedError, match="protected by keep s-1"):
        rig.chain.perform("d-1", delete(1))
    rig.clock.step_utc_ms(6 * DAY_MS)
    with pytest.raises(RefusedError, match="protected by keep s-1"):
        rig.chain.perform("d-1", delete(1))
    rig.clock.step_utc_ms(15 * DAY_MS)
    rig.chain.perform("d-1", delete(1))
    assert files(machine) == []


@pytest.mark.parametrize("with_saved", [True, False])
def test_a_start_knows_years_of_protection_from_what_each_day_left(with_saved: bool) -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.chain.perform("h-1", hold(rig))
    rig.chain.perform("s-1", seal(keep_days=100))
    rig.record(2)
    rig.chain.perform("s-2", release())
    for _ in range(5):
        rig.clock.step_utc_ms(DAY_MS)
        rig.record(2)
    rig.stop()
    assert f"{TRACK}/{SAVED}" in machine.recordings.files()
    if not with_saved:
        machine.recordings.unlink(f"{TRACK}/{SAVED}")
    machine.restart()
    rig = started(machine)
    with pytest.raises(RefusedError, match="protected by hold h-1"):
        rig.chain.perform("d-1", delete(1))
    with pytest.raises(RefusedError, match=r"protected by (hold h-1|seal s-1)"):
        rig.chain.perform("d-2", delete(2))
    rig.chain.perform("d-3", delete(4, 7))
    rig.record(1)
    assert files(machine) == [1, 2, 3, 5, 6, 8]
    judged(machine.recordings)


def test_what_was_saved_beside_a_chain_counts_only_if_it_fits() -> None:
    machine = Machine()
    rig = started(machine)
    rig.chain.perform("h-1", hold(rig))
    rig.record(2)
    rig.clock.step_utc_ms(DAY_MS)
    rig.record(2)
    rig.stop()
    saved = machine.recordings.files()[f"{TRACK}/{SAVED}"]
    for content in (b"", b"nonsense", saved.replace(b'"head":"', b'"head":"0')):
        machine.recordings.put(f"{TRACK}/{SAVED}", content)
        machine.restart()
        rig = started(machine)
        assert rig.chain.has_hold("h-1")
        rig.stop()


# What a start finds.


def test_a_line_altered_in_the_middle_stays_for_the_verifier_and_the_chain_goes_on() -> None:
    machine = Machine()
    rig = started(machine)
    for _ in range(3):
        rig.record(2)
    rig.stop()
    path = f"{TRACK}/2026-01-01/manifest.jsonl"
    content = machine.recordings.files()[path]
    altered = content.replace(b'"number":1,', b'"number":x,')
    machine.recordings.put(path, altered)
    machine.restart()
    rig = started(machine)
    rig.record(2)
    rig.stop()
    after = machine.recordings.files()[path]
    assert after.startswith(altered)
    assert files(machine) == [1, 2, 3, 4]


def test_a_torn_last_line_is_kept_aside_and_said() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    path = f"{TRACK}/2026-01-01/manifest.jsonl"
    content = machine.recordings.files()[path]
    machine.recordings.put(path, content + b'{"v":1,"hash":"sha-2')
    machine.restart()
    rig = started(machine)
    assert machine.recordings.files()[f"{TRACK}/2026-01-01/manifest.damaged-1"] == (
        b'{"v":1,"hash":"sha-2'
    )
    entry = last(machine, Changed)
    assert isinstance(entry, Changed)
    assert (entry.what, entry.after) == ("damage", "manifest.damaged-1")
    assert machine.recordings.files()[path].startswith(content)
    assert rig.chain.open().damaged == ("manifest.damaged-1",)


def test_a_file_that_cannot_be_read_does_not_end_recording() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    rig.grow(2)
    machine.restart()
    (path,) = (name for name in machine.recordings.files() if name.endswith(".mp4"))
    machine.recordings.unreadable = frozenset({path})
    rig = started(machine)
    rig.record(2)
    rig.stop()
    assert f"{path}.unreadable" in machine.recordings.files()
    (segment,) = (entry for entry in judged(machine.recordings) if isinstance(entry, Segment))
    assert segment.number == 2


def test_without_the_note_on_the_open_file_the_file_itself_says_what_it_is() -> None:
    machine = Machine()
    rig = started(machine)
    rig.open()
    rig.grow(3)
    machine.restart()
    machine.recordings.unlink(f"{TRACK}/unfinished.json")
    started(machine)
    segment = last(machine, Segment)
    assert isinstance(segment, Segment)
    assert (segment.duration_ms, segment.video_packets) == (1_500, 15)
    assert (segment.media.video, segment.media.width, segment.media.height) == ("h264", 64, 48)
    assert segment.start.utc_ms % 1_000 == 0
    assert segment.start.boot_id == ""


def test_an_orderly_stop_is_not_a_crash() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.stop()
    machine.restart()
    machine.clock.advance_ms(45_000)
    rig = started(machine)
    rig.record(2)
    gap = last(machine, Gap)
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.duration_ms) == (GapReason.RECORDER_STOPPED, 45_000)


def test_a_gap_that_runs_when_the_recorder_stops_is_told_to_the_end() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    rig.gap(GapReason.CAMERA_OFFLINE, 5_000)
    rig.stop()
    gap = last(machine, Gap)
    assert isinstance(gap, Gap)
    assert (gap.duration_ms, gap.ended) == (5_000, False)


def test_folders_that_are_links_are_refused_and_nothing_leads_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "recordings"
    (root / TRACK).mkdir(parents=True)
    (root / TRACK / "2026-01-01").symlink_to(outside)
    chain = local_chain(root, tmp_path / "keys")
    with pytest.raises(NotADirectoryError, match="a link or another thing"):
        chain.open()
    assert list(outside.iterdir()) == []


def test_a_track_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    root = tmp_path / "recordings"
    root.mkdir()
    (root / TRACK).symlink_to(tmp_path / "outside")
    with pytest.raises(NotADirectoryError, match="a link or another thing"):
        local_chain(root, tmp_path / "keys").open()
    assert list((tmp_path / "outside").iterdir()) == []


def local_chain(root: Path, keys: Path) -> Chain:
    disk = LocalDisk(root)
    return Chain(
        disk,
        site="site",
        node="node",
        track=TRACK,
        keys=NodeKeys(LocalDisk(keys, folder_mode=0o700), disk),
        clock=SimulatedClock(),
        version="test",
    )


# Keys.


def test_a_rotation_is_handed_over_in_every_chain_and_the_old_key_is_gone() -> None:
    machine = Machine()
    rig = started(machine)
    rig.record(2)
    old = rig.keys.current.id
    (written,) = rig.keys.rotate([rig.chain])
    rig.record(2)
    rig.stop()
    entry = judged(machine.recordings)[written.sequence - 1]
    assert isinstance(entry, HandedOver)
    assert entry.key == old
    assert entry.new_key == rig.keys.current.id == rig.chain.key.id != old
    assert [name for name in machine.private.files() if name.endswith(".pem")] == [KEY_FILE]
    assert len([name for name in machine.recordings.files() if name.startswith("keys/")]) == 2
    assert tracks_on_disk(machine.recordings) == [TRACK]


def test_a_rotation_that_the_disk_interrupts_goes_on_with_the_same_key() -> None:
    machine = Machine()
    rig = started(machine)
    machine.recordings.failing = frozenset({"sync"})
    with pytest.raises(OSError, match="Input/output"):
        rig.keys.rotate([rig.chain])
    assert rig.keys.is_rotating
    machine.recordings.failing = frozenset()
    following = SigningKey.from_pem(machine.private.files()[NEXT_FILE]).id
    machine.restart()
    rig = started(machine)
    rig.record(1)
    assert rig.keys.is_rotating
    assert rig.chain.key.id != following
    rig.keys.rotate([rig.chain])
    assert rig.chain.key.id == rig.keys.current.id == following
    rig.record(1)
    judged(machine.recordings)


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.PARTLY, Fate.TORN])
def test_a_first_start_that_is_cut_short_leaves_a_key_or_none(fate: Fate) -> None:
    for operation in range(1, 20):
        private, recordings = MemoryDisk(), MemoryDisk()
        left: list[MemoryDisk] = []

        def copy(disk: MemoryDisk = private, left: list[MemoryDisk] = left) -> None:
            left.append(disk.after_power_cut(fate, disk.operations))

        private.before_change = copy
        NodeKeys(private, recordings).publish()
        if operation > len(left):
            break
        again = left[operation - 1]
        found = NodeKeys(again, recordings)
        assert NodeKeys(again.after_power_cut(), recordings).current.id == found.current.id
    assert operation > 3


def test_a_private_key_that_others_may_read_is_refused() -> None:
    private = MemoryDisk()
    private.put(KEY_FILE, SigningKey.generate().to_pem(), mode=0o644)
    with pytest.raises(KeyFileError, match=f"chmod 600 {KEY_FILE}"):
        NodeKeys(private, MemoryDisk())


def test_the_private_key_is_for_this_user_alone(tmp_path: Path) -> None:
    NodeKeys(LocalDisk(tmp_path / "keys", folder_mode=0o700), LocalDisk(tmp_path / "recordings"))
    assert (tmp_path / "keys" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
