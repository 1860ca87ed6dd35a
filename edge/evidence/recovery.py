"""Decides what a start makes of what a crash left: a torn line, an unfinished file.

Nothing is thrown away in silence: a torn line is kept aside, the bytes that are cut off a file's
end are counted in its entry. Every step may be interrupted and done again.
"""

import errno
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from contracts.envelope import Strict
from contracts.evidence.entries import At, Ending, Entry, Media, TrackId, parse_entry
from contracts.evidence.lines import LINE_MAX_BYTES, LineError, SignedLine, Verify
from contracts.units import MonoMs
from edge.evidence.disk import Disk, Kind, write_whole
from edge.evidence.fragments import Whole, whole_part
from edge.evidence.places import DAY, FILE, MANIFEST, file_start_utc_ms

UNFINISHED: Final = "unfinished.json"
DAMAGED: Final = "manifest.damaged-"
UNREADABLE: Final = ".unreadable"
LINE_END: Final = b'"}'  # of a signature; and of an instant, so each is tried
DAMAGED_MAX: Final = 1_000  # torn lines kept a day; a recorder that crashes oftener has other needs
RECOVERED: Final = Ending.RECOVERED
CHUNK_BYTES: Final = 1_048_576
UNFINISHED_MAX: Final = 100  # files above the last entry; one is usual

Known = Callable[[str], bool]
"""Whether a public key of that id is known."""


class Unfinished(Strict):
    """What the file that is being written is; laid down before it, for a start after a crash."""

    number: int
    file: str
    start: At
    media: Media


@dataclass(frozen=True, slots=True)
class Left:
    """An unfinished file that was found."""

    day: str
    name: str
    number: int

    def path(self, track: TrackId) -> str:
        """Where it lies."""
        return f"{track}/{self.day}/{self.name}"


@dataclass(frozen=True, slots=True)
class Closed:
    """An unfinished file, closed at its last whole fragment."""

    left: Left
    start: At
    media: Media
    whole: Whole
    sha256: str
    cut_bytes: int


@dataclass(frozen=True, slots=True)
class Lines:
    """A manifest as it was read: whole lines, where they end, and the name of a tail cut off."""

    entries: tuple[tuple[SignedLine, Entry], ...]
    bytes: int
    set_aside: str | None
    damaged: int
    """Lines in the middle that are no entries; they stay, for ``verify`` to find."""


def day_folders(disk: Disk, track: TrackId) -> list[str]:
    """Days of a track, oldest first.

    Raises:
        NotADirectoryError: a link or a file lies where a day's folder should.
        OSError: the disk refuses.
    """
    days = [item for item in disk.names(track) if DAY.fullmatch(item.name)]
    for item in days:
        if item.kind is not Kind.FOLDER:
            raise NotADirectoryError(
                errno.ENOTDIR,
                "a link or another thing lies where a day of recordings does; move it",
                f"{track}/{item.name}",
            )
    return [item.name for item in days]


def tracks_on_disk(disk: Disk) -> list[TrackId]:
    """Tracks that have a folder, whether they are still recorded or not."""
    return [
        item.name
        for item in disk.names("")
        if item.kind is Kind.FOLDER
        and any(DAY.fullmatch(day.name) for day in disk.names(item.name))
    ]


def read_manifest(disk: Disk, track: TrackId, day: str, *, part: bytes = b"") -> Lines:
    """The lines of a manifest that hold ``part``, as they are; nothing is repaired.

    Raises:
        FileNotFoundError: there is none.
        OSError: the disk refuses.
    """
    content = disk.read(f"{track}/{day}/{MANIFEST}")
    entries: list[tuple[SignedLine, Entry]] = []
    damaged = 0
    for raw in content.removesuffix(b"\n").split(b"\n") if content else ():
        if part not in raw:
            continue
        try:
            entries.append(parse_entry(raw))
        except LineError:
            damaged += 1
    return Lines(tuple(entries), len(content), None, damaged)


def repair_manifest(disk: Disk, track: TrackId, day: str, verify: Verify, known: Known) -> Lines:
    """As ``read_manifest``, and what follows the last good line is cut off and kept aside.

    A line without line feed was on its way to the disk: if it is whole and signed it counts, and
    gets its line feed.

    Raises:
        OSError: the disk refuses.
    """
    path = f"{track}/{day}/{MANIFEST}"
    content = disk.read(path)
    good = _good_bytes(content, track, verify, known)
    set_aside = _set_aside(disk, f"{track}/{day}", content[good:]) if good < len(content) else None
    unended = good > 0 and content[good - 1 : good] != b"\n"
    if set_aside or unended:
        file = disk.append(path)
        try:
            file.truncate(good)
            file.write(b"\n" if unended else b"")
            file.sync()
        finally:
            file.close()
    lines = read_manifest(disk, track, day)
    return Lines(lines.entries, lines.bytes, set_aside, lines.damaged)


def _good_bytes(content: bytes, track: TrackId, verify: Verify, known: Known) -> int:
    """Where the last good line ends, its line feed included if it has one.

    Looked for from the end: what is wrong further up is not this start's doing, and cutting there
    would destroy what came after it. A line may be whole and its line feed not: a power cut can
    leave a zero in its place, or what was to follow it.
    """
    end = len(content)
    while end > 0:
        begin = content.rfind(b"\n", 0, end - 1) + 1
        if _is_good(content[begin:end].removesuffix(b"\n"), track, verify, known):
            return end
        close = content.rfind(LINE_END, begin, end)
        while close >= 0:
            close += len(LINE_END)
            if _is_good(content[begin:close], track, verify, known):
                return close
            close = content.rfind(LINE_END, begin, close - 1)
        end = begin
    return 0


def _is_good(raw: bytes, track: TrackId, verify: Verify, known: Known) -> bool:
    if len(raw) > LINE_MAX_BYTES:
        return False
    try:
        line, entry = parse_entry(raw)
    except LineError:
        return False
    # A key that this node lost cannot be asked; its lines are for ``verify`` to judge.
    signed = not known(entry.key) or verify(entry.key, line.signed, line.signature)
    return entry.track == track and signed


def _set_aside(disk: Disk, folder: str, tail: bytes) -> str:
    """Keep what is cut off; a crash in the middle of this only keeps it twice."""
    taken = {item.name for item in disk.names(folder)}
    name = next(
        (
            f"{DAMAGED}{number}"
            for number in range(1, DAMAGED_MAX)
            if f"{DAMAGED}{number}" not in taken
        ),
        f"{DAMAGED}{DAMAGED_MAX}",
    )
    write_whole(disk, f"{folder}/{name}", tail)
    return name


def note_unfinished(disk: Disk, track: TrackId, unfinished: Unfinished) -> None:
    """Lay down what the next file will be, before it is made."""
    write_whole(disk, f"{track}/{UNFINISHED}", unfinished.model_dump_json().encode())


def noted_unfinished(disk: Disk, track: TrackId) -> Unfinished | None:
    """What was laid down; None: nothing, or nothing that can be read."""
    try:
        return Unfinished.model_validate_json(disk.read(f"{track}/{UNFINISHED}"))
    except (FileNotFoundError, ValidationError):
        return None


def unfinished_files(disk: Disk, track: TrackId, days: list[str], above: int) -> list[Left]:
    """Files whose number no entry has reached, lowest first."""
    found: list[Left] = []
    for day in days:
        for item in disk.names(f"{track}/{day}"):
            named = FILE.fullmatch(item.name)
            if named is None or named["track"] != track or item.kind is not Kind.FILE:
                continue
            if int(named["number"]) > above:
                found.append(Left(day, item.name, int(named["number"])))
    return sorted(found, key=lambda left: left.number)[:UNFINISHED_MAX]


def close_unfinished(disk: Disk, track: TrackId, left: Left) -> Closed:
    """Cut a file at its last whole fragment, sync it, and hash what stays.

    Raises:
        OSError: the disk refuses.
    """
    path = left.path(track)
    size = disk.size(path)
    whole = whole_part(lambda offset, wanted: disk.read(path, offset, wanted), size)
    digest = hashlib.sha256()
    for chunk in _chunks(disk, path, whole.bytes):
        digest.update(chunk)
    file = disk.append(path)
    try:
        if whole.bytes < size:
            file.truncate(whole.bytes)
        file.sync()
    finally:
        file.close()
    disk.sync_folder(f"{track}/{left.day}")
    noted = noted_unfinished(disk, track)
    if noted is not None and noted.file == left.name:
        start, media = noted.start, noted.media
    else:
        # No mono time is known; a boot of no name says that it cannot be compared.
        start = At(utc_ms=file_start_utc_ms(left.name), mono_ms=MonoMs(0), boot_id="")
        media = whole.media
    return Closed(left, start, media, whole, digest.hexdigest(), size - whole.bytes)


def move_aside(disk: Disk, track: TrackId, left: Left) -> str:
    """Take a file that cannot be read out of the way; its new name out."""
    name = left.name + UNREADABLE
    disk.rename(left.path(track), f"{track}/{left.day}/{name}")
    disk.sync_folder(f"{track}/{left.day}")
    return name


def _chunks(disk: Disk, path: str, end: int) -> Iterator[bytes]:
    at = 0
    while at < end:
        chunk = disk.read(path, at, min(CHUNK_BYTES, end - at))
        if not chunk:
            raise OSError(errno.EIO, "ends before its length", path)
        yield chunk
        at += len(chunk)


def is_bad_sector(error: OSError) -> bool:
    """Whether a read failed for good, and not the disk as a whole."""
    return error.errno == errno.EIO
