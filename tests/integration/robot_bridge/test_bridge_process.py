"""A bridge in its own process on a real broker survives kill -9, and says how it goes."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from contracts.units import UtcMs
from contracts.vda5050.codec import VdaBody, VdaMessage, decode_vda, encode_vda
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.order import Action, BlockingType, InstantActions
from contracts.vda5050.profile import OPEN_COMPARTMENT, OpenCompartment, open_compartment_action
from contracts.vda5050.state import ActionStatus, Connection, ConnectionState, State
from contracts.vda5050.topics import SPECS, VdaKind, VehicleAddress
from runtime.clock import SystemClock
from runtime.mqtt import Inbox, MqttSession, MqttSettings, Outgoing
from tests.fakes.ports import free_port
from tests.fakes.waiting import until
from tests.unit.robot_bridge.scenes import PLACES, order

ROOT = Path(__file__).parents[3]
R1 = VehicleAddress("uagv", "v2", "maker", "r1")
BROKER_STARTS_S = 15.0
BRIDGE_STARTS_S = 15.0


async def start(*arguments: str) -> asyncio.subprocess.Process:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ZEROENTRY")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, cwd=ROOT, env=environ
    )


async def stop(process: asyncio.subprocess.Process, signum: signal.Signals) -> int:
    if process.returncode is None:
        process.send_signal(signum)
    return await asyncio.wait_for(process.wait(), 30)


@dataclass
class Site:
    """A broker, a master that listens, and the settings of one bridge."""

    master: MqttSession
    inboxes: dict[VdaKind, Inbox]
    config: Path
    bridges: list[asyncio.subprocess.Process] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    connections: list[ConnectionState] = field(default_factory=list)
    factsheets: list[Factsheet] = field(default_factory=list)

    async def bridge(self) -> asyncio.subprocess.Process:
        """Start the bridge and wait until it is online."""
        before = len(self.connections)
        process = await start("robot_bridge", "--config", str(self.config))
        self.bridges.append(process)
        await until(
            lambda: self.connections[before:][-1:] == [ConnectionState.ONLINE],
            within_s=BRIDGE_STARTS_S,
            what="bridge is ONLINE",
        )
        return process

    async def say(self, kind: VdaKind, body: VdaBody) -> None:
        await self.master.publish(Outgoing(R1.topic(kind), encode_vda(body), SPECS[kind].qos))

    async def act(self, action: Action) -> ActionStatus:
        """Send an instant action; how it ended."""
        message = InstantActions(
            header_id=1,
            timestamp="2026-09-21T14:13:20.000Z",
            manufacturer="maker",
            serial_number="r1",
            actions=(action,),
        )
        await self.say(VdaKind.INSTANT_ACTIONS, message)

        def ended() -> bool:
            found = self.states[-1].action(action.action_id) if self.states else None
            return found is not None and found.action_status.ended

        await until(ended, within_s=30, what=f"{action.action_id} has ended")
        found = self.states[-1].action(action.action_id)
        assert found is not None
        return found.action_status

    async def open(
        self, action_id: str, node_id: str, command: str, valid_ms: int = 60_000
    ) -> ActionStatus:
        valid = UtcMs(SystemClock().utc_ms() + valid_ms)
        wanted = OpenCompartment(1, "d1", node_id, valid, command)
        return await self.act(open_compartment_action(wanted, action_id=action_id))

    async def listen(self) -> None:
        async with asyncio.TaskGroup() as group:
            for inbox in self.inboxes.values():
                group.create_task(self._listen(inbox))

    async def _listen(self, inbox: Inbox) -> None:
        async for inbound in inbox:
            message = decode_vda(inbound.topic, inbound.payload)
            assert isinstance(message, VdaMessage), message
            match message.body:
                case State() as state:
                    self.states.append(state)
                case Connection(connection_state=connection):
                    self.connections.append(connection)
                case Factsheet() as factsheet:
                    self.factsheets.append(factsheet)
                case _:
                    raise AssertionError(f"not asked for: {inbound.topic}")


def write_settings(folder: Path, port: int) -> Path:
    layout = {
        "metaInformation": {"projectIdentification": "test", "lifVersion": "1.0.0"},
        "layouts": [
            {
                "layoutId": "floor-1",
                "nodes": [
                    {"nodeId": name, "mapId": "floor-1", "nodePosition": {"x": x, "y": y}}
                    for name, (x, y) in PLACES.items()
                ],
            }
        ],
    }
    (folder / "map.lif.json").write_text(json.dumps(layout), encoding="utf-8")
    config = {
        "identity": {"manufacturer": "maker", "serial_number": "r1"},
        "mqtt": {"port": port, "client_id": "bridge-r1"},
        "data_dir": str(folder / "data"),
        "map_file": str(folder / "map.lif.json"),
        "start_node": "home",
        "compartments": 2,
        "sim": {"speed_mps": 2.0, "acceleration_mps2": 2.0, "collect_after_ms": None},
        "log_level": "WARNING",
    }
    (folder / "bridge.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder / "bridge.yaml"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    port = free_port()
    broker = await start("runtime.broker", "--port", str(port))
    settings = MqttSettings(port=port, client_id="master")
    session = MqttSession(settings, SystemClock(), rng=random.Random(1))
    kinds = (VdaKind.STATE, VdaKind.CONNECTION, VdaKind.FACTSHEET)
    inboxes = {
        kind: session.subscribe(R1.topic(kind), qos=SPECS[kind].qos, limit=10_000) for kind in kinds
    }
    made = Site(session, inboxes, write_settings(tmp_path, port))
    tasks = [asyncio.create_task(session.run()), asyncio.create_task(made.listen())]
    try:
        await asyncio.wait_for(session.wait_connected(), BROKER_STARTS_S)
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in [*made.bridges, broker]:
            await stop(process, signal.SIGKILL)


@pytest.mark.system
async def test_an_order_survives_kill_9_in_mid_way(site: Site) -> None:
    process = await site.bridge()
    await site.say(VdaKind.ORDER, order(("home", "a", "b")))
    await until(
        lambda: site.states[-1:] and site.states[-1].last_node_id == "a",
        within_s=30,
        what="robot has passed a",
    )
    assert await stop(process, signal.SIGKILL) == -signal.SIGKILL
    await until(
        lambda: site.connections[-1] is ConnectionState.CONNECTION_BROKEN,
        within_s=30,
        what="broker says the will",
    )
    there = site.states[-1].agv_position
    seen = len(site.states)
    await site.bridge()
    await until(lambda: len(site.states) > seen, within_s=30, what="a state after the restart")
    back = site.states[seen].agv_position
    assert there is not None
    assert back is not None
    assert abs(back.x - there.x) <= 2.1  # the pose is kept each second, at 2 m/s
    assert site.states[seen].order_id == "o1"
    await until(
        lambda: site.states[-1].last_node_id == "b" and not site.states[-1].driving,
        within_s=30,
        what="the order is completed",
    )
    assert site.states[-1].node_states == ()


@pytest.mark.system
async def test_a_compartment_opens_once_at_its_node_in_time_also_after_kill_9(site: Site) -> None:
    process = await site.bridge()
    await until(lambda: site.states, within_s=30, what="a state")
    assert await site.open("far", "a", "c0") is ActionStatus.FAILED
    assert await site.open("late", "home", "c0", valid_ms=-1_000) is ActionStatus.FAILED
    assert await site.open("good", "home", "c1") is ActionStatus.FINISHED
    assert await site.open("replay", "home", "c1") is ActionStatus.FAILED
    await stop(process, signal.SIGKILL)
    await site.bridge()
    assert await site.open("replay-2", "home", "c1") is ActionStatus.FAILED
    assert site.states[-1].action("good") is not None


@pytest.mark.system
async def test_a_clean_stop_says_offline_and_a_factsheet_comes_on_request(site: Site) -> None:
    process = await site.bridge()
    await until(lambda: len(site.factsheets) == 1, within_s=30, what="factsheet at the start")
    wish = Action(action_type="factsheetRequest", action_id="f", blocking_type=BlockingType.NONE)
    assert await site.act(wish) is ActionStatus.FINISHED
    await until(lambda: len(site.factsheets) == 2, within_s=30, what="factsheet on request")
    declared = {row.action_type for row in site.factsheets[-1].protocol_features.agv_actions}
    assert OPEN_COMPARTMENT in declared
    assert await stop(process, signal.SIGTERM) == 0
    await until(
        lambda: site.connections[-1] is ConnectionState.OFFLINE, within_s=30, what="OFFLINE"
    )


@pytest.mark.system
async def test_settings_that_cannot_work_end_in_one_line_each(tmp_path: Path) -> None:
    file = write_settings(tmp_path, 1)
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content |= {"vehicle": "rocket", "start_nod": "home"}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "robot_bridge",
        "--config",
        str(file),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"this version drives `sim` and `ros`" in said
    assert b"start_node" in said
    assert b"Traceback" not in said
