"""Where a robot stands by its own word, also when it has lost its memory and names no node."""

from dataclasses import replace

from contracts.api import Pose
from controller.core import standing
from controller.core.fleet import Duty, RobotReport
from controller.core.state import SiteState
from tests.fakes.robot_words import standing_at
from tests.unit.controller.test_removal_properties import off_the_floor
from zeroentry.simulator.script import draw
from zeroentry.simulator.world import World


def seen(report: RobotReport) -> SiteState:
    state, _ = off_the_floor()
    live = replace(state.robots["robot-2"], report=report)
    return replace(state, robots={**state.robots, "robot-2": live})


def beside(node: str, off_m: float, **changes: object) -> RobotReport:
    state, _ = off_the_floor()
    place = state.plan.map.nodes[node]
    pose = Pose(x_m=place.x_m, y_m=place.y_m - off_m, theta_rad=0.0, map_id=place.map_id)
    said = standing_at("", pose=pose)
    return replace(said, **changes)  # type: ignore[arg-type]  # named by the test


def test_a_robot_without_memory_is_at_the_node_where_it_says_that_it_is() -> None:
    short = beside("room-1-door", 0.1)
    duty = Duty("robot-2", at_node="c3", towards="room-1-door")
    placed = standing.placed(seen(short), duty)
    assert (placed.at_node, placed.towards) == ("room-1-door", None)


def test_between_two_nodes_or_with_a_node_of_its_own_it_keeps_both() -> None:
    duty = Duty("robot-2", at_node="c3", towards="room-1-door")
    for report in (
        beside("room-1-door", 1.0),
        beside("room-1-door", 0.1, last_node="c3"),
        beside("room-1-door", 0.1, driving=True),
    ):
        placed = standing.placed(seen(report), duty)
        assert placed.at_node == "c3", report


def test_a_robot_that_forgot_everything_a_hand_before_the_door_goes_on() -> None:
    """Seed 5105: it wanted to be where it stood, was given no order, and others waited for ever."""
    assert World(draw(5105)).run().violation is None
