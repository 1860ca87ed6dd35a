"""The simulation sees what it is there to see: faults planted in the site are found."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from contracts.api import DeliveryState
from contracts.vda5050.profile import OpenCompartment
from controller.core.state import PinTried
from robot_bridge.core.vehicle import Unlock
from tests.fakes.site_bridge import BridgeMachine
from tests.fakes.site_day import CLEAN, Day, Walk
from tests.fakes.site_people import AGAIN_MS, Ending, MealPlan, SessionPlan
from tests.fakes.site_truth import ViolationError
from tests.fakes.site_world import World, demo_place, run_day

DAY: Final = Day(
    seed=1,
    faults=CLEAN,
    ways=1.0,
    turn_radps=1.2,
    robots=1,
    period_ms=400,
    collect_after_ms=600,
    sessions=(SessionPlan("s-room-1", "room-1", 2_000, None, None),),
    meals=(MealPlan("d-0", "room-1", 1_000, Ending.COLLECTED),),
    walks=(),
    unplugs=(),
    troubles=(),
)


def test_the_day_itself_is_without_fault(tmp_path: Path) -> None:
    assert run_day(DAY, demo_place(), tmp_path).counts["delivery returned"] == 1


def test_a_robot_that_is_not_stopped_for_a_person_is_found(tmp_path: Path) -> None:
    def tamper(world: World) -> None:
        # A factsheet names the action too, and a robot without one gets no order.
        world.broker.swallows = lambda message: (
            message.topic.endswith("/instantActions") and b"startPause" in message.payload
        )

    day = replace(DAY, walks=(Walk("corridor-1-cam", 70, 20_000, 15_000),))
    with pytest.raises(ViolationError, match=r"drives in corridor-.* after a person was seen"):
        run_day(day, demo_place(), tmp_path, tamper)


def test_a_compartment_that_opens_without_its_pin_is_found(tmp_path: Path) -> None:
    async def pick_the_lock(world: World) -> None:
        while not world.controller.is_in("d-0", DeliveryState.ARRIVED):
            await world.clock.sleep_ms(AGAIN_MS)
        await world.controller.ask(PinTried("d-0", True, "thief"))

    def tamper(world: World) -> None:
        world.more.append(pick_the_lock(world))

    day = replace(DAY, meals=(replace(DAY.meals[0], ending=Ending.NOBODY),))
    with pytest.raises(ViolationError, match="more often than the right PIN was typed"):
        run_day(day, demo_place(), tmp_path, tamper)


def test_a_bolt_that_moves_without_a_command_is_found(tmp_path: Path) -> None:
    async def short_circuit(world: World) -> None:
        await world.people.wait_until(20_000)
        robot = world.robots["robot-1"]
        assert isinstance(robot, BridgeMachine)
        assert not isinstance(robot.opening(2), OpenCompartment)
        robot.perform(Unlock(2))

    def tamper(world: World) -> None:
        world.more.append(short_circuit(world))

    with pytest.raises(ViolationError, match="robot-1/2 opens without a command"):
        run_day(DAY, demo_place(), tmp_path, tamper)


def test_an_alert_that_never_arrives_is_found(tmp_path: Path) -> None:
    def tamper(world: World) -> None:
        world.patience_ms = 10_000
        world.broker.swallows = lambda message: message.topic.endswith("/alert")

    day = replace(DAY, meals=(), walks=(Walk("room-1-cam", 60, 6_000, 5_000),))
    with pytest.raises(ViolationError, match="2 messages in edge-1's outbox"):
        run_day(day, demo_place(), tmp_path, tamper)


def test_a_seal_that_never_arrives_is_found(tmp_path: Path) -> None:
    def tamper(world: World) -> None:
        world.patience_ms = 10_000
        world.broker.swallows = lambda message: message.topic.endswith("/command")

    with pytest.raises(ViolationError, match="seal of s-room-1 unconfirmed"):
        run_day(replace(DAY, meals=()), demo_place(), tmp_path, tamper)
