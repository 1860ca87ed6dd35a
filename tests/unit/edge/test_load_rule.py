"""Analysis that falls behind: what the meter makes of counts, and when the rule speaks."""

from dataclasses import dataclass, field
from itertools import count

from contracts.observations import CameraState
from contracts.units import MonoMs, UtcMs
from edge.core import load, room
from edge.core.load import WINDOW_MS, LoadSeen, Meter
from edge.core.people import Instant
from edge.core.room import AlertBegan, AlertCleared, CameraChanged, RoomInput
from edge.core.rule_settings import rule_settings
from edge.core.state import CameraSetup, RoomSetup, RoomState, restore

CODE = "node.overload"


def at(ms: int) -> Instant:
    return Instant(MonoMs(ms), UtcMs(1_800_000_000_000 + ms))


def new_room() -> RoomState:
    setup = RoomSetup(
        "room-1", "edge-1", (CameraSetup("cam-1", has_sound=False),), rule_settings({})
    )
    return restore(setup, None, at(0))


@dataclass
class Watched:
    """A room under a clock that the test moves."""

    state: RoomState = field(default_factory=new_room)
    ms: int = 0
    began: list[AlertBegan] = field(default_factory=list)
    cleared: list[AlertCleared] = field(default_factory=list)
    ids: "count[int]" = field(default_factory=count)

    def give(self, given: RoomInput) -> None:
        now = at(self.ms)
        self.state, outputs = room.step(
            self.state, given, now.mono_ms, now.utc_ms, lambda: f"id-{next(self.ids)}"
        )
        self.began += [
            one for one in outputs if isinstance(one, AlertBegan) and one.alert.rule == CODE
        ]
        self.cleared += [
            one for one in outputs if isinstance(one, AlertCleared) and one.alert.rule == CODE
        ]

    def run(self, seconds: int, *, wanted: float, analysed: float, delay_ms: float) -> None:
        for _ in range(seconds):
            self.ms += 1_000
            self.give(LoadSeen("cam-1", at(self.ms), wanted, analysed, delay_ms))


def live() -> Watched:
    watched = Watched()
    watched.give(CameraChanged("cam-1", CameraState.LIVE, at(0)))
    return watched


def test_too_few_pictures_for_the_dwell_raise_one_alert_and_clear_when_it_keeps_up() -> None:
    watched = live()
    watched.run(9, wanted=5, analysed=2.5, delay_ms=300)
    assert watched.began == []
    watched.run(21, wanted=5, analysed=2.5, delay_ms=300)
    (began,) = watched.began
    assert began.alert.camera_id == "cam-1"
    assert [(one.name, one.value, one.limit) for one in began.alert.measured] == [
        ("analysed", 2.5, 3.0),
        ("delay", 300, 1_500),
    ]
    assert began.alert.saw is not None
    assert "2.5" in began.alert.saw.zh
    assert "2.5" in began.alert.saw.en
    watched.run(7, wanted=5, analysed=5, delay_ms=80)
    assert len(watched.cleared) == 1


def test_a_bad_period_counts_from_its_middle() -> None:
    watched = live()
    watched.run(3, wanted=5, analysed=5, delay_ms=80)
    watched.run(9, wanted=5, analysed=2.5, delay_ms=300)  # bad from 3 s on, as told at 4 s
    assert watched.began == []
    watched.run(2, wanted=5, analysed=2.5, delay_ms=300)
    (began,) = watched.began
    assert began.alert.since_utc_ms == at(3_500).utc_ms
    assert watched.ms == 14_000


def test_late_pictures_are_overload_too() -> None:
    watched = live()
    watched.run(12, wanted=5, analysed=5, delay_ms=1_800)
    assert len(watched.began) == 1


def test_a_stream_that_brings_little_is_not_the_nodes_overload() -> None:
    watched = live()
    watched.run(60, wanted=0.4, analysed=0.1, delay_ms=100)
    watched.run(60, wanted=3, analysed=3, delay_ms=100)
    assert watched.began == []


def test_a_camera_that_is_away_says_nothing_of_the_load() -> None:
    watched = live()
    watched.run(8, wanted=5, analysed=1, delay_ms=100)
    watched.give(CameraChanged("cam-1", CameraState.OFFLINE, at(watched.ms)))
    watched.run(8, wanted=5, analysed=1, delay_ms=100)
    assert watched.began == []


def test_the_meter_wants_no_more_than_arrives_and_no_more_than_declared() -> None:
    def after_six_s(arrived: int, analysed: int) -> LoadSeen:
        meters: tuple[Meter, ...] = ()
        for second in range(7):
            meter = Meter(at(second * 1_000), arrived * second, analysed * second, (90.0, 110.0))
            meters = load.step(meters, meter)
        assert meters[0].at == at(6_000 - WINDOW_MS)
        seen = load.seen("cam-1", meters, 5.0)
        assert seen is not None
        assert seen.period_ms == 1_000
        return seen

    assert (after_six_s(25, 5).wanted_per_s, after_six_s(25, 5).analysed_per_s) == (5.0, 5.0)
    assert after_six_s(3, 3).wanted_per_s == 3.0
    assert after_six_s(25, 2).delay_ms == 100.0


def test_the_meter_says_nothing_of_the_first_moments() -> None:
    meters = load.step((), Meter(at(0), 0, 0))
    assert load.seen("cam-1", meters, 5.0) is None
