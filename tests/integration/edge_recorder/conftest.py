"""A camera in a process of its own, a recorder in another, and what it leaves on disk."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.evidence.entries import NOTHING, Entry, Gap, parse_entry
from contracts.evidence.lines import split_line
from contracts.observations import RecordingState
from edge.core.recording import StatusSaid, TrackStatus
from edge.recorder.client import RecorderClient
from runtime.clock import SystemClock
from runtime.signing import PublicKeys
from tests.fakes.edge_fixtures import broker_port, controller
from tests.fakes.edge_site import (
    CAMERA,
    ENVIRON,
    FPS,
    NODE,
    write_site,
)
from tests.fakes.ports import free_port
from tests.fakes.waiting import until
from zeroentry.composer.encode import write_clip
from zeroentry.composer.model import Scene, Script, Seat, TimedCue
from zeroentry.composer.scripts import play
from zeroentry.composer.sound import room_tone

__all__ = ["broker_port", "controller"]

WITHIN_S = 40.0  # eight helpings of a busy machine; a quiet one takes two seconds


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``five.mp4``: five people sit for six seconds, with sound."""
    folder = tmp_path_factory.mktemp("footage")
    sit = Script((TimedCue(0, Seat(5)),), 6_000)
    pictures = (frame.image for frame in play(Scene(seed=1), sit, FPS))
    write_clip(folder / "five.mp4", pictures, FPS, audio=room_tone(1, 6))
    return folder


@dataclass
class CameraProcess:
    """An RTSP camera that can be stopped dead and woken up again."""

    process: Process
    url: str

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
async def camera(clip: Path) -> AsyncIterator[CameraProcess]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.rtsp_process", str(clip), str(port)),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(listens, within_s=WITHIN_S, what="the camera listens")
    yield CameraProcess(process, f"rtsp://127.0.0.1:{port}/five.mp4?play_count=0")
    process.kill()
    await process.wait()


@dataclass
class RecorderUnderTest:
    """A recorder's process, its settings, a client of its socket, and its manifests."""

    file: Path
    data_dir: Path
    client: RecorderClient
    statuses: list[StatusSaid] = field(default_factory=list)
    process: Process | None = None

    @property
    def manifests(self) -> list[Path]:
        return sorted((self.data_dir / "recordings" / CAMERA).glob("*/manifest.jsonl"))

    def lines(self) -> list[bytes]:
        """Whole lines of the chain."""
        found = b"".join(path.read_bytes() for path in self.manifests)
        return found.split(b"\n")[:-1]

    def entries(self) -> list[Entry]:
        return [parse_entry(raw)[1] for raw in self.lines()]

    def of(self, kind: type[Entry]) -> list[Entry]:
        return [entry for entry in self.entries() if isinstance(entry, kind)]

    def gaps(self) -> list[Gap]:
        return [entry for entry in self.entries() if isinstance(entry, Gap)]

    def track(self) -> TrackStatus | None:
        status = self.client.status
        return status.tracks[0] if status and self.client.connected else None

    def state(self) -> RecordingState | None:
        track = self.track()
        return track.state if track else None

    def check_chain(self) -> None:
        """Each line follows from the one before, and is signed by the key beside it."""
        keys = PublicKeys()
        for path in (self.data_dir / "recordings" / "keys").glob("*.pem"):
            keys.add_pem(path.read_bytes())
        head = NOTHING
        for number, raw in enumerate(self.lines(), start=1):
            line, entry = parse_entry(raw)
            assert (entry.sequence, entry.previous) == (number, head)
            assert keys.verify(entry.key, line.signed, line.signature)
            head = split_line(raw).sha256

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge.recorder", "--config", str(self.file)),
            env={**os.environ, **ENVIRON},
            stderr=PIPE,
        )

    async def recording(self) -> None:
        await until(
            lambda: self.state() is RecordingState.RECORDING,
            within_s=WITHIN_S,
            what="the track is recorded",
        )

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.ended()

    async def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Wait for its end; its exit status."""
        assert self.process is not None
        _, said = await self.process.communicate()
        self.said = said.decode()
        status = self.process.returncode
        self.process = None
        assert status is not None
        return status


def new_recorder(folder: Path, url: str, **settings: object) -> RecorderUnderTest:
    data_dir = folder / "data"
    document = {
        "node": NODE,
        "site_dir": str(write_site(folder / "site", url)),
        "data_dir": str(data_dir),
        "mqtt": {"client_id": NODE},
        "recording": {"segment_s": 10},
        **settings,
    }
    file = folder / "edge.yaml"
    file.write_text(json.dumps(document))
    client = RecorderClient(data_dir / "recorder.sock", SystemClock(), random.Random(1))
    made = RecorderUnderTest(file, data_dir, client)
    client.on_status(made.statuses.append)
    return made


@pytest.fixture
async def recorder(camera: CameraProcess, tmp_path: Path) -> AsyncIterator[RecorderUnderTest]:
    """Not started yet."""
    made = new_recorder(tmp_path, camera.url)
    task = asyncio.create_task(made.client.run())
    yield made
    if made.process is not None:
        await made.kill()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
