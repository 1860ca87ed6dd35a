"""The room's core under a clock that the test moves: dwell, hysteresis, seals, restart."""

from dataclasses import replace
from itertools import count

import pytest

from contracts.catalogue import CATALOGUE, JudgedBy
from contracts.commands import Release, Seal
from contracts.observations import CameraState, Condition, PictureRef, SoundState
from contracts.units import MonoMs, UtcMs
from edge.core import room
from edge.core.hearing import SoundSigns
from edge.core.people import Instant, Rect, Track
from edge.core.room import (
    AlertBegan,
    AlertCleared,
    Applied,
    CameraChanged,
    PeopleSeen,
    RoomInput,
    RoomOutput,
    Tick,
)
from edge.core.rule_settings import RuleChange, rule_settings
from edge.core.rules.table import RULES
from edge.core.state import (
    CameraSetup,
    RoomSetup,
    RoomState,
    StoredRoom,
    restore,
    to_store,
)

CAMERA = "cam-1"
PERIOD_MS = 200
START_UTC_MS = 1_800_000_000_000


class Room:
    """Drives one room; time moves only by ``wait`` and ``look``."""

    def __init__(self, *, sound: bool = False, cameras: tuple[str, ...] = (CAMERA,)) -> None:
        self.setup = RoomSetup(
            "room-1",
            "edge-1",
            tuple(CameraSetup(name, has_sound=sound) for name in cameras),
            rule_settings({OVER: RuleChange(parameters={"dwell_ms": 1_000})}),
        )
        self.ms = 10_000
        self.ids = count(1)
        self.outputs: list[RoomOutput] = []
        self.state: RoomState = restore(self.setup, None, self.now)
        self.since: dict[int, Instant] = {}

    @property
    def now(self) -> Instant:
        return Instant(MonoMs(self.ms), UtcMs(START_UTC_MS + self.ms))

    def give(self, given: RoomInput) -> tuple[RoomOutput, ...]:
        self.state, outputs = room.step(
            self.state, given, self.now.mono_ms, self.now.utc_ms, lambda: f"id-{next(self.ids)}"
        )
        self.outputs += outputs
        return outputs

    def link(self, state: CameraState, camera: str = CAMERA) -> None:
        self.give(CameraChanged(camera, state, self.now))

    def tracks(self, people: int, detected: int | None = None) -> tuple[Track, ...]:
        for number in range(people):
            self.since.setdefault(number, self.now)
        for number in list(self.since):
            if number >= people:
                del self.since[number]
        shown = people if detected is None else detected
        return tuple(
            Track(
                number,
                Rect(number * 0.1, 0.1, number * 0.1 + 0.1, 0.4),
                0.8,
                number < shown,
                self.since[number],
                self.now.mono_ms,
            )
            for number in range(people)
        )

    def look(self, people: int, frames: int, camera: str = CAMERA) -> None:
        for _ in range(frames):
            self.ms += PERIOD_MS
            self.give(PeopleSeen(camera, self.now, self.tracks(people)))

    def wait(self, ms: int) -> None:
        end = self.ms + ms
        while self.ms < end:
            self.ms += 100
            self.give(Tick())

    def seal(self, admitted: int, session: str = "s-1") -> Applied:
        command = Seal(
            command_id="c-1",
            room_id="room-1",
            session_id=session,
            admitted=admitted,
            at_utc_ms=UtcMs(1),
        )
        return next(out for out in self.give(command) if isinstance(out, Applied))

    def release(self, session: str = "s-1") -> Applied:
        command = Release(
            command_id="c-2", room_id="room-1", session_id=session, at_utc_ms=UtcMs(1)
        )
        return next(out for out in self.give(command) if isinstance(out, Applied))

    def restart(self, setup: RoomSetup | None = None) -> None:
        stored = StoredRoom.model_validate_json(to_store(self.state).model_dump_json())
        self.ms = 500  # another boot: monotonic time begins anew
        self.since = {}
        self.state = restore(setup or self.setup, stored, self.now)

    def of(self, rule: str) -> list[tuple[str, str]]:
        return [
            (out.alert.condition.value, out.alert.alert_id)
            for out in self.outputs
            if isinstance(out, AlertBegan | AlertCleared) and out.alert.rule == rule
        ]


@pytest.fixture
def sealed() -> Room:
    driven = Room()
    driven.link(CameraState.LIVE)
    driven.seal(2)
    driven.look(2, 10)
    return driven


OVER = "area.over_admitted"


def test_one_alert_while_one_person_too_many_stays(sealed: Room) -> None:
    came = sealed.ms + PERIOD_MS
    sealed.look(3, 40)
    assert sealed.of(OVER) == [("active", "id-1")]
    began = next(out for out in sealed.outputs if isinstance(out, AlertBegan))
    alert = began.alert
    assert began.picture_of == CAMERA
    assert alert.since_utc_ms == START_UTC_MS + came
    assert alert.raised_utc_ms - alert.since_utc_ms == 1_000  # confirming frames are in the dwell
    assert (alert.measured[0].value, alert.measured[0].limit) == (3, 2)
    assert alert.session_id == "s-1"
    assert len(alert.boxes) == 3


def gives(driven: Room, people: int, frames: int, *, missed: frozenset[int]) -> None:
    """Pictures in all of which ``missed`` are only glimpsed where they were."""
    for _ in range(frames):
        driven.ms += PERIOD_MS
        tracks = tuple(
            replace(track, detected=track.number not in missed) for track in driven.tracks(people)
        )
        driven.give(PeopleSeen(CAMERA, driven.now, tracks))


def test_somebody_found_in_one_look_of_five_is_not_one_too_many(sealed: Room) -> None:
    sealed.look(3, 2)
    for _ in range(20):
        gives(sealed, 3, 4, missed=frozenset({2}))
        sealed.look(3, 1)
    assert sealed.of(OVER) == []


def test_who_has_long_been_there_brings_no_age_along_when_another_comes_back(sealed: Room) -> None:
    sealed.seal(3)
    sealed.look(3, 30)
    gives(sealed, 3, 15, missed=frozenset({0}))  # one is lost: two are surely seen
    sealed.seal(2)
    gives(sealed, 3, 30, missed=frozenset({0}))
    back = sealed.ms + PERIOD_MS
    sealed.look(3, 20)
    began = next(out for out in sealed.outputs if isinstance(out, AlertBegan))
    assert began.alert.rule == OVER
    assert began.alert.since_utc_ms >= START_UTC_MS + back - 1_500
    assert began.alert.raised_utc_ms > START_UTC_MS + back


def test_a_visitor_lost_behind_others_for_a_second_is_told_of_in_time(sealed: Room) -> None:
    came = sealed.ms + PERIOD_MS
    sealed.look(3, 4)
    sealed.look(2, 1)
    sealed.look(3, 12)
    began = next(out for out in sealed.outputs if isinstance(out, AlertBegan))
    assert began.alert.since_utc_ms == START_UTC_MS + came


def test_who_was_seen_at_once_with_all_others_stays_when_one_bends_over_papers(
    sealed: Room,
) -> None:
    sealed.look(3, 20)
    gives(sealed, 3, 30, missed=frozenset({0}))
    assert sealed.of(OVER) == [("active", "id-1")]


def test_a_single_frame_never_alerts(sealed: Room) -> None:
    for _ in range(20):
        sealed.look(3, 1)
        sealed.look(2, 5)
    assert sealed.of(OVER) == []


def test_alert_clears_once_and_comes_back_under_a_new_id(sealed: Room) -> None:
    sealed.look(3, 10)
    sealed.look(2, 8)
    assert sealed.of(OVER) == [("active", "id-1")]  # gone for 1.4 s of the 2 s
    sealed.look(3, 5)
    sealed.look(2, 20)
    sealed.look(3, 20)
    assert sealed.of(OVER) == [("active", "id-1"), ("cleared", "id-1"), ("active", "id-2")]


def test_an_unsealed_room_may_be_full_and_a_release_clears_at_once(sealed: Room) -> None:
    sealed.look(3, 10)
    assert sealed.release().applied.sealed is False
    assert sealed.of(OVER) == [("active", "id-1"), ("cleared", "id-1")]
    sealed.look(9, 20)
    assert len(sealed.of(OVER)) == 2


def test_nobody_is_too_many_before_the_seal() -> None:
    driven = Room()
    driven.link(CameraState.LIVE)
    driven.look(3, 50)
    at = driven.ms
    driven.seal(2)
    driven.look(3, 10)
    began = next(out for out in driven.outputs if isinstance(out, AlertBegan))
    assert began.alert.since_utc_ms == START_UTC_MS + at
    assert began.alert.raised_utc_ms - began.alert.since_utc_ms == 1_000


def test_amendment_changes_who_is_admitted_and_a_foreign_release_changes_nothing(
    sealed: Room,
) -> None:
    assert sealed.seal(3).applied.admitted == 3
    sealed.look(3, 20)
    assert sealed.of(OVER) == []
    answer = sealed.release("another").applied
    assert (answer.sealed, answer.session_id) == (True, "s-1")


def test_blind_room_is_unknown_and_keeps_its_alert(sealed: Room) -> None:
    sealed.look(3, 10)
    sealed.link(CameraState.OFFLINE)
    sealed.wait(10_000)
    assert sealed.of(OVER) == [("active", "id-1")]
    assert room.observe(sealed.state, "boot", 1, sealed.now).head_count is None
    sealed.link(CameraState.LIVE)
    sealed.look(2, 20)
    assert sealed.of(OVER)[-1] == ("cleared", "id-1")


def test_people_of_a_stalled_analysis_are_not_people_of_now(sealed: Room) -> None:
    sealed.wait(2_500)
    assert room.head_count(sealed.state, sealed.now) is None


def test_restart_keeps_seal_and_alert_and_raises_no_second_one(sealed: Room) -> None:
    sealed.look(3, 10)
    sealed.restart()
    sealed.link(CameraState.LIVE)
    sealed.look(3, 30)
    assert sealed.of(OVER) == [("active", "id-1")]
    assert sealed.state.sealed is not None
    assert sealed.state.sealed.admitted == 2
    sealed.restart()
    sealed.link(CameraState.LIVE)
    sealed.look(2, 30)
    assert sealed.of(OVER) == [("active", "id-1"), ("cleared", "id-1")]


def test_alert_of_a_camera_that_was_taken_away_is_cleared_at_start() -> None:
    driven = Room(cameras=(CAMERA, "cam-2"))
    driven.link(CameraState.LIVE)
    driven.link(CameraState.OFFLINE, "cam-2")
    driven.wait(2_000)
    assert driven.of("camera.offline") == [("active", "id-1")]
    driven.restart(Room().setup)
    state, outputs = room.clear_orphans(driven.state, MonoMs(1), UtcMs(2))
    assert [type(out) for out in outputs] == [AlertCleared]
    assert state.alerts == ()
    assert room.clear_orphans(state, MonoMs(1), UtcMs(2))[1] == ()


def test_picture_stays_with_the_alert_until_it_clears(sealed: Room) -> None:
    sealed.look(3, 10)
    picture = PictureRef(
        sha256="0" * 64,
        bytes=5,
        path=f"/api/v1/pictures/{'0' * 64}.jpg",
        camera_id=CAMERA,
        taken_utc_ms=UtcMs(1),
    )
    sealed.state = room.with_picture(sealed.state, "id-1", picture)
    sealed.look(2, 20)
    last = sealed.outputs[-1]
    assert isinstance(last, AlertCleared)
    assert last.alert.picture == picture
    assert last.alert.condition is Condition.CLEARED


def test_freeze_and_its_failing_reconnection_are_one_alert() -> None:
    driven = Room()
    driven.link(CameraState.LIVE)
    driven.wait(1_000)
    driven.link(CameraState.FROZEN)
    driven.wait(1_000)
    driven.link(CameraState.OFFLINE)
    driven.wait(20_000)
    driven.link(CameraState.LIVE)
    driven.wait(2_000)
    assert driven.of("camera.frozen") == [("active", "id-1"), ("cleared", "id-1")]
    assert driven.of("camera.offline") == []


def test_a_blip_is_no_outage() -> None:
    driven = Room()
    driven.link(CameraState.LIVE)
    driven.link(CameraState.OFFLINE)
    driven.wait(800)
    driven.link(CameraState.LIVE)
    driven.wait(5_000)
    assert driven.outputs == []


def test_two_cameras_of_a_room_see_the_same_people() -> None:
    driven = Room(cameras=(CAMERA, "cam-2"))
    driven.link(CameraState.LIVE)
    driven.link(CameraState.LIVE, "cam-2")
    driven.look(3, 6)
    driven.look(2, 6, "cam-2")
    assert room.head_count(driven.state, driven.now) == 3


def heard(driven: Room, level_dbfs: float, ms: int) -> None:
    for _ in range(ms // 100):
        driven.ms += 100
        driven.give(SoundSigns(CAMERA, level_dbfs, driven.now))


DEAD = "sound.pickup_dead"


def test_digital_silence_for_three_seconds_is_a_dead_pickup() -> None:
    driven = Room(sound=True)
    driven.link(CameraState.LIVE)
    heard(driven, -50, 2_000)
    heard(driven, -120, 2_800)
    assert driven.of(DEAD) == []
    heard(driven, -120, 300)
    assert driven.of(DEAD) == [("active", "id-1")]
    assert room.sound_state(driven.state, CAMERA) is SoundState.DEAD
    heard(driven, -50, 2_000)
    assert driven.of(DEAD) == [("active", "id-1"), ("cleared", "id-1")]


def test_no_sound_at_all_is_dead_but_not_while_the_camera_is_away() -> None:
    driven = Room(sound=True)
    driven.link(CameraState.LIVE)
    driven.look(1, 16)
    assert driven.of(DEAD) == [("active", "id-1")]
    away = Room(sound=True)
    away.link(CameraState.FROZEN)
    away.wait(10_000)
    assert away.of(DEAD) == []


def test_a_late_machine_is_no_dead_pickup() -> None:
    driven = Room(sound=True)
    driven.link(CameraState.LIVE)
    driven.look(1, 1)
    heard(driven, -50, 1_000)
    driven.wait(10_000)  # neither picture nor sound: the decoder is behind, or the camera is
    assert driven.of(DEAD) == []
    heard(driven, -50, 100)
    driven.look(1, 1)
    assert driven.of(DEAD) == []


def test_camera_without_declared_sound_has_no_dead_pickup() -> None:
    driven = Room(sound=False)
    driven.link(CameraState.LIVE)
    driven.wait(10_000)
    assert driven.of(DEAD) == []
    assert room.sound_state(driven.state, CAMERA) is SoundState.ABSENT


def test_every_rule_that_runs_is_in_the_catalogue_as_the_edges() -> None:
    for rule in RULES:
        assert CATALOGUE[rule.spec.code] is rule.spec
        assert rule.spec.judged_by is JudgedBy.EDGE
    codes = [rule.spec.code for rule in RULES]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"area.over": {}}, "no rule area.over; did you mean area.over_admitted"),
        ({OVER: {"dwell_ms": 100}}, "area.over_admitted.dwell_ms is 100; allowed: 400 to 10000 ms"),
        ({OVER: {"dwel": 1}}, "has no parameter dwel; it has: dwell_ms, clear_ms"),
    ],
)
def test_wrong_rule_settings_are_named(changed: dict[str, dict[str, float]], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace(".", r"\.")):
        rule_settings({code: RuleChange(parameters=row) for code, row in changed.items()})
