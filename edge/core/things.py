"""Decides what lies in the object zones of a camera that was not there, and what is gone."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.units import CameraId, ZoneId
from edge.core.people import Instant, Rect

STALE_AFTER_MS: Final = 12_000  # as a picture's other signs


class ThingChange(StrEnum):
    """What became of a spot of an object zone."""

    LEFT = "left"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class ThingSeen:
    """One still spot of a zone that is not as it was; ``since`` when, with nobody at it."""

    change: ThingChange
    rect: Rect
    area_share: float
    """Of the picture."""
    since: Instant
    attended: bool = False
    """Somebody is at it, or before it."""


@dataclass(frozen=True, slots=True)
class ObjectZoneSeen:
    """One object zone in one picture.

    ``judged`` is False where nothing can be said of it: not learned yet, hidden, or all of it has
    changed, which is a matter of light or of the camera.
    """

    zone_id: ZoneId
    judged: bool
    things: tuple[ThingSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class ThingsSeen:
    """What was found changed in the object zones of one camera's picture, taken at ``at``."""

    camera_id: CameraId
    at: Instant
    zones: tuple[ObjectZoneSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class ThingWatch:
    """What is remembered of one camera's object zones."""

    seen: ThingsSeen | None = None

    def zone(self, zone_id: ZoneId, now: Instant) -> ObjectZoneSeen | None:
        """The newest word on a zone, if it says something of now."""
        if self.seen is None or now.mono_ms - self.seen.at.mono_ms > STALE_AFTER_MS:
            return None
        return next((zone for zone in self.seen.zones if zone.zone_id == zone_id), None)


def step(watch: ThingWatch, seen: ThingsSeen) -> ThingWatch:
    """Take what was found in one picture."""
    return ThingWatch(seen)


def biggest(zone: ObjectZoneSeen, change: ThingChange, size_min: float) -> ThingSeen | None:
    """The largest spot changed in this way, of at least this share of the picture."""
    found = [one for one in zone.things if one.change is change and one.area_share >= size_min]
    return max(found, key=lambda one: one.area_share, default=None)
