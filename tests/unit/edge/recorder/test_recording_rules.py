"""The rules on recording, disk and clock: who speaks for a fault, for how long, and that once."""

from collections.abc import Mapping
from itertools import count

import pytest

from contracts.evidence.entries import ClockSource, ClockState, GapReason
from contracts.observations import Alert, CameraState, Condition, RecordingState, Severity
from contracts.units import MonoMs, UtcMs
from edge.core import room
from edge.core.machine_watch import DiskSeen
from edge.core.people import Instant
from edge.core.room import AlertBegan, AlertCleared, CameraChanged, RoomInput, Tick
from edge.core.rule_settings import rule_settings
from edge.core.state import (
    CameraSetup,
    RecordingSeen,
    RoomSetup,
    RoomState,
    TrackSeen,
    restore,
    to_store,
)

CAMERA, PICKUP = "cam-1", "mic-1"
START_UTC_MS = 1_800_000_000_000
STEP_MS = 500
SYNCHRONISED = ClockState(source=ClockSource.SYNCHRONISED, offset_ms=0.5)
ROOMY = DiskSeen(free_bytes=900, total_bytes=1_000)
NO_TRACKS: Mapping[str, TrackSeen] = {}


class Node:
    """The one room of a node that records; a status comes twice a second."""

    def __init__(self, *, speaks: bool = True, pickups: tuple[str, ...] = ()) -> None:
        self.setup = RoomSetup(
            "room-1",
            "edge-1",
            (CameraSetup(CAMERA, has_sound=False),),
            rule_settings({}),
            pickups=pickups,
            speaks_for_node=speaks,
        )
        self.ms = 100_000
        self.ids = count(1)
        self.alerts: list[Alert] = []
        self.state: RoomState = restore(self.setup, None, self.now)
        self.began = self.now
        self.running_since = self.now
        self.running = True
        self.disk = ROOMY
        self.clock = SYNCHRONISED
        self.clock_step_ms = 0
        self.tracks: dict[str, TrackSeen] = {CAMERA: TrackSeen(RecordingState.RECORDING, self.now)}
        self.give(CameraChanged(CAMERA, CameraState.LIVE, self.now))

    @property
    def now(self) -> Instant:
        return Instant(MonoMs(self.ms), UtcMs(START_UTC_MS + self.ms))

    def give(self, given: RoomInput) -> None:
        self.state, outputs = room.step(
            self.state, given, self.now.mono_ms, self.now.utc_ms, lambda: f"id-{next(self.ids)}"
        )
        self.alerts += [one.alert for one in outputs if isinstance(one, AlertBegan | AlertCleared)]

    def run(self, ms: int) -> None:
        for _ in range(ms // STEP_MS):
            self.ms += STEP_MS
            self.give(
                RecordingSeen(
                    self.now,
                    self.running,
                    self.running_since,
                    dict(self.tracks),
                    self.disk,
                    10.0,
                    self.clock,
                    self.clock_step_ms,
                )
            )

    def gap(self, reason: GapReason, track: str = CAMERA) -> None:
        self.tracks[track] = TrackSeen(RecordingState.GAP, self.now, reason)

    def record(self, track: str = CAMERA) -> None:
        self.tracks[track] = TrackSeen(RecordingState.RECORDING, self.now)

    def camera(self, state: CameraState) -> None:
        self.give(CameraChanged(CAMERA, state, self.now))

    def told(self) -> list[tuple[str, str]]:
        return [(alert.rule, alert.condition.value) for alert in self.alerts]


def test_a_camera_that_is_there_and_unrecorded_is_one_alarm_with_its_length() -> None:
    node = Node()
    node.run(10_000)
    node.gap(GapReason.STREAM_DAMAGED)
    node.run(4_500)
    assert node.told() == []
    node.run(60_000)
    assert node.told() == [("node.recording_gap", "active")]
    alert = node.alerts[0]
    assert alert.severity is Severity.ALARM
    assert alert.camera_id == CAMERA
    assert alert.since_utc_ms == START_UTC_MS + 110_000
    assert (alert.measured[0].name, alert.measured[0].value) == ("unrecorded", 5.0)
    node.record()
    node.run(2_000)
    assert node.told()[1:] == [("node.recording_gap", "cleared")]


def test_a_reconnect_of_two_seconds_is_no_alarm() -> None:
    node = Node()
    for _ in range(5):
        node.gap(GapReason.CAMERA_OFFLINE)
        node.run(2_000)
        node.record()
        node.run(2_000)
    assert node.told() == []


@pytest.mark.parametrize(
    ("reason", "state", "code"),
    [
        (GapReason.CAMERA_OFFLINE, CameraState.OFFLINE, "camera.offline"),
        (GapReason.CAMERA_SILENT, CameraState.FROZEN, "camera.frozen"),
    ],
)
def test_a_camera_that_is_away_sounds_once_and_gets_time_to_be_recorded_again(
    reason: GapReason, state: CameraState, code: str
) -> None:
    node = Node()
    node.gap(reason)
    node.run(2_500)
    node.camera(state)
    node.run(60_000)
    assert node.told() == [(code, "active")]
    node.camera(CameraState.LIVE)
    node.run(4_000)  # the recorder's own link waits for a key frame
    node.record()
    node.run(10_000)
    assert node.told() == [(code, "active"), (code, "cleared")]


def test_a_main_stream_that_stays_away_when_the_camera_is_back_is_an_alarm() -> None:
    node = Node()
    node.gap(GapReason.CAMERA_OFFLINE)
    node.camera(CameraState.OFFLINE)
    node.run(30_000)
    node.camera(CameraState.LIVE)
    node.run(5_500)
    assert ("node.recording_gap", "active") in node.told()
    alert = node.alerts[-1]
    assert alert.since_utc_ms == START_UTC_MS + 130_000  # since then the recording alone is missing


def test_a_disk_that_does_not_write_is_one_alarm_for_all_its_tracks() -> None:
    node = Node(pickups=(PICKUP,))
    node.tracks[PICKUP] = TrackSeen(RecordingState.RECORDING, node.now)
    node.run(1_000)
    for track in (CAMERA, PICKUP):
        node.gap(GapReason.DISK_FULL, track)
    node.run(15_000)  # the pickup, which gives no sound here, may still be starting
    assert node.told() == [("node.disk_failing", "active")]
    assert node.alerts[0].measured[0].value == 2
    node.record(CAMERA)
    node.run(10_000)
    assert [row for row in node.told() if row[0].startswith("node.")] == node.told()[:1]
    node.record(PICKUP)
    node.run(10_000)
    assert ("node.disk_failing", "cleared") in node.told()


def test_a_lost_pickup_is_an_alarm_that_names_it_and_outlives_a_restart() -> None:
    node = Node(pickups=(PICKUP,))
    node.gap(GapReason.PICKUP_LOST, PICKUP)
    node.run(6_000)
    assert node.told() == [("node.recording_gap", "active")]
    assert (node.alerts[0].camera_id, node.alerts[0].pickup_id) == (None, PICKUP)
    node.state = restore(node.setup, to_store(node.state), node.now)
    node.run(10_000)
    assert len(node.alerts) == 1
    node.record(PICKUP)
    node.run(3_000)
    assert node.alerts[-1].condition is Condition.CLEARED


def test_a_dead_recorder_speaks_for_all_that_it_does_not_record() -> None:
    node = Node()
    node.gap(GapReason.STREAM_DAMAGED)
    node.running, node.running_since = False, node.now
    node.run(9_500)
    assert node.told() == []  # supervision brings it back within seconds
    node.run(60_000)
    assert node.told() == [("node.recorder_down", "active")]
    node.running, node.running_since = True, node.now
    node.record()
    node.run(3_000)
    assert node.told()[1:] == [("node.recorder_down", "cleared")]


def test_a_low_disk_warns_with_hysteresis() -> None:
    node = Node()
    node.disk = DiskSeen(free_bytes=99, total_bytes=1_000)
    node.run(6_000)
    assert node.told() == [("node.disk_low", "active")]
    assert node.alerts[0].severity is Severity.WARNING
    assert (node.alerts[0].measured[0].value, node.alerts[0].measured[0].limit) == (9.9, 10.0)
    node.disk = DiskSeen(free_bytes=105, total_bytes=1_000)
    node.run(30_000)
    assert len(node.alerts) == 1
    node.disk = DiskSeen(free_bytes=110, total_bytes=1_000)
    node.run(6_000)
    assert node.told()[1:] == [("node.disk_low", "cleared")]


def test_a_clock_that_follows_nobody_warns_after_ten_minutes() -> None:
    node = Node()
    node.clock = ClockState(source=ClockSource.UNSYNCHRONISED)
    node.run(599_000)
    assert node.told() == []
    node.run(2_000)
    assert node.told() == [("node.clock_unsynchronised", "active")]
    node.clock = SYNCHRONISED
    node.run(11_000)
    assert node.told()[1:] == [("node.clock_unsynchronised", "cleared")]


@pytest.mark.parametrize(
    ("clock", "told"),
    [
        (ClockState(source=ClockSource.SYNCHRONISED, offset_ms=-1_500.0), 1),
        (ClockState(source=ClockSource.SYNCHRONISED, offset_ms=900.0), 0),
        (ClockState(source=ClockSource.UNKNOWN), 0),
    ],
)
def test_a_clock_far_off_warns_and_one_that_cannot_be_asked_does_not(
    clock: ClockState, told: int
) -> None:
    node = Node()
    node.clock = clock
    node.run(602_000)
    assert len(node.alerts) == told


def test_a_step_of_the_clock_is_told_at_once_while_it_is_shown() -> None:
    node = Node()
    node.clock_step_ms = -3_600_000
    node.run(30_000)
    assert node.told() == [("node.clock_stepped", "active")]
    assert node.alerts[0].measured[0].value == -3_600_000
    node.clock_step_ms = 0
    node.run(1_000)
    assert node.told()[1:] == [("node.clock_stepped", "cleared")]


def test_other_rooms_of_the_node_leave_its_alerts_to_the_first() -> None:
    node = Node(speaks=False)
    node.running = False
    node.clock_step_ms = 1_000
    node.disk = DiskSeen(error="read-only")
    node.run(700_000)
    assert node.told() == []


def test_a_node_that_does_not_record_says_nothing_of_it() -> None:
    node = Node()
    for _ in range(1_000):
        node.ms += STEP_MS
        node.give(Tick())
    assert node.told() == []
    node.record()
    node.running = False
    node.run(700_000)
    assert node.told() == [("node.recorder_down", "active")], "asked as soon as it records"
