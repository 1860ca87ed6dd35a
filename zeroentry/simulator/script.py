"""Holds what happens on a simulated day: orders, people, faults; written out or drawn of a seed."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contracts.api import DeliveryKind
from controller.core.plan import SitePlan
from zeroentry.simulator.grounds import Ground
from zeroentry.simulator.maps import SMALL, plan_named


class FaultKind(StrEnum):
    """What can go wrong by itself."""

    STOP = "stop"
    """Somebody presses the stop button of a robot, and frees it later."""
    HINDERED = "hindered"
    """Something lies in a robot's way: its scanner holds it, and nothing is said."""
    REBOOT = "reboot"
    """A robot is switched off and on; it remembers its order."""
    FORGET = "forget"
    """The same, and it has forgotten its order."""
    MUTE = "mute"
    """All messages of a robot are lost, both ways."""
    CARRIED = "carried"
    """People carry a robot off, and put it down at its dock."""
    BATTERY = "battery"
    """A robot's battery turns out to be nearly empty."""
    BOLT = "bolt"
    """The bolts of a robot do not move."""
    LIE_TELEPORT = "lie_teleport"
    LIE_AHEAD = "lie_ahead"
    LIE_BATTERY = "lie_battery"
    LIE_LOCKED = "lie_locked"
    CONTROLLER = "controller"
    """The controller is killed and starts from what it had stored."""
    BLIND = "blind"
    """A camera gives no picture."""
    SILENT_NODE = "silent_node"
    """The node that watches an area says nothing at all."""
    PERSON = "person"
    """A stranger walks through a corridor."""
    LIFT = "lift"
    """A lift stands still."""
    DOOR = "door"
    """A door does not open."""
    FIRE = "fire"
    """The fire alarm."""
    HELD = "held"
    """The supervisor holds a robot, and lets it go on later."""
    RECALLED = "recalled"
    """The supervisor calls a robot back, and lets it go on later."""
    FETCHED = "fetched"
    """A robot breaks down; a person takes it off the floor, and puts it back later."""


LIES: Final = frozenset(kind for kind in FaultKind if kind.startswith("lie_"))
BY_PEOPLE: Final = (FaultKind.HELD, FaultKind.RECALLED, FaultKind.FETCHED)
OF_ROBOTS: Final = (
    FaultKind.STOP,
    FaultKind.HINDERED,
    FaultKind.REBOOT,
    FaultKind.FORGET,
    FaultKind.MUTE,
    FaultKind.CARRIED,
    FaultKind.BATTERY,
    FaultKind.BOLT,
    *sorted(LIES),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong at ``at_s`` and is right again ``for_s`` later.

    ``target``: a robot, an area, a door, a lift, or the first node of a stranger's walk.
    """

    kind: FaultKind
    at_s: float
    for_s: float
    target: str = ""


class Kitchen(StrEnum):
    """How the kitchen goes about a meal."""

    WELL = "well"
    LATE = "late"
    WRONG_BOX = "wrong_box"
    """Names a wrong compartment first."""
    EMPTY = "empty"
    """Says loaded before anything is in."""
    NEVER = "never"


class Expert(StrEnum):
    """What the person does for whom the meal is."""

    WELL = "well"
    WRONG_FIRST = "wrong_first"
    """Mistypes the PIN once or twice."""
    GUESSES = "guesses"
    """Types five wrong ones: it is locked."""
    NEVER = "never"
    """Does not come."""
    LEAVES_OPEN = "leaves_open"
    """Takes the meal and leaves the lid open for minutes."""
    PUTS_BACK = "puts_back"
    """Looks at it, and shuts the lid with the meal inside."""


class Approval(StrEnum):
    """What the supervisor says of an order that is no meal."""

    GIVEN = "given"
    REFUSED = "refused"
    NEVER = "never"
    """Nobody looks at it."""


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """One order and the people around it."""

    id: str
    room_id: str
    at_s: float
    kitchen: Kitchen = Kitchen.WELL
    expert: Expert = Expert.WELL
    load_s: float = 15.0
    come_s: float = 10.0
    cancel_s: float | None = None
    """Called off so long after it was ordered."""
    thing: DeliveryKind = DeliveryKind.MEAL
    """All but meals need the supervisor's approval."""
    approval: Approval = Approval.GIVEN
    approve_s: float = 20.0
    window_s: tuple[float, float] | None = None
    """Between which seconds of the day it is wanted at the door; None: as soon as possible."""
    release: bool = False
    """Two supervisors open it when its PIN is locked."""


@dataclass(frozen=True, slots=True)
class Line:
    """How the robots' messages fare: shares of lost and doubled ones, delays in seconds."""

    loss: float = 0.0
    double: float = 0.0
    delay_s: float = 0.03
    late: float = 0.0
    """Share that comes late, and so may be overtaken."""
    late_s: float = 1.5


CLEAN: Final = Line()
LOSSY: Final = Line(loss=0.05, double=0.05, delay_s=0.05, late=0.03)
AWFUL: Final = Line(loss=0.2, double=0.1, delay_s=0.1, late=0.1, late_s=2.5)


@dataclass(frozen=True, slots=True)
class Script:
    """A whole day."""

    seed: int
    map: str
    robots: int
    boxes: int
    orders: tuple[OrderPlan, ...]
    faults: tuple[Fault, ...] = ()
    line: Line = CLEAN
    battery_percent: float = 90.0
    camera_s: float = 0.3
    """From what happens to its observation at the controller."""
    cut_off_min: int | None = None
    """The minute of the day after which no meal with a window is taken; None: no meal has one."""


WINDOW_FROM_S: Final = (750.0, 1_200.0)  # ten minutes after the latest cut-off a meal begins
WINDOW_WIDE_S: Final = 900.0
TOLD_SHARE: Final = 0.35
THING_SHARE: Final = 0.12
WINDOW_SHARE: Final = 0.08
RELEASE_SHARE: Final = 0.6
THINGS: Final = (DeliveryKind.PAPERS, DeliveryKind.DEVICE, DeliveryKind.MEDICINE)


def draw(seed: int, *, map_name: str | None = None, without: Collection[FaultKind] = ()) -> Script:
    """The day of a seed: the same for ever, as long as nobody changes what is drawn here."""
    rng = random.Random(f"day {seed}")  # a string: neighbouring numbers give unlike days
    name = map_name or rng.choice(SMALL)
    robots = rng.choice((2, 2, 3))
    boxes = rng.choice((1, 2, 3))
    plan = plan_named(name, robots, boxes)
    robots = len(plan.robots)
    rooms = list(plan.door_nodes)
    orders = tuple(
        _order(rng, number, rng.choice(rooms)) for number in range(rng.choice((2, 3, 4, 5)))
    )
    count = rng.choice((0, 1, 2, 2, 3, 4))
    faults = tuple(
        row for row in (_fault(rng, plan) for _ in range(count)) if row.kind not in without
    )
    line = rng.choice((CLEAN, CLEAN, LOSSY, LOSSY, AWFUL))
    people = random.Random(f"people's will {seed}")  # drawn apart: what was drawn before stays
    cut_off_min = people.choice((0, 1, 2))
    orders = tuple(_wished(people, row) for row in orders)
    faults = (*faults, *_told(people, plan, without))
    return Script(
        seed=seed,
        map=name,
        robots=robots,
        boxes=boxes,
        orders=orders,
        faults=tuple(sorted(faults, key=lambda row: row.at_s)),
        line=line,
        battery_percent=rng.choice((90.0, 60.0, 45.0)),
        camera_s=rng.uniform(0.15, 0.45),
        cut_off_min=cut_off_min if any(row.window_s for row in orders) else None,
    )


def _order(rng: random.Random, number: int, room: str) -> OrderPlan:
    kitchen = rng.choices(list(Kitchen), weights=(12, 2, 1, 1, 1))[0]
    expert = rng.choices(list(Expert), weights=(12, 3, 1, 1, 1, 1))[0]
    return OrderPlan(
        id=f"d{number + 1}",
        room_id=room,
        at_s=rng.uniform(1, 150),
        kitchen=kitchen,
        expert=expert,
        load_s=rng.uniform(3, 25),
        come_s=rng.uniform(2, 40),
        cancel_s=rng.uniform(1, 150) if rng.random() < 0.12 else None,
    )


def _wished(rng: random.Random, row: OrderPlan) -> OrderPlan:
    """Some orders are no meals, some are wanted later, some are opened by two."""
    share, release = rng.random(), rng.random() < RELEASE_SHARE
    if share < THING_SHARE:
        approval = rng.choices((Approval.GIVEN, Approval.REFUSED), weights=(5, 1))[0]
        thing, wait_s = rng.choice(THINGS), rng.uniform(3, 60)
        row = replace(row, thing=thing, approval=approval, approve_s=wait_s)
    elif share < THING_SHARE + WINDOW_SHARE:
        from_s = rng.uniform(*WINDOW_FROM_S)
        row = replace(row, window_s=(from_s, from_s + WINDOW_WIDE_S))
    return replace(row, release=release and row.expert is Expert.GUESSES)


def _told(rng: random.Random, plan: SitePlan, without: Collection[FaultKind]) -> tuple[Fault, ...]:
    """What the supervisor tells robots on this day."""
    if rng.random() >= TOLD_SHARE:
        return ()
    kind = rng.choice((FaultKind.HELD, FaultKind.RECALLED, FaultKind.FETCHED, FaultKind.FETCHED))
    row = Fault(kind, rng.uniform(20, 240), rng.uniform(10, 150), rng.choice(sorted(plan.robots)))
    return () if kind in without else (row,)


def _fault(rng: random.Random, plan: SitePlan) -> Fault:
    kinds: list[FaultKind] = [*OF_ROBOTS, FaultKind.CONTROLLER, FaultKind.FIRE]
    ground = Ground(plan)
    if ground.watched:
        kinds += [FaultKind.BLIND, FaultKind.SILENT_NODE, *[FaultKind.PERSON] * 4]
    if plan.lifts:
        kinds += [FaultKind.LIFT] * 3
    if plan.doors:
        kinds += [FaultKind.DOOR] * 3
    kind = rng.choice(kinds)
    at_s = rng.uniform(5, 240)
    if kind is FaultKind.PERSON:
        zones = [zone for zone in plan.zones.values() if zone.policy == "closed" and zone.seen_by]
        nodes = [node for zone in zones for node in zone.nodes]
        return Fault(kind, at_s, rng.uniform(2, 30), rng.choice(nodes))
    if kind in (FaultKind.BLIND, FaultKind.SILENT_NODE):
        return Fault(kind, at_s, rng.uniform(2, 40), rng.choice(ground.watched))
    if kind is FaultKind.CONTROLLER:
        return Fault(kind, at_s, rng.uniform(1, 15))
    if kind is FaultKind.FIRE:
        return Fault(kind, at_s, rng.uniform(60, 180))
    if kind is FaultKind.LIFT:
        return Fault(kind, at_s, rng.uniform(20, 200), rng.choice(sorted(plan.lifts)))
    if kind is FaultKind.DOOR:
        return Fault(kind, at_s, rng.uniform(10, 120), rng.choice(sorted(plan.doors)))
    return Fault(kind, at_s, rng.uniform(3, 90), rng.choice(sorted(plan.robots)))


def only(script: Script, faults: Sequence[Fault]) -> Script:
    """The same day with other faults."""
    return replace(script, faults=tuple(faults))


def noon(
    *,
    fails_at_s: float | None = 320.0,
    robot: str = "robot-3",
    for_s: float = 3_600.0,
    rooms: int = 13,
) -> Script:
    """Thirteen rooms order for noon; three robots of three compartments; one stops half-way.

    By default it stops where the others can drive around it. One that stops in the only way from
    the kitchen keeps all meals waiting until people move it, and what it carries stays in it.
    """
    orders = tuple(
        OrderPlan(f"d{n + 1}", f"room-{n + 1}", 1.0 + n * 2.0, load_s=5.0, come_s=15.0)
        for n in range(rooms)
    )
    faults = () if fails_at_s is None else (Fault(FaultKind.STOP, fails_at_s, for_s, robot),)
    return Script(seed=0, map="noon", robots=3, boxes=3, orders=orders, faults=faults)
