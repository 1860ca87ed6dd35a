"""A robot of the office: a bridge with a simulated vehicle as a process of its own."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import yaml

from client import ApiClient
from contracts.api import RobotCondition
from tests.fakes.office import REPO, STOP_S, Office
from tests.fakes.waiting import until

ONLINE_S = 40.0  # a process that imports while nine suites run


@contextlib.asynccontextmanager
async def bridge(office: Office, folder: Path, robot_id: str = "robot-1") -> AsyncIterator[str]:
    """The robot is on the bus and idle; whoever stands beside it loads and takes out quickly."""
    declared = yaml.safe_load((office.site_dir / "robots" / f"{robot_id}.yaml").read_text("utf-8"))
    settings = {
        "identity": {key: declared[key] for key in ("manufacturer", "serial_number")},
        "mqtt": {
            "host": "127.0.0.1",
            "port": office.broker_port,
            "client_id": robot_id,
        },
        "map_file": str(office.site_dir / "maps" / "floor-1.lif.json"),
        "start_node": declared["home_node"],
        "data_dir": str(folder / robot_id),
        "compartments": declared["compartments"],
        "sim": {
            "speed_mps": declared["speed_max_m_s"],
            "acceleration_mps2": 4,
            "deceleration_mps2": 4,
            "load_nodes": ["kitchen"],
            "load_after_ms": 400,
            "collect_after_ms": 900,
        },
        "state_interval_driving_ms": 250,
        "state_interval_idle_ms": 500,
    }
    file = folder / f"{robot_id}.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    environ = {name: text for name, text in os.environ.items() if "ZEROENTRY" not in name}
    with (folder / f"{robot_id}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "zeroentry",
            "bridge",
            "--config",
            str(file),
            cwd=REPO,
            env=environ | {"ZEROENTRY_RUN_KEY": "ab" * 32},
            stdout=log,
            stderr=log,
        )
    try:
        api = await office.client()
        await until(
            lambda: _idle(api, robot_id),
            within_s=ONLINE_S,
            what=f"{robot_id} is idle; see {folder / f'{robot_id}.log'}",
        )
        yield robot_id
    finally:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _idle(api: ApiClient, robot_id: str) -> bool:
    robots = (await api.overview()).robots
    return any(row.id == robot_id and row.condition is RobotCondition.IDLE for row in robots)
