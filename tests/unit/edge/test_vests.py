"""Vests under light that is warm, cold, dim; noise, blocks; chairs, skin, ties and jeans."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.admission import VestColours
from contracts.observations import Appearance
from contracts.units import MonoMs, UtcMs
from edge.core.people import Instant, Rect, Track
from edge.perception.vests import LOOK_AGAIN_MS, VestReader, torso_of

RED, BLUE, NONE, UNKNOWN = Appearance.RED, Appearance.BLUE, Appearance.NONE, Appearance.UNKNOWN
Image = NDArray[np.uint8]
Rgb = tuple[int, int, int]

VEST_RED: Rgb = (196, 34, 38)
VEST_BLUE: Rgb = (40, 80, 180)
SKIN: Rgb = (214, 158, 132)
FLUSHED: Rgb = (214, 128, 112)
GREY: Rgb = (110, 112, 114)
WHITE: Rgb = (240, 240, 238)
NAVY: Rgb = (25, 30, 60)
DENIM: Rgb = (90, 115, 160)
TIE: Rgb = (150, 30, 45)
WALL: Rgb = (186, 184, 180)
CHAIR_RED: Rgb = (170, 40, 44)
SCREEN_BLUE: Rgb = (40, 90, 200)
BOX = Rect(0.40, 0.30, 0.58, 0.80)


@dataclass
class Shot:
    """A picture that counts how often its colours are asked for."""

    image: Image
    at: Instant
    asked: int = 0

    @property
    def rgb(self) -> Image:
        self.asked += 1
        return self.image


def at(ms: int) -> Instant:
    return Instant(MonoMs(10_000 + ms), UtcMs(1_000_000 + ms))


def person(
    shirt: Rgb, *, vest: Rgb | None = None, tie: Rgb | None = None, face: Rgb = SKIN,
    behind: Rgb = WALL, open_front: bool = False, low: Rgb | None = None,
) -> Image:  # fmt: skip
    """A seated person in a 320x180 picture, in BOX: head above, trunk to the lower edge."""
    image = np.full((180, 320, 3), WALL, np.uint8)
    image[60:150, 115:200] = behind
    cv2.ellipse(image, (156, 74), (13, 18), 0, 0, 360, face, -1)
    image[92:146, 130:184] = shirt
    if vest is not None:
        image[92:146, 137:177] = vest
        if open_front:
            image[92:146, 151:163] = shirt
    if tie is not None:
        image[92:140, 155:160] = tie
    if low is not None:
        image[118:146, 120:194] = low
    return image


def lit(image: Image, gains: tuple[float, float, float]) -> Image:
    linear = (image.astype(np.float64) / 255) ** 2.2 * np.asarray(gains)
    return np.asarray(np.clip(linear, 0, 1) ** (1 / 2.2) * 255, np.uint8)


def noisy(image: Image, sigma: float, seed: int = 1) -> Image:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert back is not None
    return np.ascontiguousarray(back[..., ::-1]).astype(np.uint8)


def track(rect: Rect = BOX, number: int = 1, **more: object) -> Track:
    one = Track(number, rect, 0.8, True, at(0), at(0).mono_ms)
    return replace(one, **more)  # type: ignore[arg-type]  # named by the test


def read(image: Image, *tracks: Track, pictures: int = 8) -> list[Appearance]:
    reader = VestReader(VestColours())
    people = tracks or (track(),)
    for number in range(pictures):
        people = reader.read(Shot(image, at(200 * number)), people)
    return [one.appearance for one in people]


VESTS = [(VEST_RED, RED), (VEST_BLUE, BLUE), (None, NONE)]
LIGHTS = {
    "plain": (1.0, 1.0, 1.0),
    "warm": (1.3, 1.0, 0.55),
    "cold": (0.75, 1.0, 1.35),
    "dim": (0.2, 0.2, 0.2),
    "dim and warm": (0.27, 0.2, 0.12),
    "bright": (1.5, 1.5, 1.5),
}


@pytest.mark.parametrize(("vest", "look"), VESTS)
@pytest.mark.parametrize("light", LIGHTS)
def test_a_vest_is_told_in_any_light(vest: Rgb | None, look: Appearance, light: str) -> None:
    assert read(lit(person(GREY, vest=vest), LIGHTS[light])) == [look]


@pytest.mark.parametrize(("vest", "look"), VESTS)
def test_a_vest_is_told_through_noise_and_blocks(vest: Rgb | None, look: Appearance) -> None:
    assert read(jpeg(noisy(person(GREY, vest=vest), 8.0), 25)) == [look]


@pytest.mark.parametrize(("vest", "look"), VESTS[:2])
def test_an_open_vest_is_told_by_its_sides(vest: Rgb, look: Appearance) -> None:
    assert read(person(WHITE, vest=vest, open_front=True)) == [look]


@pytest.mark.parametrize("behind", [CHAIR_RED, SCREEN_BLUE])
@pytest.mark.parametrize("shirt", [GREY, WHITE])
def test_what_is_behind_somebody_is_not_worn(behind: Rgb, shirt: Rgb) -> None:
    assert read(person(shirt, behind=behind))[0] in (NONE, UNKNOWN)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("skin", [SKIN, FLUSHED, (120, 75, 55)])
def test_skin_is_not_red(skin: Rgb, light: str) -> None:
    assert read(lit(person(skin, face=skin), LIGHTS[light]))[0] in (NONE, UNKNOWN)


@pytest.mark.parametrize(
    ("shirt", "tie"), [(WHITE, TIE), (GREY, TIE), (DENIM, None), (NAVY, TIE), (NAVY, None)]
)
def test_ties_denim_and_navy_suits_are_no_vests(shirt: Rgb, tie: Rgb | None) -> None:
    assert read(person(shirt, tie=tie))[0] in (NONE, UNKNOWN)


def test_a_screen_before_the_chest_hides_no_shoulders() -> None:
    assert read(person(GREY, vest=VEST_RED, low=(20, 20, 22))) == [RED]


def test_a_head_above_a_screen_says_nothing_of_a_vest() -> None:
    image = person(GREY, vest=VEST_RED, low=(20, 20, 22))
    head = Rect(0.40, 0.30, 0.58, 0.52)
    assert read(image, track(head)) == [UNKNOWN]


def test_nothing_is_said_in_night_mode_in_the_dark_or_of_a_speck() -> None:
    grey = cv2.cvtColor(person(GREY, vest=VEST_RED), cv2.COLOR_RGB2GRAY)
    night = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    assert read(night) == [UNKNOWN]
    assert read(lit(person(GREY), (0.0006,) * 3)) == [UNKNOWN]
    assert read(person(GREY, vest=VEST_RED), track(Rect(0.4, 0.3, 0.415, 0.34))) == [UNKNOWN]


def test_who_is_behind_somebody_nearer_is_not_read() -> None:
    image = person(GREY, vest=VEST_RED)
    nearer = track(Rect(0.38, 0.42, 0.60, 0.95), number=2)
    assert read(image, track(), nearer)[0] is UNKNOWN


def test_one_picture_decides_nothing() -> None:
    assert read(person(GREY, vest=VEST_RED), pictures=1) == [UNKNOWN]


def test_colour_is_asked_for_only_when_somebody_is_due() -> None:
    reader = VestReader(VestColours())
    people: tuple[Track, ...] = (track(),)
    shots = [Shot(person(GREY, vest=VEST_RED), at(200 * number)) for number in range(30)]
    for shot in shots:
        people = reader.read(shot, people)
    asked = [number for number, shot in enumerate(shots) if shot.asked]
    assert people[0].appearance is RED
    assert len(asked) <= 4 + 200 * 30 // LOOK_AGAIN_MS
    unseen = Shot(person(GREY), at(60_000))
    reader.read(unseen, (track(looked=False), track(number=2, detected=False)))
    assert unseen.asked == 0


def test_a_vest_taken_off_is_believed_and_a_moment_is_not() -> None:
    reader = VestReader(VestColours())
    people: tuple[Track, ...] = (track(),)
    for number in range(40):
        people = reader.read(Shot(person(GREY, vest=VEST_RED), at(1_000 * number)), people)
    people = reader.read(Shot(person(GREY), at(43_200)), people)
    assert people[0].appearance is RED
    for number in range(44, 100):
        people = reader.read(Shot(person(GREY), at(1_000 * number)), people)
    assert people[0].appearance is NONE


def worn_after(last_ms: int, *, settled: bool) -> Appearance:
    """The answer so long after a track of somebody in red has gone over to somebody without."""
    reader = VestReader(VestColours())
    people: tuple[Track, ...] = (track(settled=settled),)
    for ms in range(0, 20_000, 200):
        people = reader.read(Shot(person(GREY, vest=VEST_RED), at(ms)), people)
    for ms in range(20_000, 20_000 + last_ms, 200):
        people = reader.read(Shot(person(GREY), at(ms)), people)
    return people[0].appearance


def test_an_answer_that_all_readings_contradict_for_seconds_is_forgotten() -> None:
    assert worn_after(1_600, settled=False) is RED
    assert worn_after(3_600, settled=False) is NONE
    assert worn_after(3_600, settled=True) is RED


def test_a_site_chooses_its_colours() -> None:
    green = VestColours.model_validate({"blue": {"sample": "#1e8c3c"}})
    reader = VestReader(green)
    people: tuple[Track, ...] = (track(),)
    for number in range(8):
        shot = Shot(person(GREY, vest=(30, 140, 60)), at(200 * number))
        people = reader.read(shot, people)
    assert people[0].appearance is BLUE


def test_a_picture_of_any_size_does_no_harm() -> None:
    one = VestReader(VestColours())
    for size in ((1, 1), (2, 3), (4320, 7680)):
        image = np.full((*size, 3), 120, np.uint8)
        assert len(one.read(Shot(image, at(0)), (track(number=size[0]),))) == 1
    grey = np.full((180, 320), 120, np.uint8)
    assert one.read(Shot(grey, at(0)), (track(),))[0].appearance is UNKNOWN


def test_a_torso_lies_below_the_chin_of_who_sits_and_who_stands() -> None:
    sits = torso_of(Rect(0.4, 0.4, 0.5, 0.65), 16 / 9)
    stands = torso_of(Rect(0.4, 0.2, 0.47, 0.62), 16 / 9)
    assert 0.45 < sits.y1 < 0.53
    assert sits.y2 <= 0.65
    assert 0.24 < stands.y1 < 0.32
    assert stands.y2 < 0.45
