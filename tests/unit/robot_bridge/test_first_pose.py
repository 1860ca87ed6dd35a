"""A localisation that speaks once, before or after the odometry, is not lost: the order is luck."""

from itertools import permutations

import pytest

from contracts.units import MonoMs
from robot_bridge.core.frames import Planar
from robot_bridge.core.vehicle import Pose
from robot_bridge.ros_settings import RosSettings
from robot_bridge.sensed import Sensed

HOME = Pose(0.0, 0.0, 0.0, "floor-1")


def sensed() -> Sensed:
    return Sensed(RosSettings(), HOME, ("floor-1",), 0, None)


@pytest.mark.parametrize("order", [*permutations(("pose", "odometry", "odometry again"))])
def test_one_pose_and_odometry_in_any_order_say_where_the_robot_is(order: tuple[str, ...]) -> None:
    robot = sensed()
    for at, said in enumerate(order, start=1):
        now = MonoMs(at * 20)
        if said == "pose":
            robot.localised(50, Planar(4.0, 1.0, 0.0), 0.1, now)
        else:
            robot.odometry(at, Planar(-2.0, 3.0, 1.0), now)
    assert robot.sure(MonoMs(100))
    assert (round(robot.pose.x_m, 6), round(robot.pose.y_m, 6)) == (4.0, 1.0)


def test_a_first_pose_that_is_unsure_or_no_number_places_nobody() -> None:
    robot = sensed()
    robot.localised(1, Planar(4.0, 1.0, 0.0), 2.0, MonoMs(1))
    robot.localised(2, Planar(float("nan"), 1.0, 0.0), 0.1, MonoMs(2))
    robot.odometry(3, Planar(), MonoMs(3))
    assert not robot.sure(MonoMs(4))


def test_a_pose_alone_places_nobody() -> None:
    robot = sensed()
    robot.localised(1, Planar(4.0, 1.0, 0.0), 0.1, MonoMs(1))
    assert not robot.sure(MonoMs(2))
    assert robot.pose == HOME


def test_a_pose_that_is_newer_takes_the_place_of_the_first() -> None:
    robot = sensed()
    robot.localised(1, Planar(4.0, 1.0, 0.0), 0.1, MonoMs(1))
    robot.localised(2, Planar(5.0, 1.0, 0.0), 0.1, MonoMs(2))
    robot.odometry(3, Planar(1.0, 1.0, 0.0), MonoMs(3))
    assert (robot.pose.x_m, robot.pose.y_m) == (5.0, 1.0)
