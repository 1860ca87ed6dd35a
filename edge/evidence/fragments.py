"""Decides how much of an unfinished fragmented MP4 is whole, from its boxes alone.

A head (``ftyp``, ``moov``) is followed by fragments (``moof``, ``mdat``). What counts is the end of
the last fragment whose boxes are all there and whose samples fill its ``mdat`` (ISO/IEC 14496-12).
No decoder is asked: what it would make of the content is not this module's question.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from contracts.evidence.entries import Media

Read = Callable[[int, int], bytes]
"""Offset and size in, bytes out: fewer at the end of the file."""

BOX_HEAD_BYTES: Final = 8
MOOV_MAX_BYTES: Final = 1_048_576  # a fragmented file's moov lists no samples: a few KiB
MOOF_MAX_BYTES: Final = 4_194_304  # 16 bytes a sample; a fragment of one second has hundreds
BOXES_MAX: Final = 100_000  # a segment of ten minutes in fragments of 100 ms has 12,000
DEPTH_MAX: Final = 8
_CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex"})
_CODECS: Final = {
    b"avc1": "h264",
    b"avc3": "h264",
    b"hvc1": "hevc",
    b"hev1": "hevc",
    b"mp4a": "aac",
    b"Opus": "opus",
    b"fLaC": "flac",
}

_TFHD_BASE, _TFHD_INDEX, _TFHD_DURATION, _TFHD_SIZE = 0x1, 0x2, 0x8, 0x10
_TRUN_OFFSET, _TRUN_FIRST_FLAGS = 0x1, 0x4
_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_SHIFT = 0x100, 0x200, 0x400, 0x800


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its kind, where its content begins and where it ends."""

    kind: bytes
    start: int
    content: int
    end: int


@dataclass(frozen=True, slots=True)
class Whole:
    """What of a file is whole. ``duration_ms`` is of the pictures, or of sound without any."""

    bytes: int
    fragments: int
    duration_ms: int
    video_packets: int
    audio_packets: int
    media: Media


@dataclass(slots=True)
class _Track:
    """What the head says of one track, and what the fragments added."""

    handler: bytes = b""
    timescale: int = 1
    default_duration: int = 0
    default_size: int = 0
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    rate_hz: int | None = None
    first: int | None = None
    end: int = 0
    packets: int = 0


class _Damaged(Exception):
    """What was read is no box of ours."""


@dataclass(slots=True)
class _Seen:
    bytes: int = 0
    fragments: int = 0
    tracks: dict[int, _Track] = field(default_factory=dict)


def whole_part(read: Read, size: int) -> Whole:
    """How much of a file of ``size`` bytes is whole; zero bytes if not even its head is.

    Raises:
        OSError: what ``read`` raises.
    """
    seen = _Seen()
    pending: dict[int, _Run] | None = None
    try:
        for box in _file_boxes(read, size):
            if box.kind == b"moov":
                seen.tracks = _tracks(_content(read, box, MOOV_MAX_BYTES))
                seen.bytes = box.end
            elif box.kind == b"moof":
                pending = _runs(_content(read, box, MOOF_MAX_BYTES), seen.tracks)
            elif box.kind == b"mdat" and pending is not None and seen.tracks:
                _take(seen, pending, box)
                pending = None
    except _Damaged:
        pass  # what is whole before it counts
    return _summary(seen)


def _summary(seen: _Seen) -> Whole:
    tracks = seen.tracks.values()
    pictures = next((track for track in tracks if track.handler == b"vide"), _Track())
    sound = next((track for track in tracks if track.handler == b"soun"), _Track())
    told = pictures if pictures.packets else sound
    return Whole(
        bytes=seen.bytes,
        fragments=seen.fragments,
        duration_ms=round((told.end - (told.first or 0)) * 1000 / told.timescale),
        video_packets=pictures.packets,
        audio_packets=sound.packets,
        media=Media(
            video=pictures.codec,
            audio=sound.codec,
            width=pictures.width or None,
            height=pictures.height or None,
            rate_hz=sound.rate_hz or None,
        ),
    )


@dataclass(slots=True)
class _Run:
    """Samples of one track in one fragment."""

    base: int | None = None
    packets: int = 0
    duration: int = 0
    bytes: int = 0


def _take(seen: _Seen, runs: dict[int, _Run], mdat: Box) -> None:
    if sum(run.bytes for run in runs.values()) > mdat.end - mdat.content:
        raise _Damaged
    for name, run in runs.items():
        track = seen.tracks[name]
        base = track.end if run.base is None else run.base
        track.first = base if track.first is None else min(track.first, base)
        track.end = max(track.end, base + run.duration)
        track.packets += run.packets
    seen.fragments += 1
    seen.bytes = mdat.end


def _file_boxes(read: Read, size: int) -> Iterator[Box]:
    """The boxes at the top of a file that are all there."""
    at = 0
    for _ in range(BOXES_MAX):
        if at >= size:
            return
        box = _box(read(at, 2 * BOX_HEAD_BYTES), 0)
        if at + box.end > size:
            raise _Damaged
        yield Box(box.kind, at, at + box.content, at + box.end)
        at += box.end


def _box(data: bytes, at: int) -> Box:
    """The box whose head is at ``at``."""
    head = data[at : at + BOX_HEAD_BYTES]
    length, kind, content = int.from_bytes(head[:4], "big"), head[4:8], BOX_HEAD_BYTES
    if length == 1:
        head = data[at : at + 2 * BOX_HEAD_BYTES]
        length, content = int.from_bytes(head[8:], "big"), 2 * BOX_HEAD_BYTES
    # Zeros are what a power cut leaves: length 0 would also mean "to the end of the file".
    if len(head) < content or length < content or not all(32 <= letter < 127 for letter in kind):
        raise _Damaged
    return Box(kind, at, at + content, at + length)


def _content(read: Read, box: Box, max_bytes: int) -> bytes:
    if box.end - box.content > max_bytes:
        raise _Damaged
    data = read(box.content, box.end - box.content)
    if len(data) < box.end - box.content:
        raise _Damaged
    return data


def _inside(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box that fills ``data``."""
    at = 0
    while at < len(data):
        box = _box(data, at)
        if box.end > len(data):
            raise _Damaged
        yield box.kind, data[box.content : box.end]
        at = box.end


def _number(data: bytes, at: int, size: int = 4) -> int:
    if at + size > len(data):
        raise _Damaged
    return int.from_bytes(data[at : at + size], "big")


def _tracks(moov: bytes) -> dict[int, _Track]:
    tracks: dict[int, _Track] = {}
    defaults: dict[int, tuple[int, int]] = {}
    for kind, content in _inside(moov):
        if kind == b"trak":
            name, track = _track(content)
            tracks[name] = track
        elif kind == b"mvex":
            for inner, trex in _inside(content):
                if inner == b"trex":
                    defaults[_number(trex, 4)] = (_number(trex, 12), _number(trex, 16))
    for name, (duration, size) in defaults.items():
        if name in tracks:
            tracks[name].default_duration, tracks[name].default_size = duration, size
    return tracks


def _track(trak: bytes) -> tuple[int, _Track]:
    name, track = 0, _Track()
    for kind, content in _leaves(trak, 0):
        if kind == b"tkhd":
            name = _number(content, 20 if content[:1] == b"\1" else 12)
        elif kind == b"mdhd":
            track.timescale = max(_number(content, 20 if content[:1] == b"\1" else 12), 1)
        elif kind == b"hdlr":
            track.handler = content[8:12]
        elif kind == b"stsd":
            for codec, sample in _inside(content[8:]):
                _describe(track, codec, sample)
                break
    return name, track


def _describe(track: _Track, codec: bytes, sample: bytes) -> None:
    """Read a sample entry: of sound the rate is at 24, of pictures the size is."""
    track.codec = _CODECS.get(codec)
    if track.handler == b"vide":
        track.width, track.height = _number(sample, 24, 2), _number(sample, 26, 2)
    elif track.handler == b"soun":
        track.rate_hz = _number(sample, 24) >> 16


def _leaves(data: bytes, depth: int) -> Iterator[tuple[bytes, bytes]]:
    for kind, content in _inside(data):
        if kind in _CONTAINERS and depth < DEPTH_MAX:
            yield from _leaves(content, depth + 1)
        else:
            yield kind, content


def _runs(moof: bytes, tracks: dict[int, _Track]) -> dict[int, _Run]:
    runs: dict[int, _Run] = {}
    for kind, content in _inside(moof):
        if kind != b"traf":
            continue
        name, run = _run(content, tracks)
        runs[name] = run
    return runs


def _run(traf: bytes, tracks: dict[int, _Track]) -> tuple[int, _Run]:
    name, run, duration, size = 0, _Run(), 0, 0
    for kind, content in _inside(traf):
        if kind == b"tfhd":
            name = _number(content, 4)
            if name not in tracks:
                raise _Damaged
            duration, size = _fragment_defaults(content, tracks[name])
        elif kind == b"tfdt":
            run.base = _number(content, 4, 8 if content[:1] == b"\1" else 4)
        elif kind == b"trun":
            _count(run, content, duration, size)
    if not name:
        raise _Damaged
    return name, run


def _fragment_defaults(tfhd: bytes, track: _Track) -> tuple[int, int]:
    flags = _number(tfhd, 1, 3)
    at = 8 + (8 if flags & _TFHD_BASE else 0) + (4 if flags & _TFHD_INDEX else 0)
    duration, size = track.default_duration, track.default_size
    if flags & _TFHD_DURATION:
        duration, at = _number(tfhd, at), at + 4
    if flags & _TFHD_SIZE:
        size = _number(tfhd, at)
    return duration, size


def _count(run: _Run, trun: bytes, duration: int, size: int) -> None:
    flags, samples = _number(trun, 1, 3), _number(trun, 4)
    at = 8 + (4 if flags & _TRUN_OFFSET else 0) + (4 if flags & _TRUN_FIRST_FLAGS else 0)
    fields = [bit for bit in (_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_SHIFT) if flags & bit]
    step = 4 * len(fields)
    if at + samples * step > len(trun):
        raise _Damaged
    run.packets += samples
    durations = 4 * fields.index(_TRUN_DURATION) if _TRUN_DURATION in fields else None
    sizes = 4 * fields.index(_TRUN_SIZE) if _TRUN_SIZE in fields else None
    for sample in range(samples if fields else 0):
        here = at + sample * step
        run.duration += duration if durations is None else _number(trun, here + durations)
        run.bytes += size if sizes is None else _number(trun, here + sizes)
    if not fields:
        run.duration += samples * duration
        run.bytes += samples * size
