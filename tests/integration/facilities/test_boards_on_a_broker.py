"""A real broker, the boards' process of its own, the desk, and the core: doors and a lift session.

Claims are the test's: it drives the robot, and only over edges that are not shut.
"""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from contracts.catalogue.settings import RuleChange
from contracts.units import UtcMs
from controller.core import facility_steps
from controller.core.facility_words import CommandFacility, FacilityClaim, FacilityInput
from controller.core.outputs import Answer
from controller.core.plan import plan_of
from controller.core.state import Input, Now, SiteState
from controller.facilities.board_desk import BoardDesk
from controller.ports import Given
from runtime import broker
from runtime.clock import SystemClock
from runtime.mqtt import MqttSession, MqttSettings, Outgoing
from runtime.site import load_folder
from tests.fakes.controller_site import fresh_state
from tests.fakes.ports import free_port
from tests.fakes.waiting import until

TOWER = Path(__file__).parents[3] / "firmware_configs" / "tower"
SETTLE_MS = 50


class House:
    """The desk and the facility core of the tower site; ``claims`` are what robots want now."""

    def __init__(self, port: int) -> None:
        self.clock = SystemClock()
        site, robot_map = load_folder(TOWER)
        # Alerts without their dwell: a test need not wait for a board to be away for ten seconds.
        plan = plan_of(
            site, robot_map, {"facility.offline": RuleChange(parameters={"dwell_ms": 0})}
        )
        self.bus = MqttSession(
            MqttSettings(host="127.0.0.1", port=port, client_id="house"),
            self.clock,
            rng=random.Random(1),
        )
        self.desk = BoardDesk(
            self.bus, self.clock, site.facilities, connected=lambda: self.bus.connected
        )
        self.state: SiteState = fresh_state(plan, self.now())
        self.claims: tuple[FacilityClaim, ...] = ()
        self.shut: frozenset[tuple[str, str]] = frozenset()

    def now(self) -> Now:
        return Now(self.clock.mono_ms(), UtcMs(self.clock.utc_ms()))

    async def offer(self, given: Input) -> None:
        assert isinstance(given, FacilityInput)
        self.state, _ = facility_steps.step(self.state, given, self.now())

    async def ask(self, given: Input) -> Answer:
        raise AssertionError(f"nobody asks here: {given}")

    async def take(self, rows: Sequence[Given]) -> list[Answer | None]:
        raise AssertionError(f"nothing is durable here: {rows}")

    async def settle(self) -> None:
        while True:
            now = self.now()
            self.state, self.shut, commands = facility_steps.settle(self.state, self.claims, now)
            self.state = facility_steps.watch(self.state, now)
            for command in commands:
                assert isinstance(command, CommandFacility)
                self.desk.publish(command)
            await self.clock.sleep_ms(SETTLE_MS)

    async def drive(self, *route: str) -> None:
        """A robot goes along a way, each edge only once it is not shut."""
        for at, edge in enumerate(pairwise(route)):
            claim = FacilityClaim("robot-1", route[at], route[at + 1 : at + 7])
            self.claims = (claim,)
            await self.opens(edge)
            self.claims = (replace(claim, released=1),)
        self.claims = (FacilityClaim("robot-1", route[-1]),)

    async def opens(self, edge: tuple[str, str]) -> None:
        await until(lambda: edge not in self.shut, within_s=40, what=f"{edge} opens")

    def alerts(self) -> set[str]:
        return {mark for mark in self.state.marks if mark.startswith("facility.")}


class Boards:
    """The simulator's process."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *more: str) -> None:
        words = ("-m", "zeroentry", "facility-sim", str(TOWER), "--port", str(self.port))
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            "--speed",
            "8",
            *more,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def kill(self) -> None:
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def broker_port() -> AsyncIterator[int]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(*broker.command(port))
    await until(lambda: broker.listening(port), within_s=30, what="the broker listens")
    yield port
    process.kill()
    await process.wait()


@pytest.fixture
async def boards(broker_port: int) -> AsyncIterator[Boards]:
    found = Boards(broker_port)
    yield found
    await found.kill()


@pytest.fixture
async def house(broker_port: int) -> AsyncIterator[House]:
    found = House(broker_port)

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(found.bus.run())
            group.create_task(found.desk.run(found))
            group.create_task(found.settle())

    task = asyncio.create_task(run())
    await until(lambda: found.bus.connected, within_s=30, what="the house is on the broker")
    yield found
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_robot_passes_a_door_rides_the_lift_and_a_killed_board_is_shut_and_told(
    house: House, boards: Boards
) -> None:
    assert ("g1", "g2") in house.shut or not house.shut  # nobody has spoken yet
    await boards.start()
    await house.drive("kitchen", "g1", "g2", "g3", "lobby-1", "lift-1-f1", "lift-1-f2", "lobby-2")
    assert house.state.facilities.lifts["lift-1"].last_floor == "floor-2"
    await until(lambda: not house.alerts(), what="no alert stands after a good ride")

    door = house.state.facilities.doors["fire-door-2"]
    assert not door.away
    house.claims = (FacilityClaim("robot-1", "f2-c1", ("f2-c2",)),)
    await until(lambda: ("f2-c1", "f2-c2") not in house.shut, within_s=20, what="the door opens")
    await boards.kill()
    await until(lambda: ("f2-c1", "f2-c2") in house.shut, what="a killed board's door is shut")
    await until(
        lambda: {"facility.offline|fire-door-2", "facility.offline|lift-1"} <= house.alerts(),
        what="people are told",
    )
    await boards.start()
    await until(
        lambda: ("f2-c1", "f2-c2") not in house.shut and not house.alerts(),
        within_s=40,
        what="a board that is back is told again what it forgot, and the alerts clear",
    )


async def test_a_door_that_is_stuck_stays_shut_and_fire_opens_it(
    house: House, boards: Boards
) -> None:
    await boards.start("--fault", "kitchen-door=stuck")
    house.claims = (FacilityClaim("robot-1", "g1", ("g2",)),)
    kitchen_door = house.state.plan.doors["kitchen-door"]
    quick = kitchen_door.model_copy(update={"open_within_ms": 1_000})
    plan = replace(house.state.plan, doors={**house.state.plan.doors, "kitchen-door": quick})
    house.state = replace(house.state, plan=plan)
    await until(
        lambda: "facility.door_stuck|kitchen-door" in house.alerts(),
        within_s=30,
        what="a stuck door is told",
    )
    assert ("g1", "g2") in house.shut
    for words in (b"kitchen-door none", b"fire-panel burning"):
        await house.bus.publish(Outgoing("facility-sim/sim/command", words))
    await until(lambda: house.state.facilities.fire, what="the fire alarm is heard")
    house.claims = ()
    await until(
        lambda: house.state.facilities.doors["corridor-door-3"].passable,
        within_s=20,
        what="doors open on fire though no robot is near",
    )
    assert {("f2-c1", "f2-c2"), ("lobby-1", "lift-1-f1")} <= house.shut
    assert "facility.fire|site" in house.alerts()


async def test_boards_that_spoke_before_the_controller_came_are_believed(
    broker_port: int, boards: Boards
) -> None:
    await boards.start()
    listener = MqttSession(
        MqttSettings(host="127.0.0.1", port=broker_port, client_id="listener"),
        SystemClock(),
        rng=random.Random(2),
    )
    words = listener.subscribe("facility-sim/cover/+/state")
    async with asyncio.TaskGroup() as group:
        link = group.create_task(listener.run())
        await words.get()  # the boards have spoken
        house = House(broker_port)
        runs = [group.create_task(part) for part in (house.bus.run(), house.desk.run(house))]
        await until(
            lambda: not house.state.facilities.doors["kitchen-door"].away,
            within_s=30,
            what="what the broker kept counts",
        )
        assert house.state.facilities.doors["kitchen-door"].said is not None
        for task in (link, *runs):
            task.cancel()
