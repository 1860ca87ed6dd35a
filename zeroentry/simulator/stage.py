"""Holds what the parts of a world know of it and of one another; ``world`` puts them together."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from contracts.vda5050.state import ConnectionState
from controller.core.facility_words import DoorPosition, FacilitySaid
from controller.core.fleet import HoldVerb
from controller.core.plan import SitePlan
from controller.core.state import Input
from zeroentry.simulator.agenda import Agenda
from zeroentry.simulator.brain import Brain
from zeroentry.simulator.cameras import Cameras, Person
from zeroentry.simulator.grounds import Ground
from zeroentry.simulator.line import Wire
from zeroentry.simulator.script import OrderPlan, Script
from zeroentry.simulator.vehicle import Vehicle


class Door(Protocol):
    """A door as judges look at it."""

    name: str
    position: DoorPosition
    changed_s: float


class Lift(Protocol):
    """A lift as judges look at it."""

    name: str
    floor: str | None
    door_open: bool


class Facilities(Protocol):
    """All doors and lifts."""

    @property
    def doors(self) -> Mapping[str, Door]:
        """By id."""
        ...

    @property
    def lifts(self) -> Mapping[str, Lift]:
        """By id."""
        ...

    def say(self, said: FacilitySaid) -> None:
        """A board's word is on its way."""

    def say_all(self) -> None:
        """Every board tells its state."""

    def stick(self, name: str, by: int) -> None:
        """A door or lift does not move (1), or moves again (-1)."""

    def fire(self) -> None:
        """It burns, or no longer."""


class Watchers(Protocol):
    """The judges, as those see them whose doings they judge."""

    lied: set[str]

    def door_shuts(self, door: Door) -> None:
        """A door begins to close."""

    def lift_shuts(self, lift: Lift) -> None:
        """A lift's door begins to close."""

    def fire(self, *, burning: bool) -> None:
        """It burns, or no longer."""

    def ordered(self, plan: OrderPlan, *, taken: bool, closed: bool) -> None:
        """An order with a window was answered; ``closed``: refused as too late."""

    def nodes_of(self, robot: Vehicle) -> set[str]:
        """What a robot may drive to, and what it stands on."""
        ...


class Crowd(Protocol):
    """The people, and what they truly did."""

    plans: dict[str, OrderPlan]
    right_pins: Counter[str]
    wrong_pins: Counter[str]
    released: Counter[str]
    taken: dict[str, tuple[float, str]]

    def stroll(self, start: str, for_s: float) -> None:
        """A stranger walks about."""


class Will(Protocol):
    """The supervisor, as those see them who are told what to do."""

    fetched: dict[str, float]
    """Robots that a person has said to be off the floor, and since when."""

    def asked(self, plan: OrderPlan) -> None:
        """An order waits for approval."""

    def release(self, plan: OrderPlan) -> None:
        """A PIN is locked, and the meal stands before its door."""

    def command(self, robot: Vehicle, verb: HoldVerb) -> None:
        """Hold, resume or call back, as soon as the controller listens."""

    def fetch(self, robot: Vehicle) -> Callable[[], None]:
        """Take a robot off the floor; what is returned puts it back."""
        ...


class Mishaps(Protocol):
    """The faults of the day."""

    last_s: float

    def of(self, name: str) -> bool:
        """Whether something is wrong with a robot, a door, a lift."""
        ...


class Stage(Protocol):
    """The world, as its parts see it."""

    script: Script
    plan: SitePlan
    kitchen: str
    agenda: Agenda
    rng: random.Random
    counts: Counter[str]
    refused: set[str]
    fire: bool
    ground: Ground
    robots: dict[str, Vehicle]
    wires: dict[str, Wire]
    brain: Brain
    cameras: Cameras

    @property
    def judges(self) -> Watchers:
        """Who watches."""
        ...

    @property
    def buildings(self) -> Facilities:
        """Doors and lifts."""
        ...

    @property
    def people(self) -> Crowd:
        """Who walks about."""
        ...

    @property
    def supervisor(self) -> Will:
        """Who answers alerts."""
        ...

    @property
    def troubles(self) -> Mishaps:
        """What goes wrong."""
        ...

    def tell(self, text: str, *values: object) -> None:
        """A line of the story."""

    def offer_soon(self, given: Input, wait_s: float) -> None:
        """An input that reaches the controller a little later."""

    def connect(self, robot: Vehicle, state: ConnectionState) -> None:
        """A robot's connection message."""

    def appear(self, person: Person) -> None:
        """Somebody is on the floor from now on."""

    def vanish(self, person: Person) -> None:
        """Somebody has left the floor."""

    def walk(self, person: Person, node: str) -> None:
        """Somebody walks on to the next node."""
