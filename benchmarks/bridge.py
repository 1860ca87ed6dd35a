"""Measures a robot's bridge: order to the vehicle's goal, event to state, and what it costs.

A broker, the bridge in a process of its own and a master in this process, all on this machine:
once with the simulated vehicle, and, where ROS is installed (deploy/setup/bootstrap.sh robot), at
the same time once with ROS 2: a faked Nav2 in a process of its own, odometry at 50 Hz, amcl_pose
each 0.25 m, battery and diagnostics at 2 Hz. The figures without a vehicle's name are the worse.

Order to goal: from the order's publication to the route in the vehicle's hands (ROS: to the goal in
the navigation's). State lag: from the vehicle's passing a node, by its own log, to the state that
says so in the master's hands. Processor: of `python -m robot_bridge` alone, standing and driving,
by the kernel's count.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.form import Figure, Options, options, percentile, show
from contracts.vda5050.base import NodePosition
from contracts.vda5050.codec import VdaMessage, decode_vda, encode_vda
from contracts.vda5050.order import Action, BlockingType, Edge, InstantActions, Node, Order
from contracts.vda5050.state import State
from contracts.vda5050.timestamps import timestamp_of
from contracts.vda5050.topics import VdaKind, VehicleAddress
from runtime.clock import SystemClock
from runtime.mqtt import Inbox, MqttSession, MqttSettings, Outgoing
from tests.fakes.nav2.site import ROBOT_PYTHON, ROOT, domain_of_its_own, ros_environ, start_fake

ADDRESS: Final = VehicleAddress("uagv", "v2", "maker", "bench")
NODES: Final = 12
STEP_M: Final = 0.6
ORDERS_QUICK: Final = 6
ORDERS_FULL: Final = 60
CPU_QUICK_S: Final = 6.0
CPU_FULL_S: Final = 60.0
START_S: Final = 60.0
ANSWER_S: Final = 30.0
GOAL_LIMIT_MS: Final = 100
LAG_LIMIT_MS: Final = 200
IDLE_LIMIT: Final = 0.03
DRIVING_LIMIT: Final = 0.10
SPEED_MPS: Final = 0.8
PASS_M: Final = 0.4
SETTLE_S: Final = 2.0  # what a start leaves to do is not what standing costs
COUNTS: Final = ("orders", "nodes_passed")
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """What the vehicle's side printed and the master heard: monotonic ns."""

    goals: dict[str, int] = field(default_factory=dict)
    passed: dict[tuple[str, int], int] = field(default_factory=dict)
    heard: dict[tuple[str, int], int] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)
    """ROS: its goals, by the navigation's ids, in the order in which it got them."""
    at: dict[tuple[str, str], int] = field(default_factory=dict)
    """ROS: when it got a goal, came near it, and arrived there."""
    state: State | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one vehicle's bridge did."""

    goals_ms: list[float]
    lags_ms: list[float]
    idle: float
    driving: float

    def figures(self) -> dict[str, float]:
        """By the names of the published keys."""
        return {
            "order_to_goal_ms_p95": round(percentile(self.goals_ms, 0.95), 1),
            "order_to_goal_ms_p50": round(percentile(self.goals_ms, 0.5), 1),
            "state_lag_ms_p95": round(percentile(self.lags_ms, 0.95), 1),
            "state_lag_ms_p50": round(percentile(self.lags_ms, 0.5), 1),
            "cpu_idle": round(self.idle, 4),
            "cpu_driving": round(self.driving, 4),
            "orders": len(self.goals_ms),
            "nodes_passed": len(self.lags_ms),
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _settings(folder: Path, port: int, more: dict[str, object]) -> Path:
    nodes = [
        {"nodeId": f"n{row}", "mapId": "m", "nodePosition": {"x": row * STEP_M, "y": 0.0}}
        for row in range(NODES)
    ]
    layout = {
        "metaInformation": {"projectIdentification": "bench", "lifVersion": "1.0.0"},
        "layouts": [{"layoutId": "m", "nodes": nodes}],
    }
    (folder / "map.json").write_text(json.dumps(layout), encoding="utf-8")
    config = {
        "identity": {"manufacturer": ADDRESS.manufacturer, "serial_number": ADDRESS.serial},
        "mqtt": {"port": port, "client_id": "bridge"},
        "data_dir": str(folder / "data"),
        "map_file": str(folder / "map.json"),
        "start_node": "n0",
        "log_level": "WARNING",
        **more,
    }
    file = folder / "bridge.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


class Master:
    """Sends orders and hears states."""

    def __init__(self, session: MqttSession, seen: Seen) -> None:
        self._session = session
        self._seen = seen
        self._count = 0
        self.states: Inbox = session.subscribe(ADDRESS.topic(VdaKind.STATE), qos=0, limit=10_000)

    async def listen(self) -> None:
        """Note when each passed node is heard of."""
        async for inbound in self.states:
            now = time.monotonic_ns()
            message = decode_vda(inbound.topic, inbound.payload)
            if isinstance(message, VdaMessage) and isinstance(message.body, State):
                state = message.body
                key = (state.order_id, state.last_node_sequence_id)
                self._seen.heard.setdefault(key, now)
                self._seen.state = state
                self._seen.news.set()

    def _head(self) -> dict[str, object]:
        self._count += 1
        return {
            "header_id": self._count,
            "timestamp": timestamp_of(SystemClock().utc_ms()),
            "manufacturer": ADDRESS.manufacturer,
            "serial_number": ADDRESS.serial,
        }

    async def order(self, way: Sequence[int]) -> tuple[str, int]:
        """Publish an order along these nodes; its id and when it was published."""
        order_id = f"o{self._count}"
        nodes = tuple(
            Node(
                node_id=f"n{row}",
                sequence_id=2 * index,
                released=True,
                node_position=NodePosition(x=row * STEP_M, y=0.0, map_id="m"),
                actions=(),
            )
            for index, row in enumerate(way)
        )
        edges = tuple(
            Edge(
                edge_id=f"{a.node_id}-{b.node_id}",
                sequence_id=a.sequence_id + 1,
                released=True,
                start_node_id=a.node_id,
                end_node_id=b.node_id,
                actions=(),
            )
            for a, b in pairwise(nodes)
        )
        body = Order.model_validate(
            self._head()
            | {"order_id": order_id, "order_update_id": 0, "nodes": nodes, "edges": edges}
        )
        payload = encode_vda(body)
        sent = time.monotonic_ns()
        await self._session.publish(Outgoing(ADDRESS.topic(VdaKind.ORDER), payload, 0))
        return order_id, sent

    async def cancel(self) -> None:
        """Ask the robot to drop its order."""
        action = Action(
            action_type="cancelOrder",
            action_id=f"c{self._count}",
            blocking_type=BlockingType.NONE,
        )
        body = InstantActions.model_validate(self._head() | {"actions": (action,)})
        topic = ADDRESS.topic(VdaKind.INSTANT_ACTIONS)
        await self._session.publish(Outgoing(topic, encode_vda(body), 0))

    async def arrived(self, order_id: str, last: int) -> None:
        """Wait until the robot stands at the end of an order."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                state = self._seen.state
                if state is not None and (
                    (state.order_id, state.last_node_sequence_id, state.driving, state.node_states)
                    == (order_id, last, False, ())
                ):
                    return
                self._seen.news.clear()
                await self._seen.news.wait()

    async def ready(self) -> None:
        """Wait until the robot is there and nothing is wrong with it."""
        async with asyncio.timeout(START_S):
            while self._seen.state is None or self._seen.state.errors:
                self._seen.news.clear()
                await self._seen.news.wait()


async def _start(
    *command: str, environ: dict[str, str] | None = None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=environ
    )


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.wait()


async def _lines(process: asyncio.subprocess.Process, seen: Seen) -> None:
    stream = process.stdout
    while stream is not None and (line := await stream.readline()):
        match line.decode().split():
            case ["goal", order_id, at]:
                seen.goals.setdefault(order_id, int(at))
            case ["passed", order_id, sequence, at]:
                seen.passed.setdefault((order_id, int(sequence)), int(at))
            case _:
                sys.stderr.write(line.decode())


async def _events(process: asyncio.subprocess.Process, seen: Seen) -> None:
    """Note what the faked navigation says of its goals."""
    stream = process.stdout
    while stream is not None and (line := await stream.readline()):
        row: dict[str, Any] = json.loads(line)
        if row["event"] == "goal":
            seen.given.append(row["id"])
        if row["event"] in {"goal", "near", "arrived"}:
            seen.at.setdefault((row["event"], row["id"]), row["ns"])


Rig = tuple[Master, Seen, asyncio.subprocess.Process]


@asynccontextmanager
async def _rig(folder: Path, file: Path, port: int, bridge: Sequence[str]) -> AsyncIterator[Rig]:
    """A broker, a bridge run by this command, and a master that hears it."""
    seen, environ = Seen(), None
    if bridge[0] == str(ROBOT_PYTHON):
        environ = ros_environ(folder, {})
    async with AsyncExitStack() as after:
        broker = await _start(sys.executable, "-m", "runtime.broker", "--port", str(port))
        after.push_async_callback(_stop, broker)
        process = await _start(*bridge, str(file), environ=environ)
        after.push_async_callback(_stop, process)
        session = MqttSession(
            MqttSettings(port=port, client_id="master"), SystemClock(), rng=random.Random(1)
        )
        master = Master(session, seen)
        tasks = [
            asyncio.create_task(work)
            for work in (session.run(), master.listen(), _lines(process, seen))
        ]
        after.push_async_callback(_cancel, tasks)
        await master.ready()
        yield master, seen, process


@asynccontextmanager
async def _sim(*bridge: str) -> AsyncIterator[Rig]:
    """The simulated vehicle."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as name:
        file = _settings(Path(name), port, {})
        async with _rig(Path(name), file, port, (sys.executable, *bridge)) as rig:
            yield rig


@asynccontextmanager
async def _ros() -> AsyncIterator[Rig]:
    """ROS 2 with a faked Nav2."""
    port = _free_port()
    domain_id, held = domain_of_its_own()
    ros = {"domain_id": domain_id, "navigation": "topic", "pass_m": PASS_M}
    robot = {
        "way": "topic",
        "domain_id": domain_id,
        "speed": SPEED_MPS,
        "odom_hz": 50,
        "amcl_m": 0.25,
        "near_m": PASS_M,
    }
    with held, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = _settings(folder, port, {"vehicle": "ros", "ros": ros, "compartments": 2})
        fake = await start_fake(robot, ros_environ(folder, {}))
        command = (str(ROBOT_PYTHON), "-m", "robot_bridge", "--config")
        try:
            async with _rig(folder, file, port, command) as rig:
                hearing = asyncio.create_task(_events(fake, rig[1]))
                try:
                    yield rig
                finally:
                    await _cancel([hearing])
        finally:
            await _stop(fake)


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _drive(master: Master, orders: int) -> AsyncIterator[tuple[str, int]]:
    """One order after another, there and back; each one's id and when it was published."""
    for number in range(orders):
        way = range(4) if number % 2 == 0 else range(3, -1, -1)
        order_id, at = await master.order(way)
        await master.arrived(order_id, 2 * (len(way) - 1))
        yield order_id, at


def _lags(passed: dict[tuple[str, int], int], seen: Seen) -> list[float]:
    return [(at - passed[key]) / 1e6 for key, at in seen.heard.items() if key in passed]


async def sim(given: Options) -> Measured:
    """All of the simulated vehicle; one that is watched for its delays, one for what it costs."""
    (goals, lags), (idle, driving) = await asyncio.gather(
        _sim_delays(_orders(given)), _sim_costs(_seconds(given))
    )
    return Measured(goals, lags, idle, driving)


async def _sim_delays(orders: int) -> tuple[list[float], list[float]]:
    async with _sim("-m", "benchmarks.bridge_vehicle") as (master, seen, _):
        sent = {row: at async for row, at in _drive(master, orders)}
        return [(seen.goals[row] - at) / 1e6 for row, at in sent.items()], _lags(seen.passed, seen)


async def _sim_costs(seconds: float) -> tuple[float, float]:
    async with _sim("-m", "robot_bridge", "--config") as (master, _, bridge):
        return await _processor(master, bridge.pid, seconds)


async def ros(given: Options) -> Measured:
    """All of ROS. The truth is the faked navigation's own log of its goals."""
    goals: list[float] = []
    passed: dict[tuple[str, int], int] = {}
    async with _ros() as (master, seen, bridge):
        before = 0
        async for order_id, at in _drive(master, _orders(given)):
            keys, before = seen.given[before:], len(seen.given)
            goals.append((seen.at["goal", keys[0]] - at) / 1e6)
            for index, key in enumerate(keys, start=1):
                # The last node must be reached; the others are passed within PASS_M.
                event = "arrived" if key == keys[-1] else "near"
                passed[order_id, 2 * index] = seen.at[event, key]
        lags = _lags(passed, seen)
        idle, driving = await _processor(master, bridge.pid, _seconds(given))
    return Measured(goals, lags, idle, driving)


def _orders(given: Options) -> int:
    return ORDERS_QUICK if given.quick else ORDERS_FULL


def _seconds(given: Options) -> float:
    return CPU_QUICK_S if given.quick else CPU_FULL_S


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def _share(pid: int, seconds: float) -> float:
    before, began = _cpu_s(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (_cpu_s(pid) - before) / (time.monotonic() - began)


async def _processor(master: Master, pid: int, seconds: float) -> tuple[float, float]:
    """Shares of one core: standing, and driving back and forth without an end."""
    await asyncio.sleep(SETTLE_S)
    idle = await _share(pid, seconds)
    there = list(range(NODES))
    loops = int(seconds * 1.2 / (STEP_M * NODES)) + 2
    way = [row for loop in range(loops) for row in (there if loop % 2 == 0 else there[::-1])]
    clean = [row for row, before in zip(way, [-1, *way], strict=False) if row != before]
    await master.order(clean[:140])
    await asyncio.sleep(1.0)
    driving = await _share(pid, seconds)
    await master.cancel()
    return idle, driving


async def measure(given: Options) -> dict[str, Figure]:
    """All figures."""
    vehicles = {"sim": sim, "ros": ros} if ROBOT_PYTHON.exists() else {"sim": sim}
    taken = await asyncio.gather(*(measured(given) for measured in vehicles.values()))
    rows = {name: row.figures() for name, row in zip(vehicles, taken, strict=True)}
    worse: dict[str, Figure] = {
        key: (min if key in COUNTS else max)(row[key] for row in rows.values())
        for key in rows["sim"]
    }
    each = {f"{name}_{key}": value for name, row in rows.items() for key, value in row.items()}
    return worse | each | {"vehicle": ", ".join(vehicles)}


AGAINST: Final = (
    f"Against: order to goal p95 <= {GOAL_LIMIT_MS} ms, state lag p95 <= {LAG_LIMIT_MS} ms, "
    f"processor idle <= {IDLE_LIMIT:.0%}, driving <= {DRIVING_LIMIT:.0%} of a core."
)


def run(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = options(__doc__ or "", argv)
    if not ROBOT_PYTHON.exists():
        print("No ROS here (deploy/setup/bootstrap.sh robot): the simulated vehicle alone.")
    figures = asyncio.run(measure(given))
    show("Robot bridge", AGAINST, figures, given)
    return 0


if __name__ == "__main__":
    sys.exit(run())
