"""Decides which recordings may go and which must stay; pure.

What protects a file is looked up by the interval that it covers: a seal, and the orders to keep
that came with it, protect until a day; a legal hold until it is lifted, and it beats everything.
Space is made in this order, oldest first: what has a verified copy elsewhere; then, below the
critical mark, what is neither sealed nor kept nor held. Sealed evidence without a copy never goes
to make space.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.evidence.entries import TrackId
from contracts.units import UtcMs

DAY_MS: Final = 86_400_000
OPEN_END: Final = UtcMs(2**53)  # an interval that has not ended: far beyond any clock
HYSTERESIS_PERCENT: Final = 2.0
# Space is made up to this much above the mark, or each new segment would cost one deletion.
DELETIONS_PER_STEP_MAX: Final = 100  # what one entry lists; the next step makes the next one


@dataclass(frozen=True, slots=True)
class Protection:
    """An interval that must stay until ``until_utc_ms``; None: until somebody lifts it (a hold)."""

    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    until_utc_ms: UtcMs | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A finished segment that lies on the node's disk."""

    number: int
    start_utc_ms: UtcMs
    end_utc_ms: UtcMs
    bytes: int
    copies: frozenset[str] = frozenset()
    """Where verified copies of it are."""


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """What one track has on disk, oldest first, and what protects it."""

    track_id: TrackId
    files: tuple[StoredFile, ...]
    protections: tuple[Protection, ...] = ()


class Stay(StrEnum):
    """Why a file stays."""

    HELD = "held"
    SEALED = "sealed"
    YOUNG = "young"


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that recordings lie on, in bytes."""

    total: int
    free: int

    @property
    def free_percent(self) -> float:
        """Free share; 100 of a disk without a size, which nobody can fill."""
        return 100 * self.free / self.total if self.total else 100.0


@dataclass(frozen=True, slots=True)
class Marks:
    """How long what is unsealed stays, and when space is made, in percent of the disk."""

    keep_unsealed_days: int
    low_percent: float
    critical_percent: float


class Why(StrEnum):
    """Why files are deleted; the words of the chain's entry."""

    EXPIRED = "expired"
    SPACE = "space"


@dataclass(frozen=True, slots=True)
class Deletion:
    """Files of one track that may go, for one reason. ``copies`` holds a copy of each of them."""

    track_id: TrackId
    numbers: tuple[int, ...]
    why: Why
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now."""

    deletions: tuple[Deletion, ...]
    short_bytes: int
    """Bytes still missing below the critical mark, with nothing left that may go."""


def stay_of(
    file: StoredFile, protections: Sequence[Protection], marks: Marks, now: UtcMs
) -> Stay | None:
    """Why a file must stay; None: its time is over."""
    over = [
        one
        for one in protections
        if one.from_utc_ms < file.end_utc_ms and file.start_utc_ms < one.to_utc_ms
    ]
    if any(one.until_utc_ms is None for one in over):
        return Stay.HELD
    if any(one.until_utc_ms is not None and now < one.until_utc_ms for one in over):
        return Stay.SEALED
    if now < file.end_utc_ms + marks.keep_unsealed_days * DAY_MS:
        return Stay.YOUNG
    return None


def decide(tracks: Sequence[StoredTrack], disk: Disk, marks: Marks, now: UtcMs) -> Decision:
    """What may go now.

    A clock that has stepped into the future would make everything expire at once: the caller asks
    only while the clock is sound.
    """
    stays = {
        (track.track_id, file.number): stay_of(file, track.protections, marks, now)
        for track in tracks
        for file in track.files
    }
    every = [(track.track_id, file) for track in tracks for file in track.files]
    every.sort(key=lambda pair: pair[1].start_utc_ms)
    expired = [pair for pair in every if stays[pair[0], pair[1].number] is None]
    taken = {(track, file.number) for track, file in expired}
    free = disk.free + sum(file.bytes for _, file in expired)
    copied, free = _make_space(
        [
            (track, file)
            for track, file in every
            if file.copies
            and (track, file.number) not in taken
            and stays[track, file.number] is not Stay.HELD
        ],
        free,
        disk,
        marks.low_percent,
    )
    taken |= {(track, file.number) for track, file in copied}
    given_up, free = _make_space(
        [
            (track, file)
            for track, file in every
            if (track, file.number) not in taken and stays[track, file.number] is Stay.YOUNG
        ],
        free,
        disk,
        marks.critical_percent,
    )
    wanted = round(disk.total * marks.critical_percent / 100)
    return Decision(
        deletions=(
            *_grouped(expired, Why.EXPIRED),
            *_grouped(copied, Why.SPACE),
            *_grouped(given_up, Why.SPACE),
        ),
        short_bytes=max(wanted - free, 0),
    )


_Pair = tuple[TrackId, StoredFile]


def _make_space(
    candidates: Sequence[_Pair], free: int, disk: Disk, mark_percent: float
) -> tuple[list[_Pair], int]:
    """The oldest files that bring ``free`` above the mark again, once it has fallen below it."""
    if free >= disk.total * mark_percent / 100:
        return [], free
    target = disk.total * (mark_percent + HYSTERESIS_PERCENT) / 100
    gone: list[_Pair] = []
    for pair in candidates:
        if free >= target:
            break
        gone.append(pair)
        free += pair[1].bytes
    return gone, free


def _grouped(pairs: Sequence[_Pair], why: Why) -> tuple[Deletion, ...]:
    """Deletions by track and by where their copies are, each within the limit of one entry."""
    groups: dict[tuple[TrackId, tuple[str, ...]], list[int]] = {}
    for track, file in pairs:
        groups.setdefault((track, tuple(sorted(file.copies))), []).append(file.number)
    return tuple(
        Deletion(track, tuple(numbers[:DELETIONS_PER_STEP_MAX]), why, copies)
        for (track, copies), numbers in groups.items()
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long the disk lasts at the rate of late, and what fifteen years would need."""

    bytes_per_day: int
    days_left: float | None
    """None: nothing is being recorded, so the disk lasts."""
    fifteen_years_bytes: int
    """If every hour of every track were sealed: the upper bound that an archive is planned for."""


FIFTEEN_YEARS_DAYS: Final = 5_479


def forecast(bytes_per_day: Mapping[TrackId, int], disk: Disk, marks: Marks) -> Forecast:
    """Days until the critical mark, and the size of fifteen years, at these daily rates."""
    rate = sum(bytes_per_day.values())
    usable = max(disk.free - disk.total * marks.critical_percent / 100, 0)
    return Forecast(
        bytes_per_day=rate,
        days_left=round(usable / rate, 1) if rate else None,
        fifteen_years_bytes=rate * FIFTEEN_YEARS_DAYS,
    )
