"""A real broker, an RTSP server with composed footage, a controller's side of the bus, a node."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest
from aio_rtsp_toolkit.server import RtspServer

from edge.__main__ import application, wire
from edge.node_settings import RecordingSettings
from edge.settings import ApiSettings, EdgeSettings
from runtime.http import serve
from runtime.mqtt import MqttSettings
from tests.fakes.edge_fixtures import broker_port, controller
from tests.fakes.edge_site import (
    ENVIRON,
    FPS,
    NODE,
    Proxy,
    Running,
    StartNode,
    site,
)
from tests.fakes.ports import free_port
from tests.fakes.waiting import until
from zeroentry.composer.encode import write_clip
from zeroentry.composer.model import Intrude, Scene, Script, Seat, TimedCue, Withdraw
from zeroentry.composer.scripts import play
from zeroentry.composer.sound import room_tone, silence

__all__ = ["broker_port", "controller"]


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``five.mp4``: five sit; ``sixth.mp4``: a sixth comes and goes; ``mute.mp4``: no sound."""
    folder = tmp_path_factory.mktemp("footage")
    sit = Script((TimedCue(0, Seat(5)),), 6_000)
    enter = Script(
        (TimedCue(0, Seat(5)), TimedCue(2_500, Intrude()), TimedCue(5_500, Withdraw())), 16_000
    )
    for name, script, sound in (
        ("five.mp4", sit, room_tone(1, 6)),
        ("mute.mp4", sit, silence(6)),
        ("sixth.mp4", enter, room_tone(2, 16)),
    ):
        pictures = (frame.image for frame in play(Scene(seed=1), script, FPS))
        write_clip(folder / name, pictures, FPS, audio=sound)
    return folder


@pytest.fixture
async def rtsp(footage: Path) -> AsyncIterator[int]:
    """The port of an RTSP server that serves the footage."""
    port = free_port()
    server = await RtspServer(str(footage), "127.0.0.1", port).start()
    yield port
    assert server._server is not None
    server._server.close()
    await until(
        lambda: server._server._active_count == 0, within_s=30, what="the sessions are over"
    )


@pytest.fixture
async def proxy(rtsp: int) -> AsyncIterator[Proxy]:
    made = Proxy(rtsp)
    task = asyncio.create_task(made.serve())
    await until(lambda: made.port, what="the proxy listens")
    yield made
    await until(lambda: made.connections == 0, within_s=30, what="the proxy's links are closed")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def start_node(broker_port: int, tmp_path: Path) -> AsyncIterator[StartNode]:
    """Start a node on a stream; it is stopped at the end of the test, or by ``stop``."""
    async with AsyncExitStack() as running:

        async def start(url: str) -> Running:
            config = EdgeSettings(
                node=NODE,
                site_dir=tmp_path,
                data_dir=tmp_path / "data",
                mqtt=MqttSettings(port=broker_port, client_id=NODE),
                api=ApiSettings(port=0),
                recording=RecordingSettings(enabled=False),
            )
            opened = ExitStack()
            node = wire(config, site(url), ENVIRON, opened)
            app = application(node)
            parts = (
                node.session.run(),
                node.pump.run(),
                node.service.run(),
                serve(app, node.listener, cert_file=None, key_file=None),
            )
            started = Running(node, [asyncio.create_task(part) for part in parts], opened)
            running.push_async_callback(started.stop)
            return started

        yield start


@pytest.fixture
def unused_tcp_port_of_nobody() -> int:
    return free_port()
