"""A pickup's parent against processes that speak, crash, hang and talk nonsense."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from contracts.devices import Named, PickupConfig
from contracts.evidence.entries import Ending, GapReason
from edge.capture.pickup import PickupEvent, PickupSource, PickupState, command
from edge.capture.pickup_devices import Loss
from edge.core.recording import SegmentEnded, TrackItem
from edge.recording.offset_told import OffsetTold
from runtime.clock import SystemClock
from tests.fakes.pickup_sink import KeepingSink
from tests.fakes.waiting import until

CONFIG = PickupConfig(
    kind="pickup", id="mic-1", area="room-1", name=Named(zh="拾音器", en="Pickup"), device="USB"
)

SPEAK = """
import sys
from edge.capture.pickup_devices import Loss
from edge.capture.pickup_frames import Lost, Opened, Sound, pack
out = sys.stdout.buffer
now = int(sys.argv[1])
def say(*frames):
    for frame in frames:
        out.write(pack(frame))
    out.flush()
def blocks(start, count, late_us=0):
    for n in range(start, start + count):
        say(Sound(n * 960, now + n * 20_000 + late_us, 0, True, bytes(1920)))
opened = Opened("USB mic", "ALSA", 48_000, 1, 12_000)
"""


class Told:
    def __init__(self, script: str) -> None:
        self.events: list[PickupEvent] = []
        self.sink = KeepingSink()
        now_us = SystemClock().mono_ms() * 1000
        process = (sys.executable, "-S", "-c", SPEAK + script, str(now_us))
        self.source = PickupSource(
            CONFIG,
            SystemClock(),
            random.Random(1),
            self.events.append,
            (self.sink,),
            process=process,
        )

    @property
    def states(self) -> list[PickupState]:
        return [event for event in self.events if isinstance(event, PickupState)]


@asynccontextmanager
async def running(script: str) -> AsyncIterator[Told]:
    told = Told(script)
    task = asyncio.create_task(told.source.run())
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert told.source.pid is None


@pytest.mark.parametrize(
    ("script", "loss", "says"),
    [
        ("sys.exit(7)", Loss.CRASHED, "status 7"),
        ("print('Cannot connect to server')", Loss.CRASHED, "a frame of"),
        ("raise RuntimeError('x')", Loss.CRASHED, "status 1"),
        ("say(opened); blocks(0, 5)", Loss.CRASHED, "status 0"),
        ("blocks(0, 1)", Loss.CRASHED, "sound of no device"),
        ("say(opened, Lost(Loss.ENDED, 'unplugged?'))", Loss.ENDED, "unplugged?"),
        ("say(Lost(Loss.MISSING, 'there are none')); sys.stdin.read()", Loss.MISSING, "none"),
        ("say(Lost(Loss.NOT_INSTALLED, 'apt-get'))", Loss.NOT_INSTALLED, "apt-get"),
    ],
)
async def test_why_there_is_no_sound_is_told(script: str, loss: Loss, says: str) -> None:
    async with running(script) as told:
        await until(lambda: told.sink.losses, within_s=30, what="a loss is told")
        lost = next(state for state in told.states if not state.live)
        assert lost.loss is loss
        assert says in lost.detail
        reason, since, detail = told.sink.losses[0]
        assert (reason, since, detail) == (GapReason.PICKUP_LOST, lost.since, lost.detail)


async def test_a_pickup_that_was_short_keeps_what_it_gave() -> None:
    async with running("say(opened); blocks(0, 5); sys.exit(1)") as told:
        await until(lambda: told.sink.losses, within_s=30, what="lost")
        assert told.sink.heard[0].samples().size == 5 * 960
        # lost since the end of the last block
        first = told.sink.heard[0].stamps[0][1]
        assert told.sink.losses[0][1].mono_ms - first.mono_ms == 100
        assert told.source.counts.samples == 5 * 960


async def test_a_long_hole_ends_the_stream_and_a_short_one_moves_the_stamps() -> None:
    script = """
say(opened); blocks(0, 60); blocks(60, 60, 300_000)
blocks(120, 60, 2_300_000); sys.stdin.read()
"""
    async with running(script) as told:
        await until(lambda: len(told.sink.heard) == 2, within_s=30, what="a second stream")
        before, after = told.sink.heard
        spans = [b[0] - a[0] for a, b in zip(before.stamps, before.stamps[1:], strict=False)]
        assert max(spans) > 4_608 + 14_000  # 300 ms are 14 400 samples
        assert sorted(spans)[len(spans) // 2] == 4_608
        assert told.sink.losses == [
            (GapReason.PICKUP_LOST, told.sink.losses[0][1], "samples are missing")
        ]
        hole_ms = after.stamps[0][1].mono_ms - before.stamps[-1][1].mono_ms
        assert 2_000 <= hole_ms < 2_300
        assert all(state.live for state in told.states)
        assert told.source.counts.missing_ms == pytest.approx(2_300, abs=20)


async def test_samples_that_were_left_out_end_the_stream() -> None:
    async with running("say(opened); blocks(0, 50); blocks(90, 50); sys.stdin.read()") as told:
        await until(lambda: len(told.sink.heard) == 2, within_s=30, what="a second stream")
        assert told.sink.heard[0].samples().size == 50 * 960
        assert [detail for _, _, detail in told.sink.losses] == ["samples are missing"]


def test_the_command_names_device_rate_and_inputs() -> None:
    config = CONFIG.model_copy(update={"channel": 2, "host_api": "ALSA", "rate_hz": 44_100})
    assert command(config, 500)[1:] == (
        *("-m", "edge.capture.pickup_process", "--device", "USB"),
        *("--rate", "44100", "--channels", "2", "--host-api", "ALSA", "--look-ms", "500"),
    )


class KeptItems:
    broken = None

    def __init__(self) -> None:
        self.items: list[TrackItem] = []

    def offer(self, item: TrackItem) -> bool:
        self.items.append(item)
        return True

    def ready(self) -> bool:
        return True


def test_a_finished_segment_is_told_how_far_its_stamps_are_off() -> None:
    kept = KeptItems()
    told = OffsetTold(kept)
    told.offer(SegmentEnded(Ending.FULL))
    told.measure_by(lambda: 12)
    told.offer(SegmentEnded(Ending.FULL))
    told.offer(SegmentEnded(Ending.FULL, 40))
    offsets = [item.sound_offset_ms for item in kept.items if isinstance(item, SegmentEnded)]
    assert offsets == [None, 12, 40]
    assert told.ready()
    assert told.broken is None


GUIDE = Path(__file__).parents[4] / "docs" / "guide" / "pickups.md"


def test_the_guides_example_is_a_pickup() -> None:
    text = GUIDE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    config = PickupConfig.model_validate(yaml.safe_load(text))
    assert (config.device, config.host_api, config.channel) == ("USB Audio Device", "ALSA", 1)
