"""`zeroentry bridge conformance` and `check`, as a person runs them, on a real broker."""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from contracts.vda5050.topics import VdaKind, vehicle_filter
from contracts.vda5050.versions import VdaVersion
from runtime.clock import SystemClock
from runtime.mqtt import Inbox, MqttSession, MqttSettings
from tests.fakes.bridge_words import bridge_words
from tests.fakes.ports import free_port
from tests.integration.robot_bridge.test_bridge_process import (
    BRIDGE_STARTS_S,
    BROKER_STARTS_S,
    ROOT,
    start,
    stop,
    write_settings,
)
from tests.unit.contracts_vda5050.official import validate

FAST = {
    "speed_mps": 2.5,
    "acceleration_mps2": 4.0,
    "deceleration_mps2": 4.0,
    "turn_radps": 6.0,
    "collect_after_ms": None,
}
DONE_S = 100.0  # 35 s on two idle cores
DEMO = ROOT / "firmware_configs" / "demo"


@dataclass
class Yard:
    """A broker and the folder of a bridge's settings."""

    port: int
    folder: Path
    session: MqttSession
    online: Inbox
    processes: list[asyncio.subprocess.Process]

    async def bridge(self, *, online: Inbox | None = None, **changes: object) -> None:
        """Start a bridge with a fast robot, and these settings of it changed."""
        file = write_settings(self.folder, self.port)
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        config |= {"sim": FAST, "state_interval_idle_ms": 500, **changes}
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.processes.append(await start("robot_bridge", "--config", str(file)))
        async with asyncio.timeout(BRIDGE_STARTS_S):
            await (self.online if online is None else online).get()

    async def ask(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of `zeroentry bridge ...`."""
        return await bridge_words(self.port, *arguments, within_s=DONE_S, processes=self.processes)


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    port = free_port()
    broker = await start("runtime.broker", "--port", str(port))
    session = MqttSession(
        MqttSettings(port=port, client_id="probe"), SystemClock(), rng=random.Random(1)
    )
    online = session.subscribe(vehicle_filter(VdaKind.CONNECTION))
    made = Yard(port, tmp_path, session, online, [])
    waiting = asyncio.create_task(session.run())
    try:
        async with asyncio.timeout(BROKER_STARTS_S):
            await session.wait_connected()
        yield made
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        for process in [*made.processes, broker]:
            await stop(process, signal.SIGKILL)


@pytest.mark.system
async def test_our_bridge_passes_the_suite_and_a_robot_that_is_not_there_is_said(
    yard: Yard, tmp_path: Path
) -> None:
    await yard.bridge()
    result = tmp_path / "result.json"
    cut = f"kill -9 {yard.processes[-1].pid}"
    code, text = await yard.ask(
        "conformance", "--serial", "r1", "--json", str(result), "--cut", cut, "--step", "0.6"
    )
    assert code == 0, text
    rows = json.loads(result.read_text(encoding="utf-8"))["rules"]
    assert [row for row in rows if row["result"] != "pass"] == []
    assert len(rows) > 40
    code, text = await yard.ask("conformance", "--serial", "nobody", "--only", "6.14")
    assert code == 2
    assert "nobody" in text


@pytest.mark.system
async def test_6_14_a_robot_of_3_0_that_dies_is_called_connection_broken(yard: Yard) -> None:
    told = yard.session.subscribe("vda5050/v3/maker/r1/connection")
    identity = {"manufacturer": "maker", "serial_number": "r1", "vda5050_version": "3.0.0"}
    await yard.bridge(online=told, identity=identity)
    await stop(yard.processes[-1], signal.SIGKILL)
    async with asyncio.timeout(BRIDGE_STARTS_S):
        will = await told.get()
    content = json.loads(will.payload)
    validate(VdaKind.CONNECTION, content, VdaVersion.V3_0)
    assert (content["connectionState"], will.qos) == ("CONNECTION_BROKEN", 1)


@pytest.mark.system
async def test_check_says_in_words_what_differs_from_the_file(yard: Yard) -> None:
    robot = yaml.safe_load((DEMO / "robots" / "robot-1.yaml").read_text(encoding="utf-8"))
    await yard.bridge(
        identity={
            "manufacturer": robot["manufacturer"],
            "serial_number": robot["serial_number"],
        },
        map_file=str(next(DEMO.glob("maps/*.json"))),
        start_node=robot["home_node"],
        compartments=robot["compartments"] - 1,
        sim={**FAST, "speed_mps": 0.7},
    )
    code, text = await yard.ask("check", str(DEMO), "--json")
    assert code == 1, text
    found = json.loads(text)
    said = {row["en"]: row["weight"] for row in found["robot-1"]}
    boxes = robot["compartments"]
    assert said[f"declares {boxes - 1} compartments, its file says {boxes}"] == "wrong"
    assert any("drives at most 0.7 m/s" in row for row in said)
    assert all(row["zh"] != row["en"] for row in found["robot-1"])
    assert any("never online" in row["en"] for row in found["robot-2"])
    code, text = await yard.ask("check", str(DEMO), "--robot", "robot-1", "--lang", "zh")
    assert "箱格" in text
