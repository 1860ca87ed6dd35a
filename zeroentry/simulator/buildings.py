"""Plays doors and lifts as the controller's adapters find them: late, stuck, never wrong."""

from collections.abc import Callable
from functools import partial
from typing import Final

from controller.core.facility_words import (
    CommandFacility,
    DoorOrder,
    DoorPosition,
    DoorSaid,
    FacilitySaid,
    FireSaid,
    LiftOrder,
    LiftSaid,
)
from zeroentry.simulator.stage import Stage

BOARD_S: Final = 0.06  # a relay board hears and answers
DOOR_S: Final = 2.5
LIFT_DOOR_S: Final = 2.0
FLOOR_S: Final = 4.0
SAY_EVERY_S: Final = 30.0


class Door:
    """One door. It opens while the relay is on, and falls shut without."""

    def __init__(self, name: str, world: Stage) -> None:
        """Shut."""
        self.name = name
        self.world = world
        self.position = DoorPosition.SHUT
        self.changed_s = 0.0
        self.stuck = 0
        self._wanted = False
        self._turn = 0

    def order(self, given: DoorOrder) -> None:
        """The relay goes on or off."""
        if given.open != self._wanted:
            self._wanted = given.open
            self.act()
        else:
            self.say()

    def act(self) -> None:
        """Move to where the relay wants it, if it can move."""
        goal = DoorPosition.OPEN if self._wanted and not self.world.fire else DoorPosition.SHUT
        if self.position is goal or self.stuck:
            self.say()
            return
        if self.position is DoorPosition.OPEN and not self._wanted:
            # Let go by the controller. What falls shut on fire, though held, is the building's own.
            self.world.judges.door_shuts(self)
        self._turn += 1
        turn = self._turn
        self._set(DoorPosition.BETWEEN)

        def done() -> None:
            if turn == self._turn and not self.stuck:
                self._set(goal)

        self.world.agenda.after(DOOR_S, done)

    def _set(self, position: DoorPosition) -> None:
        self.position, self.changed_s = position, self.world.agenda.now_s
        self.world.tell("door {} is {}", self.name, position)
        self.say()

    def say(self) -> None:
        """Tell the controller."""
        self.world.buildings.say(FacilitySaid(self.name, DoorSaid(self.position)))


class Lift:
    """One lift, kept from people while a robot has it."""

    def __init__(self, name: str, world: Stage) -> None:
        """At the lowest floor, shut."""
        self.name = name
        self.world = world
        self.floors = [row.floor for row in world.plan.lifts[name].floors]
        self.floor: str | None = self.floors[0]
        self.door_open = False
        self.changed_s = 0.0
        self.stuck = 0
        self.busy_s = 0.0
        self._order = LiftOrder()
        self._moving = False

    def order(self, given: LiftOrder) -> None:
        """What it is told to do from now on."""
        self._order = given
        self.act()
        self.say()

    def act(self) -> None:
        """Do the next thing towards what it was told."""
        if self._moving or self.stuck:
            return
        wanted = self._order
        if wanted.floor is not None and wanted.floor == self.floor:
            if not self.door_open:
                self._then(LIFT_DOOR_S, self._open)
        elif self.door_open and not (wanted.floor is None and wanted.hold):
            self.world.judges.lift_shuts(self)
            self.door_open = False
            self._then(LIFT_DOOR_S, self._changed)
        elif wanted.floor is not None and wanted.floor in self.floors and self.floor is not None:
            far = abs(self.floors.index(wanted.floor) - self.floors.index(self.floor))
            self.floor = None
            self._changed()
            self._then(FLOOR_S * far, partial(self._arrive, wanted.floor))

    def _then(self, wait_s: float, do: Callable[[], None]) -> None:
        self._moving = True

        def done() -> None:
            self._moving = False
            if self.stuck:
                self.world.agenda.after(1.0, lambda: self._then(0.1, do))
                return
            do()
            self.act()

        self.world.agenda.after(wait_s, done)

    def _open(self) -> None:
        self.door_open = True
        self._changed()

    def _arrive(self, floor: str) -> None:
        self.floor = floor
        self._changed()

    def _changed(self) -> None:
        self.changed_s = self.world.agenda.now_s
        self.world.tell(
            "lift {} at {}, door {}", self.name, self.floor, "open" if self.door_open else "shut"
        )
        self.say()

    def say(self) -> None:
        """Tell the controller."""
        said = LiftSaid(self.floor, self.door_open)
        self.world.buildings.say(FacilitySaid(self.name, said))


class Buildings:
    """All doors, lifts and the fire alarm of a site."""

    def __init__(self, world: Stage) -> None:
        """As they stand in the morning."""
        self.world = world
        self.doors = {name: Door(name, world) for name in world.plan.doors}
        self.lifts = {name: Lift(name, world) for name in world.plan.lifts}
        self.commands = 0

    def begin(self) -> None:
        """Boards say how things are, and again every so often."""
        self.say_all()
        if self.doors or self.lifts:
            self.world.agenda.after(SAY_EVERY_S, self.begin)

    def say_all(self) -> None:
        """Every board tells its state."""
        for door in self.doors.values():
            door.say()
        for lift in self.lifts.values():
            lift.say()
        for fire in self.world.plan.fires:
            self.world.offer_soon(FireSaid(fire, burning=self.world.fire), BOARD_S)

    def say(self, said: FacilitySaid) -> None:
        """A board's word is on its way."""
        self.world.offer_soon(said, BOARD_S)

    def take(self, command: CommandFacility) -> None:
        """The controller commands; a board hears it a little later."""
        self.commands += 1
        target, order = command.facility_id, command.order
        if isinstance(order, DoorOrder):
            door = self.doors.get(target)
            if door is not None:
                self.world.agenda.after(BOARD_S, lambda: door.order(order))
        else:
            lift = self.lifts.get(target)
            if lift is not None:
                self.world.agenda.after(BOARD_S, lambda: lift.order(order))

    def stick(self, name: str, by: int) -> None:
        """A door or lift does not move (1), or moves again (-1)."""
        row: Door | Lift | None = self.doors.get(name) or self.lifts.get(name)
        if row is not None:
            row.stuck += by
            if not row.stuck:
                row.act()

    def fire(self) -> None:
        """Fire doors fall shut; contacts ring or fall silent."""
        for door in self.doors.values():
            door.act()
        self.say_all()
