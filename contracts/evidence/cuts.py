"""Decides where a recorded file may be cut so that its bytes stay as they were recorded.

A segment is a head (``ftyp``, ``moov``) and fragments (``moof``, ``mdat``); a key frame begins a
fragment of its own. The head and a run of whole fragments from a key frame on are again a file that
plays, and each of its bytes is one of the recorded file's (ISO/IEC 14496-12).
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from contracts.units import Sha256Hex

Read = Callable[[int, int], bytes]
"""Offset and size in, bytes out: fewer at the end of the file."""

HEAD_BYTES: Final = 8
BOX_MAX_BYTES: Final = 4_194_304  # of a moov or moof: 16 bytes a sample, hundreds of samples
BOXES_MAX: Final = 100_000  # ten minutes in fragments of 100 ms have 12,000
COPY_BYTES: Final = 1_048_576
_CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"mvex"})
_NOT_A_KEY: Final = 0x10000  # sample_is_non_sync_sample
_TFHD_BASE, _TFHD_INDEX, _TFHD_DURATION, _TFHD_SIZE, _TFHD_FLAGS = 0x1, 0x2, 0x8, 0x10, 0x20
_TRUN_OFFSET, _TRUN_FIRST_FLAGS = 0x1, 0x4
_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS = 0x100, 0x200, 0x400


class CutError(Exception):
    """The file is no recording of ours, or nothing of it lies in the interval; says which."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment: where it lies, when it begins after the file's start, whether a key does it."""

    start: int
    end: int
    at_ms: int
    key: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's head and fragments."""

    head: int
    """Bytes of the head."""
    fragments: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes ``0 .. head`` and ``start .. end`` of a file, and the time that they hold."""

    head: int
    start: int
    end: int
    from_ms: int
    """After the file's start: at or before what was asked, for a key frame comes first."""
    to_ms: int | None
    """The start of what follows; None: to the file's end."""

    @property
    def bytes(self) -> int:
        """How long the cut is."""
        return self.head + self.end - self.start


@dataclass(slots=True)
class _Track:
    handler: bytes = b""
    timescale: int = 1
    flags: int = 0


def layout(read: Read, size: int) -> Layout:
    """Where a file's head and fragments lie.

    Raises:
        CutError: it is not laid out as a recording is.
    """
    head, tracks, lead = 0, dict[int, _Track](), 0
    fragments: list[Fragment] = []
    begun: tuple[int, int, bool] | None = None
    first: int | None = None
    for kind, start, content, end in _boxes(read, 0, size):
        if kind in (b"moov", b"moof") and end - content > BOX_MAX_BYTES:
            raise CutError(f"the box at byte {start} is too long for a recording's")
        if kind == b"moov":
            tracks, head = _tracks(read(content, end - content)), end
            pictures = (name for name, one in tracks.items() if one.handler == b"vide")
            lead = next(pictures, next(iter(tracks), 0))
        elif kind == b"moof":
            found = _lead(read(content, end - content), tracks, lead)
            if found is None:  # sound that came alone: part of what goes before it
                begun = (start, fragments[-1].at_ms if fragments else 0, False)
            else:
                first = found[0] if first is None else first
                scale = tracks[lead].timescale
                begun = (start, (found[0] - first) * 1_000 // scale, found[1])
        elif kind == b"mdat" and begun is not None:
            fragments.append(Fragment(begun[0], end, begun[1], begun[2]))
            begun = None
    if not head or not fragments:
        raise CutError("it has no head or no whole fragment")
    return Layout(head, tuple(fragments))


def span(found: Layout, from_ms: int, to_ms: int) -> Span:
    """What of a file an interval wants, its ends counted from the file's start.

    It begins at the last key frame that is not after ``from_ms``.

    Raises:
        CutError: nothing lies in the interval.
    """
    keys = [one for one in found.fragments if one.key and one.at_ms < to_ms]
    if not keys:
        raise CutError("no key frame lies before the interval's end")
    begin = next((one for one in reversed(keys) if one.at_ms <= from_ms), keys[0])
    after = next(
        (one for one in found.fragments if one.start > begin.start and one.at_ms >= to_ms), None
    )
    return Span(
        head=found.head,
        start=begin.start,
        end=after.start if after is not None else found.fragments[-1].end,
        from_ms=begin.at_ms,
        to_ms=after.at_ms if after is not None else None,
    )


def pieces(read: Read, wanted: Span) -> Iterator[bytes]:
    """The bytes of a cut, in pieces."""
    for start, end in ((0, wanted.head), (wanted.start, wanted.end)):
        for at in range(start, end, COPY_BYTES):
            yield read(at, min(COPY_BYTES, end - at))


def hash_of(read: Read, wanted: Span) -> Sha256Hex:
    """The SHA-256 of a cut's bytes."""
    digest = hashlib.sha256()
    for piece in pieces(read, wanted):
        digest.update(piece)
    return digest.hexdigest()


def is_recording(read: Read, size: int, head: int) -> bool:
    """Whether a cut is laid out as one: a head of that length, then fragments, the first a key."""
    try:
        found = layout(read, size)
    except CutError:
        return False
    whole = found.fragments[-1].end == size and found.fragments[0].start == found.head
    return found.head == head and whole and found.fragments[0].key


# --- boxes --------------------------------------------------------------------------------------


def _boxes(read: Read, at: int, size: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Kind, start, content and end of each whole box from ``at`` on."""
    for _ in range(BOXES_MAX):
        if at >= size:
            return
        head, content = read(at, 2 * HEAD_BYTES), HEAD_BYTES
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), 2 * HEAD_BYTES
        if len(head) < content or length < content or at + length > size:
            raise CutError(f"there is no whole box at byte {at}")
        yield kind, at, at + content, at + length
        at += length


def _inside(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    def read(start: int, count: int) -> bytes:
        return data[start : start + count]

    for kind, _, content, end in _boxes(read, 0, len(data)):
        yield kind, data[content:end]


def _number(data: bytes, at: int, count: int = 4) -> int:
    found = data[at : at + count]
    if len(found) < count:
        raise CutError("a box is shorter than it says")
    return int.from_bytes(found, "big")


def _tracks(moov: bytes) -> dict[int, _Track]:
    tracks: dict[int, _Track] = {}
    flags: dict[int, int] = {}
    for kind, content in _inside(moov):
        if kind == b"trak":
            name, track = _trak(content)
            tracks[name] = track
        elif kind == b"mvex":
            for what, row in _inside(content):
                if what == b"trex":
                    flags[_number(row, 4)] = _number(row, 20)
    for name, track in tracks.items():
        track.flags = flags.get(name, 0)
    return tracks


def _trak(content: bytes) -> tuple[int, _Track]:
    name, track, rest = 0, _Track(), [content]
    while rest:
        for kind, inner in _inside(rest.pop()):
            wide = inner[:1] == b"\x01"  # 64 bit times
            if kind in _CONTAINERS:
                rest.append(inner)
            elif kind == b"tkhd":
                name = _number(inner, 20 if wide else 12)
            elif kind == b"mdhd":
                track.timescale = _number(inner, 20 if wide else 12) or 1
            elif kind == b"hdlr":
                track.handler = inner[8:12]
    return name, track


@dataclass(slots=True)
class _Run:
    time: int | None = None
    key: bool | None = None
    flags: int = 0


def _lead(moof: bytes, tracks: dict[int, _Track], lead: int) -> tuple[int, bool] | None:
    """Decode time of the leading track's first sample, and whether it is a key; None: absent."""
    for kind, content in _inside(moof):
        if kind != b"traf":
            continue
        name, run = 0, _Run()
        for what, inner in _inside(content):
            if what == b"tfhd":
                name, given = _tfhd(inner)
                known = tracks.get(name)
                run.flags = given if given is not None else known.flags if known else 0
            elif what == b"tfdt":
                run.time = _number(inner, 4, 8 if inner[:1] == b"\x01" else 4)
            elif what == b"trun" and run.key is None and _number(inner, 4):
                run.key = not _first_flags(inner, run.flags) & _NOT_A_KEY
        if name == lead and run.time is not None and run.key is not None:
            return run.time, run.key
    return None


def _tfhd(inner: bytes) -> tuple[int, int | None]:
    """A track's id, and the default flags of its samples here."""
    told, at = _number(inner, 1, 3), 8
    for flag, count in ((_TFHD_BASE, 8), (_TFHD_INDEX, 4), (_TFHD_DURATION, 4), (_TFHD_SIZE, 4)):
        at += count if told & flag else 0
    return _number(inner, 4), _number(inner, at) if told & _TFHD_FLAGS else None


def _first_flags(inner: bytes, default: int) -> int:
    """The flags of a run's first sample."""
    told, at = _number(inner, 1, 3), 8
    at += 4 if told & _TRUN_OFFSET else 0
    if told & _TRUN_FIRST_FLAGS:
        return _number(inner, at)
    if not told & _TRUN_FLAGS:
        return default
    at += (4 if told & _TRUN_DURATION else 0) + (4 if told & _TRUN_SIZE else 0)
    return _number(inner, at)
