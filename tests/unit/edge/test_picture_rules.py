"""Rules on a camera's picture: one cause, one alert; and none for what is no fault."""

from dataclasses import replace
from itertools import count

import pytest

from contracts.observations import Alert, CameraState
from contracts.units import CameraId, MessageId, MonoMs, UtcMs
from edge.core import room as core
from edge.core.people import Instant
from edge.core.pictures import Cause, PictureLimits, PictureSigns, Shift, cause
from edge.core.room import AlertBegan, AlertCleared, CameraChanged, RoomInput
from edge.core.rule_settings import rule_settings
from edge.core.state import CameraSetup, RoomSetup, restore
from edge.core.streams import ClockSeen, ClockSource, StreamDeclared, StreamSeen

CAMERA = CameraId("cam-1")
LIMITS = PictureLimits(
    lost_share=0.75, black_share=0.85, burnt_share=0.35, shift=0.02, sharpness=0.5
)
LOOK_MS = 400


def at(ms: int) -> Instant:
    return Instant(MonoMs(1_000_000 + ms), UtcMs(1_767_232_800_000 + ms))


GOOD = PictureSigns(
    camera_id=CAMERA,
    at=at(0),
    brightness=130,
    black_share=0.02,
    burnt_share=0.03,
    contrast=28,
    known=True,
    compared_share=0.8,
    sharpness=1.0,
    shift=Shift(0, 0, 1.0),
)
CLOTH = replace(GOOD, lost_share=1.0, detail_ratio=0.05, sharpness=None, contrast=1.0)
DARK_CLOTH = replace(CLOTH, brightness=14, black_share=0.97)
NIGHT = replace(GOOD, brightness=9, black_share=0.99, detail_ratio=0.06, lost_share=0.1)
PITCH_BLACK = replace(CLOTH, brightness=1, black_share=1.0)
TORCH = replace(CLOTH, brightness=240, burnt_share=0.8)
BLURRED = replace(GOOD, sharpness=0.2, detail_ratio=0.9)
TURNED = replace(GOOD, lost_share=0.6, sharpness=0.0, shift=Shift(0.1, 0.02, 0.8))
ELSEWHERE = replace(GOOD, lost_share=0.9, sharpness=None, shift=Shift(0, 0, 0.0), steady=0.99)
CROWD = replace(GOOD, lost_share=0.9, sharpness=None, shift=None, steady=0.3)
CROWD_BEFORE_LENS = replace(CLOTH, compared_share=0.05)
WHITE_WALLS = replace(GOOD, brightness=215, burnt_share=0.45, detail_ratio=0.95)


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (GOOD, None),
        (CLOTH, Cause.COVERED),
        (DARK_CLOTH, Cause.COVERED),
        (NIGHT, Cause.DARK),
        (PITCH_BLACK, Cause.DARK),
        (TORCH, Cause.GLARE),
        (BLURRED, Cause.DEFOCUSED),
        (TURNED, Cause.MOVED),
        (ELSEWHERE, Cause.MOVED),
        (CROWD, None),
        (CROWD_BEFORE_LENS, None),
        (WHITE_WALLS, None),
        (replace(GOOD, known=False, contrast=0.4), Cause.COVERED),
        (replace(GOOD, known=False, contrast=0.4, brightness=2, black_share=1.0), Cause.DARK),
        (replace(BLURRED, known=False), None),
    ],
)
def test_a_picture_has_one_cause(signs: PictureSigns, expected: Cause | None) -> None:
    assert cause(signs, 0.03, LIMITS) is expected


class Played:
    """A room with one camera, live from the start."""

    def __init__(self, declared: StreamDeclared | None = None) -> None:
        setup = RoomSetup(
            "room-1",
            "node-1",
            (CameraSetup(CAMERA, has_sound=False, stream=declared),),
            rule_settings(),
        )
        self._ids = count(1)
        self.state = restore(setup, None, at(0))
        self.now = 0
        self.alerts: list[Alert] = []
        self.give(CameraChanged(CAMERA, CameraState.LIVE, at(0)))

    def give(self, given: RoomInput) -> None:
        now = at(self.now)
        self.state, outputs = core.step(
            self.state, given, now.mono_ms, now.utc_ms, lambda: MessageId(f"a-{next(self._ids)}")
        )
        self.alerts += [one.alert for one in outputs if isinstance(one, AlertBegan | AlertCleared)]

    def show(self, signs: PictureSigns, for_ms: int, still_from: int | None = None) -> None:
        for _ in range(0, for_ms, LOOK_MS):
            self.now += LOOK_MS
            since = at(still_from) if still_from is not None else signs.still_since
            self.give(replace(signs, at=at(self.now), still_since=since))

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(one.rule, one.condition.value) for one in self.alerts]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (CLOTH, "camera.covered"),
        (DARK_CLOTH, "camera.covered"),
        (NIGHT, "camera.dark"),
        (TORCH, "camera.glare"),
        (BLURRED, "camera.defocused"),
        (TURNED, "camera.moved"),
    ],
)
def test_a_fault_begins_after_its_dwell_and_clears(fault: PictureSigns, code: str) -> None:
    room = Played()
    room.show(GOOD, 4_000)
    room.show(fault, 800)
    assert room.told == []
    room.show(fault, 6_000)
    assert room.told == [(code, "active")]
    room.show(GOOD, 4_000)
    assert room.told == [(code, "active"), (code, "cleared")]
    alert = room.alerts[0]
    assert alert.camera_id == CAMERA
    assert alert.saw is not None
    assert alert.saw.zh != alert.saw.en
    assert alert.measured[0].limit is not None


def test_a_second_cause_beside_the_first_is_not_told() -> None:
    room = Played()
    room.show(CLOTH, 6_000)
    room.show(PITCH_BLACK, 8_000)
    # In the dark nobody can see whether the cloth has gone: it stands, and is all that is told.
    assert room.told == [("camera.covered", "active")]
    room = Played()
    room.show(NIGHT, 6_000)
    room.show(replace(NIGHT, sharpness=0.1), 8_000)
    assert room.told == [("camera.dark", "active")]


def test_lights_are_told_once_and_only_when_the_scene_stays() -> None:
    room = Played()
    room.show(GOOD, 4_000)
    room.show(replace(GOOD, light_ratio=0.5, brightness=65), 400)
    room.show(replace(GOOD, brightness=65), 4_000)
    assert room.told == [("camera.lights", "active")]
    assert "50" in (room.alerts[0].saw.en if room.alerts[0].saw else "")
    room = Played()
    room.show(GOOD, 4_000)
    room.show(replace(CLOTH, light_ratio=0.3), 2_000)
    assert room.told == []


def test_the_same_picture_is_frozen_sooner_with_people_in_it() -> None:
    room = Played()
    room.show(GOOD, 4_000)
    room.show(replace(GOOD, people=3), 19_600, still_from=4_000)
    assert room.told == []
    room.show(replace(GOOD, people=3), 1_200, still_from=4_000)
    assert room.told == [("camera.frozen", "active")]
    room.show(GOOD, 2_000)
    assert room.told[-1] == ("camera.frozen", "cleared")
    room = Played()
    room.show(GOOD, 60_000, still_from=0)
    assert room.told == []
    room.show(GOOD, 62_000, still_from=0)
    assert room.told == [("camera.frozen", "active")]


def test_a_camera_whose_stillness_ends_by_itself_is_given_longer() -> None:
    room = Played()
    people = replace(GOOD, people=2)
    for _ in range(3):
        started = room.now
        room.show(people, 12_000, still_from=started)
        room.show(people, 800)
    started = room.now
    room.show(people, 28_000, still_from=started)
    assert room.told == []


def test_an_empty_room_drawn_anew_and_a_black_picture_are_not_frozen() -> None:
    room = Played()
    room.show(replace(GOOD, refreshed=True), 300_000, still_from=0)
    assert room.told == []
    room = Played()
    room.show(PITCH_BLACK, 200_000, still_from=0)
    assert room.told == [("camera.dark", "active")]


def test_frozen_link_and_frozen_picture_are_one_alert() -> None:
    room = Played()
    room.show(replace(GOOD, people=1), 24_000, still_from=0)
    room.give(CameraChanged(CAMERA, CameraState.FROZEN, at(room.now)))
    room.show(GOOD, 2_000)
    assert room.told == [("camera.frozen", "active")]


def test_pictures_of_before_a_reconnect_say_nothing() -> None:
    room = Played()
    room.show(CLOTH, 2_400)
    room.give(CameraChanged(CAMERA, CameraState.OFFLINE, at(room.now)))
    room.now += 400
    room.give(CameraChanged(CAMERA, CameraState.LIVE, at(room.now)))
    room.show(CLOTH, 2_400)
    assert room.told == []


DECLARED = StreamDeclared("h264", 640, 360, 5.0)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"codec": "h265"}, "h265"),
        ({"width_px": 1920, "height_px": 1080}, "1920x1080"),
        ({"fps": 1.2}, "1.2"),
    ],
)
def test_a_stream_that_is_not_as_declared(seen: dict[str, object], words: str) -> None:
    right = {"codec": "h264", "width_px": 640, "height_px": 360, "fps": 4.8}
    room = Played(DECLARED)
    for values in [right] * 4 + [{**right, **seen}] * 26 + [right] * 16:
        room.now += 500
        room.give(StreamSeen(CAMERA, at(room.now), **values))  # type: ignore[arg-type]  # a table of kinds
    assert room.told == [("camera.wrong_stream", "active"), ("camera.wrong_stream", "cleared")]
    assert words in (room.alerts[0].saw.en if room.alerts[0].saw else "")


def test_what_nobody_declared_or_measured_is_not_wrong() -> None:
    room = Played(None)
    for _ in range(40):
        room.now += 500
        room.give(StreamSeen(CAMERA, at(room.now), codec="h265", fps=0.2))
    assert room.told == []
    room = Played(DECLARED)
    for _ in range(40):
        room.now += 500
        room.give(StreamSeen(CAMERA, at(room.now)))
    assert room.told == []


def test_a_camera_clock_that_is_off_and_set_right() -> None:
    room = Played()
    for offset_ms in [900.0] * 20 + [-65_000.0] * 70 + [200.0] * 30:
        room.now += 500
        clock = ClockSeen(offset_ms, ClockSource.ONVIF, at(room.now))
        room.give(StreamSeen(CAMERA, at(room.now), clock=clock))
    assert room.told == [("camera.clock_off", "active"), ("camera.clock_off", "cleared")]
    assert "65.0 s behind" in (room.alerts[0].saw.en if room.alerts[0].saw else "")
