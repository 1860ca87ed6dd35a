"""Holds the shape of a rule: its entry in the catalogue, and the function that judges it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.catalogue import RuleSpec
from contracts.observations import Measured
from contracts.units import CameraId
from edge.core.holding import Judgement
from edge.core.people import Instant, Track
from edge.core.state import RoomState


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule makes of one subject now, and what an alert about it would show."""

    camera_id: CameraId | None
    """The subject: one camera, or None for the room as a whole."""
    judged: Judgement
    picture_of: CameraId | None = None
    people: tuple[Track, ...] = ()
    measured: tuple[Measured, ...] = ()
    confidence: float = 1.0


Judge = Callable[[RoomState, Mapping[str, float], Instant], tuple[Finding, ...]]
"""State, the rule's parameters and the time now in; one finding a subject out. Pure."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: data and judgement. Dwell and hysteresis are one for all (``core.holding``)."""

    spec: RuleSpec
    judge: Judge
