"""The index of recordings says what the manifests say, at every moment and after every fault."""

from pathlib import Path

import pytest

from contracts.evidence import entries as told
from contracts.evidence.entries import Checkpoint, GapReason
from contracts.evidence.lines import sign_line
from edge.evidence.index import LINES_PER_FOLLOW_MAX, RecordingIndex
from edge.evidence.index_rows import SegmentRow
from edge.evidence.places import OutsideError, Places, day_of, file_start_utc_ms
from runtime.signing import SigningKey
from tests.fakes.recordings import START_UTC_MS, RecordedTrack, at, footage

MINUTE_MS, DAY_MS = 60_000, 86_400_000


class Shelf:
    """A recordings' folder with its index."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "recordings.sqlite3"
        self.root = folder / "recordings"
        self.index = RecordingIndex(self.path, self.root)
        self.cam = RecordedTrack(self.root)

    def reopen(self) -> None:
        self.index.close()
        self.index = RecordingIndex(self.path, self.root)

    def numbers(self, from_ms: int = 0, to_ms: int = 1 << 60) -> list[int]:
        return [row.number for row in self.index.segments("cam-1", from_ms, to_ms)]

    def deleted(self) -> list[str | None]:
        return [row.deleted for row in self.index.segments("cam-1", 0, 1 << 60)]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_nothing_is_there_before_the_first_recording(shelf: Shelf) -> None:
    assert shelf.index.follow() == ()
    assert shelf.index.tracks() == []
    assert shelf.index.open_segment("cam-1") is None
    assert shelf.index.segments("cam-1", 0, 1) == []
    assert shelf.index.check() == ()


def test_each_line_is_told_once_and_exactly(shelf: Shelf) -> None:
    first = shelf.cam.append(
        told.Opened, START_UTC_MS, version="1", public_key="x", algorithm="ed25519"
    )
    shelf.cam.segment(START_UTC_MS)
    lines = shelf.index.follow()
    assert [line.sequence for line in lines] == [1, 2]
    assert lines[0].line == first
    assert shelf.index.follow() == ()
    shelf.cam.segment(START_UTC_MS + MINUTE_MS)
    assert [line.sequence for line in shelf.index.follow()] == [3]
    shelf.reopen()
    assert shelf.index.follow() == ()
    assert shelf.numbers() == [1, 2]
    assert shelf.index.check() == ()


def test_a_half_written_line_waits_for_its_line_feed(shelf: Shelf) -> None:
    shelf.cam.segment(START_UTC_MS)
    shelf.index.follow()
    line = shelf.cam.line(told.Released, START_UTC_MS, request_id="r", session_id="s")
    with shelf.cam.manifest.open("ab") as file:
        for piece in (line[:100], line[100:]):
            file.write(piece)
            file.flush()
            assert shelf.index.follow() == ()
            assert shelf.index.check() == ()
        file.write(b"\n")
    assert [line.sequence for line in shelf.index.follow()] == [2]


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_a_cut_or_rewritten_manifest_is_read_again(shelf: Shelf, keep: int) -> None:
    for minute in range(3):
        shelf.cam.segment(START_UTC_MS + minute * MINUTE_MS)
    shelf.cam.append(
        told.Deleted, START_UTC_MS, request_id="d", reason="order", by="li",
        files=({"number": 1, "sha256": "0" * 64},),
    )  # fmt: skip
    shelf.index.follow()
    assert shelf.deleted() == ["order", None, None]
    whole = shelf.cam.manifest.read_bytes().splitlines(keepends=True)
    shelf.cam.manifest.write_bytes(b"".join(whole[:keep]))
    shelf.index.follow()
    assert shelf.numbers() == list(range(1, keep + 1))
    assert shelf.deleted() == [None] * keep
    assert shelf.index.check() == ()
    shelf.cam.manifest.write_bytes(b"".join(reversed(whole)))  # as long, and another one
    shelf.index.follow()
    assert sorted(shelf.numbers()) == [1, 2, 3]
    assert shelf.index.check() == ()


def test_a_manifest_that_vanished_is_forgotten(shelf: Shelf) -> None:
    shelf.cam.segment(START_UTC_MS)
    shelf.index.follow()
    shelf.cam.manifest.unlink()
    shelf.index.follow()
    assert shelf.numbers() == []


def test_the_chain_goes_on_over_midnight_and_over_many_days(shelf: Shelf) -> None:
    midnight = (START_UTC_MS // DAY_MS + 1) * DAY_MS
    late = shelf.cam.segment(midnight - 30_000, content=b"x" * 10)  # entered the day after
    shelf.index.follow()
    shelf.cam.segment(midnight + 30_000, content=b"x" * 10)
    assert len(shelf.index.follow()) == 1
    for day in range(1, 6):
        shelf.cam.segment(midnight + day * DAY_MS, content=b"x" * 10)
        assert len(shelf.index.follow()) == 1
    row = shelf.index.segment("cam-1", 1)
    assert row is not None
    assert shelf.index.file_of(row) == late
    assert late.parent.name < row.day
    (track,) = shelf.index.tracks()
    assert (track.segments, track.bytes, track.duration_ms) == (7, 70, 7 * MINUTE_MS)
    assert shelf.index.check() == ()


def test_a_clock_stepped_back_does_not_hide_a_file(shelf: Shelf) -> None:
    midnight = (START_UTC_MS // DAY_MS + 1) * DAY_MS
    shelf.cam.segment(midnight + 5_000, content=b"x")
    back = shelf.cam.segment(midnight - 3_000_000, content=b"x", entered_utc_ms=midnight - 1)
    shelf.index.follow()
    row = shelf.index.segment("cam-1", 2)
    assert row is not None
    assert shelf.index.file_of(row) == back
    assert shelf.numbers() == [2, 1]  # by start
    assert shelf.index.check() == ()


def test_intervals_and_pages(shelf: Shelf) -> None:
    for minute in range(10):
        shelf.cam.segment(START_UTC_MS + minute * MINUTE_MS)
    shelf.index.follow()
    begin = START_UTC_MS
    assert shelf.numbers(begin, begin + 1) == [1]
    assert shelf.numbers(begin + 1, begin + MINUTE_MS) == [1]
    assert shelf.numbers(begin + 1, begin + MINUTE_MS + 1) == [1, 2]
    assert shelf.numbers(begin + MINUTE_MS, begin + MINUTE_MS) == []
    assert shelf.numbers(begin - 5, begin) == []
    seen: list[int] = []
    after = None
    while page := shelf.index.segments("cam-1", begin, 1 << 60, 3, after):
        seen += [row.number for row in page]
        after = seen[-1]
    assert seen == list(range(1, 11))
    assert shelf.index.segments("cam-1", begin, 1 << 60, 3, 99) == []


def test_pieces_of_a_gap_are_one_gap(shelf: Shelf) -> None:
    shelf.cam.gap(START_UTC_MS, 60_000, "camera_offline", ended=False)
    shelf.cam.gap(START_UTC_MS + 60_000, 60_000, "camera_offline", ended=False)
    shelf.index.follow()
    shelf.cam.gap(START_UTC_MS + 120_000, 5_000, "camera_offline")
    shelf.cam.gap(START_UTC_MS + 125_000, 5_000, "disk_slow")
    shelf.index.follow()
    gaps = shelf.index.gaps("cam-1", START_UTC_MS, START_UTC_MS + DAY_MS)
    assert [(gap.reason, gap.duration_ms, gap.ended) for gap in gaps] == [
        (GapReason.CAMERA_OFFLINE, 125_000, True),
        (GapReason.DISK_SLOW, 5_000, True),
    ]
    assert shelf.index.gaps("cam-1", START_UTC_MS + 130_000, 1 << 60) == []
    assert shelf.index.check() == ()
    assert [line.sequence for line in shelf.index.lines_after("cam-1", 2, 10)] == [3, 4]


def test_a_gap_of_weeks_is_found_from_its_middle(shelf: Shelf) -> None:
    shelf.cam.gap(START_UTC_MS - 21 * DAY_MS, 21 * DAY_MS, "recorder_stopped")
    shelf.index.follow()
    middle = START_UTC_MS - 10 * DAY_MS
    assert len(shelf.index.gaps("cam-1", middle, middle + 1)) == 1


def test_marks_are_told_as_they_stand(shelf: Shelf) -> None:
    begin = START_UTC_MS
    cam = shelf.cam
    cam.append(told.Sealed, begin, request_id="1", session_id="s-1", admitted=5, keep_days=9)
    cam.append(
        told.Kept, begin, request_id="2", session_id="s-2", from_utc_ms=begin,
        keep_until_utc_ms=begin + DAY_MS,
    )  # fmt: skip
    hold = {"from_utc_ms": begin, "to_utc_ms": begin + 9, "reason": "case", "by": "li"}
    cam.append(told.Held, begin, request_id="3", hold_id="h-1", **hold)
    cam.append(told.Held, begin, request_id="4", hold_id="h-2", **hold)
    shelf.index.follow()
    assert shelf.index.seals()[0].to_utc_ms is None
    assert shelf.index.keeps()[0].to_utc_ms is None
    cam.append(told.Released, begin + 50, request_id="5", session_id="s-1")
    cam.append(
        told.Kept, begin + 60, request_id="6", session_id="s-2", from_utc_ms=begin,
        to_utc_ms=begin + 60, keep_until_utc_ms=begin + 2 * DAY_MS,
    )  # fmt: skip
    cam.append(told.Lifted, begin, request_id="7", hold_id="h-1", reason="over", by="li")
    shelf.index.follow()
    (seal,) = shelf.index.seals("cam-1")
    assert (seal.from_utc_ms, seal.to_utc_ms, seal.keep_days) == (begin, begin + 50, 9)
    (keep,) = shelf.index.keeps("cam-1")
    assert (keep.to_utc_ms, keep.keep_until_utc_ms) == (begin + 60, begin + 2 * DAY_MS)
    assert [(row.hold_id, row.lifted) for row in shelf.index.holds()] == [
        ("h-1", True),
        ("h-2", False),
    ]
    assert shelf.index.holds("cam-2") == []
    assert shelf.index.check() == ()


def test_what_was_deleted_is_marked_and_not_counted(shelf: Shelf) -> None:
    for minute in range(3):
        path = shelf.cam.segment(START_UTC_MS + minute * MINUTE_MS, content=b"xyz")
    shelf.cam.append(
        told.Deleted, START_UTC_MS + DAY_MS, request_id="d", reason="expired", by="node",
        files=({"number": 3, "sha256": "0" * 64},),
    )  # fmt: skip
    path.unlink()
    shelf.index.follow()
    (track,) = shelf.index.tracks()
    assert (track.segments, track.bytes) == (2, 6)
    row = shelf.index.segment("cam-1", 3)
    assert row is not None
    assert row.deleted == "expired"
    assert shelf.index.check() == ()


def test_bad_lines_are_passed_over_and_counted(shelf: Shelf) -> None:
    shelf.cam.segment(START_UTC_MS)
    other = RecordedTrack(shelf.root, track="cam-2")
    foreign = other.line(told.Released, START_UTC_MS, request_id="r", session_id="s")
    with shelf.cam.manifest.open("ab") as file:
        for bad in (b"", b"{}", b"\xff\x00", b"x" * 70_000, foreign, b"x" * 2_200_000):
            file.write(bad + b"\n")
    shelf.cam.segment(START_UTC_MS + MINUTE_MS)
    while shelf.index.follow():
        pass
    assert shelf.numbers() == [1, 2]
    assert shelf.index.bad_lines >= 6
    assert shelf.index.check() == ()


def test_a_first_look_at_much_is_done_in_steps(shelf: Shelf) -> None:
    lines = b"".join(
        shelf.cam.line(told.Released, START_UTC_MS, request_id="r", session_id="s") + b"\n"
        for _ in range(LINES_PER_FOLLOW_MAX + 10)
    )
    shelf.cam.manifest.write_bytes(lines)
    steps = [(len(shelf.index.follow()), shelf.index.behind) for _ in range(3)]
    assert steps == [(LINES_PER_FOLLOW_MAX, True), (10, False), (0, False)]
    assert [line.sequence for line in shelf.index.lines_after("cam-1", 5, 3)] == [6, 7, 8]


def test_check_names_what_differs(shelf: Shelf) -> None:
    one = shelf.cam.segment(START_UTC_MS, content=b"one")
    two = shelf.cam.segment(START_UTC_MS + MINUTE_MS, content=b"two")
    shelf.index.follow()
    shelf.cam.segment(START_UTC_MS + 2 * MINUTE_MS, content=b"three")
    assert any("segment: index None" in found for found in shelf.index.check())
    shelf.index.follow()
    one.write_bytes(b"longer")
    two.unlink()
    assert shelf.index.check() == (f"{one}: 6 bytes, index: 3", f"{two}: missing, index: 3")


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b""])
def test_a_damaged_index_is_made_again(shelf: Shelf, damage: bytes) -> None:
    shelf.cam.segment(START_UTC_MS)
    shelf.index.follow()
    shelf.index.close()
    shelf.path.write_bytes(damage)
    for suffix in ("-wal", "-shm"):
        shelf.path.with_name(shelf.path.name + suffix).unlink(missing_ok=True)
    shelf.index = RecordingIndex(shelf.path, shelf.root)
    assert len(shelf.index.follow()) == 1
    shelf.index.rebuild()
    assert shelf.numbers() == [1]


def test_the_open_file_is_told_to_its_last_whole_fragment(shelf: Shelf, tmp_path: Path) -> None:
    content = footage(tmp_path / "made.mp4", 2)
    shelf.cam.segment(START_UTC_MS)
    shelf.index.follow()
    assert shelf.index.open_segment("cam-1") is None
    start = START_UTC_MS + 60_400
    path = shelf.cam.open_file(start, content, 2)
    found = shelf.index.open_segment("cam-1")
    assert found is not None
    assert (found.number, found.path) == (2, path)
    assert content[found.bytes + 4 :][:4] == b"mfra" or found.bytes == len(content)
    assert (found.start_utc_ms, found.start_error_ms) == (START_UTC_MS + 60_000, 1_000)
    path.write_bytes(content[: found.bytes - 1])
    cut = shelf.index.open_segment("cam-1")
    assert cut is not None
    assert 0 < cut.bytes < found.bytes - 1
    path.write_bytes(content[:30])
    head_only = shelf.index.open_segment("cam-1")
    assert head_only is not None
    assert head_only.bytes == 0
    line = sign_line(
        Checkpoint(
            site="demo", node="edge-1", track="cam-1", number=2, file=path.name, head="0" * 64,
            sequence=1, offset=0, sha256="0" * 64, start=at(start), recorded=at(start),
            key=shelf.cam.key.id,
        ),
        SigningKey.generate().sign,
    )  # fmt: skip
    shelf.index.note_checkpoint(line.decode())
    exact = shelf.index.open_segment("cam-1")
    assert exact is not None
    assert (exact.start_utc_ms, exact.start_error_ms) == (start, 0)


@pytest.mark.parametrize("track", ["..", "../x", "a/b", "", "A", "x" * 41, "a\0b"])
def test_no_track_leads_out_of_the_folder(shelf: Shelf, track: str) -> None:
    with pytest.raises(OutsideError):
        shelf.index.open_segment(track)
    assert shelf.index.segments(track, 0, 1) == []


def test_no_name_leads_out_of_the_folder(shelf: Shelf, tmp_path: Path) -> None:
    shelf.cam.segment(START_UTC_MS)
    shelf.index.follow()
    row = shelf.index.segment("cam-1", 1)
    assert row is not None
    places = Places(shelf.root)
    for name in ("../../x.mp4", "cam-2_00000001_20261120T080000Z.mp4", "manifest.jsonl", "/etc/x"):
        with pytest.raises(OutsideError):
            places.segment("cam-1", name, START_UTC_MS, row.day)
    with pytest.raises(OutsideError):
        places.segment("cam-1", row.file, 1 << 62, row.day)
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"secret")
    path = shelf.index.file_of(row)
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(OutsideError):
        shelf.index.file_of(row)


def test_days_and_names_agree() -> None:
    assert day_of(START_UTC_MS) == "2026-11-20"
    assert day_of(0) == "1970-01-01"
    assert file_start_utc_ms("cam-1_00000001_20261120T080000Z.mp4") == START_UTC_MS
    with pytest.raises(OutsideError):
        file_start_utc_ms("cam-1_00000001_20261320T080000Z.mp4")


def test_rows_are_plain_values(shelf: Shelf) -> None:
    shelf.cam.segment(START_UTC_MS, content=b"abc")
    shelf.index.follow()
    row = shelf.index.segment("cam-1", 1)
    assert isinstance(row, SegmentRow)
    assert row.end_utc_ms == START_UTC_MS + MINUTE_MS
    assert row.media.video == "h264"
    assert row.bytes == 3
    assert len(row.sha256) == 64
