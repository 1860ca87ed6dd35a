"""Holds zones on a camera's picture: polygons and lines that somebody drew, and what each means."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from contracts.envelope import Strict
from contracts.units import RoomId, ZoneId

POINTS_MAX: Final = 32  # more corners than anybody sets by hand
ZONES_MAX: Final = 32  # of one camera; each costs every rule a look at every person
SEAT_MAX_CHARS: Final = 16  # as a seat on the roster

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Point = tuple[Share, Share]
"""x and y in shares of the picture's width and height, origin at the upper left."""


class ZoneKind(StrEnum):
    """What a zone is for. Lines have two points, polygons at least three."""

    GATE = "gate"
    """A line into the closed area: who looks from its first point to its second has inside on the
    right hand. Crossings are counted, and are alerts while sealed."""
    LINE = "line"
    """A one-way line: people may cross it from the left hand to the right, not back."""
    FORBIDDEN = "forbidden"
    """Nobody may be here."""
    WATCHED = "watched"
    """People may be here: loitering and contact are judged."""
    OBJECT = "object"
    """Things here must stay, and none may be left."""
    SEAT = "seat"
    """One seat of the roster; it makes one person of two cameras' sightings."""
    DOOR = "door"
    """The door of another room: who first shows here has come out of that room."""
    MASK = "mask"
    """Not looked at: a mirror, a screen, a portrait, a window to a street."""


LINES: Final = frozenset({ZoneKind.GATE, ZoneKind.LINE})


class ZoneName(Strict):
    """A name in both languages of the product."""

    zh: str = Field(min_length=1, max_length=60)
    en: str = Field(min_length=1, max_length=60)


class PictureZone(Strict):
    """One zone on one camera's picture."""

    id: ZoneId
    name: ZoneName
    kind: ZoneKind
    points: tuple[Point, ...] = Field(min_length=2, max_length=POINTS_MAX)
    seat: str | None = Field(default=None, min_length=1, max_length=SEAT_MAX_CHARS)
    """Of a ``seat`` zone: the place on the roster."""
    leads_to: RoomId | None = None
    """Of a ``door`` zone: the room behind it."""
    sealed_only: bool = False
    """Judged only while a session is sealed here or passes by."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind in LINES and len(self.points) != 2:
            raise ValueError(
                f"points: a {self.kind.value} is a line of exactly 2 points, not {len(self.points)}"
            )
        if self.kind not in LINES and len(self.points) < 3:
            raise ValueError(f"points: a {self.kind.value} zone needs at least 3 corners")
        if self.kind not in LINES and _area(self.points) < AREA_MIN:
            raise ValueError("points: the corners enclose no area; draw a polygon")
        if (self.kind is ZoneKind.SEAT) != (self.seat is not None):
            raise ValueError("seat: belongs to a zone of kind seat, and only to it")
        if (self.kind is ZoneKind.DOOR) != (self.leads_to is not None):
            raise ValueError("leads_to: belongs to a zone of kind door, and only to it")
        return self


AREA_MIN: Final = (
    1e-4  # a hundredth of the width by a hundredth of the height: smaller is a slip of the mouse
)


def _area(points: tuple[Point, ...]) -> float:
    """Area of a polygon by the shoelace formula, in shares of the picture."""
    following = (*points[1:], points[0])
    twice = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, following, strict=True))
    return abs(twice) / 2


def zone_problems(zones: tuple[PictureZone, ...]) -> list[str]:
    """What is wrong with the zones of one camera taken together; empty: nothing."""
    ids = [zone.id for zone in zones]
    problems = [f"{name}: is used twice" for name in sorted(set(ids)) if ids.count(name) > 1]
    if len(zones) > ZONES_MAX:
        problems.append(f"{len(zones)} zones; at most {ZONES_MAX} on one picture")
    return problems
