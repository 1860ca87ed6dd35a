"""Gives an office node the real routes of talk and listening, and a camera to talk over."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contracts.devices import CameraConfig, Named, StreamConfig
from contracts.units import MonoMs
from edge.api.access import Gate
from edge.api.listen import add_listen
from edge.api.talk import add_talk
from edge.core.people import Instant
from edge.live_sound import LiveSound
from edge.talks import TalkDesk, talk_cameras
from edge.voice_book import VoiceBook
from runtime.tokens import TokenBook
from tests.fakes.office_node import StandIn
from tests.fakes.onvif_backchannel import TalkedTo, talked_to
from tests.fakes.waiting import POLL_S

WINDOW = 1_600  # samples of 100 ms


@dataclass
class OfficeVoices:
    """What the room's loudspeaker heard, and who hears the room."""

    camera: TalkedTo
    sound: LiveSound


@contextlib.asynccontextmanager
async def voices(node: StandIn, room_id: str, folder: Path) -> AsyncIterator[OfficeVoices]:
    """Words into and sound out of one room's first camera, which hums at 500 Hz."""
    camera_id = node.rooms[room_id].cameras[0]
    gate = Gate(TokenBook(), random.Random(node.node_id).randbytes(32), node.clock)
    async with talked_to(folder) as camera:
        config = CameraConfig(
            kind="camera",
            id=camera_id,
            area=room_id,
            name=Named(zh="摄像机", en="Camera"),
            main=StreamConfig(url=camera.url(), width=160, height=120, fps=5),
            backchannel="auto",
        )
        with ThreadPoolExecutor(1) as disk:
            book = VoiceBook(node.site, node.node_id, node.outbox, disk)
            mouths = talk_cameras((config,), lambda _: lambda: None, node.clock)
            desk = TalkDesk(mouths, folder / "talks", book, disk, node.clock)
            sound = LiveSound(asyncio.get_running_loop(), {camera_id: room_id}, node.clock)
            routes = node.app.router.routes
            before = tuple(routes)
            add_talk(node.app, desk, gate)
            add_listen(node.app, sound, book, gate)
            # The real ones first: a stand-in has a silent one of its own.
            routes[:] = [*routes[len(before) :], *before]
            humming = asyncio.create_task(_hum(node, camera_id, sound))
            try:
                yield OfficeVoices(camera, sound)
            finally:
                routes[:] = before
                humming.cancel()
                await asyncio.gather(humming, return_exceptions=True)


async def _hum(node: StandIn, camera_id: str, sound: LiveSound) -> None:
    wave = (0.3 * np.sin(2 * np.pi * 500 * np.arange(WINDOW) / 16_000)).astype(np.float32)
    while True:
        await node.clock.sleep_ms(max(round(POLL_S * 1000), 100))
        now = Instant(MonoMs(node.clock.mono_ms()), node.clock.utc_ms())
        sound.hear(camera_id, wave, now)
