"""A recorder whose disk can be filled and made read-only, and what its chain must hold to."""

import asyncio
import contextlib
import os
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from contracts.evidence.entries import At, Entry, Gap, GapReason, Segment
from contracts.observations import RecordingState
from edge.core.recording import SealTracks
from edge.recorder.client import RecorderClient
from runtime.clock import SystemClock
from tests.fakes.edge_site import ENVIRON, FPS
from tests.fakes.small_disk import NoSmallDiskError, SmallDisk, small_disk
from tests.fakes.waiting import until
from tests.integration.edge_recorder.conftest import (
    WITHIN_S,
    CameraProcess,
    RecorderUnderTest,
    camera,
    clip,
    new_recorder,
)
from zeroentry.evidence.findings import Finding, Weight
from zeroentry.evidence.verify import Asked, verify

__all__ = ["camera", "clip"]

DISK_MIB = 24
HOLE_MS = 2_000  # the writer calls a longer silence between two segments unexplained
SEAL = SealTracks(room_id="room-1", session_id="s-1", admitted=5, keep_days=10)


@dataclass
class RecorderOnDisk(RecorderUnderTest):
    """A recorder that is started where its small disk can be seen."""

    inside: tuple[str, ...] = ()

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(*self.inside, sys.executable, "-m", "edge.recorder", "--config", str(self.file)),
            env={**os.environ, **ENVIRON},
            stderr=PIPE,
        )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A tmpfs where the recorder's recordings lie."""
    at = tmp_path / "data" / "recordings"
    at.mkdir(parents=True)
    try:
        with small_disk(at, DISK_MIB) as made:
            yield made
    except NoSmallDiskError as error:
        pytest.skip(str(error))


@pytest.fixture
async def on_disk(
    camera: CameraProcess, disk: SmallDisk, tmp_path: Path
) -> AsyncIterator[RecorderOnDisk]:
    """Not started yet."""
    async with recorder_on(new_recorder(tmp_path, camera.url), disk) as made:
        yield made


@contextlib.asynccontextmanager
async def recorder_on(plain: RecorderUnderTest, disk: SmallDisk) -> AsyncIterator[RecorderOnDisk]:
    """The recorder with its recordings on the small disk; ends what still runs."""
    made = RecorderOnDisk(
        plain.file,
        disk.seen(plain.data_dir),
        RecorderClient(plain.data_dir / "recorder.sock", SystemClock(), random.Random(1)),
        inside=disk.inside,
    )
    made.client.on_status(made.statuses.append)
    task = asyncio.create_task(made.client.run())
    try:
        yield made
    finally:
        if made.process is not None:
            await made.kill()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def faults(recordings: Path) -> list[Finding]:
    """What ``zeroentry evidence verify`` finds altered or missing."""
    report = verify(Asked(recordings, node_key=recordings / "keys"))
    assert report.tracks
    return [found for found in report.all_findings if found.weight is Weight.FAULT]


def holes_ms(entries: list[Entry]) -> list[int]:
    """How much time lies untold between what segments and gaps cover, by the monotonic clock.

    Negative: told twice.
    """
    told = sorted(
        ((one.start, one.duration_ms) for one in entries if isinstance(one, Segment | Gap)),
        key=lambda row: row[0].mono_ms,
    )
    return [
        int(after.mono_ms) - (int(before.mono_ms) + duration_ms)
        for (before, duration_ms), (after, _) in pairwise(told)
    ]


def end_mono_ms(start: At, duration_ms: int) -> int:
    """When something ended, on the monotonic clock."""
    return int(start.mono_ms) + duration_ms


def says(recorder: RecorderUnderTest, reason: GapReason) -> bool:
    track = recorder.track()
    return track is not None and track.state is RecordingState.GAP and track.reason is reason


def has_recorded(recorder: RecorderUnderTest, packets: int) -> bool:
    track = recorder.track()
    return track is not None and track.video_packets >= packets


async def goes_on(recorder: RecorderUnderTest) -> None:
    """Wait until a new file grows after the trouble."""
    await recorder.recording()
    track = recorder.track()
    assert track is not None
    more = track.video_packets + FPS
    await until(lambda: has_recorded(recorder, more), within_s=WITHIN_S, what="it goes on")
