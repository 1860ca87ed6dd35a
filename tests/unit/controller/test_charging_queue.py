"""Fewer chargers than robots: who needs one most has it first, who is charged leaves it."""

from dataclasses import replace

import pytest

from contracts.units import MonoMs, UtcMs
from controller.core import charging
from controller.core.state import Now, SiteState
from tests.unit.controller.test_removals import play
from tests.unit.controller.test_tours import Day, order
from zeroentry.simulator.maps import plan_named
from zeroentry.simulator.script import OrderPlan, Script
from zeroentry.simulator.world import World

FAST_PERCENT_S = 0.3  # a charger a hundred times as strong; still one that a robot may tell of


def short_of_chargers(
    *orders: OrderPlan, levels: dict[str, float], chargers: frozenset[str], map_name: str = "noon"
) -> Day:
    """A site where only some docks charge, and robots with these batteries; an order keeps it up.

    Rooms' experts come late, so that the day lasts.
    """
    day = Day()
    script = Script(1, map_name, len(levels), 3, orders)
    plan = replace(plan_named(map_name, len(levels), 3), chargers=chargers)
    day.world = World(script, plan=plan, whole_trace=True)
    day.world.ground.is_charger = lambda node, home: node in chargers and bool(home)  # type: ignore[method-assign]  # the ground's own would charge a robot at any home
    for name, percent in levels.items():
        day.world.robots[name].set_battery(percent)

    def charge() -> None:
        for robot in day.world.robots.values():
            if robot.charging:
                robot.set_battery(min(robot.battery_percent + 5 * FAST_PERCENT_S, 99.0))
        day.world.agenda.after(5.0, charge)

    day.at(5.0, charge)
    return day


def firsts(day: Day, until_s: float, percent: float) -> dict[str, float]:
    """When each robot was charged so far first; looked at while the day is played."""
    found: dict[str, float] = {}

    def look() -> None:
        for name, robot in day.world.robots.items():
            if robot.battery_percent >= percent:
                found.setdefault(name, day.world.agenda.now_s)
        day.world.agenda.after(5.0, look)

    day.at(5.0, look)
    day.world.limit_s = until_s
    return found


def test_one_charger_is_had_in_turn_the_emptiest_first_and_nobody_waits_for_ever() -> None:
    levels = {"robot-1": 32.0, "robot-2": 27.0, "robot-3": 30.0}
    late = order(1, at_s=1_500.0)
    day = short_of_chargers(late, levels=levels, chargers=frozenset({"dock-1"}))
    charged = firsts(day, 700.0, 60.0)
    play(day)
    assert list(charged) == ["robot-1", "robot-2", "robot-3"]
    assert day.state.dispatch.queue == ()


def test_two_chargers_serve_the_two_emptiest_and_who_is_full_parks_elsewhere() -> None:
    levels = {"robot-1": 96.0, "robot-2": 27.0, "robot-3": 30.0}
    late = order(1, at_s=900.0)
    chargers = frozenset({"dock-1", "dock-2"})
    day = short_of_chargers(late, levels=levels, chargers=chargers)
    where: list[dict[str, str | None]] = []

    def look(state: SiteState) -> None:
        where.append({name: duty.at_node for name, duty in state.duties.items()})

    day.look(150.0, look)
    charged = firsts(day, 800.0, 75.0)
    play(day)
    assert {where[0]["robot-2"], where[0]["robot-3"]} == chargers
    assert where[0]["robot-1"] not in chargers
    assert set(charged) == {"robot-1", "robot-2", "robot-3"}


def test_a_robot_at_work_keeps_no_charger_from_one_that_is_low() -> None:
    levels = {"robot-1": 90.0, "robot-2": 20.0}
    orders = [order(n, at_s=2.0 + n, come_s=90.0) for n in range(1, 7)]
    day = short_of_chargers(*orders, levels=levels, chargers=frozenset({"dock-1"}))
    charges: list[list[str]] = []

    def look(state: SiteState) -> None:
        assert state.duties["robot-1"].tour is not None
        assert state.duties["robot-1"].refuge != "dock-1"
        charges.append([name for name, robot in day.world.robots.items() if robot.charging])

    day.look(45.0, look)
    day.world.limit_s = 60.0
    play(day)
    assert charges == [["robot-2"]]


@pytest.mark.parametrize(
    ("mine", "theirs", "leaves"),
    [(96.0, 34.0, True), (81.0, 34.0, True), (70.0, 29.0, True), (45.0, 30.0, False)],
)
def test_a_charger_is_left_when_charged_or_far_fuller_than_who_waits(
    mine: float, theirs: float, leaves: bool
) -> None:
    levels = {"robot-1": mine, "robot-2": theirs}
    late = order(1, at_s=400.0)
    day = short_of_chargers(late, levels=levels, chargers=frozenset({"dock-1"}))
    day.world.limit_s = 80.0
    play(day)
    charges = [name for name, robot in day.world.robots.items() if robot.charging]
    assert charges == (["robot-2"] if leaves else ["robot-1"])


def test_the_queue_is_by_need_and_before_noon_everybody_below_four_fifths_stands_in_it() -> None:
    levels = {"robot-1": 99.0, "robot-2": 70.0, "robot-3": 60.0}
    late = order(1, at_s=400.0)
    day = short_of_chargers(late, levels=levels, chargers=frozenset({"dock-1"}))
    day.world.limit_s = 20.0
    play(day)
    now = day.world.agenda.now()
    assert charging.queue(day.state, now) == ()
    local_11 = now.utc_ms - now.utc_ms % 86_400_000 + 3 * 3_600_000  # 11:00 at UTC+8
    noon = Now(MonoMs(now.mono_ms), UtcMs(local_11))
    assert charging.queue(day.state, noon) == ("robot-3", "robot-2")
