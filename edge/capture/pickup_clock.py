"""Decides when a sample was captured, by the node's clock, from what a sound card's blocks say.

A sound card counts samples by a crystal of its own, up to some 100 ppm off ours, and its blocks
come with a jitter of milliseconds. A delay-locked loop of second order draws the line through them:
where it is (when a sample was captured) and how steep it is (how long one sample really lasts).

The samples themselves are not touched. Time stamps follow our clock instead: a recording is
evidence, and a sample that was stretched to fit a clock is not what the microphone gave.
"""

import math
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

WARM_BLOCKS: Final = 10
WARM_BLOCKS_MAX: Final = 40
WARM_SPREAD_US: Final = 20_000
# Half a second of blocks that agree within a sound server's jitter, or the last of two seconds:
# it states a latency of half a second at first, and takes that long to find the real one.
BANDWIDTH_MAX_HZ: Final = 0.05
BANDWIDTH_MIN_HZ: Final = 0.01
# The loop is quick at first and slow later: jitter of a millisecond then moves it by microseconds.
SLOW_AFTER_S: Final = 25.0
DRIFT_MAX: Final = 5e-4  # no crystal is off by more; a steeper line would follow an error instead
DRIFT_FROM_S: Final = 10.0  # what a run's drift is measured from: by then the loop has settled
DRIFT_OVER_S: Final = 10.0  # two points that are closer say more of the jitter than of the crystal
JUMP_US: Final = 60_000  # below it is jitter, above it samples are missing
JUMP_BLOCKS: Final = 3  # one late block is a busy machine, three in a row are a new line
_DAMPING: Final = math.sqrt(2)


@dataclass(frozen=True, slots=True)
class Line:
    """Samples from ``sample`` on were captured at ``at_us`` and after, one each ``step_us``."""

    sample: int
    at_us: float
    step_us: float

    def time_us(self, sample: float) -> float:
        """When a sample was captured."""
        return self.at_us + (sample - self.sample) * self.step_us


@dataclass(frozen=True, slots=True)
class Jump:
    """Time went by without samples (positive), or samples came without time (negative)."""

    sample: int
    by_us: float


@dataclass(frozen=True, slots=True)
class SoundClock:
    """What is known of one open device's time. ``line`` is None until it has warmed up."""

    rate_hz: int
    seen: tuple[tuple[int, int], ...] = ()
    """Blocks (first sample, time) that wait: for the warm-up, or to tell jitter from a jump."""
    line: Line | None = None
    before: Line | None = None
    """The line that held until the last jump."""
    jumped_at: int = 0
    error_us: float = 0.0
    """How far the last block's own time was off the line, smoothed."""
    mark: Line | None = None
    """The line as it was when the loop had settled; drift is measured from there."""

    @property
    def doubtful(self) -> bool:
        """The last blocks lie off the line, and the next ones decide: jitter, or samples lost."""
        return self.line is not None and bool(self.seen)

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than its nominal rate the device counts, by our clock; None: too early.

        Over the whole time since ``mark``: an hour of blocks that are 10 ms off tells 3 ppm.
        """
        if self.line is None or self.mark is None:
            return None
        passed_us = self.line.at_us - self.mark.at_us
        if passed_us < DRIFT_OVER_S * 1e6:
            return None
        counted_us = (self.line.sample - self.mark.sample) * 1e6 / self.rate_hz
        return (counted_us / passed_us - 1) * 1e6

    def time_us(self, sample: float) -> float:
        """When a sample was captured, in microseconds of the node's monotonic clock.

        Raises:
            ValueError: it has not warmed up.
        """
        if self.line is None:
            raise ValueError("no line yet: ask when `line` is there")
        if self.before is not None and sample < self.jumped_at:
            return self.before.time_us(sample)
        return self.line.time_us(sample)


def step(clock: SoundClock, first: int, captured_us: int) -> tuple[SoundClock, Jump | None]:
    """Take one block's first sample and its time; a jump when the line had to be drawn anew."""
    if clock.line is None:
        return _warm_up(clock, first, captured_us), None
    error_us = captured_us - clock.line.time_us(first)
    if abs(error_us) >= JUMP_US:
        return _outside(clock, clock.line, first, captured_us)
    return _follow(clock, clock.line, first, error_us), None


def settle(clock: SoundClock) -> SoundClock:
    """Draw the line through what there is: the device ended before it had warmed up."""
    if clock.line is not None or not clock.seen:
        return clock
    return replace(clock, seen=(), line=_through(clock.seen, 1e6 / clock.rate_hz))


def _warm_up(clock: SoundClock, first: int, captured_us: int) -> SoundClock:
    seen = (*clock.seen, (first, captured_us))
    step_us = 1e6 / clock.rate_hz
    last = seen[-WARM_BLOCKS:]
    offsets = [at - start * step_us for start, at in last]
    agree = len(last) == WARM_BLOCKS and max(offsets) - min(offsets) <= WARM_SPREAD_US
    if not agree and len(seen) < WARM_BLOCKS_MAX:
        return replace(clock, seen=seen)
    return replace(clock, seen=(), line=_through(last, step_us))


def _through(seen: tuple[tuple[int, int], ...], step_us: float) -> Line:
    """The line of a known slope; the median, because a late block says nothing of the others."""
    origin = seen[0][0]
    return Line(origin, median(at - (first - origin) * step_us for first, at in seen), step_us)


def _follow(clock: SoundClock, line: Line, first: int, error_us: float) -> SoundClock:
    samples = first - line.sample
    if samples <= 0:
        return clock
    period_s = samples / clock.rate_hz
    age_s = first / clock.rate_hz
    share = min(age_s / SLOW_AFTER_S, 1.0)
    bandwidth_hz = BANDWIDTH_MAX_HZ + share * (BANDWIDTH_MIN_HZ - BANDWIDTH_MAX_HZ)
    omega = min(2 * math.pi * bandwidth_hz * period_s, 0.5)  # beyond it the loop would ring
    nominal_us = 1e6 / clock.rate_hz
    step_us = line.step_us + omega * omega * error_us / samples
    step_us = min(max(step_us, nominal_us * (1 - DRIFT_MAX)), nominal_us * (1 + DRIFT_MAX))
    fresh = Line(first, line.time_us(first) + _DAMPING * omega * error_us, step_us)
    smoothed_us = clock.error_us + min(omega * 4, 1.0) * (error_us - clock.error_us)
    mark = clock.mark
    if mark is None and age_s >= DRIFT_FROM_S:
        mark = fresh
    return replace(clock, seen=(), line=fresh, error_us=smoothed_us, mark=mark)


def _outside(
    clock: SoundClock, line: Line, first: int, captured_us: int
) -> tuple[SoundClock, Jump | None]:
    seen = (*clock.seen, (first, captured_us))
    if len(seen) < JUMP_BLOCKS:
        return replace(clock, seen=seen), None
    start = seen[0][0]
    fresh = _through(seen, line.step_us)
    jump = Jump(start, fresh.at_us - line.time_us(start))
    # The first block after samples were lost carries what came after the loss: it starts there.
    return replace(clock, seen=(), line=fresh, before=line, jumped_at=start, mark=None), jump
