"""Real brokers for the tests of runtime, each a process on a free port of loopback."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from runtime import broker
from tests.fakes.waiting import until


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


StartBroker = Callable[[], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start_broker(free_port: int) -> AsyncIterator[StartBroker]:
    """Starts iotcore on ``free_port``, as often as it is called."""
    started: list[asyncio.subprocess.Process] = []

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(*broker.command(free_port))
        started.append(process)
        await until(lambda: broker.listening(free_port), within_s=15, what="iotcore listens")
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def mosquitto(tmp_path: Path, free_port: int) -> AsyncIterator[int]:
    """Mosquitto on ``free_port`` with an ACL: everybody may use ``open/#`` and nothing else."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("needs mosquitto: apt-get install mosquitto")
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite open/#\n", encoding="utf-8")
    acl.chmod(0o644)
    config = tmp_path / "mosquitto.conf"
    config.write_text(
        f"listener {free_port} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\nuser root\n",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    await until(lambda: broker.listening(free_port), within_s=15, what="mosquitto listens")
    yield free_port
    process.kill()
    await process.wait()
