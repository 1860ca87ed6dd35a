"""How fast a robot goes that does not say it: by where it was, and when."""

import pytest

from contracts.api import Pose
from contracts.units import MonoMs, UtcMs
from controller.core import robot_steps
from controller.core.fleet import RobotLive
from controller.core.state import Now, RobotMoved, RobotReported
from tests.fakes.controller_site import fresh_state, small_plan
from tests.fakes.robot_words import standing_at

ROBOT = "robot-1"


def pose(x_m: float, floor: str = "floor-1") -> Pose:
    return Pose(x_m=x_m, y_m=0.0, theta_rad=0.0, map_id=floor)


def seen(*rows: tuple[int, Pose], state_ms: int | None = None) -> RobotLive:
    """What is known of a robot after these positions, and a state without one."""
    site = fresh_state(small_plan())
    for at_ms, place in rows:
        now = Now(MonoMs(at_ms), UtcMs(at_ms))
        site, _ = robot_steps.step(site, RobotMoved(ROBOT, place), now)
    if state_ms is not None:
        now = Now(MonoMs(state_ms), UtcMs(state_ms))
        site, _ = robot_steps.step(site, RobotReported(ROBOT, 1, standing_at("kitchen")), now)
    return site.robots[ROBOT]


@pytest.mark.parametrize(
    ("rows", "pace"),
    [
        ([(0, pose(0.0))], None),
        ([(0, pose(0.0)), (1_000, pose(0.8))], 0.8),
        ([(0, pose(0.0)), (1_000, pose(0.8)), (1_050, pose(1.6))], 0.8),  # too near in time
        ([(0, pose(0.0)), (9_000, pose(0.8))], None),  # it may have stood
        ([(0, pose(0.0)), (1_000, pose(0.8, "floor-2"))], None),  # it has taken a lift
    ],
)
def test_two_positions_tell_a_pace_when_they_can(
    rows: list[tuple[int, Pose]], pace: float | None
) -> None:
    live = seen(*rows)
    assert live.pace_m_s == (None if pace is None else pytest.approx(pace))
    assert (live.pose, live.pose_mono_ms) == (rows[-1][1], rows[-1][0])


def test_a_state_without_a_position_makes_none_newer() -> None:
    live = seen((1_000, pose(2.0)), state_ms=5_000)
    assert (live.pose, live.pose_mono_ms, live.report_mono_ms) == (pose(2.0), 1_000, 5_000)
