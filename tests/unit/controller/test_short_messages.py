"""A robot that takes few nodes in one message gets long ways piece by piece."""

from dataclasses import replace

import pytest

from contracts.api import DeliveryState
from controller.core import fleet
from controller.core.capability import Declared
from controller.core.fleet import Duty
from controller.core.fleet_inputs import RobotDeclared
from controller.core.outputs import PublishOrder
from tests.unit.controller.test_tours import Day, order, report


def declared(day: Day, robot: str, *, nodes_max: int, edges_max: int) -> None:
    """The robot's factsheet says so, whatever it said before."""

    def say() -> None:
        said = day.duty(robot).declared
        assert said is not None
        limited = replace(said, nodes_max=nodes_max, edges_max=edges_max)
        day.world.brain.offer(RobotDeclared(robot, limited))

    day.at(8.0, say)


@pytest.mark.parametrize(("nodes_max", "edges_max"), [(2, 0), (3, 0), (0, 1)])
@pytest.mark.parametrize("map_name", ["line", "floors"])
def test_long_ways_are_stitched_and_no_message_is_longer_than_the_robot_reads(
    nodes_max: int, edges_max: int, map_name: str
) -> None:
    most = nodes_max or edges_max + 1
    late = order(1, at_s=10.0)
    day = Day(late, order(2, at_s=11.0), map_name=map_name, robots=2)
    sent: list[PublishOrder] = []
    perform = day.world.brain.perform

    def listen(output: object) -> None:
        if isinstance(output, PublishOrder):
            sent.append(output)
        perform(output)  # type: ignore[arg-type]  # an output

    day.world.brain.perform = listen
    for robot in ("robot-1", "robot-2"):
        declared(day, robot, nodes_max=nodes_max, edges_max=edges_max)
    day.run()
    assert {row.state for row in day.state.deliveries.values()} == {DeliveryState.RETURNED}
    assert sent
    assert max(len(row.nodes) for row in sent) <= most
    assert max(duty.refusals for duty in day.state.duties.values()) == 0
    joints = [row.nodes[0].sequence_id for row in sent if row.order_update_id > 0]
    assert joints, "long ways come in pieces"


def test_who_stands_at_the_last_node_that_it_was_told_has_given_nothing_up() -> None:
    way = ("kitchen", "k", "c1", "c2", "c3")
    duty = Duty("robot-1", at_node="kitchen")
    limited = replace(duty, declared=replace(_plain(), nodes_max=2))
    begun = fleet.extend(fleet.begin(limited, way, 1, "o"), 5)
    assert begun.mission is not None
    assert begun.mission.released == 2
    there = fleet.heard(begun, replace(report("k"), order_id="o", last_sequence_id=2))
    assert not fleet.aborted(there, replace(report("k"), order_id="o", last_sequence_id=2))
    short = fleet.heard(begun, replace(report("kitchen"), order_id="o"))
    assert fleet.aborted(short, replace(report("kitchen"), order_id="o"))


def _plain() -> Declared:
    return Declared(version="2.1.0")
