"""The rules on sound in a whole room: what they raise, of whom, when, and what they say."""

from dataclasses import replace
from itertools import count

import pytest

from contracts.commands import Seal
from contracts.evidence.entries import ClockSource, ClockState
from contracts.observations import Alert, CameraState, RecordingState
from contracts.units import MonoMs, UtcMs
from edge.core import room
from edge.core.hearing import Flat, SoundSigns
from edge.core.machine_watch import DiskSeen
from edge.core.people import Instant, Rect, Track
from edge.core.room import AlertBegan, AlertCleared, CameraChanged, PeopleSeen, RoomInput, Tick
from edge.core.rule_settings import rule_settings
from edge.core.state import CameraSetup, RecordingSeen, RoomSetup, TrackSeen, restore

CAMERA, PICKUP = "cam-1", "mic-1"


class Room:
    """A room with a camera that hears and a pickup; time moves by what is given."""

    def __init__(self, *, minute: int | None = 720) -> None:
        setup = RoomSetup(
            "room-1",
            "edge-1",
            (CameraSetup(CAMERA, has_sound=True),),
            rule_settings({}),
            pickups=(PICKUP,),
        )
        self.ms = 100_000
        self.ids = count(1)
        self.began: list[AlertBegan] = []
        self.cleared: list[Alert] = []
        self.state = replace(restore(setup, None, self.now), minute_of_day=minute)
        self.people: int | None = None
        self.give(CameraChanged(CAMERA, CameraState.LIVE, self.now))

    @property
    def now(self) -> Instant:
        return Instant(MonoMs(self.ms), UtcMs(1_800_000_000_000 + self.ms))

    def give(self, given: RoomInput) -> None:
        self.state, outputs = room.step(
            self.state, given, self.now.mono_ms, self.now.utc_ms, lambda: f"id-{next(self.ids)}"
        )
        self.began += [one for one in outputs if isinstance(one, AlertBegan)]
        self.cleared += [one.alert for one in outputs if isinstance(one, AlertCleared)]

    def seal(self) -> None:
        self.give(
            Seal(
                command_id="c-1",
                room_id="room-1",
                session_id="s-1",
                admitted=9,
                at_utc_ms=self.now.utc_ms,
            )
        )

    def hear(self, seconds: float, level: float, *sources: str, **signs: object) -> None:
        for _ in range(round(seconds * 10)):
            self.ms += 100
            if self.people is not None:
                tracks = tuple(
                    Track(n, Rect(0.1, 0.1, 0.2, 0.9), 0.9, True, self.now, self.now.mono_ms)
                    for n in range(self.people)
                )
                self.give(PeopleSeen(CAMERA, self.now, tracks))
            for source in sources or (CAMERA,):
                made = SoundSigns(source, level, self.now, loudness_lufs=level)
                self.give(replace(made, **signs))  # type: ignore[arg-type] # fields by name
            self.give(Tick())

    def codes(self) -> list[tuple[str, str | None]]:
        return [(one.alert.rule, one.alert.camera_id or one.alert.pickup_id) for one in self.began]


def recording(at: Instant, since: Instant, offset_ms: int | None = None) -> RecordingSeen:
    track = TrackSeen(RecordingState.RECORDING, since, sound_offset_ms=offset_ms)
    return RecordingSeen(
        at=at,
        running=True,
        since=since,
        tracks={CAMERA: track, PICKUP: track},
        disk=DiskSeen(free_bytes=900, total_bytes=1_000),
        disk_low_percent=10.0,
        clock=ClockState(source=ClockSource.SYNCHRONISED),
        clock_step_ms=0,
    )


@pytest.mark.parametrize("source", [CAMERA, PICKUP])
def test_a_ring_alerts_once_of_its_source_with_its_sound_and_clears(source: str) -> None:
    room = Room()
    room.seal()
    room.hear(5, -55, source)
    for _ in range(3):  # one second in five, as telephones ring in China
        room.hear(1.6, -30, source, ring=0.9)
        room.hear(3.4, -55, source)
    assert room.codes() == [("phone.ring", source)]
    (began,) = room.began
    assert (began.sound_of, began.picture_of) == (source, CAMERA)
    assert began.alert.saw is not None
    assert "-30 LUFS" in began.alert.saw.zh
    assert "-30 LUFS" in began.alert.saw.en
    assert began.alert.raised_utc_ms - began.alert.since_utc_ms in range(1_100, 1_400)
    room.hear(12, -55, source)
    assert [one.rule for one in room.cleared] == ["phone.ring"]


def test_a_moment_of_ring_is_none() -> None:
    room = Room()
    room.seal()
    for _ in range(6):
        room.hear(0.4, -30, ring=0.9)
        room.hear(6, -55)
    assert room.codes() == []


def test_no_sound_is_asked_for_outside_a_session() -> None:
    room = Room()
    room.hear(40, -50, flat=Flat.NOISE, flat_ms=4_000)
    (began,) = room.began
    assert began.alert.rule == "sound.flat"
    assert began.sound_of is None


def test_clipping_needs_to_go_on() -> None:
    room = Room()
    room.hear(0.3, -3, clipped_share=0.4)
    room.hear(5, -40)
    assert room.codes() == []
    room.hear(3, -3, clipped_share=0.04)
    assert room.codes() == [("sound.clipped", CAMERA)]
    assert room.began[0].alert.measured[0].value == pytest.approx(4.0)


def test_a_background_that_jumped_is_told_only_while_it_can_be_heard() -> None:
    room = Room()
    room.hear(20, -55)
    room.hear(20, -38)
    room.hear(60, -30, speech=0.9)  # nobody knows what is behind it
    assert room.codes() == []
    room.hear(12, -38)
    assert room.codes() == [("sound.level_jump", CAMERA)]
    assert room.began[0].alert.measured[0].value == pytest.approx(17, abs=1)
    room.hear(20, -55)
    assert [one.rule for one in room.cleared] == ["sound.level_jump"]


def test_raised_voices_in_a_sealed_room() -> None:
    room = Room()
    room.hear(20, -40, speech=0.9)
    room.seal()
    room.hear(6, -25, speech=0.9)
    assert room.codes() == [("sound.raised_voices", CAMERA)]
    assert room.began[0].alert.saw is not None
    assert "15 dB" in room.began[0].alert.saw.en


@pytest.mark.parametrize(
    ("people", "sealed", "minute", "alerts"),
    [
        (0, True, 720, True),
        (0, False, 120, True),
        (0, False, 720, False),
        (0, False, None, False),
        (3, True, 720, False),
        (3, False, 120, False),
        (None, True, 720, False),
        (None, False, 120, False),
    ],
)
def test_speech_is_unexpected_where_the_pictures_show_nobody(
    people: int | None, sealed: bool, minute: int | None, alerts: bool
) -> None:
    room = Room(minute=minute)
    room.people = people
    if sealed:
        room.seal()
    room.hear(10, -55)
    room.hear(6, -35, speech=0.9)
    told = [code for code, _ in room.codes() if code == "sound.speech_unexpected"]
    assert bool(told) == alerts


def test_sound_far_from_its_picture() -> None:
    room = Room()
    since = room.now
    for offset_ms in (40, -280, 500, 500, 20):
        for _ in range(8):
            room.ms += 1_000
            room.give(recording(room.now, since, offset_ms))
            room.hear(0.1, -50, CAMERA, PICKUP)
    assert ("sound.out_of_sync", CAMERA) in room.codes()
    assert "500 ms behind" in room.began[0].alert.saw.en  # type: ignore[union-attr] # it says so
    assert {one.rule for one in room.cleared} == {"sound.out_of_sync"}


def test_a_pickup_that_says_nothing_is_dead_once_it_had_time_to_start() -> None:
    room = Room()
    since = room.now
    for _ in range(19):
        room.ms += 1_000
        room.give(recording(room.now, since))
    assert room.codes() == []
    for _ in range(6):
        room.ms += 1_000
        room.give(recording(room.now, since))
    assert room.codes() == [("sound.pickup_dead", PICKUP)]
    room.give(recording(room.now, since))
    room.hear(2, -50, PICKUP)
    assert [one.pickup_id for one in room.cleared] == [PICKUP]


def test_nobody_calls_a_pickup_dead_while_the_recorder_is_away() -> None:
    room = Room()
    room.hear(2, -50, PICKUP)
    gone = replace(recording(room.now, room.now), running=False)
    for _ in range(30):
        room.ms += 1_000
        room.give(replace(gone, at=room.now))
    assert not [code for code, _ in room.codes() if code.startswith("sound")]
