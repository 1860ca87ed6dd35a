"""Each judge of the simulator sees what it is there to see: a fault is planted for every one."""

from dataclasses import replace
from typing import Final

import pytest

from contracts.facilities import DoorConfig
from controller.core.facility_words import DoorPosition
from controller.core.plan import plan_of
from tests.simulation.dispatch import planted
from zeroentry.simulator.brain import Step
from zeroentry.simulator.maps import MADE, Sketch, floors, site_of
from zeroentry.simulator.motion import Place
from zeroentry.simulator.outcome import BrokenError, Outcome
from zeroentry.simulator.script import Expert, Fault, FaultKind, OrderPlan, Script
from zeroentry.simulator.world import World, run

DAY: Final = Script(
    seed=1,
    map="line",
    robots=2,
    boxes=2,
    orders=(OrderPlan("d1", "room-1", 1.0), OrderPlan("d2", "room-3", 2.0)),
)
ONE: Final = replace(DAY, robots=1, orders=DAY.orders[:1])


def judged(outcome: Outcome) -> str:
    """What the violation is; empty when there was none."""
    return "" if outcome.violation is None else outcome.violation.judge


def play(change: planted.Change, script: Script = DAY) -> str:
    return judged(run(script, step=planted.planted(change)))


@pytest.mark.parametrize("name", ["line", "ring", "tee"])
def test_a_day_without_faults_is_good_and_brings_every_meal(name: str) -> None:
    outcome = run(replace(DAY, map=name))
    assert outcome.violation is None, "\n".join(outcome.trace[-40:])
    assert outcome.delivered == len(DAY.orders)


def test_a_seed_gives_the_same_day_twice() -> None:
    first, second = run(DAY), run(DAY)
    assert first.trace == second.trace
    assert len(first.trace) > len(DAY.orders)


def test_robots_that_touch_are_seen() -> None:
    world = World(replace(ONE, robots=2))
    robot = world.robots["robot-2"]
    world.judges.lied.add(robot.id)  # so that only the judge of collisions looks at it
    robot.place = Place(1.2, 0.0, 0.0, "f1")  # in the corridor, while it says that it is docked
    assert judged(world.run()) == "collision"


def test_a_node_given_twice_is_seen() -> None:
    assert play(planted.given_to_both) == "granted twice"


def test_a_wrong_pin_that_opens_is_seen() -> None:
    orders = (replace(ONE.orders[0], expert=Expert.WRONG_FIRST),)
    outcome = run(replace(ONE, orders=orders), step=planted.any_pin)
    assert judged(outcome) == "unlock"
    assert outcome.violation is not None
    assert "0 right PINs" in outcome.violation.text


def test_an_unlock_at_a_place_of_nobodys_order_is_seen() -> None:
    assert play(planted.opens_at_will, ONE) == "unlock"


def test_a_robot_that_drives_on_beside_a_person_is_seen() -> None:
    person = Fault(FaultKind.PERSON, 27.0, 60.0, "c4")
    assert play(planted.without_pauses, replace(ONE, faults=(person,))) == "interlock"


def test_the_same_person_is_no_violation_of_the_real_core() -> None:
    person = Fault(FaultKind.PERSON, 27.0, 60.0, "c4")
    assert judged(run(replace(ONE, faults=(person,)))) == ""


def test_a_robot_that_is_given_no_more_way_is_seen() -> None:
    assert play(planted.orders_swallowed, ONE) == "deadlock"


def test_an_order_that_no_robot_serves_is_seen() -> None:
    assert play(planted.forgets_owners, ONE) == "owner"


def test_an_order_that_waits_while_a_robot_idles_is_seen() -> None:
    assert play(planted.assigns_nobody, ONE) == "idle"


def test_a_meal_that_nobody_took_and_counts_as_delivered_is_seen() -> None:
    assert play(planted.delivered_at_the_door, ONE) == "end"


def test_an_order_that_ends_without_a_reason_is_seen() -> None:
    orders = (replace(ONE.orders[0], cancel_s=3.0),)
    assert play(planted.says_no_reason, replace(ONE, orders=orders)) == "end"


def test_a_day_that_does_not_end_is_seen() -> None:
    assert judged(World(ONE, limit_s=60.0).run()) == "rest"


# --- doors and lifts ------------------------------------------------------------------------------

UPSTAIRS: Final = replace(ONE, map="floors", orders=(OrderPlan("d1", "room-2", 1.0),))


def test_a_robot_that_goes_through_a_shut_door_is_seen() -> None:
    assert play(planted.doors_unheard, UPSTAIRS) == "door"


def test_a_robot_that_goes_into_a_lift_that_is_not_there_is_seen() -> None:
    sketch: Sketch = floors()
    sketch.doors = []
    site, robot_map = site_of("floors", sketch, 1, 2)
    step: Step = planted.planted(planted.everything_released)
    world = World(UPSTAIRS, plan=plan_of(site, robot_map), step=step)
    assert judged(world.run()) == "lift"


def test_a_door_that_shuts_on_a_robot_is_seen() -> None:
    world = World(UPSTAIRS)
    config: DoorConfig = world.plan.doors["door-1"]
    one, other = (world.plan.map.nodes[name] for name in config.ways[0])
    middle = Place((one.x_m + other.x_m) / 2, (one.y_m + other.y_m) / 2, 0.0, one.map_id)
    door = world.buildings.doors["door-1"]
    door.position = DoorPosition.OPEN
    door.act()  # nobody is in it
    door.position = DoorPosition.OPEN
    world.robots["robot-1"].place = middle
    with pytest.raises(BrokenError, match="shuts while robot-1 is between"):
        door.act()


def test_two_robots_in_one_lift_are_seen() -> None:
    world = World(replace(UPSTAIRS, robots=2))
    lift = world.buildings.lifts["lift-1"]
    lift.door_open = True
    first, second = world.robots.values()
    for robot in (first, second):
        world.judges.passed(robot, "lobby-1")
    first.place = world.ground.place("cab-1")
    world.judges.passed(first, "cab-1")
    with pytest.raises(BrokenError, match="enters lift-1 beside robot-1"):
        world.judges.passed(second, "cab-1")


def test_a_robot_that_enters_a_lift_while_it_burns_is_seen() -> None:
    world = World(UPSTAIRS)
    world.buildings.lifts["lift-1"].door_open = True
    robot = world.robots["robot-1"]
    world.judges.passed(robot, "lobby-1")
    world.judges.fire(burning=True)
    world.agenda.step(60.0)
    world.agenda.now_s = 60.0
    with pytest.raises(BrokenError, match="while it burns"):
        world.judges.passed(robot, "cab-1")


def test_every_made_map_is_a_whole_site() -> None:
    for name, make in MADE.items():
        site, robot_map = site_of(name, make(), 3, 3)
        assert plan_of(site, robot_map).kitchen_node == "kitchen"
