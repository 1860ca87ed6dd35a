"""Measures a robot's bridge: order to the vehicle's goal, event to state, and what it costs.

A broker, the bridge in a process of its own with a simulated vehicle, and a master in this process,
all on this machine. Order to goal: from the order's publication to the route in the vehicle's
hands. State lag: from the vehicle's passing a node to the state that says so in the master's hands.
Processor: of `python -m robot_bridge` alone, standing and driving, by the kernel's count.
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
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

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

ADDRESS: Final = VehicleAddress("uagv", "v2", "maker", "bench")
NODES: Final = 12
STEP_M: Final = 0.6
ORDERS_QUICK: Final = 6
ORDERS_FULL: Final = 60
CPU_QUICK_S: Final = 6.0
CPU_FULL_S: Final = 60.0
START_S: Final = 20.0
ANSWER_S: Final = 30.0
GOAL_LIMIT_MS: Final = 100
LAG_LIMIT_MS: Final = 200
IDLE_LIMIT: Final = 0.03
DRIVING_LIMIT: Final = 0.10
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """What the vehicle's side printed and the master heard: monotonic ns."""

    goals: dict[str, int] = field(default_factory=dict)
    passed: dict[tuple[str, int], int] = field(default_factory=dict)
    heard: dict[tuple[str, int], int] = field(default_factory=dict)
    state: State | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _settings(folder: Path, port: int) -> Path:
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

    async def any_state(self) -> None:
        """Wait until the robot is there."""
        async with asyncio.timeout(START_S):
            while self._seen.state is None:
                self._seen.news.clear()
                await self._seen.news.wait()


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE
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


@asynccontextmanager
async def _rig(module: str) -> AsyncIterator[tuple[Master, Seen, asyncio.subprocess.Process]]:
    """A broker, a bridge run by ``module``, and a master that hears it."""
    port, seen = _free_port(), Seen()
    with tempfile.TemporaryDirectory() as folder:
        broker = await _start("runtime.broker", "--port", str(port))
        file = _settings(Path(folder), port)
        arguments = ["--config", str(file)] if module == "robot_bridge" else [str(file)]
        bridge = await _start(module, *arguments)
        session = MqttSession(
            MqttSettings(port=port, client_id="master"), SystemClock(), rng=random.Random(1)
        )
        master = Master(session, seen)
        tasks = [
            asyncio.create_task(work)
            for work in (session.run(), master.listen(), _lines(bridge, seen))
        ]
        try:
            await master.any_state()
            yield master, seen, bridge
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _stop(bridge)
            await _stop(broker)


async def latencies(orders: int) -> tuple[list[float], list[float]]:
    """Order to goal, and passing to state, in ms."""
    goals: list[float] = []
    async with _rig("benchmarks.bridge_vehicle") as (master, seen, _):
        sent: dict[str, int] = {}
        for number in range(orders):
            way = range(4) if number % 2 == 0 else range(3, -1, -1)
            order_id, at = await master.order(way)
            sent[order_id] = at
            await master.arrived(order_id, 2 * (len(way) - 1))
        goals = [(seen.goals[row] - at) / 1e6 for row, at in sent.items()]
        lags = [
            (heard - seen.passed[key]) / 1e6
            for key, heard in seen.heard.items()
            if key in seen.passed
        ]
    return goals, lags


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def _share(pid: int, seconds: float) -> float:
    before, began = _cpu_s(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (_cpu_s(pid) - before) / (time.monotonic() - began)


async def processor(seconds: float) -> tuple[float, float]:
    """Shares of one core: standing, and driving back and forth without an end."""
    async with _rig("robot_bridge") as (master, _, bridge):
        await asyncio.sleep(1.0)
        idle = await _share(bridge.pid, seconds)
        there = list(range(NODES))
        loops = int(seconds * 1.2 / (STEP_M * NODES)) + 2
        way = [row for loop in range(loops) for row in (there if loop % 2 == 0 else there[::-1])]
        clean = [row for row, before in zip(way, [-1, *way], strict=False) if row != before]
        await master.order(clean[:140])
        await asyncio.sleep(1.0)
        driving = await _share(bridge.pid, seconds)
        await master.cancel()
    return idle, driving


async def measure(given: Options) -> dict[str, Figure]:
    """All figures."""
    goals, lags = await latencies(ORDERS_QUICK if given.quick else ORDERS_FULL)
    idle, driving = await processor(CPU_QUICK_S if given.quick else CPU_FULL_S)
    return {
        "order_to_goal_ms_p95": round(percentile(goals, 0.95), 1),
        "order_to_goal_ms_p50": round(percentile(goals, 0.5), 1),
        "state_lag_ms_p95": round(percentile(lags, 0.95), 1),
        "state_lag_ms_p50": round(percentile(lags, 0.5), 1),
        "cpu_idle": round(idle, 4),
        "cpu_driving": round(driving, 4),
        "orders": len(goals),
        "nodes_passed": len(lags),
        "vehicle": "sim",
    }


AGAINST: Final = (
    f"Against: order to goal p95 <= {GOAL_LIMIT_MS} ms, state lag p95 <= {LAG_LIMIT_MS} ms, "
    f"processor idle <= {IDLE_LIMIT:.0%}, driving <= {DRIVING_LIMIT:.0%} of a core."
)


def run(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = options(__doc__ or "", argv)
    figures = asyncio.run(measure(given))
    show("Robot bridge", AGAINST, figures, given)
    return 0


if __name__ == "__main__":
    sys.exit(run())
