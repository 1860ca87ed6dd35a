"""A robot whose battery runs low on its tour: what it still brings, and who takes over the rest."""

from dataclasses import replace

from contracts.api import DeliveryKind, DeliveryState
from controller.core import low_battery
from controller.core.robot_errors import ProblemLevel, RobotProblem
from controller.core.state import SiteState
from tests.unit.controller.test_removals import first_s, play
from tests.unit.controller.test_tours import Day, moment, order, report


def drained(percent: float, *, robots: int = 2, after_s: float = 3.0) -> tuple[Day, float]:
    """A day on which robot-1's battery falls to this right after it was loaded for room 1."""
    at_s = first_s(DeliveryState.TRAVELLING) + after_s
    day = Day(order(1), robots=robots)
    day.world.limit_s = at_s + 400.0
    # A gauge that falls is believed; only one that rises without a charger is not.
    day.at(at_s, lambda: day.world.robots["robot-1"].set_battery(percent))
    return day, at_s


def test_what_it_can_bring_and_still_reach_a_charger_it_brings() -> None:
    day, _ = drained(11.0)
    play(day)
    row = day.delivery("d1")
    assert (row.state, row.robot_id) == (DeliveryState.RETURNED, "robot-1")
    assert "battery_low" not in [event.what for event in row.custody]


def test_a_meal_that_it_cannot_bring_comes_back_and_another_robot_brings_it() -> None:
    day, at_s = drained(8.0)
    where: list[tuple[str | None, bool]] = []

    def look(state: SiteState) -> None:
        boxes = day.world.robots["robot-1"].report().compartments
        where.append((state.duties["robot-1"].at_node, any(box.occupied for box in boxes)))

    day.look(at_s + 40, look)
    outcome = play(day)
    row = day.delivery("d1")
    assert outcome.delivered == 1
    assert row.robot_id == "robot-2"
    what = [event.what for event in row.custody]
    assert what.index("ordered_again") == what.index("battery_low") + 1
    assert where == [("dock-1", True)], "it charges first; what is inside waits under lock"


def test_papers_that_it_cannot_bring_come_back_and_end_with_the_reason() -> None:
    day, at_s = drained(90.0)

    def papers() -> None:
        row = replace(day.delivery("d1"), kind=DeliveryKind.PAPERS)
        day.world.brain.state = replace(day.state, deliveries={**day.state.deliveries, "d1": row})
        day.world.robots["robot-1"].set_battery(8.0)

    day.at(at_s + 1, papers)
    play(day)
    row = day.delivery("d1")
    assert row.explanation is not None
    assert "8 % of battery" in row.explanation.en
    assert "8%" in row.explanation.zh
    assert row.state in (DeliveryState.RETURNING, DeliveryState.FAILED)


def test_what_it_has_not_loaded_yet_goes_to_another_robot_at_once() -> None:
    at_s = first_s(DeliveryState.TO_KITCHEN)
    day = Day(order(1), robots=2)
    day.world.limit_s = at_s + 300.0
    day.at(at_s, lambda: day.world.robots["robot-1"].set_battery(9.0))
    play(day)
    row = day.delivery("d1")
    assert (row.state, row.robot_id) == (DeliveryState.RETURNED, "robot-2")


def test_the_stop_that_it_stands_at_it_finishes() -> None:
    at_s = first_s(DeliveryState.ARRIVED)
    day = Day(order(1), robots=2)
    day.world.limit_s = at_s + 300.0
    day.at(at_s, lambda: day.world.robots["robot-1"].set_battery(7.0))
    play(day)
    row = day.delivery("d1")
    assert row.robot_id == "robot-1"
    assert "collected" in [event.what for event in row.custody]


def test_a_robot_says_in_its_makers_words_that_its_battery_is_low() -> None:
    for word in ("batteryLow", "BATTERY_LOW", "lowBatteryWarning"):
        problem = RobotProblem(word, ProblemLevel.WARNING)
        assert replace(report("k"), problems=(problem,)).says_low, word
    other = RobotProblem("batteryHot", ProblemLevel.WARNING)
    assert not replace(report("k"), problems=(other,)).says_low


def test_a_robot_that_says_so_gets_no_new_tour_and_charges() -> None:
    at_s = moment(Day(order(1), robots=2), DeliveryState.TO_KITCHEN)
    day = Day(order(1), robots=2)
    day.world.limit_s = at_s + 300.0

    def say_so() -> None:
        day.world.robots["robot-1"].lie = lambda told: replace(
            told, problems=(*told.problems, RobotProblem("batteryLow", ProblemLevel.WARNING))
        )

    day.at(at_s, say_so)
    play(day)
    assert day.delivery("d1").robot_id == "robot-2"
    assert low_battery.KEEP_PERCENT < 15.0
