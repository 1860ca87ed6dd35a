"""Decides what the manifests of a path say was recorded, by track and day; it verifies nothing."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contracts.evidence.chain import day_of
from contracts.evidence.entries import (
    Deleted,
    Entry,
    Gap,
    Segment,
    parse_entry,
)
from contracts.evidence.lines import LineError
from zeroentry.evidence.chains import GapTold, add_claim, add_gap, manifest_lines
from zeroentry.evidence.places import find_places
from zeroentry.evidence.verify import open_tree


@dataclass(slots=True)
class DayRow:
    """What one track recorded on one day: of each file the day on which it began."""

    track: str
    day: str
    segments: int = 0
    deleted: int = 0
    bytes: int = 0
    """Of the files that are not deleted."""
    recorded_ms: int = 0
    gaps: list[GapTold] = field(default_factory=list)
    sessions: dict[str, bool] = field(default_factory=dict)
    """Sessions that began, ended or were kept, and whether they ended on this day."""
    holds: dict[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class _Track:
    rows: dict[str, DayRow] = field(default_factory=dict)
    files: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Day and bytes of each file that an entry names."""


def list_recordings(
    path: Path,
    *,
    tracks: Collection[str] = (),
    from_utc_ms: int | None = None,
    to_utc_ms: int | None = None,
) -> list[DayRow] | None:
    """Rows by track and day, of all tracks or those named; None: no recordings there.

    Raises:
        OSError: it cannot be read.
    """
    rows: list[DayRow] = []
    with open_tree(path) as tree:
        places = find_places(tree, path.resolve().name)
        if places is None:
            return None
        read: dict[str, _Track] = {}
        for place in places.tracks:
            for day, _, line in manifest_lines(tree, place):
                try:
                    _, entry = parse_entry(line.raw)
                except LineError:
                    continue  # `verify` says what is wrong with it
                track = place.track or entry.track
                if tracks and track not in tracks:
                    break
                _take(read.setdefault(track, _Track()), track, day, entry, from_utc_ms, to_utc_ms)
    for track in sorted(read):
        rows += [read[track].rows[day] for day in sorted(read[track].rows)]
    return rows


def _take(
    read: _Track,
    track: str,
    day: str,
    entry: Entry,
    from_utc_ms: int | None,
    to_utc_ms: int | None,
) -> None:
    if isinstance(entry, Deleted):
        _deleted(read, entry)
        return
    start = entry.start if isinstance(entry, Segment | Gap) else entry.recorded
    length_ms = entry.duration_ms if isinstance(entry, Segment | Gap) else 0
    if from_utc_ms is not None and start.utc_ms + length_ms < from_utc_ms:
        return
    if to_utc_ms is not None and start.utc_ms >= to_utc_ms:
        return
    with suppress(ValueError):  # a time that no calendar has: the manifest's own day will do
        day = day_of(start.utc_ms)
    row = read.rows.setdefault(day, DayRow(track, day))
    if isinstance(entry, Segment):
        read.files[entry.number] = (day, entry.bytes)
    _add(row, entry)


def _deleted(read: _Track, entry: Deleted) -> None:
    for gone in entry.files:
        if gone.number in read.files:
            began, size = read.files.pop(gone.number)
            read.rows[began].deleted += 1
            read.rows[began].segments -= 1
            read.rows[began].bytes -= size


def _add(row: DayRow, entry: Entry) -> None:
    match entry:
        case Segment():
            row.segments += 1
            row.bytes += entry.bytes
            row.recorded_ms += entry.duration_ms
        case Gap():
            add_gap(row.gaps, entry)
        case _:
            add_claim(row.sessions, row.holds, entry)
