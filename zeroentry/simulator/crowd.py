"""Plays the people of a live house, over the API and before the cameras; and what goes wrong.

They order, say "loaded", come to the door with their PIN, walk through corridors; a supervisor
looks after alarmed robots a while later, so that a house that nobody watches goes on.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from client import ApiClient, ControllerLost, RefusedError
from contracts.api import DeliveryBody, DeliveryState, DeliveryView, OrderLine, Overview, RobotView
from contracts.units import MonoMs
from contracts.vda5050.profile import LidState
from runtime.clock import Clock
from zeroentry.facilities.model import SimBoard, SimFire
from zeroentry.simulator.live import LiveFleet
from zeroentry.simulator.sight import Sight
from zeroentry.simulator.vehicle import lying

LOOK_MS: Final = 1_000
ORDER_EVERY_S: Final = (8.0, 25.0)
ORDERS_PER_ROBOT: Final = 2
COME_S: Final = (4.0, 15.0)
LOOK_AFTER_S: Final = 45.0  # a robot in doubt can be seen on the map for so long
STROLL_EVERY_S: Final = (25.0, 60.0)
STROLL_S: Final = (5.0, 12.0)
FAULT_EVERY_S: Final = (30.0, 70.0)
FAULT_S: Final = (15.0, 40.0)
MISTYPES: Final = 0.15
UNAUTHORIZED: Final = 401
DISH: Final = "box-standard"
ENDED: Final = frozenset({DeliveryState.RETURNED, DeliveryState.CANCELLED, DeliveryState.FAILED})
REASON: Final = "simulated: somebody has looked at it"
FAULTS: Final = ("e_stop", "hindered", "mute", "teleport", "blind", "stuck", "fire")
_WEIGHTS: Final = (3, 4, 3, 2, 3, 3, 1)


def _is_in(row: DeliveryView, robots: Sequence[RobotView]) -> bool:
    """Whether a compartment holds its meal and its lid is shut: then the cook says so."""
    return any(
        box.number == row.compartment and box.occupied and box.lid == LidState.CLOSED
        for robot in robots
        if robot.id == row.robot_id
        for box in robot.compartments
    )


@dataclass(slots=True)
class Crowd:
    """All people of a live house. ``tell`` prints a line of the story."""

    fleet: LiveFleet
    sight: Sight
    boards: Sequence[SimBoard]
    anonymous: ApiClient
    account: tuple[str, str]
    clock: Clock
    rng: random.Random
    tell: Callable[[str], None]
    by_hand: bool = False
    faults: bool = False
    pins: dict[str, str] = field(default_factory=dict)
    _api: ApiClient | None = None
    _comes_ms: dict[str, MonoMs] = field(default_factory=dict)
    _wrong_since: dict[str, MonoMs] = field(default_factory=dict)
    _orders: int = 0

    async def run(self) -> None:
        """Until cancelled."""
        await self._log_in()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stroll())
            if self.faults:
                group.create_task(self._go_wrong())
            if not self.by_hand:
                group.create_task(self._look())
                group.create_task(self._order())

    async def _log_in(self) -> None:
        while True:
            with contextlib.suppress(ControllerLost, RefusedError):
                given = await self.anonymous.login(*self.account)
                self._api = self.anonymous.with_token(given.token)
                return
            await self.clock.sleep_ms(LOOK_MS)

    @property
    def api(self) -> ApiClient:
        """The way to the controller, once logged in."""
        if self._api is None:
            raise AssertionError("run() logs in first")
        return self._api

    async def _wait(self, between_s: tuple[float, float]) -> None:
        await self.clock.sleep_ms(int(1_000 * self.rng.uniform(*between_s)))

    # --- kitchen, doors, supervisor ---------------------------------------------------------------

    async def _look(self) -> None:
        while True:
            try:
                seen = await self.api.overview()
                await self._serve(seen)
                await self._supervise(seen)
            except ControllerLost:
                pass  # it is seen again when the controller is back
            except RefusedError as error:
                if error.problem.status == UNAUTHORIZED:
                    await self._log_in()
            await self.clock.sleep_ms(LOOK_MS)

    async def _serve(self, seen: Overview) -> None:
        for row in seen.deliveries:
            if row.state is DeliveryState.LOADING and _is_in(row, seen.robots):
                with contextlib.suppress(RefusedError):
                    await self.api.loaded(row.id, row.compartment or 1)
            if row.state is DeliveryState.ARRIVED and row.id in self.pins:
                await self._at_door(row)
            if row.state in ENDED:
                self.pins.pop(row.id, None)

    async def _at_door(self, row: DeliveryView) -> None:
        now = self.clock.mono_ms()
        if row.id not in self._comes_ms:
            self._comes_ms[row.id] = MonoMs(now + int(1_000 * self.rng.uniform(*COME_S)))
        if now < self._comes_ms[row.id] or row.pin_locked_until_utc_ms is not None:
            return
        pin = self.pins[row.id]
        if self.rng.random() < MISTYPES:
            pin = f"{(int(pin[0]) + 1) % 10}{pin[1:]}"
        with contextlib.suppress(RefusedError):
            await self.api.unlock(row.id, pin)

    async def _supervise(self, seen: Overview) -> None:
        """What has been wrong for a while is looked after, as a supervisor would."""
        wrong: set[str] = set()
        for robot in seen.robots:
            if robot.doubt is not None:
                wrong.add(robot.id)
                if self._long_wrong(robot.id):
                    await self._cleared(robot)
        fire = (await self.api.facilities()).fire
        if fire.latched and not fire.burning:
            wrong.add("fire")
            if self._long_wrong("fire"):
                await self.api.release_fire(REASON)
        for name in set(self._wrong_since) - wrong:
            del self._wrong_since[name]

    def _long_wrong(self, name: str) -> bool:
        now = self.clock.mono_ms()
        return now - self._wrong_since.setdefault(name, now) >= LOOK_AFTER_S * 1_000

    async def _cleared(self, robot: RobotView) -> None:
        with contextlib.suppress(RefusedError):
            await self.api.clear_robot(robot.id, REASON)
            self.tell(f"a supervisor clears {robot.id}")

    # --- rooms ------------------------------------------------------------------------------------

    async def _order(self) -> None:
        rooms = sorted(self.fleet.plan.door_nodes)
        while True:
            with contextlib.suppress(ControllerLost, RefusedError):
                seen = await self.api.overview()
                waiting = sum(row.state not in ENDED for row in seen.deliveries)
                if waiting < ORDERS_PER_ROBOT * len(self.fleet.robots):
                    await self._ordered(self.rng.choice(rooms))
            await self._wait(ORDER_EVERY_S)

    async def _ordered(self, room_id: str) -> None:
        self._orders += 1
        lines = (OrderLine(dish=DISH, count=self.rng.randint(1, 3)),)
        given = await self.api.order(
            DeliveryBody(room_id=room_id, lines=lines), f"live-{self._orders}"
        )
        if given.pin is not None:
            self.pins[given.delivery.id] = given.pin

    # --- corridors --------------------------------------------------------------------------------

    async def _stroll(self) -> None:
        """A stranger walks through a corridor: every robot that would enter it waits."""
        watched = [row for row in self.fleet.ground.watched if row in self.sight.areas]
        while watched:
            await self._wait(STROLL_EVERY_S)
            area = self.sight.areas[self.rng.choice(watched)]
            self.tell(f"a stranger walks through {area.id}")
            area.strangers += 1
            await self._wait(STROLL_S)
            area.strangers -= 1

    # --- what goes wrong --------------------------------------------------------------------------

    async def _go_wrong(self) -> None:
        while True:
            await self._wait(FAULT_EVERY_S)
            kind = self.rng.choices(FAULTS, weights=_WEIGHTS)[0]
            undo = self.fault(kind)
            if undo is not None:
                await self._wait(FAULT_S)
                undo()

    def fault(self, kind: str) -> Callable[[], None] | None:
        """Let something go wrong; what ends it, or None where the site has no such thing."""
        robot = self.rng.choice(sorted(self.fleet.robots))
        match kind:
            case "blind":
                return self._blind()
            case "stuck" | "fire":
                return self._building(kind)
            case "mute":
                self.tell(f"FAULT {robot} is not heard")
                self.fleet.robots[robot].muted = True
                return lambda: setattr(self.fleet.robots[robot], "muted", False)
            case "teleport":
                return self._lie(robot)
            case _:
                return self._flag(robot, kind)

    def _flag(self, robot_id: str, name: str) -> Callable[[], None]:
        vehicle = self.fleet.robots[robot_id].vehicle
        words = {
            "e_stop": "somebody presses its stop button",
            "hindered": "something is in its way",
        }
        self.tell(f"FAULT {robot_id}: {words[name]}")

        def put(*, on: bool) -> None:
            setattr(vehicle, name, on)
            vehicle.replan()
            vehicle.tell()

        put(on=True)
        return lambda: put(on=False)

    def _lie(self, robot_id: str) -> Callable[[], None]:
        vehicle = self.fleet.robots[robot_id].vehicle
        self.tell(f"FAULT {robot_id} says that it is where it cannot be")
        vehicle.lie = lying("teleport", {})
        vehicle.tell()

        def honest() -> None:
            vehicle.lie = None
            vehicle.tell()

        return honest

    def _blind(self) -> Callable[[], None] | None:
        watched = [row for row in self.fleet.ground.watched if row in self.sight.areas]
        if not watched:
            return None
        area = self.sight.areas[self.rng.choice(watched)]
        self.tell(f"FAULT the cameras of {area.id} show nothing")
        area.blind = True
        return lambda: setattr(area, "blind", False)

    def _building(self, kind: str) -> Callable[[], None] | None:
        fires = kind == "fire"
        rows = [
            (board, name)
            for board in self.boards
            for name, sim in board.sims.items()
            if isinstance(sim, SimFire) == fires
        ]
        if not rows:
            return None
        board, name = self.rng.choice(rows)
        begins, ends = ("burning", "over") if fires else ("stuck", "none")
        self.tell(f"FAULT {name} {begins}")
        board.script(f"{name} {begins}")

        def right() -> None:
            board.script(f"{name} {ends}")

        return right
