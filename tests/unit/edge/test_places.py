"""Who is in which zone since when, and who crossed which line: jitter, dithering, lost tracks."""

from contracts.units import MonoMs, UtcMs
from contracts.zones import PictureZone, Point, ZoneKind, ZoneName
from edge.core import places
from edge.core.geometry import RAISED_SHARE
from edge.core.people import Instant, Rect, Track
from edge.core.places import CROSSINGS_MAX, Places

CAMERA = "cam-1"
PERIOD_MS = 200
BOX = (0.06, 0.3)  # a standing person in the middle of a picture
BODY = 0.06


def zone(kind: ZoneKind, *points: Point, name: str = "z-1", **more: object) -> PictureZone:
    fields = {"id": name, "name": ZoneName(zh=name, en=name), "kind": kind, "points": points}
    return PictureZone.model_validate({**fields, **more})


FLOOR = zone(ZoneKind.FORBIDDEN, (0.4, 0.4), (0.6, 0.4), (0.6, 0.95), (0.4, 0.95))
LINE = zone(ZoneKind.GATE, (0.5, 0.95), (0.5, 0.4))  # inside is to the right
SHORT = zone(ZoneKind.GATE, (0.5, 0.95), (0.5, 0.7))


class Watch:
    """Drives ``places`` picture by picture."""

    def __init__(self, *zones: PictureZone) -> None:
        self.zones = zones
        self.places = Places()
        self.ms = 10_000

    @property
    def now(self) -> Instant:
        return Instant(MonoMs(self.ms), UtcMs(1_000_000 + self.ms))

    def look(self, *who: Track, counts: bool = True) -> None:
        self.ms += PERIOD_MS
        numbers = frozenset(track.number for track in who) if counts else frozenset[int]()
        self.places = places.step(self.places, CAMERA, who, numbers, self.zones, self.now)

    def person(self, x: float, y: float = 0.8, *, number: int = 1, looked: bool = True) -> Track:
        """Somebody whose feet stand at a point."""
        width, height = BOX
        foot = y + RAISED_SHARE * height
        rect = Rect(x - width / 2, foot - height, x + width / 2, foot)
        return Track(number, rect, 0.8, detected=True, first_seen=self.now,
                     last_seen_mono_ms=MonoMs(self.ms), looked=looked)  # fmt: skip

    def walk(self, *xs: float, y: float = 0.8, number: int = 1) -> None:
        for x in xs:
            self.look(self.person(x, y, number=number))

    @property
    def inside(self) -> tuple[int, ...]:
        return tuple(stay.track.number for stay in self.places.stays(CAMERA, "z-1"))

    @property
    def crossed(self) -> list[bool]:
        return [one.inward for one in self.places.crossings]


def test_somebody_is_in_a_zone_since_the_picture_that_first_showed_it() -> None:
    watch = Watch(FLOOR)
    watch.walk(0.3, 0.35, 0.45)
    entered = watch.ms
    watch.walk(0.5, 0.5)
    (stay,) = watch.places.stays(CAMERA, "z-1")
    assert (stay.track.number, stay.since.mono_ms) == (1, entered)
    watch.walk(0.6, 0.7)
    assert watch.inside == ()


def test_the_first_step_over_the_border_is_the_beginning() -> None:
    watch = Watch(FLOOR)
    watch.walk(0.38, 0.4 + 0.05 * BODY)
    over = watch.ms
    assert watch.inside == ()
    watch.walk(0.43)
    assert watch.places.stays(CAMERA, "z-1")[0].since.mono_ms == over


def test_jitter_at_the_border_neither_enters_nor_leaves() -> None:
    watch = Watch(FLOOR)
    jitter = [0.4 + 0.1 * BODY * sign for sign in (-1, 1, -1, 0.9, -0.5, 1) * 5]
    for x in jitter:
        watch.walk(x)
        assert watch.inside == ()
    watch.walk(0.45)
    for x in jitter:
        watch.walk(x)
        assert watch.inside == (1,)


def test_a_narrow_zone_can_still_be_entered() -> None:
    strip = zone(ZoneKind.FORBIDDEN, (0.49, 0.4), (0.5, 0.4), (0.5, 0.95), (0.49, 0.95))
    watch = Watch(strip)
    watch.walk(0.3, 0.495)
    assert watch.inside == (1,)


def test_who_was_not_looked_at_stays_where_he_was() -> None:
    watch = Watch(FLOOR)
    watch.walk(0.5)
    watch.look(watch.person(0.9, looked=False))
    assert watch.inside == (1,)


def test_who_does_not_count_is_in_no_zone_but_his_first_picture_is_kept() -> None:
    watch = Watch(FLOOR)
    watch.look(watch.person(0.5), counts=False)
    first = watch.ms
    assert watch.inside == ()
    watch.walk(0.5)
    assert watch.places.stays(CAMERA, "z-1")[0].since.mono_ms == first


def test_a_line_is_crossed_once_each_way() -> None:
    watch = Watch(LINE)
    watch.walk(0.40, 0.44, 0.48)
    assert watch.crossed == []
    watch.walk(0.505)
    beyond = watch.ms
    watch.walk(0.53, 0.6)
    assert watch.crossed == [True]
    crossing = watch.places.crossings[0]
    assert (crossing.track, crossing.number, crossing.at.mono_ms) == (1, 1, beyond)
    watch.walk(0.56, 0.52, 0.47, 0.4)
    assert watch.crossed == [True, False]
    assert watch.places.crossed == 2


def test_dithering_on_a_line_is_no_crossing() -> None:
    watch = Watch(LINE)
    watch.walk(0.45)
    watch.walk(*[0.5 + 0.25 * BODY * sign for sign in (-1, 1) * 20])
    watch.walk(0.45)
    assert watch.crossed == []


def test_the_way_around_the_end_of_a_line_is_no_crossing() -> None:
    watch = Watch(SHORT)
    watch.walk(0.40, 0.47, 0.53, 0.6, y=0.5)
    assert watch.crossed == []
    watch.walk(0.53, 0.47, 0.4, y=0.8)
    assert watch.crossed == [False]


def test_who_first_shows_on_the_line_before_he_counts_has_crossed_it() -> None:
    watch = Watch(LINE)
    watch.look(watch.person(0.49), counts=False)
    watch.walk(0.53, 0.57)
    assert watch.crossed == [True]


def test_who_is_lost_and_found_again_stays_since_when_and_crosses_once() -> None:
    watch = Watch(FLOOR, zone(ZoneKind.GATE, (0.5, 0.95), (0.5, 0.4), name="g-1"))
    watch.walk(0.3, 0.45)
    entered = watch.ms
    watch.walk(0.47)
    watch.look()
    watch.walk(0.51, 0.55, number=2)
    (stay,) = watch.places.stays(CAMERA, "z-1")
    assert (stay.track.number, stay.since.mono_ms) == (2, entered)
    assert [(one.track, one.inward) for one in watch.places.crossings] == [(2, True)]


def test_who_comes_long_after_somebody_left_is_somebody_else() -> None:
    watch = Watch(FLOOR)
    watch.walk(0.5)
    watch.look()
    watch.ms += places.FOUND_AGAIN_MS
    watch.walk(0.5, number=2)
    assert watch.places.stays(CAMERA, "z-1")[0].since.mono_ms == watch.ms
    assert watch.places.lost[CAMERA] == ()


def test_two_people_lost_at_one_place_are_found_one_each() -> None:
    watch = Watch(FLOOR)
    watch.look(watch.person(0.5), watch.person(0.51, number=2))
    entered = watch.ms
    watch.look()
    watch.look(watch.person(0.5, number=3), watch.person(0.51, number=4),
               watch.person(0.52, number=5))  # fmt: skip
    since = [stay.since.mono_ms for stay in watch.places.stays(CAMERA, "z-1")]
    assert since == [entered, entered, watch.ms]


def test_the_room_that_somebody_came_out_of() -> None:
    door = zone(ZoneKind.DOOR, (0.0, 0.4), (0.2, 0.4), (0.2, 1.0), (0.0, 1.0), leads_to="room-2")
    watch = Watch(door)
    watch.walk(0.1, 0.2, 0.3, 0.5)
    watch.look(watch.person(0.5), watch.person(0.8, number=2))
    assert watch.places.origins == {(CAMERA, 1): "room-2"}


def test_a_seat_goes_by_the_trunk() -> None:
    seat = zone(ZoneKind.SEAT, (0.45, 0.55), (0.55, 0.55), (0.55, 0.72), (0.45, 0.72), seat="1")
    watch = Watch(seat)
    watch.walk(0.5)
    assert watch.inside == (1,)


def test_memory_is_bounded_and_forgotten_with_the_camera() -> None:
    watch = Watch(LINE, FLOOR)
    for _ in range(CROSSINGS_MAX):
        watch.walk(0.42, 0.58)
    assert len(watch.places.crossings) == CROSSINGS_MAX
    assert watch.places.crossed == 2 * CROSSINGS_MAX - 1
    assert [one.number for one in watch.places.crossings][-1] == watch.places.crossed
    for number in range(2, 60):
        watch.look(watch.person(number / 60, number=number))
    assert len(watch.places.lost[CAMERA]) <= places.LOST_MAX
    after = places.forgotten(watch.places, CAMERA)
    assert (after.spots, after.lost, after.crossings) == ({}, {}, ())
    assert after.crossed == watch.places.crossed


def test_a_mask_hides_a_picture_of_somebody_and_not_who_stands_before_it() -> None:
    mask = zone(ZoneKind.MASK, (0.4, 0.1), (0.6, 0.1), (0.6, 0.6), (0.4, 0.6))
    watch = Watch(mask)
    portrait, before = watch.person(0.5, 0.55), watch.person(0.5, 0.8)
    assert places.unmasked((portrait, before), watch.zones) == (before,)
    assert places.unmasked((portrait,), ()) == (portrait,)
