"""What becomes of the way of a robot that is stuck, forgets its order, or comes back to the bus."""

from dataclasses import replace

import pytest

from contracts.units import MonoMs, UtcMs
from contracts.vda5050.state import ConnectionState
from controller.core import dispatch, driving, fleet, robot_steps
from controller.core.fleet import Duty, Mission, RobotLive
from controller.core.state import Now, RobotConnected, RobotReported, SiteState
from tests.fakes.robot_words import standing_at
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
    report = standing_at(home)
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


STANDING = standing_at("kitchen")


def test_who_forgot_its_order_keeps_the_rest_of_its_path_as_its_way_out() -> None:
    mission = Mission("o", ("k", "kitchen", "k", "c1"), 4, answered=0, passed=1)
    duty = Duty(ROBOT, mission=mission, at_node="kitchen", refuge="c2", out=("c1", "c2"))
    heard = fleet.heard(duty, STANDING)
    assert (heard.mission, heard.out) == (None, ("kitchen", "k", "c1", "c2"))
    elsewhere = fleet.heard(duty, replace(STANDING, last_node="k"))
    assert (elsewhere.mission, elsewhere.out) == (None, ()), "not a way from where it stands"


def test_who_stands_in_the_kitchen_without_an_order_has_a_way_out_of_it() -> None:
    state, _ = off_the_floor()
    kitchen, home = state.plan.kitchen_node, state.plan.robots[ROBOT].home_node
    assert kitchen in state.plan.lanes.dead_ends, "the case is a kitchen at the end of a spur"
    report = replace(STANDING, last_node=kitchen)
    live = RobotLive(ConnectionState.ONLINE, report, report_mono_ms=NOW.mono_ms)
    duty = Duty(ROBOT, at_node=kitchen, refuge=home)
    site = replace(
        state, duties={**state.duties, ROBOT: duty}, robots={**state.robots, ROBOT: live}
    )
    settled, _ = driving.settle(site, dispatch.clearances(site, NOW.mono_ms), NOW)
    out = settled.duties[ROBOT].out
    assert (out[0], out[-1]) == (kitchen, home)


class Bus:
    """A robot on the bus, as the core knows it."""

    def __init__(self) -> None:
        self.site, now = off_the_floor()
        self.ms: int = now.mono_ms
        self.header = 0
        self.connection(ConnectionState.ONLINE)
        self.state()

    def _take(self, given: RobotConnected | RobotReported) -> None:
        self.ms += 1_000
        now = Now(MonoMs(self.ms), UtcMs(self.ms))
        self.site, _ = robot_steps.step(self.site, given, now)

    def connection(self, said: ConnectionState) -> None:
        self._take(RobotConnected(ROBOT, said))

    def state(self) -> None:
        self.header += 1
        home = self.site.plan.robots[ROBOT].home_node
        self._take(RobotReported(ROBOT, self.header, replace(STANDING, last_node=home)))

    def online(self) -> bool:
        return self.site.robots[ROBOT].online(MonoMs(self.ms))


@pytest.mark.parametrize("left", [ConnectionState.CONNECTION_BROKEN, ConnectionState.OFFLINE])
def test_who_comes_back_to_the_bus_counts_as_there_when_it_has_said_how_it_is(
    left: ConnectionState,
) -> None:
    bus = Bus()
    assert bus.online()
    bus.connection(left)
    assert not bus.online()
    bus.connection(ConnectionState.ONLINE)
    assert not bus.online(), "what it said before, a reboot may have undone"
    bus.state()
    assert bus.online()


def test_who_says_again_that_it_is_on_the_bus_was_never_off_it() -> None:
    bus = Bus()
    bus.connection(ConnectionState.ONLINE)
    assert bus.online()
