"""Decides when the machine's clock has stepped and when its disk is too full for everything."""

from dataclasses import dataclass, replace

from contracts.units import MonoMs, UtcMs

STEP_MS = 500
# A clock that NTP slews moves at most 0.05 %: 0.25 ms between two looks. Half a second is a step.
STEP_SHOWN_MS = 600_000  # a person who looks within ten minutes still sees that it happened
RESUME_POINTS = 1.0
# Above the mark by this many points of the disk before all tracks are recorded again: at it, a
# deleted segment would start and stop them each minute.


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """The two clocks when they were last compared, and the last step."""

    mono_ms: MonoMs
    utc_ms: UtcMs
    step_ms: int = 0
    stepped_mono_ms: MonoMs | None = None

    def shown_step_ms(self, now: MonoMs) -> int:
        """The last step while it is fresh; 0: none."""
        fresh = self.stepped_mono_ms is not None and now - self.stepped_mono_ms < STEP_SHOWN_MS
        return self.step_ms if fresh else 0


def compare(watch: ClockWatch, mono_ms: MonoMs, utc_ms: UtcMs) -> tuple[ClockWatch, int]:
    """Look at both clocks; the step of UTC in milliseconds, 0 when there was none.

    Compared with the last look, not with the first: what slewing adds up to over days is no step.
    """
    step_ms = (utc_ms - watch.utc_ms) - (mono_ms - watch.mono_ms)
    if abs(step_ms) <= STEP_MS:
        return replace(watch, mono_ms=mono_ms, utc_ms=utc_ms), 0
    return ClockWatch(mono_ms, utc_ms, step_ms, mono_ms), step_ms


@dataclass(frozen=True, slots=True)
class DiskSeen:
    """The disk that recordings lie on; ``error`` when it could not be asked."""

    free_bytes: int | None = None
    total_bytes: int | None = None
    error: str | None = None

    @property
    def free_percent(self) -> float | None:
        """Free share; None when unknown."""
        if self.free_bytes is None or not self.total_bytes:
            return None
        return 100 * self.free_bytes / self.total_bytes


def saves_space(disk: DiskSeen, critical_percent: float, *, saving: bool) -> bool:
    """Whether only guarded tracks are to be recorded; ``saving``: whether it is so already.

    A disk that cannot be asked changes nothing.
    """
    free = disk.free_percent
    if free is None:
        return saving
    return free < (critical_percent + RESUME_POINTS if saving else critical_percent)
