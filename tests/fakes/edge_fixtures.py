"""Fixtures that every test of a real node needs: a broker, and the controller's side of its bus."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime import broker
from runtime.clock import SystemClock
from tests.fakes.edge_site import ControllerSide
from tests.fakes.ports import free_port
from tests.fakes.waiting import until


@pytest.fixture
async def broker_port() -> AsyncIterator[int]:
    port = free_port()
    task = asyncio.create_task(broker.serve(port, SystemClock()))
    await until(lambda: broker.listening(port), within_s=30, what="the broker listens")
    yield port
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def controller(broker_port: int, tmp_path: Path) -> AsyncIterator[ControllerSide]:
    side = ControllerSide(broker_port, tmp_path)
    task = asyncio.create_task(side.run())
    yield side
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    side.outbox.close()
