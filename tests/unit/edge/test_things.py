"""Object zones: what is left, what is taken, and what is neither."""

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.units import CameraId, MonoMs, UtcMs
from contracts.zones import PictureZone, ZoneKind, ZoneName
from edge.core.people import Instant, Rect, Track
from edge.core.things import ObjectZoneSeen, ThingChange
from edge.perception.things import ThingWatcher

Grey = NDArray[np.uint8]
SHELF = PictureZone(
    id="shelf",
    name=ZoneName(zh="架", en="shelf"),
    kind=ZoneKind.OBJECT,
    points=((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)),
)
BAG = (300, 150, 40, 50)


def at(ms: int) -> Instant:
    return Instant(MonoMs(1_000_000 + ms), UtcMs(1_767_232_800_000 + ms))


def bare() -> Grey:
    """A floor with soft light and a few lines."""
    columns = np.linspace(90, 150, 640, dtype=np.float32)[None, :]
    picture = np.repeat(columns, 360, axis=0)
    for x in range(0, 640, 80):
        cv2.line(picture, (x, 0), (x + 40, 360), 100.0, 1)
    return picture.astype(np.uint8)


def with_bag(picture: Grey, shade: int = 40) -> Grey:
    x, y, width, height = BAG
    shown = picture.copy()
    cv2.rectangle(shown, (x, y), (x + width, y + height), shade, -1)
    cv2.rectangle(shown, (x + 8, y + 8), (x + width - 8, y + 20), min(shade + 50, 255), 2)
    return shown


def person(rect: Rect) -> Track:
    return Track(1, rect, 0.9, detected=True, first_seen=at(0), last_seen_mono_ms=MonoMs(0))


class Watched:
    def __init__(self) -> None:
        self.watcher = ThingWatcher(CameraId("cam-1"))
        self.ms = 0
        self._rng = np.random.default_rng(5)

    def show(self, picture: Grey, looks: int = 4, tracks: tuple[Track, ...] = ()) -> ObjectZoneSeen:
        seen = None
        for _ in range(looks):
            self.ms += 400
            noise = self._rng.normal(0, 3, picture.shape)
            grey = np.clip(picture + noise, 0, 255).astype(np.uint8)
            seen = self.watcher.measure(grey, at(self.ms), tracks, (SHELF,)) or seen
        assert seen is not None
        return seen.zones[0]


def changes(zone: ObjectZoneSeen) -> list[ThingChange]:
    return [thing.change for thing in zone.things]


def test_something_left_is_found_where_it_lies() -> None:
    watched = Watched()
    assert not watched.show(bare(), 4).judged
    assert changes(watched.show(bare(), 16)) == []
    zone = watched.show(with_bag(bare()))
    assert changes(zone) == [ThingChange.LEFT]
    thing = zone.things[0]
    assert thing.rect.overlap(Rect(300 / 640, 150 / 360, 340 / 640, 200 / 360)) > 0.4
    assert at(watched.ms).mono_ms - thing.since.mono_ms <= 1_600
    assert changes(watched.show(bare(), 6)) == []


def test_something_taken_is_told_from_something_left() -> None:
    watched = Watched()
    watched.show(with_bag(bare()), 20)
    assert changes(watched.show(bare())) == [ThingChange.TAKEN]
    assert changes(watched.show(with_bag(bare()), 6)) == []


def test_light_and_soft_shadow_are_no_thing() -> None:
    watched = Watched()
    watched.show(with_bag(bare()), 20)
    dimmed = (with_bag(bare()) * 0.5).astype(np.uint8)
    assert changes(watched.show(dimmed, 6)) == []
    shade = np.ones((360, 640), np.float32)
    cv2.circle(shade, (300, 190), 70, 0.6, -1)
    soft = cv2.GaussianBlur(shade, (0, 0), 25)
    shadowed = (with_bag(bare()) * soft).astype(np.uint8)
    assert changes(watched.show(shadowed, 6)) == []


def test_a_person_before_the_zone_is_no_thing_and_hides_one_without_clearing_it() -> None:
    watched = Watched()
    watched.show(bare(), 20)
    body = bare()
    cv2.rectangle(body, (280, 60), (380, 330), 60, -1)
    before = person(Rect(275 / 640, 55 / 360, 385 / 640, 335 / 360))
    assert changes(watched.show(body, 6, (before,))) == []
    zone = watched.show(with_bag(bare()), 4)
    assert changes(zone) == [ThingChange.LEFT]
    hidden = watched.show(body, 12, (before,))
    assert [thing.attended for thing in hidden.things] == [True]
    alone = watched.show(with_bag(bare()), 4)
    assert [thing.attended for thing in alone.things] == [False]
    # Alone since he has gone, not since it was put down.
    assert at(watched.ms).mono_ms - alone.things[0].since.mono_ms <= 2_000


def test_a_zone_that_changed_as_a_whole_is_not_judged() -> None:
    watched = Watched()
    watched.show(bare(), 20)
    rng = np.random.default_rng(2)
    other = cv2.resize(rng.integers(0, 255, (45, 80), dtype=np.uint8), (640, 360))
    assert not watched.show(np.asarray(other, np.uint8), 3).judged


def test_an_accepted_view_makes_the_thing_part_of_the_zone() -> None:
    watched = Watched()
    watched.show(bare(), 20)
    assert changes(watched.show(with_bag(bare()))) == [ThingChange.LEFT]
    watched.watcher.accept_view()
    assert changes(watched.show(with_bag(bare()), 20)) == []
    assert changes(watched.show(bare())) == [ThingChange.TAKEN]


def test_without_object_zones_nothing_is_looked_at() -> None:
    watcher = ThingWatcher(CameraId("cam-1"))
    assert watcher.measure(bare(), at(0), (), ()) is None


def test_any_size_and_a_change_of_size_are_taken() -> None:
    watcher = ThingWatcher(CameraId("cam-1"))
    for index, size in enumerate([(1, 1), (64, 36), (1920, 1080), (704, 576)] * 2):
        picture = np.asarray(cv2.resize(bare(), size), np.uint8)
        seen = watcher.measure(picture, at(1_000 * index), (), (SHELF,))
        assert seen is not None
        assert not seen.zones[0].judged
