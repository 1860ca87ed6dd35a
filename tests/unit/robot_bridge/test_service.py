"""The bridge on a bus in memory: what it sends and when, what it drops, what it keeps first."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.units import MonoMs, UtcMs
from contracts.vda5050.codec import VdaBody, VdaMessage, decode_vda, encode_vda
from contracts.vda5050.profile import OpenCompartment, open_compartment_action
from contracts.vda5050.state import ActionStatus, State
from contracts.vda5050.topics import VdaKind, VehicleAddress
from robot_bridge.core.orders import Progress
from robot_bridge.core.report import Body
from robot_bridge.core.vehicle import Observation, Unlock, VehicleCommand
from robot_bridge.core.work import Mission, resume
from robot_bridge.memory import FileMemory, recall, retain
from robot_bridge.ports import MemoryLost
from robot_bridge.service import BridgeService, Intervals, Robot
from robot_bridge.sim import SimSettings, SimVehicle
from runtime.clock import SimulatedClock
from runtime.metrics import Metrics
from runtime.mqtt import Inbound, Outgoing
from runtime.tokens import sign_message
from tests.fakes.bus import MemoryBroker
from tests.unit.contracts_vda5050.official import VALIDATORS
from tests.unit.robot_bridge.scenes import HOME, instant, order

R1 = VehicleAddress("uagv", "v2", "maker", "r1")
BODY = Body("test", 1.2, 0.6, 0.8, 0.6, 0.5, 1.2, 20.0, 2, 1_000, 200)
KEY = bytes(range(32))


@dataclass
class NotedVehicle:
    """A simulated robot that notes in `log` what it is told."""

    sim: SimVehicle
    log: list[object]

    def perform(self, command: VehicleCommand) -> None:
        self.log.append(command)
        self.sim.perform(command)

    def observe(self, now: MonoMs) -> Observation:
        return self.sim.observe(now)

    def memory(self) -> str:
        return self.sim.memory()


@dataclass
class NotedMemory:
    """A memory that notes in `log` what is kept."""

    log: list[object]
    text: str | None = None

    def load(self) -> str | None:
        return self.text

    def keep(self, text: str) -> None:
        self.text = text
        self.log.append(json.loads(text)["mission"]["performed"])


@dataclass
class House:
    """One bridge, its broker, and a master who only publishes."""

    clock: SimulatedClock
    run_key: bytes | None = None
    retained: dict[str, Inbound] = field(default_factory=dict)
    log: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.broker = MemoryBroker(self.clock)
        self.broker.retained.update(self.retained)
        self.metrics = Metrics()
        self.memory = NotedMemory(self.log)
        self.sim = SimVehicle(
            SimSettings(collect_after_ms=None), start=HOME, start_node="home", compartments=2
        )
        self.service = BridgeService(
            Robot(R1, BODY, Intervals(1_000, 2_000, 200), self.run_key),
            Mission(Progress(last_node_id="home", last_node_pose=HOME)),
            bus=self.broker.client("bridge"),
            clock=self.clock,
            vehicle=NotedVehicle(self.sim, self.log),
            memory=self.memory,
            metrics=self.metrics,
        )
        self.service.connected()
        self.task = asyncio.create_task(self.service.run())

    async def say(self, kind: VdaKind, body: VdaBody | bytes, *, retain: bool = False) -> None:
        payload = body if isinstance(body, bytes) else encode_vda(body)
        self.broker.accept(Outgoing(R1.topic(kind), payload, qos=0, retain=retain))
        await self.clock.run_ms(100)

    def sent(self, kind: VdaKind) -> list[Outgoing]:
        return [row for row in self.broker.sent if row.topic == R1.topic(kind)]

    def state(self) -> State:
        last = self.sent(VdaKind.STATE)[-1]
        message = decode_vda(last.topic, last.payload)
        assert isinstance(message, VdaMessage)
        assert isinstance(message.body, State)
        return message.body

    def opening(self, command: str = "c1", signed_for: VehicleAddress = R1) -> OpenCompartment:
        valid = UtcMs(self.clock.utc_ms() + 60_000)
        plain = OpenCompartment(1, "d", "home", valid, command)
        topic = signed_for.topic(VdaKind.INSTANT_ACTIONS)
        signature = sign_message(KEY, plain.signed_bytes(topic))
        return OpenCompartment(1, "d", "home", valid, command, signature)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House(SimulatedClock())
    await made.clock.run_ms(100)
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


async def test_the_state_is_sent_on_events_and_at_its_interval(house: House) -> None:
    await house.clock.run_ms(20_000)
    assert 9 <= len(house.sent(VdaKind.STATE)) <= 12
    before = len(house.sent(VdaKind.STATE))
    await house.say(VdaKind.ORDER, order(("home", "a")))
    assert len(house.sent(VdaKind.STATE)) > before
    assert house.state().order_id == "o1"
    await house.clock.run_ms(10_000)
    assert house.state().last_node_id == "a"
    headers = [json.loads(row.payload)["headerId"] for row in house.sent(VdaKind.STATE)]
    assert headers == list(range(len(headers)))


async def test_the_visualization_comes_five_times_a_second_while_driving(house: House) -> None:
    await house.clock.run_ms(5_000)
    assert house.sent(VdaKind.VISUALIZATION) == []
    await house.say(VdaKind.ORDER, order(("home", "a")))
    await house.clock.run_ms(2_000)
    assert 9 <= len(house.sent(VdaKind.VISUALIZATION)) <= 11


async def test_all_that_is_sent_is_official(house: House) -> None:
    birth = house.service.birth()
    await house.say(VdaKind.ORDER, order())
    await house.say(VdaKind.ORDER, b"{")
    await house.say(
        VdaKind.INSTANT_ACTIONS, instant(open_compartment_action(house.opening(), action_id="x"))
    )
    await house.clock.run_ms(20_000)
    for message in [*birth, *house.broker.sent]:
        kind = VdaKind(message.topic.rsplit("/", 1)[1])
        if kind not in (VdaKind.ORDER, VdaKind.INSTANT_ACTIONS):
            VALIDATORS[kind].validate(json.loads(message.payload))
    assert [json.loads(birth[0].payload)["connectionState"], birth[0].qos, birth[0].retain] == [
        "ONLINE",
        1,
        True,
    ]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"{", "not_json"), (b'{"orderId": "o7"}', "invalid"), (b" " * 65_537, "oversized")],
)
async def test_what_cannot_be_read_is_counted_and_said_and_moves_nothing(
    house: House, payload: bytes, reason: str
) -> None:
    for _ in range(3):
        await house.say(VdaKind.ORDER, payload)
    assert house.metrics.value("mqtt_rejected_total", reason=reason) == 3
    error = house.state().errors[0]
    assert (error.error_type, error.reference("topic")) == ("validationError", "order")
    assert error.reference("orderId") == ("o7" if reason == "invalid" else None)
    assert len(house.state().errors) == 1
    await house.clock.run_ms(3_000)
    assert house.sim.reading().pose == HOME


async def test_a_message_for_another_robot_is_dropped(house: House) -> None:
    await house.say(VdaKind.ORDER, order().model_copy(update={"serial_number": "r2"}))
    assert house.metrics.value("mqtt_rejected_total", reason="wrong_topic") == 1
    assert house.state().order_id == ""


async def test_a_retained_order_is_from_another_day(house: House) -> None:
    await house.say(VdaKind.ORDER, order(("home", "a")), retain=True)
    later = House(SimulatedClock(), retained=house.broker.retained)
    await later.clock.run_ms(1_000)
    assert later.metrics.value("mqtt_rejected_total", reason="retained") == 1
    assert later.service.mission.progress.order_id == ""
    later.task.cancel()
    await asyncio.gather(later.task, return_exceptions=True)


async def test_an_unlock_is_on_disk_before_it_is_performed(house: House) -> None:
    command = open_compartment_action(house.opening(), action_id="x")
    await house.say(VdaKind.INSTANT_ACTIONS, instant(command))
    place = house.log.index(Unlock(1))
    assert house.log[place - 1] == ["c1"]
    kept = recall(house.memory)
    assert kept is not None
    assert resume(kept.mission).performed == ("c1",)


async def test_when_the_disk_refuses_nothing_is_performed(house: House) -> None:
    def refuse(text: str) -> None:
        raise MemoryLost("disk is full")

    house.memory.keep = refuse  # type: ignore[method-assign]  # this disk is full from now on
    command = open_compartment_action(house.opening(), action_id="x")
    await house.say(VdaKind.INSTANT_ACTIONS, instant(command))
    assert Unlock(1) not in house.log
    with pytest.raises(BaseExceptionGroup) as caught:
        await house.task
    assert caught.value.subgroup(MemoryLost) is not None


async def test_with_a_run_key_only_signed_commands_open() -> None:
    house = House(SimulatedClock(), run_key=KEY)
    await house.clock.run_ms(100)
    good = house.opening("c1")
    other = house.opening("c2", VehicleAddress("uagv", "v2", "maker", "r2"))
    altered = OpenCompartment(2, "d", "home", good.valid_until_utc_ms, "c1", good.signature)
    for row, command in enumerate((altered, other)):
        forged = open_compartment_action(command, action_id=f"bad-{row}")
        await house.say(VdaKind.INSTANT_ACTIONS, instant(forged))
    assert Unlock(1) not in house.log
    assert Unlock(2) not in house.log
    await house.say(VdaKind.INSTANT_ACTIONS, instant(open_compartment_action(good, action_id="g")))
    await house.clock.run_ms(1_000)
    found = house.state().action("g")
    assert found is not None
    assert found.action_status is ActionStatus.FINISHED
    house.task.cancel()
    await asyncio.gather(house.task, return_exceptions=True)


async def test_a_broker_that_is_away_costs_messages_not_the_robot(house: House) -> None:
    await house.say(VdaKind.ORDER, order(("home", "a")))
    house.broker.crash()
    await house.clock.run_ms(10_000)
    assert house.metrics.value("robot_bridge_unsent_total", kind="state") > 0
    await house.broker.restart()
    await house.clock.run_ms(3_000)
    assert house.state().last_node_id == "a"


def test_a_file_is_replaced_as_a_whole_and_read_back(tmp_path: Path) -> None:
    memory = FileMemory(tmp_path / "deep" / "robot.json")
    assert recall(memory) is None
    mission = Mission(Progress("o1", 3, order().nodes, order().edges, "home", 0, HOME))
    retain(memory, mission, "vehicle")
    kept = recall(FileMemory(tmp_path / "deep" / "robot.json"))
    assert kept is not None
    assert (kept.mission, kept.vehicle) == (mission, "vehicle")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["robot.json"]


@pytest.mark.parametrize("text", ["", "{", '{"mission": 1}', '{"version": 9}', "\ufffd"])
def test_a_memory_that_cannot_be_read_is_no_first_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "robot.json").write_text(text, encoding="utf-8")
    with pytest.raises(MemoryLost, match="memory"):
        recall(FileMemory(tmp_path / "robot.json"))
