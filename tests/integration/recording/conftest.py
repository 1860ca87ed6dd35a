"""Media that servers play, made once; a recorder with its reader, run against an address."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.devices import CameraConfig, Named, StreamConfig
from edge.capture.connect import Credentials
from edge.capture.link import LinkNews
from edge.capture.reader import GATHER_MS, StreamReader, StreamSource
from edge.core.people import Instant
from edge.recording.track import TrackRecorder, TrackSettings
from runtime.clock import SystemClock
from tests.fakes.rtsp_media import FPS, write_media
from tests.fakes.rtsp_queue import QueueFake

MEDIA_S = 12.0


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A media file of a codec and a sound; each is made once."""
    folder = tmp_path_factory.mktemp("media")

    def make(
        codec: str = "h264",
        sound: str | None = "aac",
        size: tuple[int, int] = (320, 240),
        seconds: float = MEDIA_S,
    ) -> Path:
        suffix = ".mov" if sound in ("pcma", "pcmu") else ".mkv" if sound == "opus" else ".mp4"
        path = folder / f"{codec}-{sound}-{size[0]}-{seconds}{suffix}"
        if not path.exists():
            write_media(path, seconds=seconds, codec=codec, sound=sound, size=size)
        return path

    return make


class Diary:
    """What a link said (``LinkWatcher``)."""

    def __init__(self) -> None:
        self.news: list[LinkNews] = []
        self.damages = 0

    def link_changed(self, news: LinkNews) -> None:
        self.news.append(news)

    def damaged(self, detail: str, at: Instant) -> None:
        self.damages += 1


@dataclass(slots=True)
class Recording:
    """A recorder at work."""

    queue: QueueFake
    recorder: TrackRecorder
    reader: StreamReader
    diary: Diary


Record = Callable[..., AbstractAsyncContextManager[Recording]]


@pytest.fixture
def record() -> Record:
    """Record an address until the block ends; the files are complete then."""

    @asynccontextmanager
    async def run(
        url: str,
        *,
        transport: str = "tcp",
        credentials: Credentials = lambda: None,
        segment_ms: int = 60_000,
    ) -> AsyncIterator[Recording]:
        clock = SystemClock()
        camera = CameraConfig.model_validate(
            {
                "kind": "camera",
                "id": "cam-1",
                "area": "room-1",
                "name": Named(zh="摄像机", en="Camera"),
                "main": StreamConfig(url=url, width=320, height=240, fps=FPS),
                "transport": transport,
            }
        )
        queue, diary = QueueFake(), Diary()
        recorder = TrackRecorder(TrackSettings("cam-1", segment_ms, 500), queue, clock)
        source = StreamSource.of(camera, "main", credentials, clock, gather_ms=GATHER_MS)
        reader = StreamReader(
            source,
            credentials,
            clock,
            random.Random(1),
            sinks=[recorder],
            watchers=[recorder, diary],
        )
        task = asyncio.create_task(reader.run())
        try:
            yield Recording(queue, recorder, reader, diary)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            recorder.stop()

    return run
