"""Holds what perception hands to the rules: rectangles, detections and tracked people."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.observations import Appearance
from contracts.units import MonoMs, UtcMs


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: ``mono_ms`` for intervals, ``utc_ms`` for records."""

    mono_ms: MonoMs
    utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in shares of the picture's width and height, origin at the upper left."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        return max(self.x2 - self.x1, 0.0)

    @property
    def height(self) -> float:
        return max(self.y2 - self.y1, 0.0)

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def shared_area(self, other: "Rect") -> float:
        """Area that both cover."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        return max(width, 0.0) * max(height, 0.0)

    def overlap(self, other: "Rect") -> float:
        """Intersection over union, 0..1; 0 for rectangles without area."""
        shared = self.shared_area(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def towards(self, other: "Rect", share: float) -> "Rect":
        """This rectangle moved ``share`` (0..1) of the way to ``other``."""
        return Rect(
            self.x1 + (other.x1 - self.x1) * share,
            self.y1 + (other.y1 - self.y1) * share,
            self.x2 + (other.x2 - self.x2) * share,
            self.y2 + (other.y2 - self.y2) * share,
        )


WHOLE = Rect(0.0, 0.0, 1.0, 1.0)
"""All of a picture."""


class Thing(StrEnum):
    """What a detector is asked to find."""

    PERSON = "person"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Detection:
    """A person or a thing found in one picture, with the detector's score 0..1."""

    rect: Rect
    score: float
    thing: Thing = Thing.PERSON


@dataclass(frozen=True, slots=True)
class Track:
    """One person followed over pictures.

    ``detected`` says whether the newest picture surely shows the person; if not, ``rect`` is where
    one was seen last. ``score`` is that of the last detection. ``looked`` is False where nobody
    looked at this part of the newest picture: then it says nothing of the person.
    """

    number: int
    rect: Rect
    score: float
    detected: bool
    first_seen: Instant
    last_seen_mono_ms: MonoMs
    settled: bool = False
    appearance: Appearance = Appearance.UNKNOWN
    looked: bool = True
