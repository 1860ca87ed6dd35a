"""The rules on zones, through the room's step: when they begin, what they say, when they end."""

from collections.abc import Mapping
from itertools import count

import pytest

from contracts.commands import Seal
from contracts.observations import Alert, Appearance, CameraState, Mode
from contracts.units import MonoMs, UtcMs
from contracts.zones import PictureZone, Point, ZoneKind, ZoneName
from edge.core import room
from edge.core.people import Instant, Rect, Track
from edge.core.room import CameraChanged, PeopleSeen, RoomInput, Tick, ZonesDrawn
from edge.core.rule_settings import RuleChange, rule_settings
from edge.core.rules.zone import in_hours
from edge.core.state import CameraSetup, RoomSetup, restore

CAMERA = "cam-1"
PERIOD_MS = 200
START_UTC_MS = 1_800_000_000_000
FLOOR = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.95), (0.4, 0.95))
LINE = ((0.5, 0.95), (0.5, 0.4))
NEVER = RuleChange(mode=Mode.OFF)


def zone(kind: ZoneKind, points: tuple[Point, ...], **more: object) -> PictureZone:
    name = ZoneName(zh="库房门口", en="Store door")
    return PictureZone.model_validate(
        {"id": "z-1", "name": name, "kind": kind, "points": points, **more}
    )


class Room:
    """Drives one room whose camera has zones; time moves only by ``look`` and ``wait``."""

    def __init__(self, *zones: PictureZone, **rules: Mapping[str, float]) -> None:
        changes = {
            f"zone.{name}": RuleChange(mode=Mode.ON, parameters=dict(numbers))
            for name, numbers in rules.items()
        }
        setup = RoomSetup(
            "room-1",
            "edge-1",
            (CameraSetup(CAMERA, has_sound=False, zones=zones),),
            rule_settings({"area.over_admitted": NEVER, **changes}),
        )
        self.ms = 10_000
        self.ids = count(1)
        self.state = restore(setup, None, self.now)
        self.give(CameraChanged(CAMERA, CameraState.LIVE, self.now))

    @property
    def now(self) -> Instant:
        return Instant(MonoMs(self.ms), UtcMs(START_UTC_MS + self.ms))

    def give(self, given: RoomInput) -> None:
        self.state, _ = room.step(
            self.state, given, self.now.mono_ms, self.now.utc_ms, lambda: f"id-{next(self.ids)}"
        )

    def look(self, *who: Track, pictures: int = 1) -> None:
        for _ in range(pictures):
            self.ms += PERIOD_MS
            self.give(PeopleSeen(CAMERA, self.now, who))

    def person(
        self,
        x: float,
        *,
        number: int = 1,
        worn: Appearance = Appearance.UNKNOWN,
        looked: bool = True,
    ) -> Track:
        rect = Rect(x - 0.03, 0.51, x + 0.03, 0.812)
        return Track(number, rect, 0.7, detected=True, first_seen=self.now,
                     last_seen_mono_ms=MonoMs(self.ms), appearance=worn, looked=looked)  # fmt: skip

    def walk(self, *xs: float, number: int = 1) -> None:
        for x in xs:
            self.look(self.person(x, number=number))

    def seal(self) -> None:
        self.give(Seal(command_id="c-1", room_id="room-1", session_id="s-1", admitted=9,
                       at_utc_ms=self.now.utc_ms))  # fmt: skip

    @property
    def alerts(self) -> list[str]:
        return [alert.rule for alert in self.state.alerts]

    @property
    def alert(self) -> Alert:
        (alert,) = self.state.alerts
        return alert


def test_entry_is_told_after_its_dwell_with_when_who_and_where() -> None:
    room = Room(zone(ZoneKind.FORBIDDEN, FLOOR))
    room.walk(0.2, 0.3, 0.35)
    room.look(room.person(0.5))
    entered = room.now.utc_ms
    room.look(room.person(0.5), pictures=2)
    assert room.alerts == []
    room.look(room.person(0.5))
    alert = room.alert
    assert (alert.rule, alert.camera_id, alert.zone_id) == ("zone.entry", CAMERA, "z-1")
    assert alert.since_utc_ms == entered
    assert alert.confidence == 0.7
    assert [box.track for box in alert.boxes] == [1]
    assert alert.saw is not None
    assert "库房门口" in alert.saw.zh
    assert "Store door" in alert.saw.en
    assert "0.6 s" in alert.saw.en
    room.walk(0.7, 0.7)
    assert room.alerts == ["zone.entry"]
    room.look(room.person(0.7), pictures=10)
    assert room.alerts == []


def test_passing_quickly_is_no_entry_and_one_alert_lasts_over_two_people() -> None:
    room = Room(zone(ZoneKind.FORBIDDEN, FLOOR))
    room.walk(0.2, 0.3, 0.42, 0.5, 0.62, 0.7)
    room.look(room.person(0.7), pictures=10)
    assert room.alerts == []
    room.look(room.person(0.5), pictures=6)
    first = room.alert.alert_id
    room.look(room.person(0.7), room.person(0.45, number=2), pictures=10)
    assert room.alert.alert_id == first


def test_a_camera_that_shows_nothing_neither_begins_nor_clears() -> None:
    room = Room(zone(ZoneKind.FORBIDDEN, FLOOR))
    room.look(room.person(0.5), pictures=6)
    room.ms += 5_000
    room.give(CameraChanged(CAMERA, CameraState.FROZEN, room.now))
    assert "zone.entry" in room.alerts


def test_a_zone_of_sealed_times_alone_is_silent_outside_and_clears_at_the_release() -> None:
    room = Room(zone(ZoneKind.FORBIDDEN, FLOOR, sealed_only=True))
    room.look(room.person(0.5), pictures=8)
    assert room.alerts == []
    room.seal()
    room.look(room.person(0.5), pictures=5)
    assert room.alerts == ["zone.entry"]


def test_drawing_other_zones_forgets_who_was_in_the_old_ones() -> None:
    room = Room(zone(ZoneKind.FORBIDDEN, FLOOR))
    room.look(room.person(0.5), pictures=6)
    assert room.alerts == ["zone.entry"]
    room.give(ZonesDrawn(CAMERA, ()))
    assert room.alerts == []
    room.give(ZonesDrawn(CAMERA, (zone(ZoneKind.FORBIDDEN, FLOOR),)))
    room.look(room.person(0.5), pictures=5)
    assert room.alerts == ["zone.entry"]


def test_loitering_counts_for_each_person_by_the_clock() -> None:
    room = Room(zone(ZoneKind.WATCHED, FLOOR), loitering={"stay_max_s": 5})
    room.walk(0.3, 0.35)
    room.look(room.person(0.5))
    entered = room.now
    for number in range(2, 6):  # others come and go
        room.look(room.person(0.5), room.person(0.45, number=number), pictures=4)
    while room.ms < entered.mono_ms + 4_800:
        room.look(room.person(0.5, looked=False))
    assert room.alerts == []
    room.ms += 200
    room.give(Tick())
    alert = room.alert
    assert alert.rule == "zone.loitering"
    assert alert.since_utc_ms == entered.utc_ms + 5_000
    assert [box.track for box in alert.boxes] == [1]
    assert {one.name: one.value for one in alert.measured} == {"stay_s": 5.0, "people": 1}
    room.look(room.person(0.7), pictures=20)
    assert room.alerts == []


def test_the_wrong_way_over_a_line_is_told_at_once_and_the_right_way_never() -> None:
    room = Room(zone(ZoneKind.LINE, LINE))
    room.walk(0.42, 0.46, 0.5, 0.54, 0.6)
    assert room.alerts == []
    room.walk(0.56, 0.52, 0.49, 0.45)
    alert = room.alert
    assert (alert.rule, alert.zone_id) == ("zone.wrong_direction", "z-1")
    assert [box.track for box in alert.boxes] == [1]
    room.look(room.person(0.4), pictures=70)
    assert room.alerts == []


def test_a_crossing_that_was_settled_late_is_told_since_when_it_was() -> None:
    room = Room(zone(ZoneKind.LINE, LINE))
    room.walk(0.58, 0.54, 0.498)
    upon = room.now.utc_ms
    room.look(room.person(0.498, looked=False), pictures=9)
    assert room.alerts == []
    room.walk(0.4)
    assert room.alert.since_utc_ms == upon


def test_who_turns_back_within_the_dwell_has_not_gone_the_wrong_way() -> None:
    dwell = {"dwell_ms": 2_000}
    room = Room(zone(ZoneKind.LINE, LINE), wrong_direction=dwell)
    room.walk(0.58, 0.54, 0.49, 0.46, 0.46, 0.51, 0.55, 0.6)
    room.look(room.person(0.6), pictures=15)
    assert room.alerts == []
    room.walk(0.54, 0.49, 0.45)
    room.look(room.person(0.4), pictures=11)
    assert room.alerts == ["zone.wrong_direction"]


@pytest.mark.parametrize("worn", [Appearance.BLUE, Appearance.NONE])
def test_a_red_vest_and_one_that_is_surely_none_in_contact(worn: Appearance) -> None:
    room = Room(zone(ZoneKind.WATCHED, FLOOR))
    expert = room.person(0.45, worn=Appearance.RED)
    far, near = room.person(0.58, number=2, worn=worn), room.person(0.53, number=2, worn=worn)
    room.look(expert, far, pictures=25)
    assert room.alerts == []
    room.look(expert, near, pictures=14)
    assert room.alerts == []
    room.look(expert, near, pictures=2)
    alert = room.alert
    assert alert.rule == "zone.roles_contact"
    assert {box.track for box in alert.boxes} == {1, 2}
    sway = room.person(0.58 - 0.004, number=2, worn=worn)
    room.look(expert, sway, pictures=25)
    assert room.alerts == ["zone.roles_contact"]
    room.look(expert, room.person(0.7, number=2, worn=worn), pictures=20)
    assert room.alerts == []


def test_unknown_vests_and_people_outside_the_zone_are_in_no_contact() -> None:
    room = Room(zone(ZoneKind.WATCHED, FLOOR))
    expert = room.person(0.45, worn=Appearance.RED)
    room.look(expert, room.person(0.5, number=2), pictures=30)
    room.look(expert, room.person(0.5, number=2, worn=Appearance.RED), pictures=30)
    outside = (0.3, 0.33)
    room.look(
        room.person(outside[0], worn=Appearance.RED),
        room.person(outside[1], number=2, worn=Appearance.BLUE),
        pictures=30,
    )
    assert room.alerts == []


@pytest.mark.parametrize(
    ("minute", "from_h", "to_h", "within"),
    [
        (23 * 60, 22, 6, True), (5 * 60 + 59, 22, 6, True), (6 * 60, 22, 6, False),
        (12 * 60, 22, 6, False), (22 * 60, 22, 6, True), (9 * 60, 8, 10, True),
        (10 * 60, 8, 10, False), (0, 0, 24, True), (1439, 0, 24, True), (600, 8, 8, False),
        (22 * 60 + 20, 22.5, 6, False),
    ],
)  # fmt: skip
def test_hours_may_go_over_midnight(minute: int, from_h: float, to_h: float, within: bool) -> None:
    assert in_hours(minute, from_h, to_h) is within


def test_somebody_after_hours_until_the_session_or_the_morning() -> None:
    room = Room(after_hours={})
    room.look(room.person(0.5), pictures=30)
    assert room.alerts == []  # the time of day is not known
    room.give(Tick(minute_of_day=23 * 60))
    room.look(room.person(0.5), pictures=17)
    alert = room.alert
    assert (alert.rule, alert.camera_id, alert.zone_id) == ("zone.after_hours", CAMERA, None)
    assert alert.saw is not None
    assert "23:00" in alert.saw.en
    room.give(Tick(minute_of_day=6 * 60))
    room.look(room.person(0.5))
    assert room.alerts == []
    room.give(Tick(minute_of_day=60))
    room.look(room.person(0.5), pictures=17)
    assert room.alerts == ["zone.after_hours"]
    room.seal()
    assert room.alerts == []


def test_who_may_be_there_after_hours_is_the_site_s_affair() -> None:
    room = Room()
    room.give(Tick(minute_of_day=60))
    room.look(room.person(0.5), pictures=30)
    assert room.alerts == []
