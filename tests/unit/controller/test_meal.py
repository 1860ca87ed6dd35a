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
from controller.core.state import DeliveryCancelled, DeliveryLoaded, DeliveryOrdered, PinTried
from robot_bridge.core.orders import Progress
from robot_bridge.core.report import Body
from robot_bridge.core.vehicle import Pose
from robot_bridge.core.work import Mission
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
    folder: Path
    robots: dict[str, SimVehicle] = field(default_factory=dict)
    process: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.process = asyncio.create_task(self.made.controller.run())

    async def kill(self) -> None:
        if self.process is not None:
            self.process.cancel()
            await asyncio.gather(self.process, return_exceptions=True)

    async def restart(self, *, away_ms: int = 3_000) -> None:
        """As after kill -9: a new process on the same disk; robots drove on meanwhile."""
        robots = len(self.robots)
        await self.kill()
        await self.clock.run_ms(away_ms)
        self.made = bench(
            self.folder,
            clock=self.clock,
            broker=self.made.broker,
            robots=robots,
            run_key=KEY,
            blocking=at_once,
        )
        self.start()

    async def heard(self) -> None:
        """Nothing is unlocked before the robots have said again where they stand."""
        service = self.made.controller.service
        await until_simulated(
            self.clock,
            lambda: all(live.report is not None for live in service.state.robots.values()),
            within_ms=5_000,
            what="the robots are heard again",
        )

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

    async def ask(self, given: DeliveryLoaded | PinTried | DeliveryCancelled) -> Accepted | Refused:
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
    made = bench(tmp_path, clock=clock, broker=broker, robots=robots, run_key=KEY, blocking=at_once)
    site = House(made, Corridor(), tmp_path)
    site.start()
    tasks = []
    tasks.append(asyncio.create_task(watch(made, site.corridor)))
    for number in range(1, robots + 1):
        sim, service = robot(made, number, KEY)
        site.robots[f"robot-{number}"] = sim
        tasks.append(asyncio.create_task(service.run()))
        service.connected()
    try:
        yield site
    finally:
        await site.kill()
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

        def paused() -> bool:
            report = service.state.robots["robot-1"].report
            return report is not None and report.paused

        await until_simulated(
            site.clock,
            paused,
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


@pytest.mark.parametrize(
    "killed_in",
    [
        DeliveryState.TO_KITCHEN,
        DeliveryState.LOADING,
        DeliveryState.TRAVELLING,
        DeliveryState.ARRIVED,
        DeliveryState.OPEN,
        DeliveryState.RETURNING,
    ],
)
async def test_the_meal_goes_on_after_the_controller_was_killed(
    tmp_path: Path, killed_in: DeliveryState
) -> None:
    async with house(tmp_path) as site:
        delivery_id = await site.order()
        for state, word in (
            (DeliveryState.TO_KITCHEN, None),
            (DeliveryState.LOADING, DeliveryLoaded(delivery_id, 1, "cook")),
            (DeliveryState.TRAVELLING, None),
            (DeliveryState.ARRIVED, PinTried(delivery_id, True, "panel")),
            (DeliveryState.OPEN, None),
            (DeliveryState.RETURNING, None),
        ):
            await site.reach(state)
            if state is killed_in:
                await site.restart()
                await site.heard()
            if word is not None:
                assert isinstance(await site.ask(word), Accepted)
        await site.reach(DeliveryState.RETURNED)
        told = [event.what for event in site.delivery().custody if event.what != "sensors"]
        assert told == [
            "ordered",
            "loaded",
            "locked",
            "arrived",
            "pin_right",
            "collected",
        ]
        assert not site.made.controller.service.state.alerts


@pytest.mark.parametrize("state", [DeliveryState.TO_KITCHEN, DeliveryState.TRAVELLING])
async def test_a_delivery_called_off_ends_with_the_robot_free_at_home(
    tmp_path: Path, state: DeliveryState
) -> None:
    async with house(tmp_path, robots=1) as site:
        delivery_id = await site.order()
        if state is DeliveryState.TRAVELLING:
            await site.reach(DeliveryState.LOADING)
            await site.ask(DeliveryLoaded(delivery_id, 1, "cook"))
        await site.reach(state)
        await site.clock.run_ms(2_000)
        done = await site.ask(DeliveryCancelled(delivery_id, "too late", "sup"))
        assert isinstance(done, Accepted)
        await site.reach(DeliveryState.CANCELLED, within_ms=180_000)
        service = site.made.controller.service

        def home() -> bool:
            duty = service.state.duties["robot-1"]
            return duty.at_node == "home-1" and duty.mission is None

        await until_simulated(
            site.clock, home, within_ms=60_000, what="the robot is home", step_ms=100
        )
        boxes = site.robots["robot-1"].reading().compartments
        assert not any(box.occupied for box in boxes)
        assert all(box.shut for box in boxes)


async def test_what_nobody_collects_goes_back_to_the_kitchen(tmp_path: Path) -> None:
    async with house(tmp_path, robots=1) as site:
        delivery_id = await site.order()
        await site.reach(DeliveryState.LOADING)
        await site.ask(DeliveryLoaded(delivery_id, 1, "cook"))
        await site.reach(DeliveryState.ARRIVED)
        await site.reach(DeliveryState.RETURNING, within_ms=700_000)
        await site.reach(DeliveryState.FAILED, within_ms=180_000)
        explanation = site.delivery().explanation
        assert explanation is not None
        assert site.delivery().ended_utc_ms is not None
        assert not site.robots["robot-1"].reading().compartments[0].occupied


async def test_two_rooms_order_at_once_and_both_are_served(tmp_path: Path) -> None:
    async with house(tmp_path) as site:
        service = site.made.controller.service
        for number in (1, 2):
            given = DeliveryOrdered(
                f"d-{number}",
                DeliveryBody(room_id=f"room-{number}", lines=(OrderLine(dish="tea", count=1),)),
                "sup",
                "salt$hash",
            )
            answer = asyncio.ensure_future(service.ask(given))
            await until_simulated(site.clock, answer.done, within_ms=2_000, what="ordered")
        said: set[tuple[str, DeliveryState]] = set()

        async def serve() -> None:
            for row in tuple(service.state.deliveries.values()):
                if (row.id, row.state) in said:
                    continue
                said.add((row.id, row.state))
                if row.state is DeliveryState.LOADING:
                    await site.ask(DeliveryLoaded(row.id, row.compartment or 1, "cook"))
                if row.state is DeliveryState.ARRIVED:
                    await site.ask(PinTried(row.id, True, "panel"))

        for _ in range(400):
            await serve()
            await site.clock.run_ms(1_000)
            if all(row.ended for row in service.state.deliveries.values()):
                break
        states = {row.id: row.state for row in service.state.deliveries.values()}
        assert states == {"d-1": DeliveryState.RETURNED, "d-2": DeliveryState.RETURNED}
        robots = {row.robot_id for row in service.state.deliveries.values()}
        assert robots == {"robot-1", "robot-2"}
