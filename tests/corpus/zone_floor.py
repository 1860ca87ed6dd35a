"""Holds zones as rectangles and lines of a floor: the truth is told by where people stand."""

from dataclasses import dataclass, field
from itertools import pairwise

from contracts.zones import PictureZone, Point, ZoneKind
from tests.corpus.rooms import zone
from tests.corpus.scenario import CAMERA, Spare, Truth
from tests.corpus.spans import Spans, where
from tests.corpus.stage import Stage
from zeroentry.composer.geometry import Place

GRID_MS = 50  # how exactly the log is read: a step of 6 cm
EDGE_MS = 1_000  # before and after a border nobody can say where feet are
CROSSED_MS = 2_000  # how long somebody who has crossed a line counts as just having crossed it


def _share(stage: Stage, place: Place) -> Point:
    x, y = stage.share(place)
    return min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)


def moments(stage: Stage) -> range:
    """The times at which the log is read."""
    return range(0, stage.duration_ms + GRID_MS, GRID_MS)


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle of the floor, in metres, as a zone of a kind."""

    kind: ZoneKind
    x1: float
    x2: float
    z1: float
    z2: float
    name: str = "patch"
    more: dict[str, object] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"{CAMERA}/{self.name}"

    def zone(self, stage: Stage) -> PictureZone:
        """As somebody would draw it on the picture."""
        corners = ((self.x1, self.z2), (self.x2, self.z2), (self.x2, self.z1), (self.x1, self.z1))
        points = [_share(stage, Place(x, z)) for x, z in corners]
        return zone(self.name, self.kind, points, **self.more)

    def holds(self, stage: Stage, name: str, t_ms: int) -> bool:
        """Whether a person stands on it."""
        place = stage.people[name].place(t_ms)
        return (
            place is not None
            and self.x1 <= place.x_m <= self.x2
            and self.z1 <= place.z_m <= self.z2
        )

    def spans(self, stage: Stage, *names: str) -> Spans:
        """When any of these people stands on it."""
        return where(moments(stage), lambda t: any(self.holds(stage, one, t) for one in names))


@dataclass(frozen=True, slots=True)
class Line:
    """A line on the floor, in metres; its right hand is that of who looks along it."""

    kind: ZoneKind
    one: tuple[float, float]
    other: tuple[float, float]
    name: str = "line"

    @property
    def subject(self) -> str:
        return f"{CAMERA}/{self.name}"

    def zone(self, stage: Stage) -> PictureZone:
        """As somebody would draw it on the picture."""
        points = [_share(stage, Place(x, z)) for x, z in (self.one, self.other)]
        return zone(self.name, self.kind, points)

    def right_of(self, place: Place) -> float:
        """Metres to the right of it: x grows to the right, z away from who looks."""
        (ax, az), (bx, bz) = self.one, self.other
        dx, dz = bx - ax, bz - az
        length = (dx * dx + dz * dz) ** 0.5
        return float((dz * (place.x_m - ax) - dx * (place.z_m - az)) / length)

    def crossings(self, stage: Stage, name: str) -> list[tuple[int, bool]]:
        """When a person steps over it, and whether to its right hand."""
        found = []
        actor = stage.people[name]
        for before_ms, t_ms in pairwise(moments(stage)):
            before, after = actor.place(before_ms), actor.place(t_ms)
            if before is None or after is None:
                continue
            was, now = self.right_of(before) >= 0, self.right_of(after) >= 0
            if was != now:
                found.append((t_ms, now))
        return found


def edges(spans: Spans, code: str, subject: str) -> tuple[Spare, ...]:
    """A moment before each span and one after."""
    return tuple(
        Spare(low, high, code, subject)
        for start, end in spans
        for low, high in ((start - EDGE_MS, start), (end, end + EDGE_MS))
    )


def crossed(times_ms: list[int], code: str, subject: str) -> tuple[Truth, ...]:
    """That somebody has just crossed a line."""
    return tuple(Truth(code, subject, t_ms, t_ms + CROSSED_MS) for t_ms in times_ms)
