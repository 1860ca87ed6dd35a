"""Movement in pictures: silent on noise, told apart from light, never blind to what is slow."""

import cv2
import numpy as np
import pytest

from contracts.units import ZoneId
from contracts.zones import PictureZone, ZoneKind, ZoneName
from edge.core.attention import MOVED_SHARE, MotionSeen, marked
from edge.core.people import Rect
from edge.perception.motion import Masks, MotionWatch, rows_for
from edge.ports import Grey

SIZE = (360, 640)
NAME = ZoneName(zh="镜子", en="Mirror")


def room(rng: np.random.Generator, *, sigma: float = 0.0, gain: float = 1.0) -> np.ndarray:
    """A picture with structure, some noise on it."""
    base = cv2.GaussianBlur(
        np.random.default_rng(1).uniform(0, 255, SIZE).astype(np.float32), (0, 0), 12
    )
    base = (base - base.mean()) * 12 + 120
    return np.asarray(np.clip(base * gain + rng.normal(0, sigma, SIZE), 0, 255))


def as_grey(picture: np.ndarray) -> Grey:
    return np.asarray(picture, np.uint8)


def with_person(picture: np.ndarray, x: int, *, faint: bool = False) -> np.ndarray:
    shown = picture.copy()
    shown[120:240, x : x + 40] = shown[120:240, x : x + 40] - 16 if faint else 30
    return shown


def marks(seen: MotionSeen) -> np.ndarray:
    return seen.cells >= MOVED_SHARE


@pytest.mark.parametrize("sigma", [0.0, 2.0, 5.0, 9.0])
def test_sensor_noise_is_no_movement(sigma: float) -> None:
    rng, watch = np.random.default_rng(7), MotionWatch()
    seen = []
    for _ in range(40):
        seen.append(watch.take(as_grey(room(rng, sigma=sigma))))
        watch.looked()
    assert seen[0].fresh
    assert not any(marks(one).any() or one.light for one in seen)
    assert not any(
        (one.since_look >= MOVED_SHARE).any() for one in seen if one.since_look is not None
    )


@pytest.mark.parametrize("sigma", [0.0, 3.0, 5.0])
def test_somebody_who_comes_is_movement_where_they_are(sigma: float) -> None:
    rng, watch = np.random.default_rng(7), MotionWatch()
    for _ in range(10):
        watch.take(as_grey(room(rng, sigma=sigma)))
    seen = watch.take(as_grey(with_person(room(rng, sigma=sigma), 300)))
    there = marked(Rect(300 / 640, 120 / 360, 340 / 640, 240 / 360), seen.cells.shape)
    assert (marks(seen) & there).sum() >= 0.9 * there.sum()
    assert (marks(seen) & ~there).sum() <= 8  # cells at the outline
    assert not seen.light


def test_light_is_told_apart_and_somebody_in_it_is_still_seen() -> None:
    rng, watch = np.random.default_rng(7), MotionWatch()
    for _ in range(10):
        watch.take(as_grey(room(rng, sigma=2)))
    darker = watch.take(as_grey(with_person(room(rng, sigma=2, gain=0.7), 300)))
    there = marked(Rect(300 / 640, 120 / 360, 340 / 640, 240 / 360), darker.cells.shape)
    assert darker.light
    assert (marks(darker) & ~there).mean() < 0.02
    assert (marks(darker) & there).sum() >= 0.7 * there.sum()
    after = watch.take(as_grey(with_person(room(rng, sigma=2, gain=0.7), 300)))
    assert not after.light
    assert not marks(after).any()


def test_who_moves_too_slowly_for_movement_differs_from_the_picture_looked_at() -> None:
    rng, watch = np.random.default_rng(7), MotionWatch()
    watch.take(as_grey(with_person(room(rng), 300, faint=True)))
    watch.looked()
    moved = differs = False
    for step in range(300):  # a minute for half a body's width
        seen = watch.take(as_grey(with_person(room(rng), 300 + step // 15, faint=True)))
        moved = moved or marks(seen).sum() >= 2
        assert seen.since_look is not None
        differs = (seen.since_look >= MOVED_SHARE).sum() >= 2
    assert differs
    assert not moved
    watch.looked()
    again = watch.take(as_grey(with_person(room(rng), 319, faint=True)))
    assert again.since_look is not None
    assert not (again.since_look >= MOVED_SHARE).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (2, 3), (4_320, 7_680), (1_920, 1), (9, 4_000)])
def test_any_size_of_picture_is_compared(size: tuple[int, int]) -> None:
    watch = MotionWatch()
    for value in (0, 255, 10):
        seen = watch.take(np.full(size, value, np.uint8))
        assert seen.cells.shape == (rows_for(size[1], size[0]), 32)


def test_a_picture_of_another_form_has_nothing_to_compare_with() -> None:
    watch = MotionWatch()
    watch.take(np.zeros((480, 640), np.uint8))
    assert watch.take(np.zeros(SIZE, np.uint8)).fresh


def test_a_mask_hides_movement_and_what_is_found_in_it() -> None:
    mirror = PictureZone(
        id=ZoneId("mirror"),
        name=NAME,
        kind=ZoneKind.MASK,
        points=((0.4, 0.2), (0.7, 0.2), (0.7, 0.9), (0.4, 0.9)),
    )
    masks = Masks((mirror,))
    hidden = masks.cells(640, 360)
    assert hidden is not None
    rng, watch = np.random.default_rng(7), MotionWatch()
    watch.take(as_grey(room(rng)), hidden)
    assert not marks(watch.take(as_grey(with_person(room(rng), 300)), hidden)).any()
    assert marks(watch.take(as_grey(with_person(room(rng), 20)), hidden)).any()
    assert masks.hide(Rect(0.45, 0.3, 0.6, 0.8))
    assert not masks.hide(Rect(0.3, 0.1, 0.5, 0.8))
    assert Masks(()).cells(640, 360) is None
    assert not Masks(()).hide(Rect(0.45, 0.3, 0.6, 0.8))
