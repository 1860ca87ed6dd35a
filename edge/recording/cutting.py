"""Decides when a segment ends, and why: at a key frame, so that the next one begins with it."""

from dataclasses import dataclass
from typing import Final

from contracts.evidence.entries import Ending
from edge.core.people import Instant

HARD_FACTOR: Final = 2
HARD_MIN_MS: Final = 120_000
# A file without an end is none that can be copied or deleted. Encoders that save bits send a key
# frame every 10 s or so, some every minute: a segment waits that long for its end, and no longer.
EARLY_MS: Final = 20  # a key frame this close before the time is taken: the next is a group away
CLOCK_STEP_MS: Final = 500
# NTP corrects by slewing at 30 ms a minute; what steps further within one segment was set.


@dataclass(frozen=True, slots=True)
class Cutting:
    """The segment that is open: when it began, and what already asks for its end."""

    segment_ms: int
    start: Instant
    wanted: Ending | None = None

    @property
    def hard_ms(self) -> int:
        """Age at which the segment ends without a key frame."""
        return max(HARD_FACTOR * self.segment_ms, HARD_MIN_MS)


def clock_step_ms(start: Instant, now: Instant) -> int:
    """How far UTC has stepped against the monotonic clock since ``start``; 0 for a slew."""
    step = (now.utc_ms - start.utc_ms) - (now.mono_ms - start.mono_ms)
    return step if abs(step) >= CLOCK_STEP_MS else 0


def ending_at_key(cutting: Cutting, now: Instant, *, changed: bool) -> Ending | None:
    """Why the segment ends before this key frame; None when it goes on with it.

    ``changed``: the key frame brings other parameter sets.
    """
    if changed:
        return Ending.STREAM_CHANGED
    if cutting.wanted is not None:
        return cutting.wanted
    if clock_step_ms(cutting.start, now):
        return Ending.TIME_JUMPED
    age_ms = now.mono_ms - cutting.start.mono_ms
    return Ending.FULL if age_ms >= cutting.segment_ms - EARLY_MS else None
