"""A pause is asked for until the robot's state says so, whatever the robot answers."""

from dataclasses import dataclass, field, replace

import pytest

from contracts.api import Pose
from contracts.devices import ZonePolicy
from contracts.units import MonoMs, UtcMs
from contracts.vda5050.state import ActionStatus, ConnectionState
from controller.core import fleet, holds, sending
from controller.core.fleet import ActionReport, Duty, HoldVerb, Mission, RobotHold, RobotLive
from controller.core.interlock import Clearance
from controller.core.outputs import ActionKind, FetchSnapshot, PublishAction
from controller.core.site import step
from controller.core.state import Now, Observed, SiteState
from tests.fakes.controller_site import fresh_state, observation, person, small_plan
from tests.fakes.robot_words import standing_at

WAY = ("kitchen", "k", "c1", "c2", "door-1")
ROBOT = "robot-1"
PERSON = {"corridor": Clearance.PERSON}
CLEAR = {"corridor": Clearance.CLEAR}
SLOW = {"corridor": Clearance.SLOW}
TICK_MS = 100


def in_corridor(*, paused: bool = False, driving: bool = True) -> fleet.RobotReport:
    return standing_at(
        "c1",
        order_id="o",
        last_sequence_id=4,
        driving=driving,
        paused=paused,
        pose=Pose(x_m=5.0, y_m=0.0, theta_rad=0.0, map_id="floor-1"),
        speed_m_s=0.8 if driving else 0.0,
    )


@dataclass
class Held:
    """A robot in the corridor, and what it is sent while the controller's ticks go by."""

    site: SiteState = field(default_factory=lambda: fresh_state(small_plan(robots=1)))
    mono_ms: int = 50_000
    utc_ms: int = 1_000_000
    asked: list[PublishAction] = field(default_factory=list)

    def __post_init__(self) -> None:
        mission = Mission("o", WAY, 4, passed=2, answered=0)
        self.duty = Duty(ROBOT, mission=mission, at_node="c1")
        self.says(in_corridor())

    @property
    def duty(self) -> Duty:
        return self.site.duties[ROBOT]

    @duty.setter
    def duty(self, duty: Duty) -> None:
        self.site = replace(self.site, duties={ROBOT: duty})

    def says(self, report: fleet.RobotReport, **answers: ActionStatus) -> None:
        """The robot's state; ``answers`` by the kind of the action that was sent last."""
        shown = tuple(
            ActionReport(row.action_id, answers[row.action])
            for row in self.duty.actions
            if row.action in answers
        )
        self.duty = fleet.heard(self.duty, replace(report, actions=shown))
        live = RobotLive(
            ConnectionState.ONLINE,
            report=replace(report, actions=shown),
            report_mono_ms=MonoMs(self.mono_ms),
            pose=report.pose,
        )
        self.site = replace(self.site, robots={ROBOT: live})

    def ticks(self, states: dict[str, Clearance], count: int = 1, **answers: ActionStatus) -> None:
        """Each tick the robot says where it is, and how its actions go; then it is told."""
        for _ in range(count):
            self.mono_ms += TICK_MS
            self.utc_ms += TICK_MS
            report = self.site.robots[ROBOT].report
            assert report is not None
            self.says(report, **answers)
            now = Now(MonoMs(self.mono_ms), UtcMs(self.utc_ms))
            self.site, _ = holds.settle(self.site, states, now)
            self.site, outputs = sending.due(self.site, now)
            self.asked += [row for row in outputs if isinstance(row, PublishAction)]

    def called_back(self) -> bool:
        """Its order is being called off."""
        return self.duty.mission is not None and self.duty.mission.cancelling

    def kinds(self) -> list[ActionKind]:
        return [row.action for row in self.asked]


def test_a_pause_that_is_not_shown_is_sent_again_every_300_ms_as_the_same_action() -> None:
    robot = Held()
    robot.ticks(PERSON, 13)
    assert robot.kinds() == [ActionKind.PAUSE] * 5
    assert len({row.action_id for row in robot.asked}) == 1


@pytest.mark.parametrize("status", [ActionStatus.RUNNING, ActionStatus.WAITING])
def test_a_pause_that_a_robot_shows_and_never_does_is_asked_for_anew(status: ActionStatus) -> None:
    robot = Held()
    robot.ticks(PERSON, 1)
    robot.ticks(PERSON, 40, startPause=status)
    assert 4 <= len(robot.asked) <= 6
    assert len({row.action_id for row in robot.asked}) == len(robot.asked)
    assert set(robot.kinds()) == {ActionKind.PAUSE}


@pytest.mark.parametrize("status", [ActionStatus.FAILED, ActionStatus.FINISHED])
def test_a_pause_that_is_refused_or_said_to_be_done_is_asked_for_anew_but_no_flood(
    status: ActionStatus,
) -> None:
    robot = Held()
    robot.ticks(PERSON, 31, startPause=status)
    assert 9 <= len(robot.asked) <= 12
    assert len({row.action_id for row in robot.asked}) == len(robot.asked)


def test_the_end_of_a_pause_is_asked_for_until_it_has_taken_effect() -> None:
    robot = Held()
    robot.ticks(PERSON, 1)
    robot.says(in_corridor(paused=True, driving=False), startPause=ActionStatus.FINISHED)
    robot.ticks(PERSON, 5, startPause=ActionStatus.FINISHED)
    assert robot.kinds() == [ActionKind.PAUSE]
    robot.ticks(CLEAR, 31, stopPause=ActionStatus.RUNNING)
    resumed = [row for row in robot.asked if row.action is ActionKind.RESUME]
    assert 3 <= len(resumed) <= 4
    robot.says(in_corridor())
    robot.ticks(CLEAR, 5, stopPause=ActionStatus.FINISHED)
    assert robot.duty.pause_wanted is None
    assert robot.kinds().count(ActionKind.RESUME) == len(resumed)


def test_a_clock_set_back_does_not_keep_a_pause_from_being_asked_for() -> None:
    robot = Held()
    robot.ticks(PERSON, 1)
    robot.utc_ms -= 3_600_000
    robot.ticks(PERSON, 1, startPause=ActionStatus.RUNNING)
    assert len(robot.asked) == 2


def test_a_second_person_after_the_first_is_paused_for_at_once() -> None:
    robot = Held()
    robot.ticks(PERSON, 2, startPause=ActionStatus.FINISHED)
    robot.says(in_corridor(paused=True, driving=False))
    robot.ticks(CLEAR, 1)
    assert robot.kinds()[-1] is ActionKind.RESUME
    robot.says(in_corridor())
    robot.ticks(CLEAR, 1, stopPause=ActionStatus.FINISHED)
    before = len(robot.asked)
    robot.ticks(PERSON, 1)
    assert robot.kinds()[before:] == [ActionKind.PAUSE]


def test_a_hold_in_a_lifts_car_or_a_doorway_waits_until_the_robot_is_clear_of_it() -> None:
    robot = Held()
    robot.site = replace(robot.site, plan=replace(robot.site.plan, door_on={("c1", "c2"): "d"}))
    robot.duty = replace(robot.duty, hold=RobotHold(HoldVerb.HOLD, "look", "sup", UtcMs(0)))
    robot.ticks(CLEAR, 5)
    assert robot.asked == []
    robot.site = replace(robot.site, plan=replace(robot.site.plan, door_on={}))
    robot.ticks(CLEAR, 1)
    assert robot.kinds() == [ActionKind.PAUSE]


def test_an_expert_who_comes_after_the_way_was_given_has_it_given_anew() -> None:
    robot = Held()
    robot.ticks(CLEAR, 3)
    assert not robot.called_back()
    robot.ticks(SLOW, 1)
    assert robot.called_back()
    assert robot.asked == []  # it finishes its edge; nobody is driven at, so it need not be paused


def test_what_was_given_slowly_is_driven_on() -> None:
    robot = Held()
    assert robot.duty.mission is not None
    robot.duty = replace(robot.duty, mission=replace(robot.duty.mission, slow=(3,)))
    robot.ticks(SLOW, 3)
    assert robot.duty.mission is not None
    assert not robot.duty.mission.cancelling


@pytest.mark.parametrize("change", ["paused", "in a doorway", "not yet taken", "beyond"])
def test_an_order_is_not_called_off_where_that_would_be_worse(change: str) -> None:
    robot = Held()
    mission = robot.duty.mission
    assert mission is not None
    match change:
        case "paused":
            robot.says(in_corridor(paused=True, driving=False))
            robot.duty = replace(robot.duty, pause_wanted=True)
        case "in a doorway":
            plan = replace(robot.site.plan, door_on={("c1", "c2"): "d"})
            robot.site = replace(robot.site, plan=plan)
        case "not yet taken":
            robot.duty = replace(robot.duty, mission=replace(mission, order_id="n", answered=-1))
        case _:
            robot.duty = replace(robot.duty, mission=replace(mission, passed=3))
    robot.ticks(SLOW, 1)
    assert robot.duty.mission is not None
    assert not robot.duty.mission.cancelling


def test_a_person_in_the_way_is_told_once_with_the_picture_of_the_camera_that_shows_most() -> None:
    site = fresh_state(small_plan(policy=ZonePolicy.CLOSED, robots=1))
    now = Now(MonoMs(50_000), UtcMs(1_000_000))
    seen = observation(index=1, utc_ms=1_000_000, people=(person(), person(track=2)))
    site, _ = step(site, Observed(seen), now)
    mission = Mission("o", WAY, 4, passed=2, answered=0)
    live = RobotLive(ConnectionState.ONLINE, report=in_corridor(), report_mono_ms=now.mono_ms)
    site = replace(
        site,
        duties={ROBOT: Duty(ROBOT, mission=mission, at_node="c1")},
        robots={ROBOT: live},
    )
    site, outputs = holds.settle(site, PERSON, now)
    (alert,) = site.alerts.values()
    assert alert.alert.rule == "robot.person_in_zone"
    assert len(alert.alert.boxes) == 2
    assert outputs == (FetchSnapshot(alert.id, "edge-1", "cam-c"),)
    site, outputs = holds.settle(site, PERSON, now)
    assert outputs == ()
    assert len(site.alerts) == 1
