"""A robot that is stuck before it was given anything of its way asks for it anew when well."""

from dataclasses import replace

import pytest

from contracts.units import MonoMs, UtcMs
from contracts.vda5050.state import ConnectionState
from controller.core import dispatch, driving, fleet
from controller.core.fleet import Duty, Mission, RobotLive, RobotReport
from controller.core.state import Now, SiteState
from tests.unit.controller.test_removal_properties import off_the_floor

NOW = Now(MonoMs(10**9), UtcMs(10**12))
ROBOT = "robot-2"


def after(*, released: int = 1, refusals: int = 0, silent_ms: int = 0) -> Duty:
    """The duty of a robot at its dock with a way to a door, after a settling."""
    state, _ = off_the_floor()
    home = state.plan.robots[ROBOT].home_node
    near = next(iter(state.plan.ways[home]))
    answered = -1 if released == 1 else 0
    mission = Mission("o", (home, near, "room-1-door"), released, answered=answered)
    duty = Duty(ROBOT, mission=mission, at_node=home, refuge=home, refusals=refusals)
    report = RobotReport("", 0, home, 0, False, False, True, 80.0)
    heard = MonoMs(NOW.mono_ms - silent_ms)
    live = RobotLive(ConnectionState.ONLINE, report, report_mono_ms=heard, moved_mono_ms=heard)
    site: SiteState = replace(
        state, duties={**state.duties, ROBOT: duty}, robots={**state.robots, ROBOT: live}
    )
    settled, _ = driving.settle(site, dispatch.clearances(site, NOW.mono_ms), NOW)
    return settled.duties[ROBOT]


def test_who_is_not_heard_gives_up_a_way_of_which_it_was_given_nothing() -> None:
    duty = after(silent_ms=fleet.SILENT_AFTER_MS + 1)
    assert (duty.mission, duty.out) == (None, ())


@pytest.mark.parametrize(
    "duty",
    [
        after(),
        after(released=2, silent_ms=fleet.SILENT_AFTER_MS + 1),
        after(refusals=fleet.REFUSALS_MAX, silent_ms=fleet.SILENT_AFTER_MS + 1),
    ],
    ids=["well", "given a part", "asked all the same"],
)
def test_others_keep_theirs(duty: Duty) -> None:
    assert duty.mission is not None
