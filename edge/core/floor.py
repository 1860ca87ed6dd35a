"""Decides where on a room's floor people stand, by marks that somebody measured on a picture."""

from dataclasses import dataclass
from math import hypot
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import ASPECT
from edge.core.people import Rect

MARKS_MIN: Final = 4
FIT_MAX_M: Final = 0.5  # marks that fit worse than this are mixed up, or lie on one line
HEIGHTS_M: Final = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8)
# How high above the floor the top of a head may be: who sits, bends, stands.
STANDS_TO_M: Final = 2.1  # nobody is taller; so who seems to be stands nearer than the box ends
SAME_HEIGHT_M: Final = 0.15
HALF_STEP_M: Final = 0.05  # between two of HEIGHTS_M
ACROSS_M: Final = 0.2  # an arm, a lean: the middle of a box is not the middle of the feet
ACROSS_CUT_M: Final = 0.6  # of a box that the picture's side cuts
ALONG_M: Final = 0.25
TOP_SHARE: Final = 0.05  # of its height: how far the upper edge of a box is off
EDGE_SHARE: Final = 0.01
LENS_ABOVE_M: Final = 0.15  # a head nearer to the lens' height than this tells no distance
NEAR: Final = 1e-6
FAR: Final = 1e9

Metres = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stand:
    """A place where a person may be, and the variances (square metres) of how far that is off."""

    at: Metres
    xx: float
    xy: float
    yy: float

    @classmethod
    def along(cls, at: Metres, away: Metres, along_m: float, across_m: float) -> "Stand":
        """Off by ``along_m`` in the unit direction ``away`` (from the camera), and beside it."""
        ux, uy = away
        along, across = along_m**2, across_m**2
        return cls(
            at,
            along * ux * ux + across * uy * uy,
            (along - across) * ux * uy,
            along * uy * uy + across * ux * ux,
        )


@dataclass(frozen=True, slots=True)
class Spot:
    """All places where a box may stand: one for each of HEIGHTS_M that fits it."""

    stands: tuple[Stand | None, ...]

    @property
    def points(self) -> tuple[Metres, ...]:
        return tuple(stand.at for stand in self.stands if stand is not None)

    @property
    def middle(self) -> Metres:
        """The likeliest, as far as one camera can tell."""
        points = self.points
        return points[len(points) // 2]


@dataclass(frozen=True, slots=True)
class Plane:
    """How one camera shows the floor: a homography from shares of the picture to metres.

    Hartley and Zisserman, Multiple View Geometry, 4.1. ``lens_m``: how high the camera hangs, by
    the scale of the floor and where its horizon is.
    """

    rows: tuple[float, float, float, float, float, float, float, float, float]
    back: tuple[float, float, float, float, float, float, float, float, float]

    def at(self, x: float, y: float) -> Metres | None:
        """The floor at a point of the picture; None at and above the horizon."""
        a, b, c, d, e, f, g, h, i = self.rows
        w = g * x + h * y + i
        if w < NEAR:
            return None
        return (a * x + b * y + c) / w, (d * x + e * y + f) / w

    def shows(self, place: Metres) -> bool:
        """Whether somebody who stands there is well within the picture."""
        a, b, c, d, e, f, g, h, i = self.back
        w = g * place[0] + h * place[1] + i
        if w * self._side(place) < NEAR:
            return False
        x, y = (a * place[0] + b * place[1] + c) / w, (d * place[0] + e * place[1] + f) / w
        return 0.05 < x < 0.95 and 0.1 < y < 1.3

    def _side(self, place: Metres) -> float:
        # The sign of w before the camera, taken at the middle of the picture's lower edge.
        here = self.at(0.5, 1.0)
        if here is None:
            return 1.0
        return self.back[6] * here[0] + self.back[7] * here[1] + self.back[8]

    def spot(self, rect: Rect) -> Spot | None:
        """Where a person of this box may stand; None where the floor is not.

        Upright things are taken to be upright in the picture: exact for a level camera, within a
        tenth for one that looks down by 30 degrees.
        """
        x = (rect.x1 + rect.x2) / 2
        cut = rect.x1 < EDGE_SHARE or rect.x2 > 1 - EDGE_SHARE
        across_m = ACROSS_CUT_M if cut else ACROSS_M
        feet = self._feet(x, rect, across_m)
        scale = self._scale(x, 1.0)
        if scale is None:
            return None
        depth = self.rows[6] * x + self.rows[8]
        column = _Column(x, scale * (self.rows[7] + depth) / ASPECT, depth, across_m)
        stands = [
            feet[1]
            if feet is not None and abs(height - feet[0]) <= SAME_HEIGHT_M
            else self._under_head(column, rect, height)
            for height in HEIGHTS_M
        ]
        return Spot(tuple(stands)) if any(stands) else None

    def _scale(self, x: float, y: float) -> float | None:
        """Metres that a picture's width shows across, at a point of the floor."""
        here, beside = self.at(x, y), self.at(x + 0.01, y)
        if here is None or beside is None:
            return None
        return hypot(beside[0] - here[0], beside[1] - here[1]) * 100

    def _height_m(self, x: float, top: float, foot: float) -> float | None:
        scale = self._scale(x, foot)
        return None if scale is None else (foot - top) / ASPECT * scale

    def _feet(self, x: float, rect: Rect, across_m: float) -> tuple[float, Stand] | None:
        """How high a person is whose feet are where the box ends, and where; None: they are not."""
        seen_m = self._height_m(x, rect.y1, rect.y2)
        here = self.at(x, rect.y2)
        above = self.at(x, rect.y2 - TOP_SHARE * rect.height / 2)
        if seen_m is None or here is None or above is None or rect.y2 > 1 - EDGE_SHARE:
            return None
        if not min(HEIGHTS_M) <= seen_m <= STANDS_TO_M:
            return None
        away, off_m = _direction(here, above)
        tall = min(seen_m, max(HEIGHTS_M))
        return tall, Stand.along(here, away, hypot(off_m, ALONG_M), across_m)

    def _under_head(self, column: "_Column", rect: Rect, height: float) -> Stand | None:
        if rect.y1 < EDGE_SHARE:
            return None  # the head is above the picture
        foot = self._foot(column, rect.y1, height)
        if foot is None or foot < rect.y2 - TOP_SHARE * rect.height:
            return None  # the feet are not above the lowest part that is seen
        here = self.at(column.x, foot)
        higher = self._foot(column, rect.y1 - TOP_SHARE * rect.height, height)
        taller = self._foot(column, rect.y1, height + HALF_STEP_M)
        there = None if higher is None else self.at(column.x, higher)
        other = None if taller is None else self.at(column.x, taller)
        if here is None or there is None or other is None:
            return None
        away, off_m = _direction(here, there)
        _, step_m = _direction(here, other)
        return Stand.along(here, away, hypot(off_m, step_m, ALONG_M), column.across_m)

    def _foot(self, column: "_Column", top: float, height_m: float) -> float | None:
        """Where in the picture the feet of a person are whose head ends at ``top``.

        The scale of the floor is ``across / w`` with ``w = h * y + depth``, so that
        ``(y - top) * across / w = height_m`` is linear in y.
        """
        h = self.rows[7]
        below = column.across - height_m * h
        if below <= LENS_ABOVE_M * h:
            return None
        return (column.across * top + height_m * column.depth) / below


@dataclass(frozen=True, slots=True)
class _Column:
    """An upright line of the picture at ``x``, and how the floor's scale runs along it."""

    x: float
    across: float
    depth: float
    across_m: float


def plane_of(marks: tuple[tuple[float, float, float, float], ...]) -> Plane | None:
    """The floor by its marks (x, y of the picture, x, y in metres), by least squares.

    None where there are too few, where they lie on one line, or where they do not fit together.
    """
    if len(marks) < MARKS_MIN:
        return None
    picture = np.array([(x, y) for x, y, _, _ in marks])
    metres = np.array([(x, y) for _, _, x, y in marks])
    middle, centre = metres.mean(axis=0), picture.mean(axis=0)
    rows: list[list[float]] = []
    goals: list[float] = []
    for (x, y), (x_m, y_m) in zip(picture - centre, metres - middle, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -x * x_m, -y * x_m])
        rows.append([0, 0, 0, x, y, 1, -x * y_m, -y * y_m])
        goals += [x_m, y_m]
    found, _, rank, _ = np.linalg.lstsq(np.array(rows), np.array(goals), rcond=1e-9)
    if rank < 8:
        return None
    matrix = np.array([*found, 1.0]).reshape(3, 3)
    # Solved around the marks' middle: at a corner of the picture the horizon may pass.
    matrix = _shift(middle) @ matrix @ _shift(-centre)
    if abs(np.linalg.det(matrix)) < NEAR:
        return None
    # Before the camera w is above zero: at the marks, all of which can be seen.
    depth = picture @ matrix[2, :2] + matrix[2, 2]
    if depth.mean() < 0:
        matrix, depth = -matrix, -depth
    if depth.min() < NEAR:
        return None
    shown = np.column_stack([picture, np.ones(len(marks))]) @ matrix.T
    off = shown[:, :2] / shown[:, 2:] - metres
    if float(np.hypot(off[:, 0], off[:, 1]).max()) > FIT_MAX_M:
        return None
    return Plane(_nine(matrix), _nine(np.linalg.inv(matrix)))


def _shift(by: Floats) -> Floats:
    return np.array([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]], [0.0, 0.0, 1.0]])


def mismatch(one: Spot, other: Spot, height: int | None = None) -> float:
    """How ill two boxes fit one person, in squared standard deviations; FAR: not at all.

    ``height``: for a head as high as this one of HEIGHTS_M; None: for whichever fits best.
    """
    which = range(len(HEIGHTS_M)) if height is None else (height,)
    best = FAR
    for index in which:
        a, b = one.stands[index], other.stands[index]
        if a is not None and b is not None:
            best = min(best, _deviations(a, b))
    return best


def _deviations(a: Stand, b: Stand) -> float:
    """Mahalanobis distance squared, with the errors of both places added."""
    dx, dy = a.at[0] - b.at[0], a.at[1] - b.at[1]
    xx, xy, yy = a.xx + b.xx, a.xy + b.xy, a.yy + b.yy
    return (dx * dx * yy - 2 * dx * dy * xy + dy * dy * xx) / (xx * yy - xy * xy)


def _direction(here: Metres, there: Metres) -> tuple[Metres, float]:
    dx, dy = there[0] - here[0], there[1] - here[1]
    length = hypot(dx, dy)
    return ((dx / length, dy / length), length) if length > NEAR else ((0.0, 1.0), 0.0)


def _nine(
    matrix: Floats,
) -> tuple[float, float, float, float, float, float, float, float, float]:
    a, b, c, d, e, f, g, h, i = (float(one) for one in matrix.reshape(9))
    return a, b, c, d, e, f, g, h, i
