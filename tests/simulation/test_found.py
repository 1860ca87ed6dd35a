"""Days on which the simulation once found a fault, written out: they stay when the draw changes."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from runtime.mqtt import Outgoing
from tests.fakes.site_day import CLEAN, LOSSY, SLOW, Day, Trouble, TroublePlan, Unplug, Walk
from tests.fakes.site_people import Ending, MealPlan, SessionPlan
from tests.fakes.site_world import World, demo_place, run_day

SEALED: Final = (SessionPlan("s-room-1", "room-1", 2_000, None, None),)

QUIET: Final = Day(
    seed=1,
    faults=CLEAN,
    ways=1.0,
    turn_radps=1.2,
    robots=2,
    period_ms=400,
    collect_after_ms=600,
    sessions=SEALED,
    meals=(),
    walks=(),
    unplugs=(),
    troubles=(),
)


def meal(number: int, at_ms: int, ending: Ending, called_off_after_ms: int = 0) -> MealPlan:
    return MealPlan(f"d-{number}", "room-1", at_ms, ending, called_off_after_ms=called_off_after_ms)


OPENS_AFTER_CALLED_OFF: Final = replace(
    QUIET,
    faults=SLOW,
    seed=12,
    meals=(meal(0, 2_000, Ending.NEVER_LOADED), meal(1, 4_000, Ending.COLLECTED)),
)
"""The kitchen's compartment opened after its delivery was called off: the robot had an order, might
not drive with a compartment open, and nobody bolted it; it held the corridor for ever."""

BOTH_WANT_THE_KITCHEN: Final = replace(
    QUIET,
    faults=SLOW,
    seed=24,
    meals=(
        meal(0, 29_926, Ending.COLLECTED),
        meal(1, 2_846, Ending.CALLED_OFF_EARLY, called_off_after_ms=32_198),
    ),
    walks=(
        Walk("corridor-1-cam", 70, 25_670, 6_355),
        Walk("corridor-1-cam", 71, 45_023, 2_220),
    ),
    troubles=(TroublePlan(Trouble.DISK_KILL, "controller", 16_006, 2_000, 24),),
)
"""Called off in the corridor, a robot wanted the kitchen, where another waited for the corridor.
And braking had rolled it over a node that it never reported: it counted as off every way."""

STOPS_BEFORE_A_NODE: Final = replace(
    QUIET,
    seed=2,
    period_ms=200,
    meals=(
        meal(0, 29_224, Ending.CALLED_OFF_EARLY, called_off_after_ms=47_383),
        meal(1, 36_663, Ending.NEVER_LOADED),
        meal(2, 2_798, Ending.COLLECTED),
    ),
)
"""Cancelled just before a node, a robot kept only the node behind it: another drove into it."""

LATE_COPY_REFUSED: Final = replace(
    QUIET,
    seed=51,
    faults=LOSSY,
    ways=0.6,
    sessions=(SessionPlan("s-room-1", "room-1", 2_595, None, 31_595),),
    meals=(
        MealPlan("d-0", "room-2", 19_704, Ending.COLLECTED, wrong_pins=1),
        MealPlan("d-1", "room-2", 749, Ending.COLLECTED),
    ),
    walks=(
        Walk("room-1-cam", 60, 13_460, 8_627),
        Walk("room-1-cam", 61, 27_150, 6_489),
        Walk("corridor-1-cam", 70, 21_640, 4_008),
        Walk("corridor-1-cam", 71, 31_428, 7_436),
    ),
    unplugs=(Unplug("corridor-1-cam", 27_973, 3_083),),
)
"""A robot refused a late copy of an old update: the controller took it for a refusal of the newest
and forgot the order, which the robot still had; it stood before its horizon for ever."""

FOUND: Final = (
    OPENS_AFTER_CALLED_OFF,
    BOTH_WANT_THE_KITCHEN,
    STOPS_BEFORE_A_NODE,
    LATE_COPY_REFUSED,
)


@pytest.mark.parametrize(
    "day",
    FOUND,
    ids=lambda day: f"seed {day.seed}",
)
def test_a_day_that_once_went_wrong_ends_well(day: Day, tmp_path: Path) -> None:
    ran = run_day(day, demo_place(), tmp_path)
    assert ran.counts["meal"] == len(day.meals)


def test_a_pause_that_arrives_when_nobody_wants_it_any_more_is_ended(tmp_path: Path) -> None:
    """The controller had forgotten the pause, unanswered: the robot stood for ever."""

    def tamper(world: World) -> None:
        held: set[Outgoing] = set()
        late: list[asyncio.Task[None]] = []

        async def deliver(message: Outgoing) -> None:
            await world.clock.sleep_ms(4_000)
            world.broker.accept(message)

        def is_held(message: Outgoing) -> bool:
            is_action = message.topic.endswith("/instantActions")
            if not is_action or b"startPause" not in message.payload or message in held:
                return False
            held.add(message)
            late.append(asyncio.create_task(deliver(message)))
            return True

        world.broker.swallows = is_held

    day = replace(
        QUIET,
        meals=(meal(0, 1_000, Ending.COLLECTED),),
        walks=(Walk("corridor-1-cam", 70, 20_000, 1_600),),
    )
    ran = run_day(day, demo_place(), tmp_path, tamper)
    assert ran.counts["delivery returned"] == 1
    assert ran.counts["person observed"] == 1
