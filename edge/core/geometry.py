"""Decides where on a picture a person stands, in which polygon, on which side of a line, how near.

Points come in shares of the picture's width and height, as zones have them. Distances are in
picture widths, so that a step to the side and one up count the same.
"""

from collections.abc import Sequence
from math import hypot, inf
from typing import Final

from contracts.zones import Point
from edge.core.people import Rect

ASPECT: Final = 16 / 9
# Width over height of a picture. Sub streams of today's cameras have it; on one of 4:3 vertical
# distances come out a quarter short, and they only set how far beyond a border a step must go.
RAISED_SHARE: Final = 0.04  # of its height: the lower edge of a box lies before the toes
TRUNK_SHARE: Final = 0.45  # of its height from the top: the chest of somebody who sits
INSET: Final = 0.004  # somebody cut by the frame stands at its edge, inside a zone drawn up to it
SLIM_SHARE: Final = 0.45  # a body is at most this share of its height wide: the rest is an arm
FORESHORTENING: Final = 2.0
# A step away from a camera that looks down by some 30 degrees shows half as long as one sideways.
THICK_WIDTHS: Final = 0.5  # a body is half as thick as wide
WHOLE_TALL: Final = 2.0
# A box so many times as tall as a body is wide shows the feet; one cut by a table is about square.
SAMPLES: Final = 5  # a side of the grid that tells how much of a box a polygon covers


def flat(point: Point) -> Point:
    """A point with both coordinates in picture widths."""
    return point[0], point[1] / ASPECT


def standing_point(rect: Rect) -> Point:
    """Where somebody stands: the middle of what can be seen of the feet, or of the lowest part.

    Whose feet are behind a table stands where the table cuts the box: nobody can see how far below
    it the floor is, and a guess would put a seated person into a zone before the table.
    """
    y = rect.y2 - RAISED_SHARE * rect.height
    return _within((rect.x1 + rect.x2) / 2), _within(y)


def trunk_point(rect: Rect) -> Point:
    """The middle of the trunk: what a zone drawn around a seated person holds."""
    return _within((rect.x1 + rect.x2) / 2), _within(rect.y1 + TRUNK_SHARE * rect.height)


def _within(share: float) -> float:
    return min(max(share, INSET), 1 - INSET)


def body_width(rect: Rect) -> float:
    """How wide a body is at this place, in picture widths; an outstretched arm does not count."""
    return min(rect.width, SLIM_SHARE * rect.height / ASPECT)


def holds(polygon: Sequence[Point], point: Point) -> bool:
    """Whether a point lies in a polygon (even-odd rule; the border counts for one of its sides)."""
    x, y = point
    inside = False
    x1, y1 = polygon[-1]
    for x2, y2 in polygon:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
        x1, y1 = x2, y2
    return inside


def depth(polygon: Sequence[Point], point: Point) -> float:
    """How far a point lies inside a polygon's border; below zero: outside. Picture widths."""
    at = flat(point)
    nearest = inf
    one = flat(polygon[-1])
    for corner in polygon:
        other = flat(corner)
        nearest = min(nearest, _to_segment(at, one, other))
        one = other
    return nearest if holds(polygon, point) else -nearest


def _to_segment(at: Point, one: Point, other: Point) -> float:
    dx, dy = other[0] - one[0], other[1] - one[1]
    length_squared = dx * dx + dy * dy
    part = 0.0
    if length_squared > 0:
        part = ((at[0] - one[0]) * dx + (at[1] - one[1]) * dy) / length_squared
        part = min(max(part, 0.0), 1.0)
    return hypot(at[0] - one[0] - part * dx, at[1] - one[1] - part * dy)


def breadth(polygon: Sequence[Point]) -> float:
    """Area over circumference: a quarter of a square's side, half of a strip's width."""
    corners = [flat(point) for point in polygon]
    twice = length = 0.0
    x1, y1 = corners[-1]
    for x2, y2 in corners:
        twice += x1 * y2 - x2 * y1
        length += hypot(x2 - x1, y2 - y1)
        x1, y1 = x2, y2
    return abs(twice) / 2 / length if length > 0 else 0.0


def right_of(line: Sequence[Point], point: Point) -> float:
    """How far a point lies on the right hand of who looks along a line; below zero: on the left.

    Of the line without its ends, in picture widths; 0 for a line without a length.
    """
    (ax, ay), (bx, by), (px, py) = flat(line[0]), flat(line[1]), flat(point)
    dx, dy = bx - ax, by - ay
    length = hypot(dx, dy)
    return (dx * (py - ay) - dy * (px - ax)) / length if length > 0 else 0.0


def shown_share(line: Sequence[Point]) -> float:
    """How long a step across a line shows, against one sideways: less the more level the line is.

    A level line is crossed by steps away from the camera, which show foreshortened.
    """
    (ax, ay), (bx, by) = flat(line[0]), flat(line[1])
    length = hypot(bx - ax, by - ay)
    level = abs(bx - ax) / length if length > 0 else 0.0
    return 1 - level * (1 - 1 / FORESHORTENING)


def length_of(line: Sequence[Point]) -> float:
    """The length of a line, in picture widths."""
    (ax, ay), (bx, by) = flat(line[0]), flat(line[1])
    return hypot(bx - ax, by - ay)


def met_at(line: Sequence[Point], before: Point, after: Point) -> float | None:
    """Where a step meets a line: 0 at its first point, 1 at its second, beyond them outside.

    None where the step stays on one side.
    """
    start, end = right_of(line, before), right_of(line, after)
    if (start < 0) == (end < 0):
        return None
    part = start / (start - end)
    (ax, ay), (bx, by) = flat(line[0]), flat(line[1])
    (x1, y1), (x2, y2) = flat(before), flat(after)
    x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
    dx, dy = bx - ax, by - ay
    return ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)


def apart(one: Point, other: Point) -> float:
    """The distance of two points, in picture widths."""
    (x1, y1), (x2, y2) = flat(one), flat(other)
    return hypot(x1 - x2, y1 - y2)


def _shows_feet(rect: Rect) -> bool:
    return rect.height / ASPECT >= WHOLE_TALL * rect.width


def gap(one: Rect, other: Rect) -> float:
    """How much room there is between two people, in body widths at their place; 0: they touch.

    How far one stands behind the other is told by the feet. Where a table hides those of either,
    the heads count too, and the lesser of both: such feet say nothing.
    """
    width = (body_width(one) + body_width(other)) / 2
    if width <= 0:
        return inf
    (x1, _), (x2, _) = one.centre, other.centre
    aside = max(abs(x1 - x2) / width - 1, 0.0)
    rise = abs(one.y2 - other.y2)
    if not (_shows_feet(one) and _shows_feet(other)):
        rise = min(rise, abs(one.y1 - other.y1))
    behind = max(FORESHORTENING * rise / ASPECT / width - THICK_WIDTHS, 0.0)
    return hypot(aside, behind)


def covered(rect: Rect, polygon: Sequence[Point]) -> float:
    """The share of a rectangle that lies in a polygon, 0..1, by a grid of points."""
    shares = [(index + 0.5) / SAMPLES for index in range(SAMPLES)]
    inside = sum(
        holds(polygon, (rect.x1 + across * rect.width, rect.y1 + down * rect.height))
        for across in shares
        for down in shares
    )
    return inside / (SAMPLES * SAMPLES)
