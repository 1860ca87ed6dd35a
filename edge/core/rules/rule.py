"""Holds the shape of a rule: its entry in the catalogue, and the function that judges it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.catalogue import RuleSpec
from contracts.observations import Measured
from contracts.units import Bilingual, CameraId, PickupId, ZoneId
from edge.core.hearing import SourceId
from edge.core.holding import Judgement
from edge.core.people import Instant, Track
from edge.core.state import RoomState, subject_of


class Wake(StrEnum):
    """What has changed, so that a rule must judge anew."""

    PEOPLE = "people"
    PICTURE = "picture"
    THINGS = "things"
    SOUND = "sound"
    LINK = "link"
    RECORDING = "recording"
    LOAD = "load"
    ORDER = "order"
    """A seal, a release, other settings, other zones: wakes every rule."""
    TIME = "time"


EVERYTHING: Final = frozenset(Wake)


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
    zone_id: ZoneId | None = None
    """The subject, where it is a zone on the camera's picture."""
    saw: Bilingual | None = None
    """What was seen or heard, in a sentence; None: the rule's title says it."""
    sound_of: SourceId | None = None
    """Whose last seconds belong to the alert."""

    @property
    def subject(self) -> str | None:
        """Of what the finding is; None: the room, or the node, as a whole."""
        return subject_of(self.camera_id, self.pickup_id, self.zone_id)


Judge = Callable[[RoomState, Mapping[str, float], Instant], tuple[Finding, ...]]
"""State, the rule's parameters and the time now in; one finding a subject out. Pure."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: data and judgement. Dwell and hysteresis are one for all (``core.holding``).

    A rule that watches only sealed rooms (``spec.when``) is not asked in others, nor one that is
    switched off: what stood is cleared for it. ``wakes``: which changes it looks at. It must be
    woken by whatever its dwell counts by.
    """

    spec: RuleSpec
    judge: Judge
    wakes: frozenset[Wake] = EVERYTHING
