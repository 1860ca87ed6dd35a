"""A meal from order to return: controller and simulated robots on a bus and a clock in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.api import DeliveryBody, DeliveryState, OrderLine, ZoneVerdict
from contracts.observations import CameraState, SeenPerson
from contracts.topics import Kind
from contracts.vda5050.topics import VehicleAddress
from controller.core.deliveries import Delivery
from controller.core.outputs import Accepted, Refused
from controller.core.state import DeliveryLoaded, DeliveryOrdered, PinTried
from robot_bridge.core.mission import Mission
from robot_bridge.core.orders import Progress
from robot_bridge.core.report import Body
from robot_bridge.core.vehicle import Pose
from robot_bridge.service import BridgeService, Intervals, Robot
from robot_bridge.sim import SimSettings, SimVehicle
from runtime.clock import SimulatedClock
from runtime.metrics import Metrics
from tests.fakes.bus import Faults, MemoryBroker
from tests.fakes.controller_site import (
    PLACES,
    Bench,
    at_once,
    bench,
    live,
    observation,
    person,
)
from tests.fakes.waiting import until_simulated

BODY = Body("test", 1.2, 0.6, 0.8, 0.6, 0.5, 1.2, 20.0, 1, 1_000, 200)
KEY = bytes(range(32))


@dataclass
class Forgetful:
    """A robot's memory that lasts as long as the test."""

    text: str | None = None

    def load(self) -> str | None:
        return self.text

    def keep(self, text: str) -> None:
        self.text = text


@dataclass
class Corridor:
    """What the corridor's camera shows; tests change it."""

    people: tuple[SeenPerson, ...] = ()
    camera: CameraState = CameraState.LIVE


@dataclass
class House:
    """One running site."""

    made: Bench
    corridor: Corridor
    robots: dict[str, SimVehicle] = field(default_factory=dict)

    @property
    def clock(self) -> SimulatedClock:
        return self.made.clock

    def delivery(self) -> Delivery:
        return next(iter(self.made.controller.service.state.deliveries.values()))

    async def order(self) -> str:
        given = DeliveryOrdered(
            "d-1",
            DeliveryBody(room_id="room-1", lines=(OrderLine(dish="tea", count=1),)),
            "sup",
            "salt$hash",
        )
        answer = asyncio.ensure_future(self.made.controller.service.ask(given))
        await until_simulated(self.clock, answer.done, within_ms=2_000, what="ordered")
        assert isinstance(answer.result(), Accepted)
        return "d-1"

    async def ask(self, given: DeliveryLoaded | PinTried) -> Accepted | Refused:
        answer = asyncio.ensure_future(self.made.controller.service.ask(given))
        await until_simulated(self.clock, answer.done, within_ms=2_000, what="answered")
        return answer.result()

    async def reach(self, state: DeliveryState, within_ms: int = 120_000) -> None:
        await until_simulated(
            self.clock,
            lambda: self.delivery().state is state,
            within_ms=within_ms,
            what=f"{state}; is {self.delivery().state} {self.delivery().explanation}",
            step_ms=100,
        )


async def watch(made: Bench, corridor: Corridor) -> None:
    index = 0
    edge = made.broker.client("camera")
    while True:
        index += 1
        seen = observation(
            index=index,
            utc_ms=made.clock.utc_ms(),
            people=corridor.people,
            camera=corridor.camera,
        )
        await edge.publish(live(Kind.OBSERVATION, "corridor", seen))
        await made.clock.sleep_ms(200)


def robot(made: Bench, number: int, key: bytes | None) -> tuple[SimVehicle, BridgeService]:
    home = f"home-{number}"
    x, y = PLACES[home]
    pose = Pose(x, y, 0.0, "floor-1")
    sim = SimVehicle(
        SimSettings(load_nodes=("kitchen",)), start=pose, start_node=home, compartments=1
    )
    bus = made.broker.client(f"bridge-{number}")
    service = BridgeService(
        Robot(
            VehicleAddress("uagv", "v2", "ZeroEntry", f"R{number}"),
            BODY,
            Intervals(1_000, 2_000, 200),
            key,
        ),
        Mission(Progress(last_node_id=home, last_node_pose=pose)),
        bus=bus,
        clock=made.clock,
        vehicle=sim,
        memory=Forgetful(),
        metrics=Metrics(),
    )
    bus.on_connect(service.connected)
    return sim, service


@asynccontextmanager
async def house(
    tmp_path: Path, *, robots: int = 2, faults: Faults | None = None, seed: int = 0
) -> AsyncIterator[House]:
    clock = SimulatedClock()
    broker = MemoryBroker(clock, faults=faults, seed=seed)
    made = bench(
        tmp_path, clock=clock, broker=broker, robots=robots, run_key=KEY, blocking=at_once
    )
    site = House(made, Corridor())
    tasks = [asyncio.create_task(made.controller.run())]
    tasks.append(asyncio.create_task(watch(made, site.corridor)))
    for number in range(1, robots + 1):
        sim, service = robot(made, number, KEY)
        site.robots[f"robot-{number}"] = sim
        tasks.append(asyncio.create_task(service.run()))
        service.connected()
    try:
        yield site
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def deliver(site: House) -> Delivery:
    delivery_id = await site.order()
    await site.reach(DeliveryState.LOADING)
    loaded = await site.ask(DeliveryLoaded(delivery_id, 1, "cook"))
    assert isinstance(loaded, Accepted)
    await site.reach(DeliveryState.ARRIVED)
    wrong = await site.ask(PinTried(delivery_id, False, "panel"))
    assert isinstance(wrong, Refused)
    right = await site.ask(PinTried(delivery_id, True, "panel"))
    assert isinstance(right, Accepted)
    await site.reach(DeliveryState.RETURNED)
    return site.delivery()


async def test_a_meal_is_loaded_carried_collected_and_the_robot_comes_home(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as site:
        delivery = await deliver(site)
        assert [leg.name for leg in delivery.legs] == [
            "requested",
            "to_kitchen",
            "loading",
            "locking",
            "travelling",
            "arrived",
            "unlocking",
            "open",
            "collected",
            "returning",
        ]
        assert delivery.pin_tries_left == 4
        verdicts = {row.verdict for row in delivery.zones}
        assert verdicts == {ZoneVerdict.NO_UNADMITTED_PERSON}
        assert len(delivery.zones) == 2
        told = [event.what for event in delivery.custody if event.what != "sensors"]
        assert told == [
            "ordered",
            "loaded",
            "locked",
            "arrived",
            "pin_wrong",
            "pin_right",
            "collected",
        ]
        state = site.made.controller.service.state
        assert not state.alerts
        assert state.duties[delivery.robot_id or ""].delivery_id is None


async def test_a_person_in_the_corridor_stops_the_robot_and_it_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path) as site:
        delivery_id = await site.order()
        await site.reach(DeliveryState.LOADING)
        await site.ask(DeliveryLoaded(delivery_id, 1, "cook"))
        await site.reach(DeliveryState.TRAVELLING)
        service = site.made.controller.service
        await until_simulated(
            site.clock,
            lambda: service.state.duties["robot-1"].at_node == "c1",
            within_ms=60_000,
            what="the robot is in the corridor",
        )
        site.corridor.people = (person(),)
        live_robot = lambda: service.state.robots["robot-1"].report  # noqa: E731
        await until_simulated(
            site.clock,
            lambda: (report := live_robot()) is not None and report.paused,
            within_ms=1_500,
            what="the robot is paused",
        )
        (alert,) = service.state.alerts.values()
        assert alert.alert.rule == "robot.person_in_zone"
        await site.clock.run_ms(5_000)
        assert len(service.state.alerts) == 1
        site.corridor.people = ()
        await site.reach(DeliveryState.ARRIVED)
        (alert,) = service.state.alerts.values()
        assert alert.alert.condition == "cleared"
        assert ZoneVerdict.PERSON_SEEN in {row.verdict for row in site.delivery().zones}


async def test_a_blind_camera_holds_the_robot_before_the_zone(tmp_path: Path) -> None:
    async with house(tmp_path) as site:
        delivery_id = await site.order()
        await site.reach(DeliveryState.LOADING)
        site.corridor.camera = CameraState.OFFLINE
        await site.ask(DeliveryLoaded(delivery_id, 1, "cook"))
        await site.reach(DeliveryState.TRAVELLING)
        await site.clock.run_ms(40_000)
        assert site.made.controller.service.state.duties["robot-1"].at_node == "k"
        assert site.delivery().state is DeliveryState.TRAVELLING
        assert site.made.controller.service.state.duties["robot-1"].held_for == ("corridor",)
        site.corridor.camera = CameraState.LIVE
        await site.reach(DeliveryState.ARRIVED)


@pytest.mark.parametrize("seed", range(6))
async def test_a_meal_arrives_over_a_bus_that_loses_doubles_and_reorders(
    tmp_path: Path, seed: int
) -> None:
    faults = Faults(delivery_lost=0.1, duplicated=0.1, delayed=0.1, delay_max_ms=1_500)
    async with house(tmp_path, faults=faults, seed=seed) as site:
        delivery = await deliver(site)
        assert delivery.state is DeliveryState.RETURNED
