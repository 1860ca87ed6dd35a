"""Shows that a copy on a second disk counts only when it was read back right."""

import hashlib
from pathlib import Path

import pytest

from edge.evidence.copies import (
    MARK_FILE,
    CopyBook,
    CopyLost,
    Mirror,
    SourceDamagedError,
    copy_checked,
)

CONTENT = bytes(range(256)) * 40_000  # 10 MB: more than one block
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = "bench/edge-1/cam-1/2026-11-22/cam-1_00000001_20261122T080000Z.mp4"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "segment.mp4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    (tmp_path / "mirror").mkdir()
    return Mirror(tmp_path / "mirror")


def test_a_copy_is_whole_and_leaves_nothing_beside_it(
    mirror: Mirror, source: Path, tmp_path: Path
) -> None:
    copy_checked(mirror, source, KEY, SHA256)
    copy = tmp_path / "mirror" / KEY
    assert copy.read_bytes() == CONTENT
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    assert (mirror.sha256(KEY), mirror.size(KEY)) == (SHA256, len(CONTENT))


def test_a_right_copy_is_not_written_again(mirror: Mirror, source: Path, tmp_path: Path) -> None:
    copy_checked(mirror, source, KEY, SHA256)
    source.unlink()
    copy_checked(mirror, source, KEY, SHA256)
    assert mirror.sha256(KEY) == SHA256


def test_a_wrong_copy_is_mended(mirror: Mirror, source: Path, tmp_path: Path) -> None:
    copy_checked(mirror, source, KEY, SHA256)
    (tmp_path / "mirror" / KEY).write_bytes(b"bit rot")
    copy_checked(mirror, source, KEY, SHA256)
    assert mirror.sha256(KEY) == SHA256


def test_a_damaged_source_never_becomes_a_copy(mirror: Mirror, source: Path) -> None:
    source.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(SourceDamagedError, match="SHA-256 of its entry"):
        copy_checked(mirror, source, KEY, SHA256)
    assert mirror.sha256(KEY) is None


def test_an_unmounted_disk_is_not_written_to(source: Path, tmp_path: Path) -> None:
    gone = Mirror(tmp_path / "not-there")
    with pytest.raises(CopyLost, match="not-there"):
        copy_checked(gone, source, KEY, SHA256)
    other = tmp_path / "other"
    other.mkdir()
    (other / "holiday.jpg").write_bytes(b"")
    with pytest.raises(CopyLost, match="is the disk mounted"):
        copy_checked(Mirror(other), source, KEY, SHA256)
    assert sorted(path.name for path in other.iterdir()) == ["holiday.jpg"]
    (other / MARK_FILE).touch()
    copy_checked(Mirror(other), source, KEY, SHA256)


def test_a_source_that_is_gone_is_not_the_mirrors_fault(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_checked(mirror, tmp_path / "gone.mp4", KEY, SHA256)


def test_the_book_knows_what_was_copied_and_what_never_will_be(tmp_path: Path) -> None:
    book = CopyBook(tmp_path / "copies.sqlite3")
    book.set_done("mirror", "cam-1", 4)
    book.set_bad("mirror", "cam-1", 3, "damaged")
    book.close()
    book = CopyBook(tmp_path / "copies.sqlite3")
    assert [book.has("mirror", "cam-1", number) for number in (1, 3, 4, 5)] == [
        True,
        False,
        True,
        False,
    ]
    assert not book.has("archive", "cam-1", 1)
    assert not book.has("mirror", "cam-2", 1)
    book.set_done("mirror", "cam-1", 2)  # the disk was changed: look again
    assert book.bad("mirror", "cam-1") == {}
    assert not book.has("mirror", "cam-1", 4)
    book.close()
