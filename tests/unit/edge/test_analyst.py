"""One camera's analyst: who is asked what of a picture, and what comes of a failure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from contracts.observations import Appearance
from contracts.units import MonoMs, UtcMs, ZoneId
from contracts.zones import PictureZone, ZoneKind, ZoneName
from edge.core.attention import LookKind, LookTimes, Why
from edge.core.people import Detection, Instant, Rect, Thing, Track
from edge.core.pictures import PictureSigns
from edge.core.things import ThingsSeen
from edge.perception.analyst import Analyst, Parts
from edge.perception.tracker import IouTracker
from edge.ports import Analysed, DetectionLost, Frame, Rgb
from runtime.clock import SimulatedClock

PERSON = Rect(0.4, 0.3, 0.5, 0.8)
PERIOD_MS = 200


@dataclass
class FakeDetector:
    """Finds what the test says; remembers what it was shown."""

    found: list[Detection] = field(default_factory=list)
    shown: list[tuple[Rect, ...] | None] = field(default_factory=list)
    broken: bool = False

    def find(self, rgb: Rgb, regions: tuple[Rect, ...] | None) -> tuple[Detection, ...]:
        self.shown.append(regions)
        if self.broken:
            raise DetectionLost("out of memory")
        return tuple(self.found)


@dataclass
class FakePart:
    """All parts in one; counts what it was asked."""

    asked: int = 0
    resets: int = 0

    def read(self, frame: Frame, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        return tuple(replace(track, appearance=Appearance.BLUE) for track in tracks)

    def accept_view(self) -> None:
        self.asked += 1

    def reset(self) -> None:
        self.resets += 1


class FakeHealth(FakePart):
    """Measures nothing, each time."""

    def take(
        self, frame: Frame, tracks: tuple[Track, ...], zones: Sequence[PictureZone]
    ) -> PictureSigns | None:
        self.asked += 1
        return None


class FakeThings(FakePart):
    """Sees nothing, each time."""

    def take(
        self, frame: Frame, tracks: tuple[Track, ...], zones: Sequence[PictureZone]
    ) -> ThingsSeen | None:
        self.asked += 1
        return None


@dataclass
class Desk:
    """An analyst and its pictures."""

    detector: FakeDetector = field(default_factory=FakeDetector)
    parts: Parts = field(default_factory=Parts)
    times: LookTimes = field(default_factory=LookTimes)
    zones: tuple[PictureZone, ...] = ()
    ms: int = 10_000
    converted: int = 0
    analyst: Analyst = field(init=False)

    def __post_init__(self) -> None:
        self.analyst = Analyst(
            "cam-1",
            self.detector,
            IouTracker(),
            SimulatedClock(),
            times=self.times,
            parts=self.parts,
        )

    def take(self, *, at_px: int | None = None) -> Analysed:
        self.ms += PERIOD_MS
        grey = np.full((360, 640), 120, np.uint8)
        if at_px is not None:
            grey[100:280, at_px : at_px + 60] = 20
        frame = Frame(
            "cam-1", grey, Instant(MonoMs(self.ms), UtcMs(self.ms)), 0, lambda: self._colour(grey)
        )
        return self.analyst.take(frame, self.zones)

    def _colour(self, grey: np.ndarray) -> Rgb:
        self.converted += 1
        return np.repeat(grey[:, :, None], 3, axis=2)

    def settle(self, seconds: int = 8) -> None:
        for _ in range(seconds * 5):
            self.take()


def test_a_picture_that_nobody_looks_at_is_not_converted_and_says_so() -> None:
    desk = Desk()
    desk.settle()
    converted, shown = desk.converted, len(desk.detector.shown)
    seen = desk.take()
    assert (desk.converted, len(desk.detector.shown)) == (converted, shown)
    assert seen.look.kind is LookKind.NONE
    assert seen.people is not None
    assert not seen.people.full
    assert seen.people.tracks == ()
    assert seen.detect_ms == 0


def test_movement_is_looked_at_as_a_whole_then_closer_and_told_so() -> None:
    desk = Desk()
    desk.settle()
    first, second = desk.take(at_px=100), desk.take(at_px=140)
    assert (first.look.why, second.look.why) == (Why.MOVEMENT, Why.CLOSER)
    assert first.people is not None
    assert second.people is not None
    assert first.people.full
    assert not second.people.full
    assert second.people.regions == second.look.regions == desk.detector.shown[-1]
    assert first.attended.moving is not None
    assert first.attended.moving.any()


def test_people_are_followed_phones_are_handed_on() -> None:
    desk = Desk()
    phone = Detection(Rect(0.42, 0.5, 0.44, 0.53), 0.2, Thing.PHONE)
    desk.detector.found = [Detection(PERSON, 0.8), phone]
    seen = desk.take()
    assert seen.people is not None
    assert [track.rect for track in seen.people.tracks] == [PERSON]
    assert seen.people.phones == (phone,)


def test_a_detector_that_fails_costs_one_picture_and_is_asked_again_in_the_next() -> None:
    desk = Desk()
    desk.settle()
    desk.detector.broken = True
    lost = desk.take(at_px=100)
    assert lost.people is None
    assert lost.lost == "out of memory"
    desk.detector.broken = False
    assert desk.take(at_px=100).look.why is Why.OWED


def test_every_part_is_asked_and_told_that_the_camera_was_away() -> None:
    vests, health, things = FakePart(), FakeHealth(), FakeThings()
    desk = Desk(parts=Parts(vests, health, things))
    desk.detector.found = [Detection(PERSON, 0.8)]
    seen = desk.take()
    assert seen.people is not None
    assert [track.appearance for track in seen.people.tracks] == [Appearance.BLUE]
    assert (health.asked, things.asked) == (1, 1)
    desk.analyst.reset()
    desk.detector.found = []
    again = desk.take()
    assert [part.resets for part in (vests, health, things)] == [1, 1, 1]
    assert again.people is not None
    assert again.people.tracks == ()
    assert again.look.why is Why.LIVE


def test_nobody_is_found_in_a_masked_mirror() -> None:
    mirror = PictureZone(
        id=ZoneId("mirror"),
        name=ZoneName(zh="镜子", en="Mirror"),
        kind=ZoneKind.MASK,
        points=((0.35, 0.2), (0.6, 0.2), (0.6, 0.9), (0.35, 0.9)),
    )
    desk = Desk(zones=(mirror,))
    desk.detector.found = [Detection(PERSON, 0.8), Detection(Rect(0.7, 0.3, 0.8, 0.8), 0.8)]
    seen = desk.take()
    assert seen.people is not None
    assert len(seen.people.tracks) == 1


def test_without_saving_every_picture_is_looked_at() -> None:
    desk = Desk(times=LookTimes(enabled=False))
    desk.settle()
    assert desk.detector.shown == [None] * 40
