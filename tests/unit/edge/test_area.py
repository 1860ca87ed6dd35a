"""The closed area under a clock that the test moves: who is away, gates, looks, seats, sweeping."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

import pytest

from contracts.admission import AdmissionPolicy, AreaKind, ProcurementKind
from contracts.catalogue.area import RULES as SPECS
from contracts.commands import Keep, Release, Seal
from contracts.observations import Alert, Appearance, CameraState
from contracts.units import MonoMs, UtcMs
from contracts.zones import PictureZone, ZoneKind, ZoneName
from edge.core import area, room
from edge.core.people import Instant, Rect, Track
from edge.core.room import AlertBegan, AlertCleared, CameraChanged, PeopleSeen, RoomInput, Tick
from edge.core.rule_settings import RuleChange, rule_settings
from edge.core.rules.table import RULES
from edge.core.state import CameraSetup, RoomSetup, RoomState, restore

CAMERA = "cam-1"
PERIOD_MS = 200
SEATS = tuple(Rect(0.1 + 0.15 * k, 0.4, 0.2 + 0.15 * k, 0.7) for k in range(5))
RED, BLUE, NONE, UNKNOWN = Appearance.RED, Appearance.BLUE, Appearance.NONE, Appearance.UNKNOWN
CODES = {spec.code for spec in SPECS}


def zone(name: str, kind: ZoneKind, *points: tuple[float, float], **more: object) -> PictureZone:
    return PictureZone.model_validate(
        {"id": name, "name": ZoneName(zh=name, en=name), "kind": kind, "points": points, **more}
    )


GATE = zone("gate-1", ZoneKind.GATE, (0.1, 0.6), (0.9, 0.6))


class Area:
    """Drives one area; who is in the picture is told by number and box."""

    def __init__(
        self,
        *,
        zones: Mapping[str, Sequence[PictureZone]] | None = None,
        rules: Mapping[str, Mapping[str, float]] | None = None,
        kind: AreaKind = AreaKind.EVALUATION,
        checks: bool = False,
        cameras: Sequence[str] = (CAMERA,),
    ) -> None:
        policy = AdmissionPolicy()
        changes = {code: RuleChange(parameters=dict(one)) for code, one in (rules or {}).items()}
        self.setup = RoomSetup(
            "room-1",
            "edge-1",
            tuple(CameraSetup(one, False, tuple((zones or {}).get(one, ()))) for one in cameras),
            rule_settings(changes),
            kind=kind,
            admits={one: policy.admits(one, kind) for one in ProcurementKind} if checks else {},
        )
        self.ms = 10_000
        self.ids = count(1)
        self.state: RoomState = restore(self.setup, None, self.now)
        self.since: dict[tuple[str, int], Instant] = {}
        self.began: list[Alert] = []
        self.cleared: list[Alert] = []
        for one in cameras:
            self.give(CameraChanged(one, CameraState.LIVE, self.now))

    @property
    def now(self) -> Instant:
        return Instant(MonoMs(self.ms), UtcMs(1_800_000_000_000 + self.ms))

    def give(self, given: RoomInput) -> None:
        self.state, outputs = room.step(
            self.state, given, self.now.mono_ms, self.now.utc_ms, lambda: f"id-{next(self.ids)}"
        )
        for one in outputs:
            if isinstance(one, AlertBegan) and one.alert.rule in CODES:
                self.began.append(one.alert)
            elif isinstance(one, AlertCleared) and one.alert.rule in CODES:
                self.cleared.append(one.alert)

    def track(self, camera: str, number: int, rect: Rect, look: Appearance = UNKNOWN) -> Track:
        first = self.since.setdefault((camera, number), self.now)
        return Track(number, rect, 0.8, True, first, self.now.mono_ms, appearance=look)

    def show(
        self,
        people: Mapping[int, Rect],
        looks: Mapping[int, Appearance] | None = None,
        camera: str = CAMERA,
    ) -> None:
        """One picture, without time passing."""
        tracks = tuple(
            self.track(camera, number, rect, (looks or {}).get(number, UNKNOWN))
            for number, rect in people.items()
        )
        self.give(PeopleSeen(camera, self.now, tracks))

    def see(
        self, people: Mapping[int, Rect], for_ms: int, looks: Mapping[int, Appearance] | None = None
    ) -> None:
        for _ in range(for_ms // PERIOD_MS):
            self.ms += PERIOD_MS
            self.show(people, looks)
            self.give(Tick())

    def sit(self, people: int, for_ms: int) -> None:
        self.see(dict(enumerate(SEATS[:people], 1)), for_ms)

    def walk(self, number: int, start: Rect, end: Rect, for_ms: int, camera: str = CAMERA) -> None:
        steps = for_ms // PERIOD_MS
        for step in range(1, steps + 1):
            self.ms += PERIOD_MS
            self.show({number: start.towards(end, step / steps)}, camera=camera)
            self.give(Tick())

    def seal(self, admitted: int, kind: ProcurementKind = ProcurementKind.ENGINEERING) -> None:
        self.give(
            Seal(
                command_id="c-1", room_id="room-1", session_id="s-1", admitted=admitted,
                at_utc_ms=UtcMs(1), procurement=kind,
            )
        )  # fmt: skip

    def release(self) -> None:
        self.give(Release(command_id="c-2", room_id="room-1", session_id="s-1", at_utc_ms=UtcMs(1)))

    def passes(self, session: str, of_room: str) -> None:
        self.give(
            Keep(
                command_id=f"k-{session}", room_id="room-1", session_id=session,
                from_utc_ms=UtcMs(1), keep_until_utc_ms=UtcMs(10**13), of_room=of_room,
            )
        )  # fmt: skip

    def codes(self) -> list[str]:
        return [alert.rule for alert in self.began]


def speaks(alert: Alert) -> bool:
    """Whether an alert says in both languages, with numbers, what was seen."""
    return alert.saw is not None and any(one.isdigit() for one in alert.saw.zh + alert.saw.en)


AWAY = {"area.under_admitted": {"away_max_s": 30}}


def test_who_is_away_too_long_is_told_since_last_seen() -> None:
    driven = Area(rules=AWAY)
    driven.sit(5, 4_000)
    driven.seal(5)
    driven.sit(5, 4_000)
    left = driven.now
    driven.sit(4, 29_000)
    assert driven.began == []
    driven.sit(4, 3_000)
    (alert,) = driven.began
    assert alert.rule == "area.under_admitted"
    assert alert.since_utc_ms == left.utc_ms
    assert speaks(alert)
    assert alert.measured[0].limit == 5
    driven.sit(5, 12_000)
    assert [one.rule for one in driven.cleared] == ["area.under_admitted"]


def test_breaks_in_turn_are_nobody_away_for_long() -> None:
    driven = Area(rules=AWAY)
    driven.sit(5, 4_000)
    driven.seal(5)
    for _ in range(4):
        driven.sit(4, 20_000)
        driven.sit(5, 1_500)  # one is back, and the next is up at once
    assert driven.began == []


def test_who_is_hidden_for_a_moment_does_not_shorten_anothers_absence() -> None:
    driven = Area(rules=AWAY)
    driven.sit(5, 4_000)
    driven.seal(5)
    driven.sit(4, 15_000)
    driven.sit(3, 5_000)  # bent over papers
    driven.sit(4, 14_000)
    assert driven.codes() == ["area.under_admitted"]


def test_nothing_is_known_while_cameras_are_away() -> None:
    driven = Area(rules={**AWAY, "area.empty_too_long": {"empty_max_s": 10}})
    driven.sit(5, 4_000)
    driven.seal(5)
    driven.give(CameraChanged(CAMERA, CameraState.OFFLINE, driven.now))
    for _ in range(1_200):
        driven.ms += 100
        driven.give(Tick())
    assert driven.began == []
    assert area.head_count(driven.state, driven.now) is None


def test_an_empty_sealed_room_is_told_and_a_glimpse_of_one_starts_anew() -> None:
    driven = Area(rules={"area.empty_too_long": {"empty_max_s": 10}})
    driven.sit(2, 4_000)
    driven.seal(2)
    driven.see({}, 8_000)
    driven.sit(1, 5_000)
    driven.see({}, 9_000)
    assert driven.began == []
    driven.see({}, 3_000)
    assert driven.codes() == ["area.empty_too_long"]
    assert speaks(driven.began[0])


ABOVE, BELOW = Rect(0.45, 0.15, 0.55, 0.5), Rect(0.45, 0.45, 0.57, 0.95)


@pytest.mark.parametrize(("start", "end", "word"), [(ABOVE, BELOW, "进"), (BELOW, ABOVE, "出")])
def test_a_gate_is_crossed_once_in_or_out(start: Rect, end: Rect, word: str) -> None:
    driven = Area(zones={CAMERA: [GATE]})
    driven.see({1: start}, 2_000)
    driven.seal(1)
    driven.walk(1, start, end, 3_000)
    driven.see({1: end}, 2_000)
    (alert,) = driven.began
    assert (alert.rule, alert.zone_id) == ("area.gate_crossed", "gate-1")
    assert alert.saw is not None
    assert word in alert.saw.zh
    assert alert.boxes
    driven.see({1: end}, 12_000)
    assert "area.gate_crossed" in [one.rule for one in driven.cleared]


def test_a_gate_is_nothing_to_an_open_area_or_to_who_turns_before_it() -> None:
    driven = Area(zones={CAMERA: [GATE]})
    driven.see({1: ABOVE}, 2_000)
    driven.walk(1, ABOVE, BELOW, 3_000)
    driven.seal(1)
    driven.walk(1, BELOW, Rect(0.45, 0.2, 0.56, 0.64), 2_000)
    driven.walk(1, Rect(0.45, 0.2, 0.56, 0.64), BELOW, 2_000)
    assert driven.began == []


def test_two_cameras_of_one_gate_count_one_passage() -> None:
    zones = {one: [GATE] for one in ("cam-1", "cam-2")}
    driven = Area(zones=zones, cameras=("cam-1", "cam-2"))
    for _ in range(10):
        driven.ms += PERIOD_MS
        for one in zones:
            driven.show({1: ABOVE}, camera=one)
    driven.seal(1)
    for step in range(1, 16):
        driven.ms += PERIOD_MS
        for one in zones:
            driven.show({1: ABOVE.towards(BELOW, step / 15)}, camera=one)
        driven.give(Tick())
    assert driven.codes() == ["area.gate_crossed"]
    assert driven.state.area.entries == 1
    assert area.balance(driven.state) == 2


def test_the_balance_follows_who_leaves_by_the_gate() -> None:
    driven = Area(zones={CAMERA: [GATE]}, rules={"area.balance_wrong": {"unseen_max_s": 30}})
    people = {1: BELOW, 2: Rect(0.1, 0.5, 0.2, 0.9)}
    driven.see(people, 5_000)
    driven.seal(2)
    for step in range(1, 16):
        driven.see({**people, 1: BELOW.towards(ABOVE, step / 15)}, PERIOD_MS)
    driven.see({2: people[2]}, 60_000)
    assert area.balance(driven.state) == 1
    assert driven.codes() == ["area.gate_crossed"]


def test_one_more_than_went_in_is_told_and_one_fewer_only_after_long() -> None:
    driven = Area(zones={CAMERA: [GATE]}, rules={"area.balance_wrong": {"unseen_max_s": 30}})
    row = {number: replace(seat, y1=0.65, y2=0.95) for number, seat in enumerate(SEATS, 1)}
    driven.see({one: row[one] for one in (1, 2)}, 5_000)
    driven.seal(2)
    driven.see({one: row[one] for one in (1, 2, 3)}, 13_000)
    assert "area.balance_wrong" in driven.codes()
    driven.see({one: row[one] for one in (1, 2)}, 12_000)
    assert "area.balance_wrong" in [one.rule for one in driven.cleared]
    driven.began.clear()
    driven.see({1: row[1]}, 25_000)
    assert driven.began == []
    driven.see({1: row[1]}, 20_000)
    assert driven.codes() == ["area.balance_wrong"]


def test_who_was_in_the_rest_room_at_the_seal_is_no_riddle() -> None:
    driven = Area(zones={CAMERA: [GATE]})
    row = {number: replace(seat, y1=0.65, y2=0.95) for number, seat in enumerate(SEATS, 1)}
    driven.see({1: row[1]}, 5_000)
    driven.seal(2)
    driven.see({1: row[1], 2: row[2]}, 30_000)
    assert driven.began == []


def test_a_look_that_is_not_admitted_is_told_and_an_unknown_one_never() -> None:
    driven = Area(checks=True)
    people = dict(enumerate(SEATS[:3], 1))
    driven.see(people, 3_000, {1: RED, 2: RED, 3: UNKNOWN})
    driven.seal(3)
    driven.see(people, 20_000, {1: RED, 2: RED, 3: UNKNOWN})
    assert driven.began == []
    driven.see(people, 1_000, {1: RED, 2: RED, 3: NONE})
    driven.see(people, 4_000, {1: RED, 2: RED, 3: NONE})
    (alert,) = driven.began
    assert alert.rule == "area.appearance_not_admitted"
    assert [box.track for box in alert.boxes] == [3]
    assert speaks(alert)


def test_a_vest_that_is_lost_for_a_moment_is_no_alert() -> None:
    driven = Area(checks=True)
    people = dict(enumerate(SEATS[:2], 1))
    driven.see(people, 10_000, {1: RED, 2: RED})
    driven.seal(2)
    for _ in range(5):
        driven.see(people, 1_600, {1: RED, 2: NONE})
        driven.see(people, 4_000, {1: RED, 2: RED})
    assert driven.began == []


def test_government_procurement_admits_one_in_blue_and_one_without() -> None:
    people = dict(enumerate(SEATS[:4], 1))
    driven = Area(checks=True)
    driven.seal(4, ProcurementKind.GOVERNMENT)
    driven.see(people, 10_000, {1: RED, 2: RED, 3: BLUE, 4: NONE})
    assert driven.began == []
    driven.see(people, 6_000, {1: RED, 2: BLUE, 3: BLUE, 4: NONE})
    assert driven.codes() == ["area.appearance_not_admitted"]
    assert [(one.name, one.value, one.limit) for one in driven.began[0].measured] == [
        ("blue", 2, 1)
    ]


DOORS = (
    zone("door-a", ZoneKind.DOOR, (0.0, 0.1), (0.2, 0.1), (0.2, 0.9), (0.0, 0.9), leads_to="a"),
    zone("door-b", ZoneKind.DOOR, (0.8, 0.1), (1.0, 0.1), (1.0, 0.9), (0.8, 0.9), leads_to="b"),
)


@pytest.mark.parametrize(("session_b", "told"), [("s-b", True), ("s-a", False)])
def test_people_of_two_sessions_who_stand_together_are_told(session_b: str, told: bool) -> None:
    driven = Area(zones={CAMERA: DOORS}, kind=AreaKind.CORRIDOR)
    driven.passes("s-a", "a")
    driven.passes(session_b, "b" if told else "a")
    left, right = Rect(0.05, 0.3, 0.15, 0.8), Rect(0.85, 0.3, 0.95, 0.8)
    driven.see({1: left, 2: right}, 2_000)
    for step in range(1, 11):
        driven.see(
            {
                1: left.towards(Rect(0.38, 0.3, 0.48, 0.8), step / 10),
                2: right.towards(Rect(0.52, 0.3, 0.62, 0.8), step / 10),
            },
            PERIOD_MS,
        )
    driven.see({1: Rect(0.38, 0.3, 0.48, 0.8), 2: Rect(0.52, 0.3, 0.62, 0.8)}, 4_000)
    assert driven.codes() == (["area.sessions_contact"] if told else [])


def test_two_people_at_one_seat_are_told_and_one_who_passes_behind_is_not() -> None:
    seat = zone("seat-1", ZoneKind.SEAT, (0.1, 0.35), (0.3, 0.35), (0.3, 0.8), (0.1, 0.8), seat="1")
    driven = Area(zones={CAMERA: [seat]})
    sits = Rect(0.14, 0.4, 0.24, 0.75)
    behind = Rect(0.2, 0.34, 0.255, 0.62)  # far off, and so half as large
    driven.see({1: sits}, 3_000)
    driven.seal(9)
    driven.see({1: sits, 2: behind}, 15_000)
    assert driven.began == []
    driven.see({1: sits}, 5_000)
    driven.see({1: sits, 3: Rect(0.19, 0.28, 0.29, 0.75)}, 7_000)
    assert driven.began == []
    driven.see({1: sits, 3: Rect(0.19, 0.28, 0.29, 0.75)}, 3_000)
    (alert,) = driven.began
    assert (alert.rule, alert.zone_id) == ("area.wrong_seat", "seat-1")
    assert len(alert.boxes) == 2


def test_who_stays_on_after_the_release_is_told_and_who_comes_later_is_not() -> None:
    rules = {"area.not_swept": {"sweep_max_s": 60}}
    stays = Area(rules=rules)
    stays.sit(2, 4_000)
    stays.seal(2)
    stays.release()
    stays.sit(1, 58_000)
    assert stays.began == []
    stays.sit(1, 4_000)
    assert stays.codes() == ["area.not_swept"]
    swept = Area(rules=rules)
    swept.sit(2, 4_000)
    swept.seal(2)
    swept.release()
    swept.see({}, 10_000)
    swept.sit(1, 80_000)
    assert swept.began == []


def test_a_release_clears_what_belongs_to_the_seal() -> None:
    driven = Area(rules=AWAY)
    driven.sit(2, 4_000)
    driven.seal(2)
    driven.sit(1, 40_000)
    assert driven.codes() == ["area.under_admitted"]
    driven.release()
    assert [one.rule for one in driven.cleared] == ["area.under_admitted"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.code)
def test_every_rule_of_the_area_is_run(spec: object) -> None:
    assert any(rule.spec is spec for rule in RULES)
