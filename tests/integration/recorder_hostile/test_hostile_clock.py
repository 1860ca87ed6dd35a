"""A recorder whose clock steps by an hour, forth over midnight and back: named, and in order."""

import asyncio
import os
import random
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from contracts.evidence.entries import Changed, GapReason
from contracts.observations import RecordingState
from edge.recorder.__main__ import Desk, open_disk, wire
from edge.recorder.client import RecorderClient
from edge.recorder.settings import RecorderSettings
from runtime import settings
from runtime.clock import SystemClock
from runtime.site import load_site
from tests.fakes.edge_site import FPS
from tests.fakes.stepping_clock import SteppingClock
from tests.fakes.waiting import until
from tests.integration.edge_recorder.conftest import (
    WITHIN_S,
    CameraProcess,
    RecorderUnderTest,
    new_recorder,
)
from tests.integration.recorder_hostile.conftest import HOLE_MS, faults, holes_ms

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


async def grows(recorder: RecorderUnderTest) -> None:
    """Wait until two more seconds are recorded."""
    track = recorder.track()
    wanted = (track.video_packets if track else 0) + 2 * FPS

    def grown() -> bool:
        now = recorder.track()
        return (
            now is not None
            and now.state is RecordingState.RECORDING
            and now.video_packets >= wanted
        )

    await until(grown, within_s=WITHIN_S, what="two seconds more")


def steps(recorder: RecorderUnderTest) -> list[Changed]:
    """The entries on stepped clocks."""
    found = (one for one in recorder.entries() if isinstance(one, Changed))
    return [one for one in found if one.what == "clock_step"]


def entered(recorder: RecorderUnderTest, count: int) -> bool:
    return len(steps(recorder)) == count


def shown(recorder: RecorderUnderTest, step_ms: int) -> bool:
    status = recorder.client.status
    return status is not None and abs(status.clock_step_ms - step_ms) < HOLE_MS


async def test_a_clock_that_steps_an_hour_over_midnight_and_back(
    camera: CameraProcess, tmp_path: Path
) -> None:
    made = new_recorder(tmp_path, camera.url)
    real_utc_ms = SystemClock().utc_ms()
    clock = SteppingClock(DAY_MS - HOUR_MS // 2 - real_utc_ms % DAY_MS)  # half past eleven at night
    config = settings.load(RecorderSettings, file=made.file, environ={}, overrides={})
    client = made.client = RecorderClient(made.data_dir / "recorder.sock", clock, random.Random(1))
    with ExitStack() as stack:
        disk, keys = await open_disk(config, clock)
        desk = Desk(config, load_site(config.site_dir), disk, keys, clock, os.environ)
        service = wire(desk, stack)
        tasks = [asyncio.create_task(service.run()), asyncio.create_task(client.run())]
        await made.recording()
        await grows(made)
        for number, step_ms in enumerate((HOUR_MS, -HOUR_MS), start=1):
            clock.step_ms(step_ms)
            await until(
                partial(entered, made, number), within_s=WITHIN_S, what="the step is entered"
            )
            await until(partial(shown, made, step_ms), what="the status says by how much")
            await grows(made)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    by_ms = [int(one.after.partition("(")[2].split()[0]) for one in steps(made)]
    assert [round(ms / HOUR_MS, 2) for ms in by_ms] == [1, -1]
    made.check_chain()
    # Judges names and days too: each file named after its start, no day opened a second time.
    assert faults(made.data_dir / "recordings") == []
    assert len(made.manifests) == 2
    assert {gap.reason for gap in made.gaps()} <= {GapReason.STARTING}
    assert max(map(abs, holes_ms(made.entries()))) <= HOLE_MS
