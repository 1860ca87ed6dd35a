"""The tracker: who is the same person from picture to picture, and who is gone."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from contracts.units import MonoMs, UtcMs
from edge.core import count
from edge.core.people import Detection, Instant, Rect, Thing
from edge.perception.pairing import paired
from edge.perception.tracker import IouTracker


def at(ms: int) -> Instant:
    return Instant(MonoMs(ms), UtcMs(1_000_000 + ms))


def found(x: float, y: float = 0.3, w: float = 0.1, h: float = 0.3) -> Detection:
    return Detection(Rect(x, y, x + w, y + h), 0.8)


def test_people_keep_their_numbers_while_they_walk_past_each_other() -> None:
    tracker = IouTracker()
    for step in range(20):
        tracks = tracker.update([found(0.1 + step * 0.02), found(0.8, 0.5)], at(step * 200))
        assert [track.number for track in tracks] == [1, 2]


def test_a_missed_person_is_kept_for_a_second_and_known_again() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4)], at(0))
    for ms in (200, 400, 600, 800):
        (track,) = tracker.update([], at(ms))
        assert not track.detected
    (again,) = tracker.update([found(0.42)], at(1_000))
    assert (again.number, again.detected) == (1, True)
    assert again.first_seen == at(0)
    for ms in (1_200, 1_400, 1_600, 1_800, 2_000):
        assert len(tracker.update([], at(ms))) == 1
    assert tracker.update([], at(2_200)) == ()


def test_somebody_settled_is_kept_for_longer() -> None:
    tracker = IouTracker()
    for ms in range(0, 9_000, 200):
        (track,) = tracker.update([found(0.4 + (ms % 400) / 400 * 0.02)], at(ms))
    assert track.settled
    for ms in range(9_000, 12_801, 200):
        assert len(tracker.update([], at(ms))) == 1
    assert tracker.update([], at(13_000)) == ()


def test_standing_up_is_the_same_person() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4, 0.5, 0.1, 0.2)], at(0))
    (track,) = tracker.update([found(0.4, 0.2, 0.12, 0.5)], at(200))
    assert track.number == 1


def test_reset_forgets_people_but_not_numbers() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4)], at(0))
    tracker.reset()
    (track,) = tracker.update([found(0.4)], at(200))
    assert track.number == 2


def test_a_faint_find_dates_a_person_who_is_proven_later_and_proves_nobody() -> None:
    tracker, state = IouTracker(sure_from=0.25), count.Counted()
    faint = Detection(found(0.4).rect, 0.15)
    for ms in range(0, 2_000, 200):
        state, people = count.step(state, tracker.update([faint], at(ms)))
        assert people == ()
    for ms in (2_000, 2_200, 2_400):
        state, people = count.step(state, tracker.update([found(0.42)], at(ms)))
    assert [person.first_seen for person in people] == [at(1_400)]


def test_a_faint_second_box_on_a_person_is_nobody() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4, 0.3, 0.1, 0.4)], at(0))
    torso = Detection(Rect(0.41, 0.3, 0.49, 0.5), 0.2)
    tracks = tracker.update([found(0.4, 0.3, 0.1, 0.4), torso], at(200))
    assert [track.number for track in tracks] == [1]


def test_who_comes_and_stops_beside_somebody_faint_takes_no_number() -> None:
    tracker = IouTracker(sure_from=0.25)
    expert = found(0.4, w=0.07)
    for ms in range(0, 3_000, 200):
        tracker.update([expert], at(ms))
    faint = Detection(expert.rect, 0.2)
    for ms in range(3_000, 5_000, 200):
        tracks = tracker.update([faint, found(0.49, 0.3, 0.07)], at(ms))
        assert [(track.number, track.rect.x1 < 0.45) for track in tracks] == [(1, True), (2, False)]


def test_who_bends_over_somebody_settled_takes_no_number() -> None:
    tracker = IouTracker(sure_from=0.25)
    last_ms = settled_at(tracker, 0.4)
    faint = Detection(found(0.4).rect, 0.2)
    beside = found(0.455)  # shares a good quarter with the seated person's box
    for ms in range(last_ms + 200, last_ms + 2_000, 200):
        tracks = tracker.update([faint, beside], at(ms))
        assert [(track.number, track.rect.x1 < 0.42) for track in tracks] == [(1, True), (2, False)]


def test_who_rises_leaves_no_number_on_the_chair() -> None:
    tracker = IouTracker(sure_from=0.25)
    last_ms = settled_at(tracker, 0.4)
    chair = Detection(Rect(0.41, 0.42, 0.49, 0.6), 0.2)
    tracks = tracker.update([chair, found(0.52, 0.2, 0.1, 0.4)], at(last_ms + 200))
    (risen,) = [track for track in tracks if track.detected]
    assert (risen.number, risen.rect.x1 > 0.45) == (1, True)


def test_a_crowd_is_bounded() -> None:
    crowd = [found((n % 40) / 41, (n // 40) / 6, 0.01, 0.05) for n in range(200)]
    assert len(IouTracker().update(crowd, at(0))) == 64


HERE, ELSEWHERE = (Rect(0.3, 0.2, 0.6, 0.8),), (Rect(0.7, 0.0, 1.0, 1.0),)


def settled_at(tracker: IouTracker, x: float) -> int:
    """Somebody sits at ``x``; the time of the last picture."""
    ms = 0
    for ms in range(0, 9_001, 200):
        (track,) = tracker.update([found(x)], at(ms))
    assert track.settled
    return ms


def test_where_nobody_looked_a_person_is_as_before() -> None:
    tracker = IouTracker()
    last_ms = settled_at(tracker, 0.4)
    for looked in (ELSEWHERE, ()):
        for ms in range(last_ms + 200, last_ms + 20_000, 200):
            (track,) = tracker.update([], at(ms), looked)
            assert (track.number, track.looked, track.detected) == (1, False, False)
        last_ms = ms
    (track,) = tracker.update([found(0.4)], at(last_ms + 200), HERE)
    assert (track.number, track.looked, track.detected) == (1, True, True)
    assert track.settled


def test_time_in_which_nobody_looked_is_not_time_missed() -> None:
    tracker = IouTracker()
    last_ms = settled_at(tracker, 0.4)
    tracker.update([], at(last_ms + 20_000), ())
    for ms in range(last_ms + 20_200, last_ms + 23_000, 200):
        (track,) = tracker.update([], at(ms), HERE)
        assert track.looked
    assert tracker.update([], at(last_ms + 24_400), HERE) == ()


def test_a_find_counts_wherever_it_is() -> None:
    tracker = IouTracker()
    (track,) = tracker.update([found(0.4)], at(0), ELSEWHERE)
    (track,) = tracker.update([found(0.41)], at(200), ())
    assert (track.number, track.looked, track.detected) == (1, True, True)


def test_a_region_that_shows_an_arm_says_nothing_of_the_person() -> None:
    tracker = IouTracker()
    tracker.update([found(0.4)], at(0))
    (track,) = tracker.update([], at(200), (Rect(0.48, 0.2, 0.8, 0.8),))
    assert not track.looked


def test_nobody_lives_for_ever_where_nobody_looks() -> None:
    tracker = IouTracker()
    last_ms = settled_at(tracker, 0.4)
    assert len(tracker.update([], at(last_ms + 60_000), ())) == 1
    assert tracker.update([], at(last_ms + 60_001), ()) == ()


def test_one_miss_in_a_slow_round_of_looks_ends_nobody() -> None:
    tracker = IouTracker()
    last_ms = settled_at(tracker, 0.4)
    for number in (1, 2):
        assert len(tracker.update([], at(last_ms + number * 4_000), HERE)) == 1
    assert tracker.update([], at(last_ms + 12_000), HERE) == ()


def test_who_sits_behind_somebody_known_is_hidden_not_gone() -> None:
    tracker = IouTracker()
    waiter = [found(0.9, 0.1, 0.1, 0.8)]
    for ms in range(0, 9_001, 200):
        tracker.update([found(0.4), *waiter], at(ms))
    for step in range(1, 14):  # the waiter comes along and stops before the person
        tracker.update([found(0.9 - 0.04 * step, 0.1, 0.12, 0.8)], at(9_000 + step * 200))
    numbers = set()
    for ms in range(11_800, 24_000, 200):
        tracks = tracker.update([found(0.39, 0.1, 0.12, 0.8)], at(ms))
        numbers |= {(track.number, track.detected) for track in tracks}
    assert numbers == {(1, False), (2, True)}
    for ms in range(24_000, 34_000, 200):
        tracks = tracker.update([found(0.39, 0.1, 0.12, 0.8)], at(ms))
    assert [track.number for track in tracks] == [2]


def test_who_began_with_the_miss_hides_nobody() -> None:
    tracker = IouTracker()
    last_ms = settled_at(tracker, 0.4)
    # Covers most of the seat, far larger, aside: taken for somebody else who has just come.
    for ms in range(last_ms + 200, last_ms + 5_000, 200):
        tracks = tracker.update([found(0.44, 0.0, 0.46, 1.0)], at(ms))
    assert [track.number for track in tracks] == [2]


def test_a_head_that_becomes_a_whole_person_and_back_is_one() -> None:
    tracker = IouTracker()
    head, whole = found(0.44, 0.32, 0.05, 0.08), found(0.4, 0.3, 0.14, 0.6)
    for number, seen in enumerate([head, head, whole, whole, head, whole]):
        (track,) = tracker.update([seen], at(number * 200))
        assert track.number == 1


def test_a_coat_that_is_glimpsed_is_not_a_person_for_ever() -> None:
    tracker = IouTracker()
    last_ms = settled_at(tracker, 0.4)
    coat = Detection(found(0.4).rect, 0.15)
    for ms in range(last_ms + 200, last_ms + 30_001, 200):
        assert len(tracker.update([coat], at(ms))) == 1
    for ms in range(last_ms + 30_200, last_ms + 36_000, 200):
        tracks = tracker.update([coat], at(ms))
    assert all(track.number != 1 and not track.detected for track in tracks)


def test_people_who_cross_keep_their_numbers_though_one_is_missed() -> None:
    tracker = IouTracker()
    for step in range(26):
        seated, walker = found(0.5, 0.5, 0.11, 0.34), found(0.05 + 0.03 * step, 0.25, 0.1, 0.6)
        covered = abs(walker.rect.centre[0] - seated.rect.centre[0]) < 0.08
        tracks = tracker.update([walker] if covered else [seated, walker], at(step * 200))
        there = {track.number: track.rect for track in tracks}
        assert set(there) == {1, 2}
        assert there[1].overlap(seated.rect) > 0.9
        assert there[2].overlap(walker.rect) > 0.5


def test_a_phone_is_nobody() -> None:
    assert IouTracker().update([Detection(found(0.4).rect, 0.9, Thing.PHONE)], at(0)) == ()


def _every_pair(people: list[Rect], boxes: list[Rect]) -> float:
    """The greatest sum of overlaps, found without gates."""
    gains = np.array([[one.overlap(other) for other in boxes] for one in people])
    gains[gains < 0.2] = 0.0
    rows, columns = linear_sum_assignment(gains, maximize=True)
    return float(gains[rows, columns].sum())


@pytest.mark.parametrize("seed", range(20))
def test_the_gate_before_the_pairing_loses_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def some(count: int) -> list[Rect]:
        x, y, w, h = rng.uniform((0, 0, 0.02, 0.02), (0.9, 0.7, 0.4, 0.6), (count, 4)).T
        return [Rect(*row) for row in np.stack([x, y, x + w, y + h], axis=1).tolist()]

    people, boxes = some(int(rng.integers(0, 20))), some(int(rng.integers(0, 20)))
    pairs = paired(people, boxes, by_distance=False)
    assert len(set(pairs.values())) == len(pairs)
    total = sum(people[one].overlap(boxes[other]) for one, other in pairs.items())
    assert total == pytest.approx(_every_pair(people, boxes) if people and boxes else 0.0)
