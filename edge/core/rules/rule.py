"""Holds the shape of a rule: its entry in the catalogue, and the function that judges it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.catalogue import RuleSpec
from contracts.observations import Measured
from contracts.units import CameraId, PickupId
from edge.core.holding import Judgement
from edge.core.people import Instant, Track
from edge.core.state import RoomState


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule makes of one subject now, and what an alert about it would show."""

    camera_id: CameraId | None
    """The subject: one camera, or None for the room as a whole or a pickup."""
    judged: Judgement
    picture_of: CameraId | None = None
    people: tuple[Track, ...] = ()
    measured: tuple[Measured, ...] = ()
    confidence: float = 1.0
    pickup_id: PickupId | None = None
    """The subject, where it is a microphone of its own."""

    @property
    def subject(self) -> CameraId | PickupId | None:
        """Of what the finding is; None: the room, or the node, as a whole."""
        return self.camera_id or self.pickup_id


Judge = Callable[[RoomState, Mapping[str, float], Instant], tuple[Finding, ...]]
"""State, the rule's parameters and the time now in; one finding a subject out. Pure."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: data and judgement. Dwell and hysteresis are one for all (``core.holding``)."""

    spec: RuleSpec
    judge: Judge
