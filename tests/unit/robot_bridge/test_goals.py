"""Goals node by node: passing, arriving, retries, cancels that hold, a navigation that dies."""

import pytest

from contracts.units import MonoMs
from robot_bridge.core import goals
from robot_bridge.core.frames import Planar
from robot_bridge.core.goals import CancelGoals, Outcome, Phase, Pilot, Retrying, SendGoal
from robot_bridge.core.vehicle import Drive, DriveFailed, Passed, Pose, Waypoint

PATIENCE = Retrying(pass_m=0.4, retries=1, retry_ms=500, answer_ms=2_000, stuck_ms=30_000)
T0 = MonoMs(1_000)


def at(x: float) -> Pose:
    return Pose(x, 0.0, 0.0, "f1")


def way(*xs: float, map_id: str = "f1") -> Drive:
    rows = [Waypoint(2 * n + 2, f"n{n}", x, 0.0, None, map_id, 0.5) for n, x in enumerate(xs)]
    return Drive("o1", tuple(rows))


def driving(*xs: float) -> Pilot:
    pilot, _ = goals.told(Pilot(PATIENCE), way(*xs), at(0), T0, up=True)
    return goals.taken(pilot, pilot.number, T0)[0]


def test_nodes_are_passed_near_and_the_last_is_reached() -> None:
    pilot, steps = goals.seen(driving(4.0, 8.0), at(3.7), T0, up=True)
    assert [type(row) for row in steps] == [Passed, SendGoal]
    pilot, steps = goals.seen(pilot, at(7.9), T0, up=True)
    assert steps == ()
    pilot, steps = goals.ended(pilot, 2, Outcome.SUCCEEDED, "", at(7.9), T0, up=True)
    assert steps == (Passed("o1", 4),)
    assert pilot.route == ()


def test_arrival_is_believed_near_the_node_only() -> None:
    pilot = driving(4.0)
    near, steps = goals.ended(pilot, 1, Outcome.SUCCEEDED, "", at(3.9), T0, up=True)
    assert steps == (Passed("o1", 2),)
    assert near.phase is Phase.NONE
    far, steps = goals.ended(pilot, 1, Outcome.SUCCEEDED, "", at(1.0), T0, up=True)
    assert steps == ()
    assert far.phase is Phase.WAITING


def test_a_longer_route_keeps_the_goal_that_runs() -> None:
    pilot, steps = goals.told(driving(4.0), way(4.0, 8.0), at(1), T0, up=True)
    assert steps == ()
    assert len(pilot.route) == 2


def test_what_ends_an_earlier_goal_is_nobodys_business() -> None:
    pilot, _ = goals.seen(driving(4.0, 8.0), at(3.8), T0, up=True)
    assert goals.ended(pilot, 1, Outcome.ABORTED, "", at(4), T0, up=True) == (pilot, ())


def test_an_aborted_goal_is_given_again_and_then_told() -> None:
    pilot, steps = goals.ended(driving(4.0), 1, Outcome.ABORTED, "no way", at(1), T0, up=True)
    assert steps == ()
    pilot, steps = goals.tick(pilot, at(1), MonoMs(T0 + 500), up=True, busy=False)
    assert [type(row) for row in steps] == [SendGoal]
    pilot, steps = goals.ended(pilot, 2, Outcome.ABORTED, "no way", at(1), T0, up=True)
    assert steps[-1] == DriveFailed("o1", "the navigation aborted the goal: no way")
    assert pilot.phase is Phase.NONE


@pytest.mark.parametrize(("phase", "wait_ms"), [(Phase.SENT, 2_000), (Phase.TAKEN, 30_000)])
def test_a_goal_that_nothing_comes_of_has_failed(phase: Phase, wait_ms: int) -> None:
    pilot, _ = goals.told(Pilot(PATIENCE), way(4.0), at(0), T0, up=True)
    if phase is Phase.TAKEN:
        pilot, _ = goals.taken(pilot, 1, T0)
    assert pilot.phase is phase
    before, _ = goals.tick(pilot, at(0), MonoMs(T0 + wait_ms - 1), up=True, busy=True)
    assert before == pilot
    after, _ = goals.tick(pilot, at(0), MonoMs(T0 + wait_ms), up=True, busy=True)
    assert after.phase is Phase.WAITING


def test_after_a_halt_whatever_still_runs_is_cancelled_again() -> None:
    pilot, steps = goals.halted(driving(4.0), T0)
    assert steps == (CancelGoals(),)
    _, steps = goals.tick(pilot, at(1), MonoMs(T0 + 99), up=True, busy=True)
    assert steps == ()
    _, steps = goals.tick(pilot, at(1), MonoMs(T0 + 100), up=True, busy=True)
    assert steps == (CancelGoals(),)
    _, steps = goals.tick(pilot, at(1), MonoMs(T0 + 900), up=True, busy=False)
    assert steps == ()


def test_a_navigation_that_died_gets_its_goal_again_when_it_is_back() -> None:
    pilot = goals.lost(driving(4.0))
    assert goals.tick(pilot, at(1), T0, up=False, busy=False) == (pilot, ())
    _, steps = goals.tick(pilot, at(1), T0, up=True, busy=False)
    assert [type(row) for row in steps] == [SendGoal]


def test_a_route_to_another_map_is_refused() -> None:
    _, steps = goals.told(Pilot(PATIENCE), way(4.0, map_id="f2"), at(0), T0, up=True)
    assert isinstance(steps[-1], DriveFailed)


def test_a_frame_and_its_way_back_are_none() -> None:
    frame = Planar(3.0, -2.0, 1.2)
    none = frame.then(frame.back)
    assert max(abs(none.x_m), abs(none.y_m), abs(none.theta_rad)) < 1e-9
