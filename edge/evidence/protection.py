"""Decides which files of a track must not be deleted, from the entries of its chain.

The last line of defence: whoever asks for a deletion has reasons of his own; here only the signed
chain counts. A file is protected by a legal hold until that is lifted; by a seal while the session
lasts and the days that it said after it; by a keep until the day that it said.
"""

from enum import StrEnum
from typing import Final

from pydantic import Field

from contracts.envelope import Strict
from contracts.evidence.entries import Entry, Held, Kept, Lifted, Released, Sealed

DAY_MS: Final = 86_400_000
PROTECTIONS_MAX: Final = 50_000
# Fifteen years of nine sessions a day on one track; they are looked through at each deletion.
FAR_MS: Final = 4_102_444_800_000 * 10  # beyond any calendar: no end


class Why(StrEnum):
    """What protects."""

    HOLD = "hold"
    SEAL = "seal"
    KEEP = "keep"


class Protection(Strict):
    """An interval that must stay. ``name`` is the hold or the session.

    A seal protects by numbers too, so that a clock which stepped exposes nothing: every file that
    was open or came between seal and release.
    """

    why: Why
    name: str
    from_utc_ms: int
    to_utc_ms: int = FAR_MS
    from_number: int | None = None
    to_number: int | None = None
    until_utc_ms: int = FAR_MS
    """When the protection itself is over."""
    keep_days: int = Field(default=0, ge=0)

    @property
    def is_open(self) -> bool:
        """Its session goes on."""
        return self.to_utc_ms == FAR_MS

    def covers(self, number: int, start_utc_ms: int, end_utc_ms: int) -> bool:
        """Whether a file lies in it, wholly or in part."""
        if start_utc_ms <= self.to_utc_ms and end_utc_ms >= self.from_utc_ms:
            return True
        if self.from_number is None:
            return False
        return self.from_number <= number and (self.to_number is None or number <= self.to_number)

    def __str__(self) -> str:
        return f"{self.why} {self.name}"


class Protections:
    """What protects files of one track now."""

    def __init__(self, known: tuple[Protection, ...] = ()) -> None:
        self._known = list(known)

    @property
    def known(self) -> tuple[Protection, ...]:
        return tuple(self._known)

    @property
    def is_full(self) -> bool:
        """No seal, keep or hold can be added."""
        return len(self._known) >= PROTECTIONS_MAX

    @property
    def is_sealed(self) -> bool:
        """A session goes on."""
        return any(item.why is Why.SEAL and item.is_open for item in self._known)

    def is_held_at(self, utc_ms: int) -> bool:
        """Whether what is recorded at an instant falls under a legal hold."""
        return any(
            item.why is Why.HOLD and item.from_utc_ms <= utc_ms <= item.to_utc_ms
            for item in self._known
        )

    def has_hold(self, hold_id: str) -> bool:
        """Whether a legal hold of that name stands."""
        return any(item.why is Why.HOLD and item.name == hold_id for item in self._known)

    def of(self, number: int, start_utc_ms: int, end_utc_ms: int, now_utc_ms: int) -> str | None:
        """What protects a file now; None: nothing."""
        for item in self._known:
            if now_utc_ms < item.until_utc_ms and item.covers(number, start_utc_ms, end_utc_ms):
                return str(item)
        return None

    def take(self, entry: Entry, number: int) -> None:
        """Learn from an entry; ``number`` is that of the file which is open or comes next."""
        match entry:
            case Sealed():
                sealed = Protection(
                    why=Why.SEAL,
                    name=entry.session_id,
                    from_utc_ms=entry.recorded.utc_ms,
                    from_number=number,
                    keep_days=entry.keep_days,
                )
                self._known.append(sealed)
            case Released():
                self._release(entry, number)
            case Kept():
                self._keep(entry)
            case Held():
                held = Protection(
                    why=Why.HOLD,
                    name=entry.hold_id,
                    from_utc_ms=entry.from_utc_ms,
                    to_utc_ms=entry.to_utc_ms,
                )
                self._known.append(held)
            case Lifted():
                self._known = [
                    item
                    for item in self._known
                    if item.why is not Why.HOLD or item.name != entry.hold_id
                ]
            case _:
                pass

    def forget_expired(self, now_utc_ms: int) -> None:
        """Drop what protects nothing any more."""
        self._known = [item for item in self._known if now_utc_ms < item.until_utc_ms]

    def _release(self, entry: Released, number: int) -> None:
        now = int(entry.recorded.utc_ms)
        for index, item in enumerate(self._known):
            if item.why is Why.SEAL and item.name == entry.session_id and item.is_open:
                self._known[index] = item.model_copy(
                    update={
                        # A clock stepped back since the seal must not turn the interval round.
                        "to_utc_ms": max(now, item.from_utc_ms),
                        "to_number": number,
                        "until_utc_ms": max(now, item.from_utc_ms) + item.keep_days * DAY_MS,
                    }
                )

    def _keep(self, entry: Kept) -> None:
        begins = int(entry.from_utc_ms)
        until = int(entry.keep_until_utc_ms)
        kept: list[Protection] = []
        for item in self._known:
            mine = item.why is Why.KEEP and item.name == entry.session_id and item.is_open
            if mine:
                begins = min(begins, item.from_utc_ms)
                until = max(until, item.until_utc_ms)
            else:
                kept.append(item)
        fresh = Protection(
            why=Why.KEEP,
            name=entry.session_id,
            from_utc_ms=begins,
            to_utc_ms=FAR_MS if entry.to_utc_ms is None else entry.to_utc_ms,
            until_utc_ms=until,
        )
        self._known = [*kept, fresh]
