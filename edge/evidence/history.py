"""Holds what a chain has come to: its head, its numbers, what it protects, what it was asked.

The manifests are the truth. What is saved beside them at the end of each day is derived, counts
only while it fits the manifest it was made from, and saves a start the reading of years.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import Field, ValidationError

from contracts.envelope import Strict
from contracts.evidence.entries import (
    NOTHING,
    At,
    Changed,
    Deleted,
    Entry,
    Gap,
    HandedOver,
    Segment,
    TrackId,
)
from contracts.evidence.lines import KeyId, Verify
from contracts.units import MonoMs, UtcMs
from edge.core.recording import Written
from edge.evidence.disk import Disk, write_whole
from edge.evidence.gaps import later
from edge.evidence.places import FILE, MANIFEST, number_of
from edge.evidence.protection import Protection, Protections
from edge.evidence.recovery import Known, Lines, read_manifest, repair_manifest

SAVED: Final = "chain.json"
REQUEST_DAYS: Final = 2  # manifests whose requests are remembered: who repeats, does so within days
REQUESTS_MAX: Final = 20_000  # two days of one request every nine seconds
REQUEST: Final = b'"request_id":"'
SEGMENT: Final = b'"kind":"segment"'
STOPPED: Final = "stopped"


class Numbers(Strict):
    """Which files a day's manifest tells of."""

    day: str
    first: int
    last: int


class Saved(Strict):
    """What a chain had come to when the manifest of ``day`` was complete."""

    v: int = Field(default=1, ge=1, le=1)
    day: str
    head: str
    numbers: tuple[Numbers, ...]
    protections: tuple[Protection, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """A finished file, as its entry tells of it."""

    number: int
    path: str
    sha256: str
    start_utc_ms: int
    end_utc_ms: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a start reads."""

    history: "History"
    good_bytes: int
    """Length of the last manifest."""
    set_aside: tuple[str, ...]
    half_deleted: tuple[str, ...]
    """Paths that a deletion names and that may still be there."""


class History:
    """What one chain has come to. Not locked: the chain does that."""

    def __init__(self) -> None:
        self.sequence = 0
        self.head = NOTHING
        self.key: KeyId = ""
        """What the next entry must be signed with; empty: nothing says."""
        self.day = ""
        self.number = 0
        self.has_open_file = False
        """``number`` is that of a file that has no entry yet."""
        self.boot_id = ""
        self.stopped = False
        self.covered_until: At | None = None
        self.numbers: dict[str, Numbers] = {}
        self.protections = Protections()
        self._requests: dict[str, tuple[str, Written]] = {}

    def done(self, request_id: str) -> Written | None:
        """What a request wrote, if it came before."""
        found = self._requests.get(request_id)
        return found[1] if found else None

    def take(self, entry: Entry, sha256: str, day: str) -> None:
        """Learn from an entry that is on disk."""
        if day != self.day:
            self._forget_requests(day)
        self.sequence, self.head, self.day = entry.sequence, sha256, day
        self.key = entry.new_key if isinstance(entry, HandedOver) else entry.key
        self.boot_id = entry.recorded.boot_id
        self.stopped = isinstance(entry, Changed) and entry.what == STOPPED
        self.remember(entry, sha256, day)
        if isinstance(entry, Segment):
            self._number(entry.number, day)
        if isinstance(entry, Segment | Gap):
            self._cover(moved(entry.start, entry.duration_ms))
        elif self.covered_until is None:
            self.covered_until = entry.recorded
        self.protections.take(entry, self.number if self.has_open_file else self.number + 1)

    def remember(self, entry: Entry, sha256: str, day: str) -> None:
        """Know the request that an entry answers, if it answers one."""
        request_id: str | None = getattr(entry, "request_id", None)
        if request_id is not None and len(self._requests) < REQUESTS_MAX:
            written = Written(track_id=entry.track, sequence=entry.sequence, entry_sha256=sha256)
            self._requests[request_id] = (day, written)

    def _cover(self, end: At) -> None:
        self.covered_until = end if self.covered_until is None else later(self.covered_until, end)

    def _number(self, number: int, day: str) -> None:
        self.number = max(self.number, number)
        known = self.numbers.get(day)
        first = number if known is None else min(known.first, number)
        last = number if known is None else max(known.last, number)
        self.numbers[day] = Numbers(day=day, first=first, last=last)

    def _forget_requests(self, day: str) -> None:
        """Keep those of this day and of the last that had any entry."""
        kept = {day, self.day}
        self._requests = {name: told for name, told in self._requests.items() if told[0] in kept}


def moved(at: At, ms: int) -> At:
    """An instant some time later, on both clocks."""
    return At(utc_ms=UtcMs(at.utc_ms + ms), mono_ms=MonoMs(at.mono_ms + ms), boot_id=at.boot_id)


def load(disk: Disk, track: TrackId, days: list[str], verify: Verify, known: Known) -> Loaded:
    """Read a chain, repairing the end of its last manifest.

    Raises:
        OSError: the disk refuses.
    """
    told = [day for day in days if _has_manifest(disk, track, day)]
    repaired: dict[str, Lines] = {}
    set_aside: list[str] = []
    while told:  # a manifest whose first line was torn has none: the one before it is the last
        lines = repair_manifest(disk, track, told[-1], verify, known)
        repaired[told[-1]] = lines
        if lines.set_aside:
            set_aside.append(lines.set_aside)
        if lines.entries:
            break
        folder = f"{track}/{told.pop()}"
        disk.unlink(f"{folder}/{MANIFEST}")  # it is empty; what was torn lies beside it
        disk.sync_folder(folder)
    past, begin = _resume(disk, track, told)
    deleted: dict[int, str] = {}
    for index, day in enumerate(told):
        recent = index >= len(told) - REQUEST_DAYS
        if index < begin and not recent:
            continue
        # Of a day that was saved, only what was asked for matters.
        part = b"" if index >= begin else REQUEST
        lines = repaired.get(day) or read_manifest(disk, track, day, part=part)
        for line, entry in lines.entries:
            if index >= begin:
                past.take(entry, line.sha256, day)
            else:
                past.remember(entry, line.sha256, day)
        if recent:
            deleted |= _deleted(lines)
    good_bytes = repaired[told[-1]].bytes if told else 0
    there = find(disk, track, past, tuple(deleted)) if deleted else ()
    half_deleted = tuple(file.path for file in there if file.sha256 == deleted[file.number])
    return Loaded(past, good_bytes, tuple(set_aside), half_deleted)


def _resume(disk: Disk, track: TrackId, told: list[str]) -> tuple[History, int]:
    """What was saved, if it fits, and the index of the first manifest after it."""
    past = History()
    try:
        saved = Saved.model_validate_json(disk.read(f"{track}/{SAVED}"))
    except (FileNotFoundError, ValidationError):
        return past, 0
    if saved.day not in told:
        return past, 0
    lines = read_manifest(disk, track, saved.day)
    if not lines.entries or lines.entries[-1][0].sha256 != saved.head:
        return past, 0
    line, entry = lines.entries[-1]
    past.take(entry, line.sha256, saved.day)
    past.numbers = {numbers.day: numbers for numbers in saved.numbers}
    past.number = max((numbers.last for numbers in saved.numbers), default=0)
    past.protections = Protections(saved.protections)
    return past, told.index(saved.day) + 1


def save(disk: Disk, track: TrackId, past: History) -> None:
    """Note what the chain came to, now that the manifest of ``past.day`` is complete.

    Raises:
        OSError: the disk refuses; nothing depends on it.
    """
    saved = Saved(
        day=past.day,
        head=past.head,
        numbers=tuple(past.numbers.values()),
        protections=past.protections.known,
    )
    write_whole(disk, f"{track}/{SAVED}", saved.model_dump_json().encode())


def find(disk: Disk, track: TrackId, past: History, numbers: tuple[int, ...]) -> tuple[Stored, ...]:
    """The finished files of those numbers that are still there.

    Raises:
        OSError: the disk refuses.
    """
    wanted = set(numbers)
    found: dict[int, Stored] = {}
    for day in tuple(past.numbers.values()):
        if not any(day.first <= number <= day.last for number in wanted):
            continue
        names = {item.name for item in disk.names(f"{track}/{day.day}")}
        there = {name for name in names if FILE.fullmatch(name) and number_of(name) in wanted}
        if not there:  # spares a start the reading of every manifest that a deletion touched
            continue
        for _, entry in read_manifest(disk, track, day.day, part=SEGMENT).entries:
            if isinstance(entry, Segment) and entry.file in there:
                found[entry.number] = _stored(track, day.day, entry)
    return tuple(found[number] for number in sorted(found))


def _stored(track: TrackId, day: str, entry: Segment) -> Stored:
    start = int(entry.start.utc_ms)
    path = f"{track}/{day}/{entry.file}"
    return Stored(entry.number, path, entry.sha256, start, start + entry.duration_ms)


def _deleted(lines: Lines) -> dict[int, str]:
    """Number and hash of the files that a manifest says are deleted."""
    return {
        file.number: file.sha256
        for _, entry in lines.entries
        if isinstance(entry, Deleted)
        for file in entry.files
    }


def _has_manifest(disk: Disk, track: TrackId, day: str) -> bool:
    return any(item.name == MANIFEST for item in disk.names(f"{track}/{day}"))
