"""A broker, a master, one bridge and one faked robot with Nav2, each a process of its own.

The tests run where the project's tools are; the bridge and the robot run in .venv-robot, whose
wheels start every Python anew and bring libraries that must not be loaded beside others.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from contracts.vda5050.codec import VdaBody, VdaMessage, decode_vda, encode_vda
from contracts.vda5050.order import Action, ActionParameter, BlockingType, InstantActions
from contracts.vda5050.state import ActionStatus, Connection, ConnectionState, State
from contracts.vda5050.topics import SPECS, VdaKind, VehicleAddress
from runtime.clock import SystemClock
from runtime.mqtt import Inbox, MqttSession, MqttSettings, Outgoing
from tests.fakes.ports import free_port
from tests.fakes.waiting import elapsed_s, until
from tests.unit.robot_bridge.scenes import PLACES

ROOT = Path(__file__).parents[3]
ROBOT_PYTHON = ROOT / ".venv-robot" / "bin" / "python"
R1 = VehicleAddress("uagv", "v2", "maker", "r1")
STARTS_S = 60.0  # rclpy's start and DDS's discovery, beside other suites
DOMAINS = range(1, 100)
LEAVES_S = 5.0
TOLD_CHARS = 6_000  # of each process's words, when a test fails


@dataclass
class Robot:
    """The faked robot's process: what it was told, and what it is to do."""

    process: asyncio.subprocess.Process
    events: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.events if row["event"] == kind]

    async def do(self, **wish: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((json.dumps(wish) + "\n").encode())
        await self.process.stdin.drain()

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))


@dataclass
class RosSite:
    """What a test sees of it all."""

    folder: Path
    port: int
    domain_id: int
    way: str
    environ: Mapping[str, str]
    master: MqttSession
    inboxes: tuple[Inbox, ...]
    robot: Robot | None = None
    states: list[State] = field(default_factory=list)
    arrived_ns: list[int] = field(default_factory=list)
    connections: list[ConnectionState] = field(default_factory=list)
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def state(self) -> State:
        return self.states[-1]

    @property
    def fake(self) -> Robot:
        assert self.robot is not None, "no robot was started"
        return self.robot

    def log(self, name: str) -> Path:
        """A new file for all that one process says."""
        file = self.folder / f"{len(self.logs)}-{name}.log"
        self.logs.append(file)
        return file

    def story(self) -> str:
        """What a failed test is to be understood by: the last state, and all that was said."""
        rows = [f"domain {self.domain_id}, {self.way}, {len(self.states)} states"]
        if self.states:
            rows.append(self.state.model_dump_json(exclude_none=True))
        rows += [f"process {row.pid}: exit code {row.returncode}" for row in self.processes]
        if self.robot is not None:
            rows += [json.dumps(row) for row in self.robot.events[-20:]]
        for file in self.logs:
            rows += [f"--- {file.name}", file.read_text(errors="replace")[-TOLD_CHARS:]]
        return "\n".join(rows)

    def errors(self) -> set[str]:
        return {row.error_type for row in self.state.errors} if self.states else set()

    async def start_robot(self, **settings: object) -> Robot:
        wish = {"way": self.way, "domain_id": self.domain_id, **settings}
        with self.log("robot").open("wb") as said:
            process = await start_fake(wish, self.environ, said)
        self.processes.append(process)
        self.robot = Robot(process)
        self.tasks.append(asyncio.create_task(self.robot.read()))
        return self.robot

    async def start_bridge(self, **ros: object) -> asyncio.subprocess.Process:
        config = settings_file(self, ros)
        with self.log("bridge").open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                str(ROBOT_PYTHON),
                "-m",
                "robot_bridge",
                "--config",
                str(config),
                cwd=ROOT,
                env=self.environ,
                stdout=said,
                stderr=said,
            )
        self.processes.append(process)
        return process

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def say(self, kind: VdaKind, body: VdaBody) -> None:
        await self.master.publish(Outgoing(R1.topic(kind), encode_vda(body), SPECS[kind].qos))

    async def act(self, action_type: str, action_id: str, **parameters: Any) -> None:
        rows = tuple(ActionParameter(key=key, value=value) for key, value in parameters.items())
        action = Action(
            action_type=action_type,
            action_id=action_id,
            blocking_type=BlockingType.NONE,
            action_parameters=rows,
        )
        message = InstantActions(
            header_id=1,
            timestamp="2026-09-21T14:13:20.000Z",
            manufacturer="maker",
            serial_number="r1",
            actions=(action,),
        )
        await self.say(VdaKind.INSTANT_ACTIONS, message)

    def finished(self, action_id: str) -> bool:
        found = self.state.action(action_id) if self.states else None
        return found is not None and found.action_status is ActionStatus.FINISHED

    async def ready(self, within_s: float = STARTS_S) -> None:
        """The robot knows where it is, and nothing is wrong."""
        try:
            await until(
                lambda: bool(self.states) and not self.state.errors,
                within_s=within_s,
                what="a state without errors",
            )
        except AssertionError as late:
            await self.abort()
            raise AssertionError(f"{late}\n{self.story()}") from late

    async def abort(self) -> None:
        """End ROS's processes so that they say where each of their threads stands."""
        for process in self.processes:
            if process.returncode is None:
                process.send_signal(signal.SIGABRT)
                await process.wait()

    async def at(self, node_id: str, within_s: float = 30.0) -> None:
        await until(
            lambda: self.state.last_node_id == node_id and not self.state.driving,
            within_s=within_s,
            what=f"the robot stands at {node_id}",
        )

    async def listen(self, inbox: Inbox) -> None:
        async for inbound in inbox:
            message = decode_vda(inbound.topic, inbound.payload)
            assert isinstance(message, VdaMessage), message
            match message.body:
                case State() as state:
                    self.states.append(state)
                    self.arrived_ns.append(int(elapsed_s() * 1e9))
                case Connection(connection_state=connection):
                    self.connections.append(connection)
                case _:
                    raise AssertionError(f"not asked for: {inbound.topic}")


async def start_fake(
    wish: Mapping[str, object], environ: Mapping[str, str], said: BinaryIO | None = None
) -> asyncio.subprocess.Process:
    """The faked robot's process; it says what happens on its standard output."""
    return await asyncio.create_subprocess_exec(
        str(ROBOT_PYTHON),
        str(ROOT / "tests" / "fakes" / "nav2" / "node.py"),
        json.dumps(wish),
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=said,
    )


def ros_environ(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """What a process with ROS sees of this one's environment. ``more`` adds to it."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return {
        **kept,
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        **more,
        "PYTHONFAULTHANDLER": "1",
        "ROS_LOG_DIR": str(folder / "ros-log"),
        "PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, [more.get("PYTHONPATH")]))),
    }


def settings_file(site: RosSite, ros: Mapping[str, object]) -> Path:
    layout = {
        "metaInformation": {"projectIdentification": "test", "lifVersion": "1.0.0"},
        "layouts": [
            {
                "layoutId": floor,
                "nodes": [
                    {"nodeId": name + mark, "mapId": floor, "nodePosition": {"x": x, "y": y}}
                    for name, (x, y) in PLACES.items()
                ],
            }
            for floor, mark in (("floor-1", ""), ("floor-2", "-2"))
        ],
    }
    (site.folder / "map.lif.json").write_text(json.dumps(layout), encoding="utf-8")
    config = {
        "identity": {"manufacturer": "maker", "serial_number": "r1"},
        "mqtt": {"port": site.port, "client_id": "bridge-r1"},
        "data_dir": str(site.folder / "data"),
        "map_file": str(site.folder / "map.lif.json"),
        "start_node": "home",
        "compartments": 2,
        "vehicle": "ros",
        "ros": {"domain_id": site.domain_id, "navigation": site.way, **ros},
        "log_level": "INFO",
    }
    file = site.folder / "bridge.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


def domain_of_its_own() -> tuple[int, socket.socket]:
    """A domain that no other site on this machine has while the socket is open."""
    for domain_id in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
        held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            held.bind(f"\0zero-entry-ros-domain-{domain_id}")
        except OSError:
            held.close()
        else:
            return domain_id, held
    raise AssertionError("every ROS domain of this machine is taken by a test")


@asynccontextmanager
async def ros_site(folder: Path, way: str, more: Mapping[str, str]) -> AsyncIterator[RosSite]:
    """A broker and a master; the test starts the rest. ``more`` adds to ROS's environment."""
    assert ROBOT_PYTHON.exists(), "no ROS here: run deploy/setup/bootstrap.sh robot"
    port = free_port()
    environ = ros_environ(folder, more)
    broker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runtime.broker", "--port", str(port), cwd=ROOT
    )
    settings = MqttSettings(port=port, client_id="master")
    master = MqttSession(settings, SystemClock(), rng=random.Random(1))
    inboxes = tuple(
        master.subscribe(R1.topic(kind), qos=SPECS[kind].qos, limit=10_000)
        for kind in (VdaKind.STATE, VdaKind.CONNECTION)
    )
    domain_id, held = domain_of_its_own()
    site = RosSite(folder, port, domain_id, way, environ, master, inboxes)
    async with AsyncExitStack() as after:
        after.callback(held.close)
        after.push_async_callback(_end, site, broker)
        site.tasks.append(asyncio.create_task(master.run()))
        site.tasks += [asyncio.create_task(site.listen(inbox)) for inbox in inboxes]
        async with asyncio.timeout(STARTS_S):
            await master.wait_connected()
        yield site


async def _end(site: RosSite, broker: asyncio.subprocess.Process) -> None:
    for task in site.tasks:
        task.cancel()
    await asyncio.gather(*site.tasks, return_exceptions=True)
    sys.stdout.write(site.story())  # pytest shows it where a test failed
    await asyncio.gather(*(_leave(process) for process in site.processes))
    if broker.returncode is None:
        broker.kill()
        await broker.wait()


async def _leave(process: asyncio.subprocess.Process) -> None:
    """Let a process of ROS end by itself: a killed one leaves its shared memory behind."""
    if process.returncode is None:
        process.terminate()
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(LEAVES_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
