"""Phones: where one was seen, how often, and when that becomes an alert."""

import itertools

from contracts.commands import Seal
from contracts.observations import CameraState, Mode
from contracts.units import MonoMs, UtcMs
from edge.core import phones
from edge.core import room as core
from edge.core.people import Detection, Instant, Rect, Thing
from edge.core.phones import LOOKS, PLACES_MAX, PhonePlace
from edge.core.room import AlertBegan, AlertCleared, CameraChanged, PeopleSeen, RoomOutput
from edge.core.rule_settings import rule_settings
from edge.core.state import CameraSetup, RoomSetup, restore

HAND = Rect(0.40, 0.50, 0.42, 0.55)
ROUND_IT = (Rect(0.3, 0.3, 0.5, 0.7),)
ELSEWHERE = (Rect(0.8, 0.3, 0.9, 0.7),)


def at(ms: int) -> Instant:
    return Instant(MonoMs(10_000 + ms), UtcMs(1_780_000_000_000 + ms))


def phone(x: float = 0.40, score: float = 0.3) -> Detection:
    return Detection(Rect(x, 0.50, x + 0.02, 0.55), score, Thing.PHONE)


def test_a_place_remembers_its_latest_looks_and_only_those() -> None:
    places: tuple[PhonePlace, ...] = ()
    for number in range(LOOKS):
        found = [phone(0.40 + 0.01 * (number % 2), 0.2 + number / 100)] if number % 3 == 0 else []
        places = phones.step(places, found, at(number * 200), None)
    (place,) = places
    assert (place.hits(0.2), place.hits(0.22), place.since) == (4, 3, at(0))
    assert len(place.scores) == LOOKS
    for looked in (ELSEWHERE, ()):
        assert phones.step(places, [], at(9_000), looked) == places
    for number in range(LOOKS):
        places = phones.step(places, [], at(10_000 + number * 200), ROUND_IT)
    assert places == ()


def test_another_phone_is_another_place_and_places_are_bounded() -> None:
    places = phones.step((), [phone(0.1), phone(0.5)], at(0), None)
    places = phones.step(places, [phone(0.505)], at(200), None)
    assert [place.scores for place in places] == [(0.3, 0.0), (0.3, 0.3)]
    many = [phone(number / 40, 0.1 + number / 100) for number in range(30)]
    bounded = phones.step((), many, at(0), None)
    assert len(bounded) == PLACES_MAX
    assert min(place.scores[0] for place in bounded) > 0.3  # the surest of them


class Room:
    """A room with one camera, at 5 fps."""

    def __init__(self, *, sealed: bool = True) -> None:
        setup = RoomSetup(
            "room-1", "edge-1", (CameraSetup("cam", has_sound=False),), rule_settings({})
        )
        self._ids = itertools.count()
        self._ms = 0
        self.state = restore(setup, None, at(0))
        self.take(CameraChanged("cam", CameraState.LIVE, at(0)))
        for _ in range(3):
            self.look()
        if sealed:
            self.take(
                Seal(
                    command_id="seal-1",
                    room_id="room-1",
                    session_id="session-1",
                    admitted=5,
                    at_utc_ms=at(0).utc_ms,
                )
            )

    def take(self, given: core.RoomInput) -> list[RoomOutput]:
        now = at(self._ms)
        self.state, outputs = core.step(
            self.state, given, now.mono_ms, now.utc_ms, lambda: f"id-{next(self._ids)}"
        )
        return [
            one
            for one in outputs
            if isinstance(one, AlertBegan | AlertCleared) and one.alert.rule == "phone.visible"
        ]

    def look(self, *found: Detection) -> list[RoomOutput]:
        self._ms += 200
        return self.take(PeopleSeen("cam", at(self._ms), (), phones=found))


def test_a_phone_seen_again_and_again_is_an_alert_in_shadow_that_tells_how_often() -> None:
    room = Room()
    began: list[RoomOutput] = []
    looks = 0
    while not began and looks < 50:
        began = room.look(phone()) if looks % 2 == 0 else room.look()
        looks += 1
    assert looks == 11  # two seconds after the first sight: the dwell
    (alert,) = (one.alert for one in began if isinstance(one, AlertBegan))
    assert alert.mode is Mode.SHADOW
    assert alert.camera_id == "cam"
    assert alert.saw is not None
    assert (
        alert.saw.en
        == "A phone in 5 of the last 10 pictures, 41% from the left and 52% from the top."
    )
    assert {one.name for one in alert.measured} == {"pictures_with_phone", "score"}
    cleared: list[RoomOutput] = []
    quiet = 0
    while not cleared and quiet < 200:
        cleared = room.look()
        quiet += 1
    # The last of ten pictures forgets it, and then ten seconds pass.
    assert 55 <= quiet <= 65
    assert isinstance(cleared[0], AlertCleared)


def test_seldom_or_scattered_sights_and_open_rooms_raise_nothing() -> None:
    room = Room()
    for number in range(100):
        assert room.look(*([phone()] if number % 4 == 0 else [])) == []
    room = Room()
    for number in range(100):
        assert room.look(phone((number * 7 % 10) / 10)) == []
    room = Room()
    for _ in range(100):
        assert room.look(phone(score=0.15)) == []
    room = Room(sealed=False)
    for _ in range(100):
        assert room.look(phone()) == []
