"""One person seen by two cameras is one; who is hidden for a moment has not gone."""

import numpy as np
import pytest

from contracts.observations import Appearance
from contracts.units import MonoMs, UtcMs
from contracts.zones import PictureZone, ZoneKind, ZoneName
from edge.core import fusion
from edge.core.floor import Plane, mismatch, plane_of
from edge.core.fusion import Eye, Heads
from edge.core.people import Instant, Rect, Track
from zeroentry.composer.hall import Lens

NOW = Instant(MonoMs(50_000), UtcMs(1_000_050_000))
FRONT = Lens(0.0, 0.0)
SIDE = Lens(-3.5, 0.2, 30.0, focal_px=430)
SEATS = ((-0.8, 4.0), (0.0, 4.0), (0.8, 4.0), (-0.4, 5.6), (0.5, 5.6))


def later(ms: int) -> Instant:
    return Instant(MonoMs(NOW.mono_ms + ms), UtcMs(NOW.utc_ms + ms))


def plane(lens: Lens, off_m: float = 0.0) -> Plane:
    rng = np.random.default_rng(3)
    rows = []
    for x in (-1.5, 0.0, 1.5):
        for z in (3.0, 4.5, 6.0):
            px, py = lens.px(x, 0.0, z)
            dx, dz = rng.normal(0, off_m, 2)
            rows.append((px / 640, py / 360, x + dx, z + dz))
    found = plane_of(tuple(rows))
    assert found is not None
    return found


def box(lens: Lens, x: float, z: float, head_m: float = 1.3, down_to_m: float = 0.75) -> Rect:
    """Somebody as a camera sees him, cut by a table at a height."""
    left, top = lens.px(x - 0.27, head_m, z)
    right, _ = lens.px(x + 0.27, head_m, z)
    _, bottom = lens.px(x, down_to_m, z)
    middle = lens.px(x, head_m, z)[0]
    half = abs(right - left) / 2
    return Rect((middle - half) / 640, top / 360, (middle + half) / 640, bottom / 360)


def track(number: int, rect: Rect, **more: object) -> Track:
    fields: dict[str, object] = {
        "score": 0.8, "detected": True, "first_seen": NOW, "last_seen_mono_ms": NOW.mono_ms, **more,
    }  # fmt: skip
    return Track(number, rect, **fields)  # type: ignore[arg-type]  # named by the test


def eye(camera: str, floor: Plane | None, *rects: Rect, seats: tuple[PictureZone, ...] = ()) -> Eye:
    people = tuple(track(number, rect, settled=True) for number, rect in enumerate(rects, 1))
    return Eye(camera, floor, seats, people)


def seat(name: str, x: float) -> PictureZone:
    points = ((x, 0.2), (x + 0.2, 0.2), (x + 0.2, 0.8), (x, 0.8))
    return PictureZone(
        id=f"zone-{name}", name=ZoneName(zh=name, en=name), kind=ZoneKind.SEAT, points=points,
        seat=name,
    )  # fmt: skip


def test_a_floor_of_marks_gives_metres_back() -> None:
    floor = plane(FRONT)
    px, py = FRONT.px(0.7, 0.0, 5.1)
    assert floor.at(px / 640, py / 360) == pytest.approx((0.7, 5.1), abs=0.01)
    assert floor.at(0.5, 0.01) is None  # above the horizon there is no floor


@pytest.mark.parametrize(
    "marks",
    [
        (),
        ((0.1, 0.9, 0.0, 0.0), (0.9, 0.9, 2.0, 0.0), (0.5, 0.5, 1.0, 3.0)),
        tuple((0.1 * k, 0.5, float(k), 3.0) for k in range(6)),  # all on one line
        ((0.1, 0.9, 0, 0), (0.9, 0.9, 2, 0), (0.2, 0.5, 0, 3), (0.8, 0.5, 2, 3), (0.5, 0.7, 9, 9)),
    ],
)
def test_marks_that_make_no_floor_are_refused(
    marks: tuple[tuple[float, float, float, float], ...],
) -> None:
    assert plane_of(marks) is None


def test_who_stands_in_full_is_where_the_feet_are() -> None:
    rect = box(FRONT, 0.5, 4.5, 1.72, 0.0)
    spot = plane(FRONT).spot(rect)
    assert spot is not None
    assert any(np.hypot(x - 0.5, y - 4.5) < 0.1 for x, y in spot.points)


def test_who_is_cut_by_a_table_meets_from_both_sides() -> None:
    one = plane(FRONT).spot(box(FRONT, 0.0, 4.0))
    same = plane(SIDE).spot(box(SIDE, 0.0, 4.0))
    other = plane(SIDE).spot(box(SIDE, -1.6, 5.8))
    assert one is not None
    assert same is not None
    assert other is not None
    assert mismatch(one, same) < 4.0
    assert mismatch(one, other) > fusion.MEET


@pytest.mark.parametrize("off_m", [0.0, 0.08])
def test_five_people_on_two_cameras_are_five(off_m: float) -> None:
    eyes = [
        eye("front", plane(FRONT), *(box(FRONT, x, z) for x, z in SEATS)),
        eye("side", plane(SIDE, off_m), *(box(SIDE, x, z) for x, z in reversed(SEATS))),
    ]
    heads = fusion.step(Heads(), eyes, NOW)
    assert heads.count == 5
    assert all(len(person.views) == 2 for person in heads.people)
    for person in heads.people:  # expert k of one camera is expert 6 - k of the other
        assert sum(view.track.number for view in person.views) == 6


def test_who_is_hidden_from_one_camera_still_counts() -> None:
    eyes = [
        eye("front", plane(FRONT), *(box(FRONT, x, z) for x, z in SEATS[:4])),
        eye("side", plane(SIDE), *(box(SIDE, x, z) for x, z in SEATS[1:])),
    ]
    heads = fusion.step(Heads(), eyes, NOW)
    assert heads.count == 5
    whole = fusion.step(Heads(), [replace_people(one, SEATS) for one in eyes], NOW)
    assert fusion.confidence(heads, NOW) < fusion.confidence(whole, NOW)


def replace_people(one: Eye, seats: tuple[tuple[float, float], ...]) -> Eye:
    lens = FRONT if one.camera_id == "front" else SIDE
    return eye(one.camera_id, one.plane, *(box(lens, x, z) for x, z in seats))


def test_people_stay_who_they_were_while_they_sway() -> None:
    rng = np.random.default_rng(1)
    heads = Heads()
    for number in range(20):
        eyes = []
        for name, lens in (("front", FRONT), ("side", SIDE)):
            rects = [
                box(lens, x + rng.normal(0, 0.03), z, 1.3 + rng.normal(0, 0.03)) for x, z in SEATS
            ]
            eyes.append(eye(name, plane(lens), *rects))
        heads = fusion.step(heads, eyes, later(200 * number))
        assert heads.count == 5
    assert all(person.first_seen == NOW for person in heads.people)


def test_the_same_seat_on_two_pictures_is_one_person() -> None:
    left = (seat("1", 0.1), seat("2", 0.4))
    right = (seat("1", 0.6), seat("2", 0.3))
    at = {name: Rect(x + 0.02, 0.3, x + 0.18, 0.7) for name, x in (("a", 0.1), ("b", 0.4))}
    mirrored = Rect(0.62, 0.3, 0.78, 0.7)
    eyes = [
        eye("one", None, at["a"], at["b"], seats=left),
        eye("two", None, mirrored, seats=right),
    ]
    heads = fusion.step(Heads(), eyes, NOW)
    assert heads.count == 2
    assert sorted(len(person.views) for person in heads.people) == [1, 2]


def test_without_floor_or_seats_the_fullest_view_is_the_least() -> None:
    row = [Rect(0.1 * k, 0.3, 0.1 * k + 0.08, 0.7) for k in range(5)]
    heads = fusion.step(Heads(), [eye("one", None, *row[:3]), eye("two", None, *row)], NOW)
    assert heads.count == 5


def test_a_camera_without_marks_adds_only_whom_it_cannot_be_seeing_again() -> None:
    row = [Rect(0.1 * k, 0.3, 0.1 * k + 0.08, 0.7) for k in range(4)]
    marked = eye("front", plane(FRONT), *(box(FRONT, x, z) for x, z in SEATS[:3]))
    assert fusion.step(Heads(), [marked, eye("two", None, *row[:3])], NOW).count == 3
    assert fusion.step(Heads(), [marked, eye("two", None, *row)], NOW).count == 4


def test_who_sat_still_and_is_lost_is_hidden_and_then_gone() -> None:
    rect = Rect(0.2, 0.3, 0.3, 0.7)
    sat = Eye("one", None, (), (track(1, rect, settled=True),))
    nobody = Eye("one", None, (), ())
    heads = fusion.step(Heads(), [sat], NOW)
    heads = fusion.step(heads, [nobody], later(200))
    assert (len(heads.people), heads.count) == (0, 1)
    heads = fusion.step(heads, [nobody], later(200 + fusion.HIDDEN_MS + 200))
    assert heads.count == 0


def test_who_is_found_under_a_new_number_is_not_two() -> None:
    rect = Rect(0.2, 0.3, 0.3, 0.7)
    heads = fusion.step(Heads(), [Eye("one", None, (), (track(1, rect, settled=True),))], NOW)
    missed = track(1, rect, detected=False, settled=True)
    new = track(2, Rect(0.2, 0.15, 0.31, 0.7), first_seen=later(200))
    heads = fusion.step(heads, [Eye("one", None, (), (missed, new))], later(400))
    assert heads.count == 1
    heads = fusion.step(heads, [Eye("one", None, (), (new,))], later(600))
    assert heads.count == 1


def test_who_walks_in_before_somebody_is_not_taken_for_him() -> None:
    sits, comes = Rect(0.2, 0.3, 0.3, 0.7), Rect(0.7, 0.2, 0.8, 0.9)
    heads = fusion.step(
        Heads(), [Eye("one", None, (), (track(1, sits, settled=True), track(2, comes)))], NOW
    )
    hidden = track(1, sits, settled=True, detected=False)
    before = track(2, Rect(0.2, 0.2, 0.31, 0.9), last_seen_mono_ms=NOW.mono_ms + 2_000)
    heads = fusion.step(heads, [Eye("one", None, (), (hidden, before))], later(2_000))
    assert heads.count == 2


def test_looks_must_agree_and_a_change_is_dated() -> None:
    rect = Rect(0.2, 0.3, 0.3, 0.7)

    def seen(look: Appearance, ms: int, heads: Heads) -> Heads:
        return fusion.step(
            heads, [Eye("one", None, (), (track(1, rect, appearance=look),))], later(ms)
        )

    heads = seen(Appearance.UNKNOWN, 0, Heads())
    heads = seen(Appearance.RED, 400, heads)
    assert heads.people[0].look_since == NOW  # it only took its time to tell
    heads = seen(Appearance.NONE, 5_000, heads)
    assert heads.people[0].look is Appearance.NONE
    assert heads.people[0].look_since == later(5_000)


def test_confidence_falls_with_who_is_cut_and_who_was_not_seen_lately() -> None:
    whole = fusion.step(Heads(), [eye("one", None, Rect(0.2, 0.3, 0.3, 0.7))], NOW)
    cut = fusion.step(Heads(), [eye("one", None, Rect(0.0, 0.3, 0.1, 0.7))], NOW)
    assert fusion.confidence(whole, NOW) > fusion.confidence(cut, NOW)
    assert fusion.confidence(whole, NOW) > fusion.confidence(whole, later(5_000))
    assert fusion.confidence(Heads(), NOW) == 1.0
