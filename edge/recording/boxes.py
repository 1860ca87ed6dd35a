"""Reads what a fragment of an MP4 file holds: packets and time of each track (ISO 14496-12)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 8
# Flags of tfhd and trun that say which optional fields are there.
BASE_DATA_OFFSET: Final = 0x000001
DESCRIPTION_INDEX: Final = 0x000002
DEFAULT_DURATION: Final = 0x000008
DATA_OFFSET: Final = 0x000001
FIRST_FLAGS: Final = 0x000004
SAMPLE_DURATION: Final = 0x000100
SAMPLE_FIELDS: Final = (0x000100, 0x000200, 0x000400, 0x000800)

Box = tuple[bytes, int, int]
"""Type, and where its body begins and ends."""


class BoxError(ValueError):
    """Bytes that are no whole boxes."""


@dataclass(frozen=True, slots=True)
class TrackRun:
    """The packets of one track in one fragment; times in ticks of the track."""

    track: int
    begin_ticks: int
    packets: int
    duration_ticks: int


def boxes(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that lie side by side from ``begin`` to ``end``.

    Raises:
        BoxError: the last one is not whole.
    """
    end = len(data) if end is None else end
    while begin < end:
        if end - begin < HEADER_BYTES:
            raise BoxError(f"{end - begin} bytes at {begin} are no box")
        size, kind = struct.unpack_from(">I4s", data, begin)
        head = HEADER_BYTES
        if size == 1 and end - begin >= 2 * HEADER_BYTES:
            (size,) = struct.unpack_from(">Q", data, begin + HEADER_BYTES)
            head = 2 * HEADER_BYTES
        if size < head or begin + size > end:
            raise BoxError(f"box {kind!r} at {begin} says {size} bytes of {end - begin}")
        yield kind, begin + head, begin + size
        begin += size


def runs(fragment: bytes) -> list[TrackRun]:
    """What each track has in whole fragments (moof and mdat, one or several).

    Raises:
        BoxError: they are not whole.
    """
    found: list[TrackRun] = []
    for kind, begin, end in boxes(fragment):
        if kind != b"moof":
            continue
        found.extend(
            _track_run(fragment, part_begin, part_end)
            for part, part_begin, part_end in boxes(fragment, begin, end)
            if part == b"traf"
        )
    return found


def _track_run(data: bytes, begin: int, end: int) -> TrackRun:
    track, at, packets, duration, each = 0, 0, 0, 0, 0
    for kind, body, body_end in boxes(data, begin, end):
        if body_end - body < HEADER_BYTES:
            raise BoxError(f"box {kind!r} at {body} is too short")
        if kind == b"tfhd":
            track, each = _track_header(data, body)
        elif kind == b"tfdt":
            form = ">Q" if data[body] else ">I"
            (at,) = struct.unpack_from(form, data, body + 4)
        elif kind == b"trun":
            count, ticks = _run(data, body, body_end, each)
            packets += count
            duration += ticks
    return TrackRun(track, at, packets, duration)


def _track_header(data: bytes, body: int) -> tuple[int, int]:
    flags, track = struct.unpack_from(">II", data, body)
    place = body + 8
    place += 8 if flags & BASE_DATA_OFFSET else 0
    place += 4 if flags & DESCRIPTION_INDEX else 0
    each = struct.unpack_from(">I", data, place)[0] if flags & DEFAULT_DURATION else 0
    return track, each


def _run(data: bytes, body: int, end: int, each: int) -> tuple[int, int]:
    flags, count = struct.unpack_from(">II", data, body)
    if not flags & SAMPLE_DURATION:
        return count, count * each
    place = body + 8
    place += 4 if flags & DATA_OFFSET else 0
    place += 4 if flags & FIRST_FLAGS else 0
    fields = sum(1 for field in SAMPLE_FIELDS if flags & field)
    if place + 4 * fields * count > end:
        raise BoxError(f"a run at {body} says {count} packets and is too short for them")
    words = struct.unpack_from(f">{fields * count}I", data, place)
    return count, sum(words[::fields])
