"""Real brokers for the tests of runtime, each a process on a free port of loopback."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from runtime import broker
from tests.fakes import ports
from tests.fakes.waiting import until


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on now."""
    return ports.free_port()


StartBroker = Callable[[], Awaitable[asyncio.subprocess.Process]]
RunMosquitto = Callable[..., Awaitable[None]]


@pytest.fixture
async def start_broker(free_port: int) -> AsyncIterator[StartBroker]:
    """Starts iotcore on ``free_port``, as often as it is called."""
    started: list[asyncio.subprocess.Process] = []

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(*broker.command(free_port))
        started.append(process)
        await until(lambda: broker.listening(free_port), within_s=30, what="iotcore listens")
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


def mosquitto_program() -> str:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("needs mosquitto: apt-get install mosquitto")
    return program


@pytest.fixture
async def run_mosquitto(tmp_path: Path, free_port: int) -> AsyncIterator[RunMosquitto]:
    """Starts Mosquitto on ``free_port`` with further lines of configuration."""
    started: list[asyncio.subprocess.Process] = []

    async def run(*lines: str) -> None:
        config = tmp_path / "mosquitto.conf"
        listener = f"listener {free_port} 127.0.0.1"
        config.write_text("\n".join([listener, "user root", *lines, ""]), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            mosquitto_program(), "-c", str(config), stderr=asyncio.subprocess.DEVNULL
        )
        started.append(process)
        await until(lambda: broker.listening(free_port), within_s=30, what="mosquitto listens")

    yield run
    for process in started:
        process.kill()
        await process.wait()


@pytest.fixture
async def mosquitto(tmp_path: Path, free_port: int, run_mosquitto: RunMosquitto) -> int:
    """Mosquitto on ``free_port`` with an ACL: everybody may use ``open/#`` and nothing else."""
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite open/#\n", encoding="utf-8")
    acl.chmod(0o644)
    await run_mosquitto("allow_anonymous true", f"acl_file {acl}")
    return free_port
