"""Signs measured on pictures: of any size, altered by known faults, with people in them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.units import CameraId, MonoMs, UtcMs
from contracts.zones import PictureZone, ZoneKind, ZoneName
from edge.core.people import Instant, Rect, Track
from edge.core.pictures import PictureSigns
from edge.perception.health import PictureHealth
from edge.perception.view_file import ViewFile

CAMERA = CameraId("cam-1")
Grey = NDArray[np.uint8]


def at(ms: int) -> Instant:
    return Instant(MonoMs(1_000_000 + ms), UtcMs(1_767_232_800_000 + ms))


def room_picture(width: int = 640, height: int = 360, seed: int = 1) -> Grey:
    """A picture with outlines and fine detail: rectangles, lines, a grain that belongs to it."""
    rng = np.random.default_rng(seed)
    picture = np.full((360, 640), 120, np.uint8)
    for _ in range(60):
        x, y = int(rng.integers(0, 600)), int(rng.integers(0, 330))
        w, h = int(rng.integers(10, 120)), int(rng.integers(8, 90))
        cv2.rectangle(picture, (x, y), (x + w, y + h), int(rng.integers(30, 220)), -1)
    for _ in range(80):
        start = (int(rng.integers(0, 640)), int(rng.integers(0, 360)))
        end = (start[0] + int(rng.integers(-60, 60)), start[1] + int(rng.integers(-60, 60)))
        cv2.line(picture, start, end, int(rng.integers(30, 220)), 1)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


class Watched:
    """A health watch shown pictures with noise, five a second."""

    def __init__(self, health: PictureHealth | None = None) -> None:
        self.health = health or PictureHealth(CAMERA)
        self.ms = 0
        self._rng = np.random.default_rng(3)
        self._tiles: list[NDArray[np.int16]] = []

    def show(
        self,
        picture: Grey,
        looks: int = 3,
        *,
        tracks: tuple[Track, ...] = (),
        zones: tuple[PictureZone, ...] = (),
        noise: float = 2.0,
    ) -> PictureSigns:
        signs = None
        for _ in range(looks):
            self.ms += 400
            grey = self._noisy(picture, noise) if noise else picture
            signs = self.health.measure(grey, at(self.ms), tracks, zones) or signs
        assert signs is not None
        return signs

    def _noisy(self, picture: Grey, sigma: float) -> Grey:
        if not self._tiles or self._tiles[0].shape != picture.shape:
            tiles = self._rng.normal(0, sigma, (5, *picture.shape)).round()
            self._tiles = [tile.astype(np.int16) for tile in tiles]
        tile = self._tiles[int(self._rng.integers(5))]
        shown = np.roll(tile, self.ms // 400, axis=1) + picture
        return np.asarray(np.clip(shown, 0, 255), np.uint8)


@pytest.fixture
def learned() -> Watched:
    watched = Watched()
    watched.show(room_picture(), 20)
    return watched


def track(rect: Rect) -> Track:
    return Track(1, rect, 0.9, detected=True, first_seen=at(0), last_seen_mono_ms=MonoMs(0))


def test_the_usual_view_has_no_fault(learned: Watched) -> None:
    signs = learned.show(room_picture())
    assert signs.known
    assert signs.compared_share > 0.5
    assert signs.lost_share < 0.05
    assert signs.sharpness is not None
    assert signs.sharpness == pytest.approx(1.0, abs=0.1)
    assert signs.shift is not None
    assert signs.shift.length == 0
    assert signs.still_since is None or at(learned.ms).mono_ms - signs.still_since.mono_ms < 1_300


def test_light_changes_brightness_not_likeness_nor_sharpness(learned: Watched) -> None:
    dimmed = (room_picture() * 0.4).astype(np.uint8)
    signs = learned.show(dimmed, 1)
    assert signs.light_ratio == pytest.approx(0.4, abs=0.05)
    assert signs.lost_share < 0.05
    assert signs.sharpness is not None
    assert signs.sharpness > 0.8
    assert learned.show(dimmed, 5).light_ratio == pytest.approx(1.0, abs=0.05)


def test_a_cloth_leaves_nothing_of_the_view(learned: Watched) -> None:
    signs = learned.show(np.full((360, 640), 40, np.uint8))
    assert signs.lost_share > 0.95
    assert signs.detail_ratio < 0.2


@pytest.mark.parametrize("sigma_px", [2.0, 4.0, 8.0])
def test_blur_takes_detail_and_leaves_outlines(learned: Watched, sigma_px: float) -> None:
    blurred = cv2.GaussianBlur(room_picture(), (0, 0), sigma_px).astype(np.uint8)
    signs = learned.show(blurred)
    assert signs.sharpness is not None
    assert signs.sharpness < 0.5
    assert signs.lost_share < 0.35


@pytest.mark.parametrize(("dx", "dy", "roll"), [(20, 6, 0), (-110, 30, 0), (60, 0, 3), (0, 0, 5)])
def test_a_turned_camera_is_measured(learned: Watched, dx: int, dy: int, roll: float) -> None:
    place = cv2.getRotationMatrix2D((320, 180), roll, 1.0)
    place[:, 2] += (dx, dy)
    turned = cv2.warpAffine(room_picture(), place, (640, 360), borderMode=cv2.BORDER_REFLECT)
    shift = learned.show(np.asarray(turned, np.uint8)).shift
    assert shift is not None
    assert shift.certainty > 0.5
    assert shift.dx == pytest.approx(dx / 640, abs=0.02)
    assert shift.dy == pytest.approx(dy / 360, abs=0.02)
    # OpenCV turns against the clock, we tell with it.
    assert shift.roll_deg == pytest.approx(-roll, abs=1.0)


def test_people_are_left_out_of_the_comparison(learned: Watched) -> None:
    crowded = room_picture()
    crowded[60:360, 0:420] = room_picture(seed=9)[60:360, 0:420]
    alone = learned.show(crowded)
    assert alone.lost_share > 0.3
    known = learned.show(crowded, tracks=(track(Rect(0, 0.16, 0.66, 1)),))
    assert known.lost_share < 0.15


def test_masks_are_left_out(learned: Watched) -> None:
    screen = room_picture()
    screen[0:180, 0:320] = room_picture(seed=5)[0:180, 0:320]
    corners = ((0.0, 0.0), (0.52, 0.0), (0.52, 0.52), (0.0, 0.52))
    mask = PictureZone(
        id="screen", name=ZoneName(zh="屏", en="screen"), kind=ZoneKind.MASK, points=corners
    )
    assert learned.show(screen).lost_share > 0.1
    assert learned.show(screen, zones=(mask,)).lost_share < 0.05


def test_a_frozen_picture_is_noticed_and_a_clock_in_a_corner_does_not_hide_it() -> None:
    watched = Watched()
    watched.show(room_picture(), 12)
    began = watched.ms
    held = room_picture()
    for second in range(20):
        held = held.copy()
        held[4:16, 500:600] = second * 10
        signs = watched.show(held, 1, noise=0)
    assert signs.still_since is not None
    assert signs.still_since.mono_ms - at(began).mono_ms <= 800
    assert not signs.refreshed


def test_key_frames_that_draw_the_same_picture_anew_are_told_apart() -> None:
    watched = Watched()
    watched.show(room_picture(), 12)
    signs = watched.show(room_picture(), 1, noise=0)
    for look in range(30):
        redrawn = np.clip(room_picture().astype(np.int16) + (look // 6) % 2, 0, 255)
        signs = watched.show(redrawn.astype(np.uint8), 1, noise=0)
    assert signs.still_since is not None
    assert signs.refreshed


def test_an_accepted_view_is_learned_anew(learned: Watched) -> None:
    other = room_picture(seed=7)
    assert learned.show(other).lost_share > 0.7
    learned.health.accept_view()
    assert not learned.show(other, 1).known
    signs = learned.show(other, 14)
    assert signs.known
    assert signs.lost_share < 0.05


def test_a_covered_view_is_not_learned_however_long(learned: Watched) -> None:
    cloth = np.full((360, 640), 90, np.uint8)
    assert learned.show(cloth, 60).lost_share > 0.95
    assert learned.show(room_picture()).lost_share < 0.05


def test_a_chair_that_was_moved_is_learned_in_minutes(learned: Watched) -> None:
    moved = room_picture()
    moved[200:330, 100:260] = room_picture(seed=4)[200:330, 100:260]
    first = learned.show(moved, 3).lost_share
    assert 0 < first < 0.4
    assert learned.show(moved, 400).lost_share < first / 2


def test_a_view_outlives_the_process(tmp_path: Path) -> None:
    file = ViewFile(tmp_path / "views" / "cam-1.png")
    Watched(PictureHealth(CAMERA, file)).show(room_picture(), 20)
    again = Watched(PictureHealth(CAMERA, file))
    signs = again.show(room_picture(), 1)
    assert signs.known
    assert signs.lost_share < 0.05
    assert Watched(PictureHealth(CAMERA, file)).show(room_picture(seed=8), 1).lost_share > 0.7
    again.health.accept_view()
    again.show(room_picture(seed=8), 1)
    assert file.load() is None


def test_a_view_file_that_cannot_be_read_costs_the_memory_alone(tmp_path: Path) -> None:
    path = tmp_path / "cam-1.png"
    path.write_bytes(b"no picture")
    assert ViewFile(path).load() is None
    small = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    path.write_bytes(small)
    assert ViewFile(path).load() is None
    Watched(PictureHealth(CAMERA, ViewFile(tmp_path / "cam-1.png" / "x.png"))).show(
        room_picture(), 20
    )


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 640), (64, 48), (704, 576), (768, 432), (1920, 1080), (7680, 4320)]
)
def test_any_size_is_measured(size: tuple[int, int]) -> None:
    picture = room_picture(*size)
    watched = Watched()
    signs = watched.show(picture, 12, noise=0)
    assert 0 <= signs.brightness <= 255
    assert 0 <= signs.black_share <= 1


def test_a_camera_that_changes_its_size_goes_on(learned: Watched) -> None:
    signs = learned.show(room_picture(704, 576))
    assert signs.lost_share < 0.1


def test_it_looks_at_every_second_picture_of_five_a_second() -> None:
    health = PictureHealth(CAMERA)
    picture = room_picture()
    taken = [health.measure(picture, at(200 * n), (), ()) is not None for n in range(10)]
    assert taken == [True, False] * 5


def test_it_begins_to_know_when_a_dark_room_gets_light() -> None:
    watched = Watched()
    assert not watched.show(np.full((360, 640), 3, np.uint8), 30).known
    signs = watched.show(room_picture(), 30)
    assert signs.known
    assert signs.lost_share < 0.05
