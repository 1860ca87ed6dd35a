"""Where points lie: properties that hold for any polygon, line and box."""

from math import cos, hypot, pi, sin

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.zones import Point
from edge.core import geometry
from edge.core.people import Rect

SHARES = st.floats(min_value=0, max_value=1, allow_nan=False)
POINTS = st.tuples(SHARES, SHARES)
POLYGONS = st.lists(POINTS, min_size=3, max_size=12)
SQUARE = ((0.2, 0.2), (0.6, 0.2), (0.6, 0.8), (0.2, 0.8))


@st.composite
def rects(draw: st.DrawFn) -> Rect:
    x1, y1 = draw(SHARES), draw(SHARES)
    return Rect(x1, y1, x1 + draw(st.floats(0.02, 0.5)), y1 + draw(st.floats(0.04, 0.9)))


@st.composite
def lines(draw: st.DrawFn) -> tuple[Point, Point]:
    a, b = draw(POINTS), draw(POINTS)
    assume(geometry.length_of((a, b)) > 0.01)
    return a, b


@given(POLYGONS, POINTS)
def test_a_polygon_holds_the_same_points_whichever_way_it_was_drawn(
    polygon: list[Point], point: Point
) -> None:
    turned = [*polygon[1:], polygon[0]]
    assert geometry.holds(polygon, point) == geometry.holds(turned, point)
    assert abs(geometry.depth(polygon, point)) == pytest.approx(
        abs(geometry.depth(list(reversed(polygon)), point))
    )


@given(POLYGONS, POINTS)
def test_depth_has_the_sign_of_inside_and_never_exceeds_the_way_to_a_corner(
    polygon: list[Point], point: Point
) -> None:
    depth = geometry.depth(polygon, point)
    assert (depth > 0) == (geometry.holds(polygon, point) and depth != 0)
    assert abs(depth) <= min(geometry.apart(point, corner) for corner in polygon) + 1e-9


@given(st.integers(3, 16), st.floats(0.05, 0.4), st.floats(0, 6.28), SHARES)
def test_a_convex_polygon_holds_its_middle_and_no_point_beyond_its_circle(
    corners: int, radius: float, turn: float, way: float
) -> None:
    turns = [turn + 2 * pi * number / corners for number in range(corners)]
    polygon = [(0.5 + radius * cos(one), 0.5 + radius * sin(one)) for one in turns]
    assert geometry.holds(polygon, (0.5, 0.5))
    beyond = (0.5 + 1.01 * radius * cos(way * 6.28), 0.5 + 1.01 * radius * sin(way * 6.28))
    assert not geometry.holds(polygon, beyond)


@given(lines(), POINTS)
def test_who_turns_round_has_the_other_hand_there(line: tuple[Point, Point], point: Point) -> None:
    a, b = line
    assert geometry.right_of((b, a), point) == pytest.approx(-geometry.right_of(line, point))


def test_the_right_hand_in_a_picture_whose_y_goes_down() -> None:
    upwards = ((0.5, 0.9), (0.5, 0.1))
    assert geometry.right_of(upwards, (0.7, 0.5)) == pytest.approx(0.2)
    assert geometry.right_of(upwards, (0.3, 0.5)) == pytest.approx(-0.2)
    to_the_right = ((0.1, 0.5), (0.9, 0.5))
    assert geometry.right_of(to_the_right, (0.5, 0.9)) > 0  # below, nearer to the camera


@given(lines(), POINTS, POINTS)
def test_a_step_meets_a_line_only_where_it_changes_sides(
    line: tuple[Point, Point], before: Point, after: Point
) -> None:
    start, end = geometry.right_of(line, before), geometry.right_of(line, after)
    met = geometry.met_at(line, before, after)
    assert (met is None) == ((start < 0) == (end < 0))
    if met is not None and abs(start - end) > 1e-3:
        (ax, ay), (bx, by) = line
        point = (ax + met * (bx - ax), ay + met * (by - ay))
        assert geometry.right_of(line, point) == pytest.approx(0, abs=1e-6)


def test_a_step_through_the_middle_and_one_around_the_end() -> None:
    line = ((0.4, 0.5), (0.6, 0.5))
    assert geometry.met_at(line, (0.5, 0.4), (0.5, 0.6)) == pytest.approx(0.5)
    around = geometry.met_at(line, (0.9, 0.4), (0.9, 0.6))
    assert around is not None
    assert around > 1


@given(rects())
def test_people_stand_within_the_picture_and_their_box(rect: Rect) -> None:
    for x, y in (geometry.standing_point(rect), geometry.trunk_point(rect)):
        assert 0 < x < 1
        assert 0 < y < 1
    assert geometry.body_width(rect) <= rect.width


@given(rects(), st.floats(0, 1), st.floats(-0.3, 0.3))
def test_room_between_two_people_is_the_same_from_both(
    rect: Rect, aside: float, down: float
) -> None:
    other = Rect(rect.x1 + aside, rect.y1 + down, rect.x2 + aside, rect.y2 + down)
    gap = geometry.gap(rect, other)
    assert gap == pytest.approx(geometry.gap(other, rect))
    assert gap >= 0
    assert geometry.gap(rect, rect) == 0


def test_room_is_counted_in_bodies_of_that_place() -> None:
    near = Rect(0.2, 0.2, 0.3, 0.8)
    assert geometry.gap(near, Rect(0.4, 0.2, 0.5, 0.8)) == pytest.approx(1)
    far = Rect(0.2, 0.2, 0.23, 0.38)
    assert geometry.gap(far, Rect(0.4, 0.2, 0.43, 0.38)) > 4


def test_an_outstretched_arm_makes_nobody_wider() -> None:
    slim, reaching = Rect(0.2, 0.2, 0.3, 0.8), Rect(0.2, 0.2, 0.6, 0.8)
    assert geometry.body_width(reaching) < 2 * geometry.body_width(slim)


def test_somebody_cut_by_the_frame_stands_in_a_zone_drawn_up_to_it() -> None:
    edge = ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))
    assert geometry.holds(edge, geometry.standing_point(Rect(0.4, 0.5, 0.6, 1.0)))
    assert geometry.holds(edge, geometry.standing_point(Rect(0.4, 0.7, 0.6, 1.2)))


@given(rects())
def test_a_box_is_covered_by_all_of_the_picture_and_not_by_what_is_far(rect: Rect) -> None:
    everywhere = ((-1.0, -1.0), (3.0, -1.0), (3.0, 3.0), (-1.0, 3.0))
    assert geometry.covered(rect, everywhere) == 1
    assert geometry.covered(rect, ((5.0, 5.0), (6.0, 5.0), (6.0, 6.0))) == 0


def test_half_a_box_is_covered_by_half() -> None:
    share = geometry.covered(Rect(0.1, 0.1, 0.3, 0.5), ((0.0, 0.0), (0.2, 0.0), (0.2, 1), (0.0, 1)))
    assert 0.3 < share < 0.7


def test_the_breadth_of_a_square_and_of_a_strip() -> None:
    side = 0.4
    square = ((0, 0), (side, 0), (side, side * geometry.ASPECT), (0, side * geometry.ASPECT))
    assert geometry.breadth(square) == pytest.approx(side / 4)
    strip = ((0.0, 0.5), (1.0, 0.5), (1.0, 0.5 + 0.02), (0.0, 0.5 + 0.02))
    assert geometry.breadth(strip) == pytest.approx(0.02 / geometry.ASPECT / 2, rel=0.02)


@given(POINTS, POINTS)
def test_distance_is_in_picture_widths(one: Point, other: Point) -> None:
    expected = hypot(one[0] - other[0], (one[1] - other[1]) * 9 / 16)
    assert geometry.apart(one, other) == pytest.approx(expected)
