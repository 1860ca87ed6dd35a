"""Draws a simulated day from its seed: who comes, what is ordered, what breaks, and when."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.units import CameraId, RoomId
from tests.fakes.bus import Faults
from tests.fakes.site_people import Ending, MealPlan, SessionPlan

CHAOS_MS: Final = 30_000  # then the network heals, everybody comes back, and order must return
ROOMS: Final[tuple[RoomId, ...]] = ("room-1", "room-2")
MACHINES: Final = ("controller", "edge-1", "edge-2", "robot-1", "robot-2")
CAMERAS: Final[tuple[CameraId, ...]] = ("room-1-cam", "room-2-cam", "corridor-1-cam")
ADMITTED: Final = 5
NOBODY_EVERY: Final = 100  # a meal that nobody collects waits ten minutes: one seed in so many
FULL_SIZE_EVERY: Final = 8  # the other seeds' corridors are shorter
SHORT_WAYS: Final = 0.5  # 1.25 m: a robot still reaches full speed and brakes within 0.9 m
QUICK_TURN_RADPS: Final = 3.0  # turning on the spot is the dullest part of a tour

CLEAN: Final = Faults()
LOSSY: Final = Faults(
    publish_lost=0.04, delivery_lost=0.08, duplicated=0.1, delayed=0.08, delay_max_ms=1_200
)
SLOW: Final = Faults(duplicated=0.05, delayed=0.3, delay_max_ms=600)


class Trouble(StrEnum):
    """What can happen to a machine or to the broker."""

    BROKER_CRASH = "broker_crash"
    KILL = "kill"
    REBOOT = "reboot"
    DISK_KILL = "disk_kill"
    """kill -9 between two writes."""
    LINK_LOST = "link_lost"


@dataclass(frozen=True, slots=True)
class TroublePlan:
    """``touches``: at which touch of its disk a machine dies (DISK_KILL)."""

    kind: Trouble
    target: str
    at_ms: int
    for_ms: int
    touches: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """A person in a camera's picture."""

    camera: CameraId
    number: int
    at_ms: int
    for_ms: int


@dataclass(frozen=True, slots=True)
class Unplug:
    """A camera that gives no picture for a while."""

    camera: CameraId
    at_ms: int
    for_ms: int


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that will happen."""

    seed: int
    faults: Faults
    ways: float
    """How long the site's ways are, as a share of what its map says: short ones save time."""
    turn_radps: float
    robots: int
    """How many of the site's robots are switched on."""
    period_ms: int
    collect_after_ms: int
    sessions: tuple[SessionPlan, ...]
    meals: tuple[MealPlan, ...]
    walks: tuple[Walk, ...]
    unplugs: tuple[Unplug, ...]
    troubles: tuple[TroublePlan, ...]


def day_of(seed: int) -> Day:
    """The day of a seed; the same for the same code."""
    rng = random.Random(seed)
    meals = _meals(rng, seed)
    return Day(
        seed=seed,
        faults=rng.choice((CLEAN, LOSSY, LOSSY, SLOW)),
        ways=1.0 if seed % FULL_SIZE_EVERY == 0 else SHORT_WAYS,
        turn_radps=QUICK_TURN_RADPS,
        robots=rng.choice((1, 2)) if len(meals) == 1 else 2,
        period_ms=rng.choice((200, 400, 400, 500)),
        collect_after_ms=rng.choice((600, 1_500, 3_000)),
        sessions=_sessions(rng),
        meals=meals,
        walks=_walks(rng),
        unplugs=_unplugs(rng),
        troubles=_troubles(rng),
    )


def _sessions(rng: random.Random) -> tuple[SessionPlan, ...]:
    plans: list[SessionPlan] = []
    for room in ROOMS[: rng.randint(1, 2)]:
        seals_ms = rng.randint(500, 5_000)
        suspends_ms = rng.randint(10_000, 25_000) if rng.random() < 0.3 else None
        releases_ms = rng.randint(20_000, CHAOS_MS) if rng.random() < 0.5 else None
        plans.append(SessionPlan(f"s-{room}", room, seals_ms, suspends_ms, releases_ms))
        if releases_ms is not None and rng.random() < 0.5:
            plans.append(SessionPlan(f"t-{room}", room, releases_ms + 3_000, None, None))
    return tuple(plans)


def _meals(rng: random.Random, seed: int) -> tuple[MealPlan, ...]:
    plans: list[MealPlan] = []
    endings = [*[Ending.COLLECTED] * 10, Ending.CALLED_OFF_EARLY, Ending.CALLED_OFF_AT_DOOR]
    endings += [Ending.LOCKED_OUT, Ending.NEVER_LOADED]
    count = rng.choice((0, 1, 1, 1, 1, 1, 2, 2, 3))
    nobody = seed % NOBODY_EVERY == 0
    for number in range(max(count, int(nobody))):
        ending = rng.choice(endings)
        if nobody and number == 0:
            ending = Ending.NOBODY
        plans.append(
            MealPlan(
                id=f"d-{number}",
                room_id=rng.choice(ROOMS),
                at_ms=rng.randint(500, 15_000),
                ending=ending,
                wrong_pins=rng.choice((0, 0, 1, 2)),
                called_off_after_ms=rng.randint(0, 30_000),
            )
        )
    return tuple(plans)


def _walks(rng: random.Random) -> tuple[Walk, ...]:
    walks: list[Walk] = []
    for number in range(rng.randint(0, 2)):
        at_ms = rng.randint(4_000, 24_000)
        walks.append(Walk(f"{rng.choice(ROOMS)}-cam", 60 + number, at_ms, rng.randint(800, 10_000)))
    for number in range(rng.randint(0, 2)):
        at_ms = rng.randint(2_000, CHAOS_MS + 10_000)
        walks.append(Walk("corridor-1-cam", 70 + number, at_ms, rng.randint(1_000, 8_000)))
    return tuple(walks)


def _unplugs(rng: random.Random) -> tuple[Unplug, ...]:
    if rng.random() < 0.7:
        return ()
    at_ms = rng.randint(3_000, 24_000)
    return (Unplug(rng.choice(CAMERAS), at_ms, rng.randint(1_500, 8_000)),)


def _troubles(rng: random.Random) -> tuple[TroublePlan, ...]:
    plans: list[TroublePlan] = []
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3))):
        kind = rng.choice((*Trouble, Trouble.DISK_KILL))
        target = "broker" if kind is Trouble.BROKER_CRASH else rng.choice(MACHINES)
        plans.append(
            TroublePlan(
                kind=kind,
                target=target,
                at_ms=rng.randint(1_000, CHAOS_MS - 2_000),
                for_ms=rng.choice((50, 500, 2_000, 5_000, rng.randint(100, 10_000))),
                touches=rng.randint(1, 25),
            )
        )
    return tuple(sorted(plans, key=lambda plan: plan.at_ms))
