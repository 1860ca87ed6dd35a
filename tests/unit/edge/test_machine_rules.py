"""Rules on the node itself: failing copies, what differs from the seal, disk and clock in words."""

from dataclasses import replace
from itertools import count

import pytest

from contracts.commands import Release, Seal
from contracts.evidence.entries import ClockSource, ClockState
from contracts.observations import Alert
from contracts.units import MessageId, MonoMs, RoomId, SessionId, UtcMs
from edge.core import room as core
from edge.core.machine_watch import DiskSeen
from edge.core.people import Instant
from edge.core.room import AlertBegan, AlertCleared, ConfigCompared, RoomInput
from edge.core.rule_settings import rule_settings
from edge.core.state import CopiesFailing, RecordingSeen, RoomSetup, restore

START_UTC_MS = 1_767_232_800_000
MINUTE_MS = 60_000


def at(ms: int) -> Instant:
    return Instant(MonoMs(1_000_000 + ms), UtcMs(START_UTC_MS + ms))


WELL = RecordingSeen(
    at=at(0),
    running=True,
    since=at(0),
    tracks={},
    disk=DiskSeen(60, 100),
    disk_low_percent=10.0,
    clock=ClockState(source=ClockSource.SYNCHRONISED, offset_ms=0.3),
    clock_step_ms=0,
)


class Node:
    def __init__(self, *, speaks: bool = True) -> None:
        setup = RoomSetup("room-1", "node-1", (), rule_settings(), speaks_for_node=speaks)
        self._ids = count(1)
        self.state = restore(setup, None, at(0))
        self.ms = 0
        self.alerts: list[Alert] = []

    def give(self, given: RoomInput) -> None:
        now = at(self.ms)
        self.state, outputs = core.step(
            self.state, given, now.mono_ms, now.utc_ms, lambda: MessageId(f"a-{next(self._ids)}")
        )
        self.alerts += [one.alert for one in outputs if isinstance(one, AlertBegan | AlertCleared)]

    def run(self, seen: RecordingSeen, for_ms: int, every_ms: int = 500) -> None:
        for _ in range(0, for_ms, every_ms):
            self.ms += every_ms
            self.give(replace(seen, at=at(self.ms)))

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(one.rule, one.condition.value) for one in self.alerts]


def failing(since_ms: int, place: str = "archive") -> CopiesFailing:
    return CopiesFailing(place, at(since_ms).utc_ms, "no answer from s3.example")


def test_copies_that_fail_for_long_are_told_once_with_place_and_reason() -> None:
    node = Node()
    node.run(WELL, 5_000)
    away = replace(WELL, copies_failing=(failing(5_000), failing(400_000, "disk-2")))
    node.run(away, 9 * MINUTE_MS, 5_000)
    assert node.told == []
    node.run(away, 90_000, 500)
    assert node.told == [("node.copies_failing", "active")]
    alert = node.alerts[0]
    assert alert.since_utc_ms == at(5_000).utc_ms
    assert alert.saw is not None
    assert "archive" in alert.saw.en
    assert "disk-2" in alert.saw.zh
    assert "no answer" in alert.saw.en
    node.run(WELL, 12_000)
    assert node.told[-1] == ("node.copies_failing", "cleared")


def test_a_place_that_was_away_before_this_start_is_told_at_once() -> None:
    node = Node()
    node.run(replace(WELL, copies_failing=(failing(-3_600_000),)), 1_000)
    assert node.told == [("node.copies_failing", "active")]


def test_a_place_that_comes_and_goes_is_not_told() -> None:
    node = Node()
    for _ in range(8):
        began = node.ms
        node.run(replace(WELL, copies_failing=(failing(began),)), 4 * MINUTE_MS, 5_000)
        node.run(WELL, 20_000, 5_000)
    assert node.told == []


def test_one_room_speaks_for_the_node() -> None:
    node = Node(speaks=False)
    node.run(replace(WELL, copies_failing=(failing(-3_600_000),), disk=DiskSeen(1, 100)), 20_000)
    assert node.told == []


def seal() -> Seal:
    return Seal(
        command_id=MessageId("seal-1"),
        room_id=RoomId("room-1"),
        session_id=SessionId("s-1"),
        admitted=5,
        at_utc_ms=at(0).utc_ms,
    )


def test_what_differs_from_the_seal_is_named() -> None:
    node = Node(speaks=False)  # of each room, not of the node
    node.give(seal())
    node.give(ConfigCompared(()))
    assert node.told == []
    node.give(ConfigCompared(("rules", "zones")))
    assert node.told == [("node.config_drift", "active")]
    saw = node.alerts[0].saw
    assert saw is not None
    assert saw.en == "Not as the seal froze them: rules, zones."
    assert "规则、区域" in saw.zh
    node.give(ConfigCompared(()))
    assert node.told[-1] == ("node.config_drift", "cleared")


def test_drift_ends_with_the_session() -> None:
    node = Node()
    node.give(seal())
    node.give(ConfigCompared(("devices",)))
    node.give(
        Release(
            command_id=MessageId("r-1"),
            room_id=RoomId("room-1"),
            session_id=SessionId("s-1"),
            at_utc_ms=at(0).utc_ms,
        )
    )
    node.give(ConfigCompared(()))
    assert node.told == [("node.config_drift", "active"), ("node.config_drift", "cleared")]


@pytest.mark.parametrize(
    ("seen", "for_ms", "rule", "words"),
    [
        (replace(WELL, disk=DiskSeen(4, 100)), 8_000, "node.disk_low", "4.0 %"),
        (replace(WELL, disk=DiskSeen(50, 100, "read-only")), 3_000, "node.disk_failing", "read"),
        (replace(WELL, clock_step_ms=-2_500), 1_000, "node.clock_stepped", "back by 2500 ms"),
        (
            replace(WELL, clock=ClockState(source=ClockSource.UNSYNCHRONISED)),
            11 * MINUTE_MS,
            "node.clock_unsynchronised",
            "no time server",
        ),
    ],
)
def test_each_fault_says_what_was_seen(
    seen: RecordingSeen, for_ms: int, rule: str, words: str
) -> None:
    node = Node()
    node.run(WELL, 2_000)
    node.run(seen, for_ms)
    assert node.told == [(rule, "active")]
    saw = node.alerts[0].saw
    assert saw is not None
    assert words in saw.en
    assert saw.zh != saw.en
