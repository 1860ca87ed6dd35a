"""Decides when a condition becomes an alert and when that clears: one alert while a thing lasts."""

from dataclasses import dataclass, replace

from contracts.observations import Alert
from contracts.units import MonoMs
from edge.core.people import Instant

DWELL_SLACK_MS = 25
# Pictures arrive some milliseconds early or late. Without slack, a dwell of five periods that
# measures 999 ms would wait a whole period more for the missing one.


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule makes of its subject now.

    ``holds`` is None where nothing can be known: then nothing begins or clears, and no time passes.
    ``since`` is when the condition first showed, ``at`` the time of the newest evidence.
    ``at_once``: the reason to watch is gone, so a standing alert clears without waiting.
    """

    holds: bool | None
    since: Instant
    at: Instant
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """One condition of one subject over time."""

    since: Instant | None = None
    gone_since: MonoMs | None = None
    alert: Alert | None = None
    """The alert that stands; kept over a restart, unlike the times."""


EMPTY = Hold()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What changed: an alert is to begin (with its ``since``), or the standing one to clear."""

    begins: Instant | None = None
    clears: bool = False


NOTHING = Verdict()


def step(hold: Hold, judged: Judgement, dwell_ms: float, clear_ms: float) -> tuple[Hold, Verdict]:
    """Move a hold on by one judgement. The caller puts the new alert in with ``begun``."""
    if judged.holds is None:
        if hold.since is None and hold.gone_since is None:
            return hold, NOTHING  # thousands a second of a busy node: making them anew costs
        return replace(hold, since=None, gone_since=None), NOTHING
    if hold.alert is not None:
        return _standing(hold, judged, clear_ms)
    if not judged.holds:
        return EMPTY, NOTHING
    since = hold.since or judged.since
    if judged.at.mono_ms - since.mono_ms >= dwell_ms - DWELL_SLACK_MS:
        return Hold(since=since), Verdict(begins=since)
    return Hold(since=since), NOTHING


def begun(alert: Alert) -> Hold:
    """The hold of an alert that has just begun or that a restart found standing."""
    return Hold(alert=alert)


def _standing(hold: Hold, judged: Judgement, clear_ms: float) -> tuple[Hold, Verdict]:
    if judged.holds:
        return (hold if hold.gone_since is None else replace(hold, gone_since=None)), NOTHING
    gone_since = hold.gone_since if hold.gone_since is not None else judged.at.mono_ms
    if judged.at_once or judged.at.mono_ms - gone_since >= clear_ms:
        return Hold(), Verdict(clears=True)
    return replace(hold, gone_since=gone_since), NOTHING
