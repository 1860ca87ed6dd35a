"""Decides how simulated doors, lifts and a fire contact move, and what their board says of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from contracts.facilities import (
    DoorBoardLink,
    DoorConfig,
    Facility,
    FireBoardLink,
    FireConfig,
    LiftBoardLink,
    LiftConfig,
    board_of,
)

DOOR_TRAVEL_MS: Final = 3_000  # a sliding door of 1.2 m
FLOOR_TRAVEL_MS: Final = 4_000  # 3.6 m at 1 m/s with a short run up
LIFT_DOOR_MS: Final = 2_500
LIFT_DWELL_MS: Final = 5_000  # an automatic lift shuts its door by itself after it
PRESSED_MS: Final = 500  # a relay on a button is let go by the board
HELD_MAX_MS: Final = 60_000  # a board that hears nothing for so long lets go of its doors
SLOW_FACTOR: Final = 8

ON: Final = "ON"
OFF: Final = "OFF"


class Fault(StrEnum):
    """What can be wrong with a simulated facility."""

    NONE = "none"
    STUCK = "stuck"
    """It says that it was told, and does not move."""
    SLOW = "slow"
    SILENT = "silent"
    """It moves, and says nothing."""


@dataclass(slots=True)
class SimDoor:
    """A door. ``open_share``: 0 shut, 1 open."""

    link: DoorBoardLink
    wanted: bool = False
    open_share: float = 0.0
    told_ms: int = 0
    fault: Fault = Fault.NONE

    def tell(self, component: str, object_id: str, payload: str, now_ms: int) -> bool:
        """Take a command of its board; False: it is not this door's."""
        if (component, object_id) == ("cover", self.link.cover):
            self.wanted = {"OPEN": True, "CLOSE": False}.get(payload.upper(), self.wanted)
        elif (component, object_id) == ("switch", self.link.relay):
            self.wanted = payload.upper() == ON
        else:
            return False
        self.told_ms = now_ms
        return True

    def move(self, from_ms: int, to_ms: int) -> None:
        """Let time pass."""
        if self.wanted and to_ms - self.told_ms > HELD_MAX_MS:
            self.wanted = False
        if self.fault is Fault.STUCK:
            return
        travel = DOOR_TRAVEL_MS * (SLOW_FACTOR if self.fault is Fault.SLOW else 1)
        step = (to_ms - from_ms) / travel
        share = self.open_share + (step if self.wanted else -step)
        self.open_share = min(1.0, max(0.0, share))

    def states(self) -> Mapping[str, str]:
        """What its components say."""
        moving = 0.0 < self.open_share < 1.0
        if self.link.cover is not None:
            word = "open" if self.open_share >= 1.0 else "closed"
            if moving:
                word = "opening" if self.wanted else "closing"
            return {f"cover/{self.link.cover}": word}
        return {
            f"switch/{self.link.relay}": ON if self.wanted else OFF,
            f"binary_sensor/{self.link.contact}": ON if self.open_share >= 1.0 else OFF,
        }


@dataclass(slots=True)
class SimLift:
    """A lift. ``at``: where the car is, in floors from the lowest; ``calls`` are served in turn."""

    link: LiftBoardLink
    floors: tuple[str, ...]
    at: float = 0.0
    door_share: float = 0.0
    hold: bool = False
    reserved: bool = False
    told_ms: int = 0
    opened_ms: int = 0
    calls: list[int] = field(default_factory=list)
    pressed: dict[str, int] = field(default_factory=dict)
    fault: Fault = Fault.NONE

    def tell(self, component: str, object_id: str, payload: str, now_ms: int) -> bool:
        """Take a command of its board; False: it is not this lift's."""
        if component != "switch":
            return False
        on = payload.upper() == ON
        if object_id == self.link.hold:
            self.hold = on
        elif object_id == self.link.reserve:
            self.reserved = on
        else:
            floor = next(
                (name for name, stop in self.link.stops.items() if stop.call == object_id), None
            )
            if floor is None:
                return False
            if on:
                self._press(object_id, self.floors.index(floor), now_ms)
        self.told_ms = now_ms
        return True

    def _press(self, button: str, floor: int, now_ms: int) -> None:
        self.pressed[button] = now_ms
        if floor not in self.calls:
            self.calls.append(floor)

    def move(self, from_ms: int, to_ms: int) -> None:
        """Let time pass."""
        self.pressed = {
            button: since for button, since in self.pressed.items() if to_ms - since < PRESSED_MS
        }
        if self.hold and to_ms - self.told_ms > HELD_MAX_MS:
            self.hold = False
        if self.fault is Fault.STUCK:
            return
        slow = SLOW_FACTOR if self.fault is Fault.SLOW else 1
        left = (to_ms - from_ms) / slow
        wanted = self.calls[0] if self.calls else None
        here = wanted is not None and abs(self.at - wanted) < 1e-6
        if here or self.hold:
            if here:
                self.calls.pop(0)
                self.opened_ms = to_ms
            self._door(left, to_ms, opens=True)
        elif wanted is None:
            self._door(left, to_ms, opens=to_ms - self.opened_ms < LIFT_DWELL_MS and self.opened_ms)
        elif self.door_share > 0.0:
            self._door(left, to_ms, opens=False)
        else:
            step = left / FLOOR_TRAVEL_MS
            gap = wanted - self.at
            self.at = float(wanted) if abs(gap) <= step else self.at + step * (1 if gap > 0 else -1)

    def _door(self, left_ms: float, now_ms: int, *, opens: object) -> None:
        step = left_ms / LIFT_DOOR_MS
        before = self.door_share
        self.door_share = min(1.0, max(0.0, before + (step if opens else -step)))
        if self.door_share >= 1.0 > before:
            self.opened_ms = now_ms

    def states(self) -> Mapping[str, str]:
        """What its components say."""
        found = {
            f"binary_sensor/{self.link.door_open}": ON if self.door_share >= 1.0 else OFF,
            f"switch/{self.link.hold}": ON if self.hold else OFF,
        }
        if self.link.reserve is not None:
            found[f"switch/{self.link.reserve}"] = ON if self.reserved else OFF
        for index, floor in enumerate(self.floors):
            stop = self.link.stops[floor]
            here = abs(self.at - index) < 1e-6
            found[f"binary_sensor/{stop.at}"] = ON if here else OFF
            found[f"switch/{stop.call}"] = ON if stop.call in self.pressed else OFF
        return found


@dataclass(slots=True)
class SimFire:
    """The contact of a fire alarm panel."""

    link: FireBoardLink
    burning: bool = False
    fault: Fault = Fault.NONE

    def tell(self, component: str, object_id: str, payload: str, now_ms: int) -> bool:
        """It takes no command of its board."""
        del component, object_id, payload, now_ms
        return False

    def move(self, from_ms: int, to_ms: int) -> None:
        """Nothing of it moves."""

    def states(self) -> Mapping[str, str]:
        """The contact."""
        rest = OFF if self.link.alarm_when == ON else ON
        return {f"binary_sensor/{self.link.input}": self.link.alarm_when if self.burning else rest}


Sim = SimDoor | SimLift | SimFire


@dataclass(slots=True)
class SimBoard:
    """One board: what hangs on it, and what it said last."""

    name: str
    prefix: str
    alive: str | None = None
    sims: dict[str, Sim] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def tell(self, component: str, object_id: str, payload: str, now_ms: int) -> None:
        """Take a command."""
        for sim in self.sims.values():
            if sim.tell(component, object_id, payload, now_ms):
                return

    def script(self, words: str) -> bool:
        """Take a word of whoever plays: `ID fault`, or `ID burning|over`; whether it is one."""
        name, _, what = words.strip().partition(" ")
        sim = self.sims.get(name)
        if sim is None:
            return False
        if isinstance(sim, SimFire) and what in {"burning", "over"}:
            sim.burning = what == "burning"
            return True
        if what not in {fault.value for fault in Fault}:
            return False
        sim.fault = Fault(what)
        return True

    def move(self, from_ms: int, to_ms: int) -> None:
        """Let time pass."""
        for sim in self.sims.values():
            sim.move(from_ms, to_ms)

    def news(self) -> dict[str, str]:
        """States that changed since the last call, by `component/object`."""
        now = {
            key: word
            for sim in self.sims.values()
            if sim.fault is not Fault.SILENT
            for key, word in sim.states().items()
        }
        changed = {key: word for key, word in now.items() if self.said.get(key) != word}
        self.said.update(changed)
        return changed


def boards_for(facilities: Iterable[Facility], only: str | None = None) -> tuple[SimBoard, ...]:
    """The boards of a site's facilities, or the one called ``only``."""
    found: dict[str, SimBoard] = {}
    for row in facilities:
        link = board_of(row)
        if link is None or only not in {None, link.board}:
            continue
        board = found.setdefault(link.topic_prefix, SimBoard(link.board, link.topic_prefix))
        board.alive = board.alive or link.alive
        if isinstance(row, DoorConfig) and isinstance(link, DoorBoardLink):
            board.sims[row.id] = SimDoor(link)
        elif isinstance(row, LiftConfig) and isinstance(link, LiftBoardLink):
            board.sims[row.id] = SimLift(link, tuple(floor.floor for floor in row.floors))
        elif isinstance(row, FireConfig) and isinstance(link, FireBoardLink):
            board.sims[row.id] = SimFire(link)
    return tuple(found.values())
