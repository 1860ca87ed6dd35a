"""Each judge of the simulator sees what it is there to see: a fault is planted for every one."""

from dataclasses import replace
from typing import Final

import pytest

from contracts.api import DeliveryKind
from contracts.facilities import DoorConfig
from controller.core.facility_words import DoorPosition
from controller.core.plan import plan_of
from tests.simulation.dispatch import planted
from zeroentry.simulator.brain import Step
from zeroentry.simulator.maps import MADE, Sketch, floors, site_of
from zeroentry.simulator.motion import Place
from zeroentry.simulator.outcome import BrokenError, Outcome
from zeroentry.simulator.script import (
    Approval,
    Expert,
    Fault,
    FaultKind,
    OrderPlan,
    Script,
)
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


# --- proofs, fire, robots off the floor, orders ---------------------------------------------------

BESIDE: Final = Fault(FaultKind.PERSON, 50.0, 60.0, "c4")
DARK: Final = Fault(FaultKind.BLIND, 50.0, 40.0)


def test_a_proof_that_denies_a_person_is_seen() -> None:
    assert play(planted.proofs_flattered, replace(ONE, faults=(BESIDE,))) == "proof"


def test_a_proof_of_what_no_camera_saw_is_seen() -> None:
    dark = replace(DARK, target=World(ONE).ground.watched[0])
    assert play(planted.proofs_flattered, replace(ONE, faults=(dark,))) == "proof"
    assert judged(run(replace(ONE, faults=(dark,)))) == ""


def test_a_proof_that_makes_up_a_person_is_seen() -> None:
    assert play(planted.proofs_alarmed, ONE) == "proof"


def test_a_proof_that_is_withheld_is_seen() -> None:
    assert play(planted.proofs_withheld, ONE) == "proof"


def test_a_robot_that_stays_in_the_way_while_it_burns_is_seen() -> None:
    fire = Fault(FaultKind.FIRE, 30.0, 180.0)
    assert play(planted.fire_unheeded, replace(ONE, faults=(fire,))) == "evacuation"
    assert judged(run(replace(ONE, faults=(fire,)))) == ""


FETCHED: Final = Fault(FaultKind.FETCHED, 25.0, 120.0, "robot-1")


def test_what_is_kept_for_a_robot_that_was_fetched_is_seen() -> None:
    assert play(planted.keeps_places_of_removed, replace(DAY, faults=(FETCHED,))) == "removed"


def test_a_robot_that_was_fetched_drives_again() -> None:
    world = World(replace(DAY, robots=1, faults=(FETCHED,)), whole_trace=True)
    outcome = world.run()
    assert judged(outcome) == ""
    assert outcome.delivered == len(DAY.orders)
    told = "\n".join(outcome.trace)
    assert "supervisor: robot-1 is off the floor" in told
    assert "supervisor: robot-1 stands again" in told


@pytest.mark.parametrize("kind", [FaultKind.HELD, FaultKind.RECALLED])
def test_a_robot_that_the_supervisor_stops_goes_on_when_it_may(kind: FaultKind) -> None:
    stopped = Fault(kind, 25.0, 60.0, "robot-1")
    outcome = World(replace(ONE, faults=(stopped,)), whole_trace=True).run()
    assert judged(outcome) == ""
    assert f"supervisor: {'hold' if kind is FaultKind.HELD else 'recall'} robot-1" in "\n".join(
        outcome.trace
    )
    assert [row.state for row in outcome.orders] == ["returned"]


LATER: Final = replace(ONE.orders[0], at_s=100.0, window_s=(800.0, 1_700.0))


def test_a_meal_that_is_taken_after_its_cut_off_is_seen() -> None:
    script = replace(ONE, orders=(LATER,), cut_off_min=1)
    assert play(lambda *args: args[3], script) == ""
    outcome = run(script, step=planted.closes_never)
    assert judged(outcome) == "cut-off"


def test_a_meal_comes_within_its_window() -> None:
    outcome = run(replace(ONE, orders=(replace(LATER, at_s=5.0),), cut_off_min=1))
    assert judged(outcome) == ""
    taken_s = outcome.orders[0].taken_s
    assert taken_s is not None
    assert 800 <= taken_s <= 1_700


PAPERS: Final = replace(ONE.orders[0], thing=DeliveryKind.PAPERS)


@pytest.mark.parametrize(
    ("approval", "ends"),
    [(Approval.GIVEN, "returned"), (Approval.REFUSED, "cancelled"), (Approval.NEVER, "cancelled")],
)
def test_papers_come_when_the_supervisor_says_yes(approval: Approval, ends: str) -> None:
    outcome = run(replace(ONE, orders=(replace(PAPERS, approval=approval),)))
    assert judged(outcome) == ""
    assert [row.state for row in outcome.orders] == [ends]


LOCKED: Final = replace(ONE.orders[0], expert=Expert.GUESSES, release=True)


def test_two_supervisors_open_what_a_pin_does_not() -> None:
    outcome = run(replace(ONE, orders=(LOCKED,)))
    assert judged(outcome) == ""
    assert outcome.delivered == 1


def test_a_compartment_that_one_supervisor_opens_is_seen() -> None:
    outcome = run(replace(ONE, orders=(LOCKED,)), step=planted.one_releases)
    assert judged(outcome) == "unlock"
