"""Decides how well the analysis of one camera keeps up, from what arrived and what was analysed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from contracts.units import CameraId
from edge.core.people import Instant

WINDOW_MS: Final = 5_000
# At five pictures a second a shorter one would judge by a handful, and jitter would look like load.
PERIOD_MS: Final = 1_000  # between two judgements of one camera


@dataclass(frozen=True, slots=True)
class LoadSeen:
    """How one camera was analysed over the window that ended at ``at``."""

    camera_id: CameraId
    at: Instant
    wanted_per_s: float
    """Pictures a second that should be analysed: the declared rate, or the stream's if lower."""
    analysed_per_s: float
    delay_ms: float
    """From a picture's arrival to what was seen in it, median of the window."""
    period_ms: int = PERIOD_MS
    """How long before ``at`` the camera was last judged: what is new has happened since then."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What one camera delivered and had analysed up to ``at``, since the node started.

    ``delays_ms``: of the pictures analysed since the meter before this one.
    """

    at: Instant
    arrived: int
    analysed: int
    delays_ms: tuple[float, ...] = ()


def step(meters: Sequence[Meter], meter: Meter) -> tuple[Meter, ...]:
    """The meters of the window that ends with the new one."""
    return (*(one for one in meters if meter.at.mono_ms - one.at.mono_ms <= WINDOW_MS), meter)


def seen(camera_id: CameraId, meters: Sequence[Meter], analyse_fps: float) -> LoadSeen | None:
    """What a window says; None while it is too short to say anything."""
    first, last = meters[0], meters[-1]
    period_ms = last.at.mono_ms - first.at.mono_ms
    if period_ms < WINDOW_MS / 2:
        return None
    per_s = 1000 / period_ms
    delays = [delay for one in meters[1:] for delay in one.delays_ms]
    return LoadSeen(
        camera_id,
        last.at,
        wanted_per_s=min(analyse_fps, (last.arrived - first.arrived) * per_s),
        analysed_per_s=(last.analysed - first.analysed) * per_s,
        delay_ms=median(delays) if delays else 0.0,
        period_ms=last.at.mono_ms - meters[-2].at.mono_ms,
    )
