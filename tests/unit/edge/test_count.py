"""Which tracks count as people."""

import pytest

from contracts.units import MonoMs, UtcMs
from edge.core import count
from edge.core.count import Counted
from edge.core.people import Instant, Rect, Track

NOW = Instant(MonoMs(1_000), UtcMs(1_000_000))


def track(number: int, rect: Rect, *, detected: bool = True, score: float = 0.8) -> Track:
    return Track(number, rect, score, detected, NOW, NOW.mono_ms)


def counted(*tracks: Track) -> list[int]:
    state = Counted()
    people: tuple[Track, ...] = ()
    for _ in range(3):
        state, people = count.step(state, tracks)
    return [one.number for one in people]


BODY = Rect(0.60, 0.55, 0.69, 0.84)


@pytest.mark.parametrize(
    ("other", "left"),
    [
        (Rect(0.58, 0.58, 0.65, 0.82), [1]),  # half of the same body
        (Rect(0.60, 0.54, 0.70, 0.99), [1]),  # the same with the legs
        (Rect(0.66, 0.55, 0.75, 0.84), [1, 2]),  # a neighbour, elbow to elbow
        (Rect(0.60, 0.30, 0.70, 0.84), [1, 2]),  # somebody stands behind
        (Rect(0.61, 0.66, 0.66, 0.80), [1, 2]),  # somebody smaller sits before, the head lower
    ],
)
def test_two_boxes_on_one_body_are_one_person(other: Rect, left: list[int]) -> None:
    assert counted(track(1, BODY), track(2, other, score=0.5)) == left


def test_the_surer_of_two_boxes_counts() -> None:
    worse = track(1, Rect(0.58, 0.56, 0.67, 0.83), detected=False, score=0.9)
    state = Counted(confirmed=frozenset({1, 2}))
    _, people = count.step(state, (worse, track(2, BODY, score=0.4)))
    assert [one.number for one in people] == [2]


def test_the_better_of_two_boxes_stays_the_better() -> None:
    other = Rect(0.58, 0.56, 0.67, 0.83)
    state = Counted(confirmed=frozenset({1, 2}))
    numbers = []
    for turn in range(4):
        first, second = turn % 2 == 0, turn % 2 == 1
        tracks = (track(1, BODY, detected=first), track(2, other, detected=second))
        state, people = count.step(state, tracks)
        numbers += [one.number for one in people]
    assert numbers == [1, 1, 1, 1]
