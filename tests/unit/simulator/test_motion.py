"""Movement is computed, not stepped: it must agree with itself wherever one looks."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from zeroentry.simulator.motion import Body, Place, Stop, braking, ride

BODY = Body()
ORIGIN = Place(0.0, 0.0, 0.0, "f1")

points = st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=1, max_size=6).map(
    lambda rows: [Stop(n, f"n{n}", float(x), float(y), 1.0) for n, (x, y) in enumerate(rows)]
)


@given(points, st.floats(0.0, 1.0))
def test_a_ride_passes_every_node_at_its_place_and_never_too_fast(
    stops: list[Stop], share: float
) -> None:
    made = ride(BODY, ORIGIN, 0.0, stops, 10.0)
    assert made is not None
    assert [stop.index for _, stop in made.passes] == [stop.index for stop in stops]
    for when_s, stop in made.passes:
        place, _ = made.at(when_s)
        assert math.dist((place.x_m, place.y_m), (stop.x_m, stop.y_m)) < 0.02
    times = [when_s for when_s, _ in made.passes]
    assert all(one <= other for one, other in pairwise(times))
    _, speed = made.at(10.0 + (made.end_s - 10.0) * share)
    assert speed <= 1.0 + 1e-9
    assert made.at(made.end_s)[1] == 0.0


@given(points, st.floats(0.0, 1.0))
def test_a_longer_base_changes_nothing_before_it_matters(stops: list[Stop], share: float) -> None:
    made = ride(BODY, ORIGIN, 0.0, stops, 0.0)
    assert made is not None
    now_s = made.end_s * share
    place, speed = made.at(now_s)
    left = [stop for when_s, stop in made.passes if when_s > now_s]
    again = ride(BODY, place, speed, left, now_s)
    if again is not None:
        assert abs(again.end_s - made.end_s) < 0.12  # the last 5 mm are not driven


def test_a_robot_given_its_way_on_just_before_a_corner_turns_there_all_the_same() -> None:
    corner, back = Stop(0, "n0", -6.0, 0.0, 1.0), Stop(1, "n1", -6.0, 4.0, 1.0)
    to_corner = ride(BODY, Place(0.0, 0.0, math.pi, "f1"), 0.0, [corner], 0.0)
    assert to_corner is not None
    place, speed = to_corner.at(to_corner.end_s - 0.019)
    assert speed > 0
    on = ride(BODY, place, speed, [corner, back], 0.0)
    whole = ride(BODY, Place(-6.0, 0.0, math.pi, "f1"), 0.0, [back], 0.0)
    assert on is not None
    assert whole is not None
    assert abs(on.end_s - whole.end_s) < 0.12


@given(st.floats(0.3, 6.0))
def test_braking_takes_its_distance_and_tells_what_it_rolls_over(now_s: float) -> None:
    stops = [Stop(n, f"n{n}", 1.0 + n, 0.0, 9.0) for n in range(8)]
    made = ride(BODY, ORIGIN, 0.0, stops, 0.0)
    assert made is not None
    place, speed = made.at(now_s)
    left = [stop for when_s, stop in made.passes if when_s > now_s]
    stopped = braking(BODY, place, speed, left, now_s)
    rolled_m = stopped.final.x_m - place.x_m
    assert abs(rolled_m - speed**2 / (2 * BODY.deceleration_mps2)) < 0.01
    over = [stop.index for stop in left if stop.x_m <= stopped.final.x_m - 0.01]
    assert [stop.index for _, stop in stopped.passes][: len(over)] == over
