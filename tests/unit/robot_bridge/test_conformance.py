"""The conformance suite passes on our robot, and each group of its rules fails on a broken one."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from contracts.units import MonoMs
from contracts.vda5050.state import ConnectionState
from contracts.vda5050.topics import VdaKind
from contracts.vda5050.versions import VdaVersion, vehicle_address
from robot_bridge.conformance.probe import SAID, Probe
from robot_bridge.conformance.rules import Finding, Rule
from robot_bridge.conformance.run import as_json, check_all, failed, rules, summary
from robot_bridge.conformance.words import Group, NotApplicable, Verdict
from robot_bridge.core.orders import Progress, Terms
from robot_bridge.core.report import Body
from robot_bridge.core.vehicle import Drive, Halt, Observation, VehicleCommand
from robot_bridge.core.work import Mission
from robot_bridge.ports import Vehicle
from robot_bridge.service import BridgeService, Intervals, Robot, connection_message, stamp
from robot_bridge.sim import SimSettings, SimVehicle
from runtime.clock import SimulatedClock
from runtime.metrics import Metrics
from runtime.mqtt import DropPolicy, Inbox, Outgoing
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.unit.contracts_vda5050.official import validate
from tests.unit.robot_bridge.scenes import HOME

BODY = Body("test", 1.2, 0.6, 0.8, 0.6, 0.5, 1.2, 20.0, 2, 1_000, 200)
FAST = SimSettings(speed_mps=2.0, acceleration_mps2=3.0, deceleration_mps2=3.0, turn_radps=5.0)
STEP_MS = 20
LONGEST_MS = 3_600_000  # of simulated time: far more than any run takes

Twist = Callable[[VdaKind, dict[str, Any]], dict[str, Any] | None]


class NoMemory:
    """A memory that forgets: these robots are not restarted."""

    def load(self) -> str | None:
        return None

    def keep(self, text: str) -> None:
        """Nothing is kept."""


@dataclass
class TwistedBus:
    """The robot's side of the bus, where what it says can be twisted on the way out."""

    inner: MemoryBus
    twist: Twist
    retain: bool = True
    qos: int | None = None

    def subscribe(
        self,
        topic_filter: str,
        *,
        qos: int = 1,
        limit: int = 1_000,
        drop: DropPolicy = DropPolicy.OLDEST,
    ) -> Inbox:
        return self.inner.subscribe(topic_filter, qos=qos, limit=limit, drop=drop)

    def on_connect(self, callback: Callable[[], None]) -> None:
        self.inner.on_connect(callback)

    async def publish(self, message: Outgoing) -> None:
        kind = VdaKind(message.topic.rsplit("/", 1)[-1])
        content = self.twist(kind, json.loads(message.payload))
        if content is None:
            return
        await self.inner.publish(
            replace(
                message,
                payload=json.dumps(content).encode(),
                retain=message.retain and self.retain,
                qos=message.qos if self.qos is None else self.qos,
            )
        )


@dataclass
class Runaway:
    """A vehicle that does not do what it is told."""

    inner: SimVehicle
    change: Callable[[VehicleCommand], VehicleCommand | None]

    def perform(self, command: VehicleCommand) -> None:
        changed = self.change(command)
        if changed is not None:
            self.inner.perform(changed)

    def observe(self, now: MonoMs) -> Observation:
        return self.inner.observe(now)

    def memory(self) -> str:
        return ""


def honest(kind: VdaKind, content: dict[str, Any]) -> dict[str, Any]:
    return content


async def findings(
    chosen: Sequence[Rule] | None = None,
    *,
    twist: Twist = honest,
    change: Callable[[VehicleCommand], VehicleCommand | None] | None = None,
    version: VdaVersion = VdaVersion.V2_1,
    retain: bool = True,
    qos: int | None = None,
    logs: Path | None = None,
    said: list[Outgoing] | None = None,
    last_word: ConnectionState = ConnectionState.CONNECTION_BROKEN,
) -> list[Finding]:
    """Run the rules against a simulated robot on simulated time; ``said``: what it published."""
    clock = SimulatedClock()
    broker = MemoryBroker(clock)
    address = vehicle_address(version, "maker", "r1")
    sim = SimVehicle(FAST, start=HOME, start_node="home", compartments=2)
    vehicle: Vehicle = sim if change is None else Runaway(sim, change)
    bus = TwistedBus(broker.client("bridge"), twist, retain, qos)
    service = BridgeService(
        Robot(address, BODY, Intervals(500, 2_000, 200), None, version, logs),
        Mission(Progress(last_node_id="home", last_node_pose=HOME), terms=Terms(version)),
        bus=bus,
        clock=clock,
        vehicle=vehicle,
        memory=NoMemory(),
        metrics=Metrics(),
    )
    for message in service.birth():
        await bus.publish(message)
    service.connected()
    running = asyncio.create_task(service.run())
    await clock.run_ms(200)
    probe = Probe(broker.client("probe"), clock, address, version)

    async def cut() -> None:
        running.cancel()  # and the broker says the robot's will
        broker.accept(connection_message(address, last_word, stamp(address, 0, clock, version)))

    probe.cut = cut
    checking = asyncio.create_task(check_all(probe, rules() if chosen is None else chosen))
    try:
        for _ in range(0, LONGEST_MS, STEP_MS):
            if checking.done():
                break
            await clock.run_ms(STEP_MS)
        return await checking
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        if said is not None:
            said += [row for row in broker.sent if row.topic.rsplit("/", 1)[-1] in SAID]


async def test_without_a_command_the_last_will_is_not_applicable() -> None:
    clock = SimulatedClock()
    address = vehicle_address(VdaVersion.V2_1, "maker", "r1")
    probe = Probe(MemoryBroker(clock).client("probe"), clock, address, VdaVersion.V2_1)
    with pytest.raises(NotApplicable, match="--cut"):
        await rules("last will")[0].check(probe)


@pytest.mark.parametrize("version", VdaVersion)
async def test_our_robot_meets_every_rule(version: VdaVersion, tmp_path: Path) -> None:
    said: list[Outgoing] = []
    found = await findings(version=version, logs=tmp_path, said=said)
    assert {VdaKind(row.topic.rsplit("/", 1)[-1]) for row in said} == set(SAID)
    for row in said:
        validate(VdaKind(row.topic.rsplit("/", 1)[-1]), json.loads(row.payload), version)
    assert [(row.rule.name, row.expected, row.seen) for row in failed(found)] == []
    passed = [row for row in found if row.verdict is Verdict.PASS]
    assert len(passed) == len(rules())  # nothing is left out as not applicable
    assert summary(found).startswith(f"{len(passed)} pass, 0 fail")
    assert json.loads(as_json(found, "maker/r1"))["rules"][0]["result"] == "pass"


def test_every_rule_names_its_clause_and_every_group_has_rules() -> None:
    assert {row.group for row in rules()} == set(Group)
    assert len({row.name for row in rules()}) == len(rules())
    assert all(row.clause.startswith("6.") for row in rules())
    assert all(not row.drives for row in rules(drive=False))


# --- broken robots --------------------------------------------------------------------------------


def states(change: Callable[[dict[str, Any]], None]) -> Twist:
    def twist(kind: VdaKind, content: dict[str, Any]) -> dict[str, Any]:
        if kind is VdaKind.STATE:
            change(content)
        return content

    return twist


def silent() -> Twist:
    """Speaks only when something but time, place and battery has changed."""
    last: list[dict[str, Any]] = []

    def twist(kind: VdaKind, content: dict[str, Any]) -> dict[str, Any] | None:
        if kind is not VdaKind.STATE:
            return content
        dull = ("headerId", "timestamp", "agvPosition", "velocity", "batteryState")
        news = {key: value for key, value in content.items() if key not in dull}
        if last and last[-1] == news:
            return None
        last.append(news)
        return content

    return twist


def undeclared(kind: VdaKind, content: dict[str, Any]) -> dict[str, Any]:
    if kind is VdaKind.FACTSHEET:
        rows = content["protocolFeatures"]["agvActions"]
        content["protocolFeatures"]["agvActions"] = [
            row for row in rows if row["actionType"] != "cancelOrder"
        ]
    return content


def never_passes(content: dict[str, Any]) -> None:
    if content["nodeStates"]:
        content["lastNodeId"], content["lastNodeSequenceId"] = "", 0


def keeps_no_horizon(content: dict[str, Any]) -> None:
    content["nodeStates"] = [row for row in content["nodeStates"] if row["released"]]


def hides_errors(content: dict[str, Any]) -> None:
    content["errors"] = []


def cancels_too_early(content: dict[str, Any]) -> None:
    for row in content["actionStates"]:
        if row["actionType"] == "cancelOrder" and row["actionStatus"] == "RUNNING":
            row["actionStatus"] = "FINISHED"


def never_fails(content: dict[str, Any]) -> None:
    for row in content["actionStates"]:
        if row["actionStatus"] == "FAILED":
            row["actionStatus"] = "FINISHED"


def hides_pause(content: dict[str, Any]) -> None:
    content["paused"] = False


def one_header_id(kind: VdaKind, content: dict[str, Any]) -> dict[str, Any]:
    content["headerId"] = 7
    return content


def local_time(content: dict[str, Any]) -> None:
    content["timestamp"] = content["timestamp"].replace("Z", "+08:00")


def on_legs(kind: VdaKind, content: dict[str, Any]) -> dict[str, Any]:
    if kind is VdaKind.FACTSHEET:
        content["typeSpecification"]["agvKinematic"] = "LEGS"
    return content


def other_version(content: dict[str, Any]) -> None:
    content["version"] = "2.0.0"


def drives_on(command: VehicleCommand) -> VehicleCommand | None:
    """Goes half a metre and more beyond the end of each base."""
    if isinstance(command, Drive):
        end = command.route[-1]
        beyond = replace(end, x_m=end.x_m + 0.6)
        return replace(command, route=(*command.route[:-1], beyond))
    return command


def does_not_halt(command: VehicleCommand) -> VehicleCommand | None:
    return None if isinstance(command, Halt) else command


SOME = rules("6.10.6 an idle") + rules("is taken and driven")
"""Enough for a robot to say something."""

BROKEN: dict[str, tuple[Group, str, dict[str, Any]]] = {
    "connection not retained": (Group.CONNECTION, "retained", {"retain": False}),
    "connection with QoS 0": (Group.CONNECTION, "QoS 1", {"qos": 0}),
    "one headerId for all": (Group.MESSAGES, "headerId", {"twist": one_header_id}),
    "local time": (Group.MESSAGES, "timestamp", {"twist": states(local_time)}),
    "another version": (Group.MESSAGES, "version are", {"twist": states(other_version)}),
    "a word of its own": (Group.MESSAGES, "fits the schema", {"twist": on_legs}),
    "silent while nothing happens": (Group.STATE, "every 30 s", {"twist": silent()}),
    "factsheet without cancelOrder": (
        Group.FACTSHEET,
        "declares cancelOrder",
        {"twist": undeclared},
    ),
    "does not report nodes as passed": (
        Group.ORDERS,
        "becomes lastNodeId",
        {"twist": states(never_passes)},
    ),
    "forgets the horizon": (
        Group.ORDERS,
        "keeps the horizon",
        {"twist": states(keeps_no_horizon)},
    ),
    "drives beyond the base": (Group.ORDERS, "end of the base and", {"change": drives_on}),
    "hides its errors": (Group.REFUSALS, "no JSON", {"twist": states(hides_errors)}),
    "says cancelled while it rolls": (
        Group.CANCEL,
        "once the vehicle stands",
        {"twist": states(cancels_too_early)},
    ),
    "does not brake": (Group.CANCEL, "once the vehicle stands", {"change": does_not_halt}),
    "no action ever fails": (Group.ACTIONS, "unknown instant", {"twist": states(never_fails)}),
    "has the wrong will": (
        Group.LOSS,
        "last will",
        {"last_word": ConnectionState.OFFLINE},
    ),
    "hides its pause": (Group.ACTIONS, "startPause stops", {"twist": states(hides_pause)}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_robot_fails_the_rule_that_it_breaks(name: str) -> None:
    group, text, broken = BROKEN[name]
    wanted = [row for row in rules(group) if text in row.text]
    assert len(wanted) == 1, [row.text for row in rules(group)]
    found = await findings([*SOME, *wanted] if group is Group.MESSAGES else wanted, **broken)
    hit = next(row for row in found if row.rule is wanted[0])
    assert hit.verdict is Verdict.FAIL, name
    assert hit.expected
    assert hit.seen


def test_every_group_has_a_robot_that_fails_it() -> None:
    assert {group for group, _, _ in BROKEN.values()} == set(Group)
