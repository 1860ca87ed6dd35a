"""Reads a real RTSP stream whose address only the ONVIF device knows, also after a reset."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aio_rtsp_toolkit.server import RtspServer
from av.packet import Packet
from av.stream import Stream

from contracts.devices import CameraConfig
from edge.capture.packets import OpenedLink
from edge.capture.reader import StreamReader, StreamSource
from edge.core.people import Instant
from runtime.clock import SystemClock
from tests.fakes.onvif_device import FakeOnvifDevice
from tests.fakes.ports import free_port
from tests.fakes.waiting import until
from zeroentry.composer.encode import write_clip
from zeroentry.composer.sound import silence

FPS = 10


class Counter:
    """A sink that counts packets."""

    def __init__(self) -> None:
        self.packets = 0

    def opened(self, link: OpenedLink) -> None:
        assert link.video is not None

    def take(self, packet: "Packet[Stream]", at: Instant) -> None:
        self.packets += 1

    def closed(self) -> None:
        """Another connection may follow."""


@pytest.fixture
async def rtsp_port(tmp_path: Path) -> AsyncIterator[int]:
    grey = np.full((96, 160, 3), 90, dtype=np.uint8)
    write_clip(tmp_path / "clip.mp4", iter([grey] * (FPS * 3)), FPS, audio=silence(3))
    port = free_port()
    server = await RtspServer(str(tmp_path), "127.0.0.1", port).start()
    yield port
    assert server._server is not None
    server._server.close()
    await until(
        lambda: server._server._active_count == 0, within_s=30, what="the sessions are over"
    )


async def test_pictures_come_from_where_the_device_says(rtsp_port: int) -> None:
    with FakeOnvifDevice() as device:
        device.state.stream_host = f"0.0.0.0:{rtsp_port}"
        device.state.encoders[0].path = "/gone.mp4"
        camera = CameraConfig.model_validate(
            {
                "kind": "camera",
                "id": "c",
                "area": "room-1",
                "name": {"zh": "名", "en": "Name"},
                "onvif": {"host": "127.0.0.1", "port": device.port, "main_profile": "Profile_0"},
                "main": {"width": 160, "height": 96, "fps": FPS},
            }
        )
        login, clock, sink = (device.state.user, device.state.password), SystemClock(), Counter()
        ask_device = lambda: login  # noqa: E731 - as a camera's credentials are asked for
        source = StreamSource.of(camera, "main", ask_device, clock)
        reader = StreamReader(source, lambda: None, clock, random.Random(1), sinks=(sink,))
        task = asyncio.create_task(reader.run())
        try:
            await until(
                lambda: device.asked.count("GetStreamUri") >= 2,
                within_s=30,
                what="the device is asked again for an address that leads nowhere",
            )
            assert sink.packets == 0
            device.state.encoders[0].path = "/clip.mp4"
            await until(lambda: sink.packets > FPS, within_s=20, what="pictures come")
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert device.mistakes == []
