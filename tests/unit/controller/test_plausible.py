"""What a robot says that cannot be true flags it; what honest robots say never does."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.api import Pose
from contracts.units import MonoMs, UtcMs
from contracts.vda5050.profile import CompartmentState, LidState, LockState, OpenCompartment
from contracts.vda5050.state import ConnectionState
from controller.core import plausible
from controller.core import site as core
from controller.core.capability import assumed, unfit
from controller.core.doubts import DoubtKind
from controller.core.fleet import ActionDuty, Duty, Mission, RobotReport, Unpassed
from controller.core.fleet_inputs import RobotCleared, RobotDeclared, RobotGarbled
from controller.core.outputs import Accepted, ActionKind, Output, PublishAction, Refused
from controller.core.plausible import Trail
from controller.core.state import (
    Input,
    Now,
    RobotConnected,
    RobotReported,
    SiteState,
    Tick,
    changed,
)
from tests.fakes.controller_site import fresh_state, small_plan
from tests.fakes.robot_words import standing_at
from zeroentry.simulator import script, world

PLAN = small_plan()
WAY = ("kitchen", "k", "c1", "c2", "door-1")
AT = {"kitchen": (0.0, 0.0), "k": (2.0, 0.0), "c1": (5.0, 0.0), "c2": (8.0, 0.0)}
DUTY = Duty("robot-1", mission=Mission("o", WAY, 4, answered=0), at_node="kitchen")
SHUT = CompartmentState(1, LidState.CLOSED, LockState.LOCKED, occupied=False)


def said(node: str = "kitchen", x_m: float | None = None, **more: object) -> RobotReport:
    here = AT.get(node, (0.0, 0.0))
    report = standing_at(
        node,
        order_id="o",
        last_sequence_id=2 * WAY.index(node) if node in WAY else 0,
        driving=True,
        pose=Pose(x_m=here[0] if x_m is None else x_m, y_m=here[1], theta_rad=0, map_id="floor-1"),
    )
    return replace(report, **more)  # type: ignore[arg-type]  # fields of the report by name


def judge(*rows: tuple[int, RobotReport], duty: Duty = DUTY, utc: int = 1_000_000) -> set[str]:
    """The kinds of doubt that a series of reports raises; each with its time in ms."""
    trail, found = Trail(), set[str]()
    for at_ms, report in rows:
        trail, doubts = plausible.check(
            PLAN, duty, trail, report, MonoMs(at_ms), UtcMs(utc + at_ms)
        )
        found |= {one.kind.value for one in doubts}
    return found


def steady(report: RobotReport, for_ms: int = 12_000) -> Sequence[tuple[int, RobotReport]]:
    return [(at, report) for at in range(0, for_ms + 1, 1_000)]


def test_a_robot_that_drives_along_its_base_is_believed() -> None:
    rows = [
        (at, said("kitchen" if at < 2_000 else "k", x_m=at / 1_000)) for at in range(0, 5_000, 500)
    ]
    assert judge(*rows) == set()


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([(0, said()), (500, said(x_m=40.0))], "teleport"),
        ([(0, said(battery_percent=-3.0))], "battery"),
        ([(0, said(battery_percent=20.0)), (5_000, said(battery_percent=95.0))], "battery"),
        ([(0, said("nowhere"))], "unknown_node"),
        ([(0, said()), (100, said("c2", x_m=0.0))], "sequence"),
        (steady(said("c2", x_m=8.0, last_sequence_id=8), 3_000), "sequence"),
        (steady(said(paused=True), 6_000), "drives_stopped"),
        (steady(said(e_stop=True), 6_000), "drives_stopped"),
        (steady(said(x_m=30.0), 4_000), "off_node"),
        (steady(said(stamp_utc_ms=UtcMs(5)), 25_000), "clock"),
    ],
)
def test_what_cannot_be_is_doubted(rows: Sequence[tuple[int, RobotReport]], wanted: str) -> None:
    assert judge(*rows) == {wanted}


def test_a_released_node_that_was_never_released_is_doubted() -> None:
    told = said(unpassed=(Unpassed("door-1", 8, released=True),))
    assert judge(*steady(told, 3_000)) == {"sequence"}


@pytest.mark.parametrize(
    "rows",
    [
        # Late: the first was held up for five seconds, the robot drove on meanwhile.
        [
            (5_000, said(x_m=0.0, stamp_utc_ms=UtcMs(1_000_000))),
            (5_010, said("k", x_m=5.0, stamp_utc_ms=UtcMs(1_005_000))),
        ],
        # Without stamps some lateness is taken for granted.
        [(0, said(x_m=0.0)), (50, said(x_m=4.0))],
        # Pushed by hand.
        [(0, said(automatic=False)), (1_000, said(x_m=30.0, automatic=False))],
        # Paused a moment ago: it still brakes.
        [(0, said()), (1_000, said(paused=True)), (3_000, said(paused=True, driving=False))],
        # An old battery under load breaks down.
        [(0, said(battery_percent=60)), (5_000, said(battery_percent=15))],
        # Charging.
        [
            (0, said(battery_percent=30, charging=True)),
            (300_000, said(battery_percent=60, charging=True)),
        ],
        # A localisation that corrects itself.
        [(0, said(x_m=1.0)), (1_000, said(x_m=2.5))],
    ],
)
def test_what_honest_robots_do_is_believed(rows: Sequence[tuple[int, RobotReport]]) -> None:
    assert judge(*rows) == set()


def test_compartments_change_by_command_alone() -> None:
    drawn = replace(SHUT, lock=LockState.UNLOCKED)
    rows = [
        (0, said(compartments=(SHUT,))),
        *((at, said(compartments=(drawn,))) for at in (1_000, 3_000, 5_000)),
    ]
    assert judge(*rows) == {"compartment"}
    opens = OpenCompartment(1, "d", "kitchen", UtcMs(1_030_000), "c")
    told = ActionDuty("a", ActionKind.OPEN, opens=opens, valid_until_utc_ms=UtcMs(1_030_000))
    assert judge(*rows, duty=replace(DUTY, actions=(told,))) == set()
    both = replace(SHUT, lid=LidState.OPEN)
    assert judge(*steady(said(compartments=(both,)), 5_000)) == {"compartment"}
    full = replace(SHUT, occupied=True)
    rows = [
        (0, said(compartments=(SHUT,))),
        *((at, said(compartments=(full,))) for at in (1_000, 3_000, 5_000)),
    ]
    assert judge(*rows) == {"compartment"}


def test_numbers_that_run_backwards_are_told_once_but_late_copies_never() -> None:
    trail = replace(Trail(), report=said(stamp_utc_ms=UtcMs(50_000)))
    for header in range(20):
        trail, doubt = plausible.stale(trail, header, said(stamp_utc_ms=UtcMs(49_000)))
        assert doubt is None
    found = []
    for header in range(5):
        newer = said(stamp_utc_ms=UtcMs(51_000 + header))
        trail, doubt = plausible.stale(trail, header, newer)
        found.append(doubt)
    assert [one.kind for one in found if one is not None] == [DoubtKind.HEADER]


# --- in the site ---------------------------------------------------------------------------------


class Bench:
    """A site's state, a clock, and what came out."""

    def __init__(self) -> None:
        self.ms = 1_000_000
        self.state: SiteState = fresh_state(PLAN, self.now())
        self.header = 0
        self.outputs: tuple[Output, ...] = ()
        self.do(RobotConnected("robot-1", ConnectionState.ONLINE))

    def now(self) -> Now:
        return Now(MonoMs(self.ms), UtcMs(self.ms))

    def do(self, given: Input, *, after_ms: int = 100) -> None:
        self.ms += after_ms
        self.state, self.outputs = core.step(self.state, given, self.now())

    def report(self, report: RobotReport, *, after_ms: int = 1_000) -> None:
        self.header += 1
        self.do(RobotReported("robot-1", self.header, report), after_ms=after_ms)

    @property
    def duty(self) -> Duty:
        return self.state.duties["robot-1"]

    def kinds(self) -> tuple[DoubtKind, ...]:
        """What the robot is doubted for now."""
        doubted = self.duty.doubted
        return doubted.kinds if doubted is not None else ()

    @property
    def alerts(self) -> set[str]:
        rows = self.state.alerts.values()
        return {row.alert.rule for row in rows if row.alert.condition == "active"}


IDLE = said(order_id="", driving=False, compartments=(SHUT,))


def test_a_flagged_robot_gets_nothing_until_a_person_has_cleared_it() -> None:
    bench = Bench()
    bench.do(RobotDeclared("robot-1", assumed(PLAN.robots["robot-1"])))
    bench.report(IDLE)
    robot = PLAN.robots["robot-1"]
    assert unfit(PLAN, robot, bench.duty.declared, bench.duty.doubted) is None
    bench.report(replace(IDLE, pose=Pose(x_m=300, y_m=0, theta_rad=0, map_id="floor-1")))
    assert bench.kinds() == (DoubtKind.TELEPORT,)
    assert "robot.implausible" in bench.alerts
    assert unfit(PLAN, robot, bench.duty.declared, bench.duty.doubted) is not None
    opens = OpenCompartment(1, "d", "kitchen", UtcMs(bench.ms + 60_000), "c")
    asked = ActionDuty(
        "u", ActionKind.OPEN, opens=opens, valid_until_utc_ms=UtcMs(bench.ms + 60_000)
    )
    duty = replace(bench.duty, actions=(asked,))
    bench.state = replace(bench.state, duties=changed(bench.state.duties, "robot-1", duty))
    bench.do(Tick(), after_ms=5_000)
    opened = [one for one in bench.outputs if isinstance(one, PublishAction)]
    assert all(one.action is not ActionKind.OPEN for one in opened)
    bench.do(RobotCleared("robot-1", "looked at it", "sup"))
    assert any(isinstance(one, Accepted) for one in bench.outputs)
    assert bench.kinds() == ()
    assert "robot.implausible" not in bench.alerts
    bench.do(RobotCleared("robot-1", "again", "sup"))
    assert any(isinstance(one, Refused) for one in bench.outputs)


def test_a_doubted_robot_frees_no_place() -> None:
    bench = Bench()
    bench.report(IDLE)
    taken = replace(bench.duty, mission=Mission("o", WAY, 4, answered=0), at_node="kitchen")
    bench.state = replace(bench.state, duties=changed(bench.state.duties, "robot-1", taken))
    bench.report(said("c2", x_m=0.0), after_ms=100)
    assert bench.duty.doubted is not None
    assert bench.duty.at_node == "kitchen"
    assert bench.duty.mission is not None
    assert bench.duty.mission.passed == 0


def test_a_robot_without_a_factsheet_is_asked_and_then_people_are_told() -> None:
    bench = Bench()
    bench.report(IDLE)
    bench.do(Tick())
    asked = [one for one in bench.outputs if isinstance(one, PublishAction)]
    assert [one.action for one in asked] == [ActionKind.FACTSHEET]
    assert "robot.unfit" not in bench.alerts
    for _ in range(70):
        bench.report(IDLE)
    bench.do(Tick())
    assert "robot.unfit" in bench.alerts
    bench.do(RobotDeclared("robot-1", assumed(PLAN.robots["robot-1"])))
    assert "robot.unfit" not in bench.alerts


def test_payloads_that_nobody_can_read_flag_a_robot_when_they_go_on() -> None:
    bench = Bench()
    bench.report(IDLE)
    for _ in range(2):
        bench.do(RobotGarbled("robot-1", "invalid", "batteryCharge: below 0"))
    assert bench.kinds() == ()
    bench.do(RobotGarbled("robot-1", "invalid", "batteryCharge: below 0"))
    assert bench.kinds() == (DoubtKind.MALFORMED,)


# A battery that is empty and a minute later half full is no honest robot's.
HONEST = (*script.LIES, script.FaultKind.BATTERY)


@settings(max_examples=4)  # a day takes a second; two hundred were played when this was written
@given(st.integers(min_value=0, max_value=400))
def test_no_honest_robot_is_flagged_whatever_the_network_does(seed: int) -> None:
    flagged: dict[str, object] = {}

    def step(site: SiteState, asked: Input, now: Now) -> tuple[SiteState, tuple[Output, ...]]:
        after, outputs = core.step(site, asked, now)
        flagged.update(
            {name: duty.doubted for name, duty in after.duties.items() if duty.doubted is not None}
        )
        return after, outputs

    day = replace(script.draw(seed, without=HONEST), line=script.AWFUL)
    world.World(day, step=step, limit_s=150).run()
    assert flagged == {}
