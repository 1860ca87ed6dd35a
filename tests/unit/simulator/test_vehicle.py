"""A simulated robot of another make keeps to VDA 5050, whatever the master does."""

from dataclasses import dataclass, field

import pytest

from contracts.vda5050.profile import LockCompartment, OpenCompartment
from contracts.vda5050.state import ActionStatus
from controller.core.fleet import RobotReport
from controller.core.outputs import ActionKind, OrderNode, PublishAction, PublishOrder
from zeroentry.simulator.agenda import Agenda
from zeroentry.simulator.grounds import Ground
from zeroentry.simulator.maps import plan_named
from zeroentry.simulator.motion import Body
from zeroentry.simulator.vehicle import Box, Vehicle


@dataclass
class Notes:
    """What the robot's doings meant to the world."""

    states: list[RobotReport] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)

    def said(self, robot: Vehicle, report: RobotReport) -> None:
        self.states.append(report)

    def declared(self, robot: Vehicle) -> None: ...

    def forgot(self, robot: Vehicle) -> None: ...

    def moved(self, robot: Vehicle) -> None: ...

    def passed(self, robot: Vehicle, node: str) -> None: ...

    def bolt_drawn(self, robot: Vehicle, box: Box, action: PublishAction) -> None:
        self.opened.append(box.number)


@dataclass
class Yard:
    """One robot at its dock on the map ``line``."""

    agenda: Agenda
    notes: Notes
    robot: Vehicle

    def wait(self, seconds: float) -> None:
        until_s = self.agenda.now_s + seconds
        while self.agenda.step(until_s):
            pass

    def order(self, update: int, *nodes: tuple[str, int, bool], name: str = "o1") -> None:
        rows = tuple(OrderNode(node, seq, released) for node, seq, released in nodes)
        self.robot.take_order(PublishOrder("robot-1", name, update, rows))

    def act(
        self,
        kind: ActionKind,
        name: str,
        opens: OpenCompartment | None = None,
        locks: LockCompartment | None = None,
    ) -> None:
        self.robot.take_action(PublishAction("robot-1", name, kind, opens=opens, locks=locks))

    def status(self, name: str) -> ActionStatus:
        return next(row.status for row in self.robot.report().actions if row.action_id == name)

    def errors(self) -> list[str]:
        return [row.type for row in self.robot.report().problems]


@pytest.fixture
def yard() -> Yard:
    agenda, notes = Agenda(), Notes()
    ground = Ground(plan_named("line", 2, 2))
    robot = Vehicle("robot-1", ground, agenda, notes, home="dock-1", boxes=2, body=Body())
    return Yard(agenda, notes, robot)


START = (("dock-1", 0, True), ("c1", 2, True), ("c2", 4, False), ("c3", 6, False))


def test_it_drives_the_base_and_stands_before_the_horizon(yard: Yard) -> None:
    yard.order(0, *START)
    yard.wait(60)
    report = yard.robot.report()
    assert (report.last_node, report.driving) == ("c1", False)
    assert [(row.node_id, row.released) for row in report.unpassed] == [
        ("c2", False),
        ("c3", False),
    ]
    assert yard.robot.at("c1")


def test_an_update_goes_on_from_the_end_of_the_base_and_its_copy_changes_nothing(
    yard: Yard,
) -> None:
    yard.order(0, *START)
    yard.wait(60)
    for _ in range(2):
        yard.order(1, ("c1", 2, True), ("c2", 4, True), ("c3", 6, True))
    yard.wait(60)
    assert yard.robot.at("c3")
    assert yard.errors() == []


@pytest.mark.parametrize(
    ("update", "nodes"),
    [
        (0, (("dock-1", 0, True), ("c1", 2, True))),  # other content under the same update
        (1, (("c2", 4, True), ("c3", 6, True))),  # does not join the base
    ],
)
def test_what_does_not_fit_is_refused_and_the_order_stays(
    yard: Yard, update: int, nodes: tuple[tuple[str, int, bool], ...]
) -> None:
    yard.order(0, *START)
    yard.wait(60)
    yard.order(update, *nodes)
    assert yard.errors() == ["orderUpdateError"]
    assert yard.robot.report().order_update_id == 0


def test_a_new_order_is_refused_while_one_is_under_way_or_begins_far_away(yard: Yard) -> None:
    yard.order(0, ("c3", 0, True), ("c2", 2, True))
    assert yard.errors() == ["noRouteError"]
    yard.order(0, *START, name="o2")
    yard.order(0, *START, name="o3")
    assert yard.errors() == ["orderError"]
    assert yard.robot.report().order_id == "o2"


def test_cancelling_is_finished_only_when_it_stands(yard: Yard) -> None:
    yard.order(0, *START)
    yard.wait(4)
    yard.act(ActionKind.CANCEL, "x")
    assert yard.status("x") is ActionStatus.RUNNING
    yard.wait(5)
    assert yard.status("x") is ActionStatus.FINISHED
    assert yard.robot.report().unpassed == ()
    yard.order(1, ("c1", 2, True), ("c2", 4, True))
    assert yard.errors() == ["orderUpdateError"]
    yard.act(ActionKind.CANCEL, "y")
    assert yard.status("y") is ActionStatus.FAILED


def test_a_pause_brakes_and_its_end_lets_it_go_on(yard: Yard) -> None:
    yard.order(0, *START)
    yard.wait(4)
    yard.act(ActionKind.PAUSE, "p")
    yard.wait(5)
    assert yard.robot.report().paused
    assert not yard.robot.at("c1")
    yard.act(ActionKind.RESUME, "r")
    yard.wait(30)
    assert yard.robot.at("c1")


def test_it_opens_only_where_it_is_told_and_not_late_and_once(yard: Yard) -> None:
    until = yard.agenda.utc_ms() + 5_000

    def command(node: str, name: str) -> OpenCompartment:
        return OpenCompartment(1, "d1", node, type(yard.agenda.utc_ms())(until), name)

    yard.act(ActionKind.OPEN, "a", opens=command("kitchen", "a"))
    yard.wait(1)
    assert yard.status("a") is ActionStatus.FAILED
    yard.act(ActionKind.OPEN, "b", opens=command("dock-1", "b"))
    yard.wait(1)
    assert yard.status("b") is ActionStatus.FINISHED
    yard.act(ActionKind.OPEN, "c", opens=command("dock-1", "b"))
    yard.wait(10)
    yard.act(ActionKind.OPEN, "d", opens=command("dock-1", "d"))
    yard.wait(1)
    assert (yard.status("c"), yard.status("d")) == (ActionStatus.FAILED, ActionStatus.FAILED)
    assert yard.notes.opened == [1]


def test_it_does_not_drive_with_a_compartment_unlocked(yard: Yard) -> None:
    yard.robot.boxes[0].locked = False
    yard.order(0, *START)
    yard.wait(30)
    assert yard.robot.at("dock-1")
    yard.act(ActionKind.LOCK, "l", locks=LockCompartment(1, "d1", "l"))
    yard.wait(60)
    assert yard.robot.at("c1")


def test_a_reboot_without_memory_forgets_the_order_and_counts_its_messages_anew(yard: Yard) -> None:
    yard.order(0, *START)
    yard.wait(60)
    yard.robot.power_off()
    yard.wait(5)
    before = len(yard.notes.states)
    yard.wait(60)
    assert len(yard.notes.states) == before  # it says nothing while it is off
    yard.robot.power_on(memory=False)
    report = yard.robot.report()
    assert (report.order_id, report.last_node, yard.robot.header_id) == ("", "c1", 1)
