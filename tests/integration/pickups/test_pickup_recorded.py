"""A pickup through the recorder's own track: files that play again, and a gap for what was lost."""

import asyncio
import io
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from contracts.devices import Named, PickupConfig
from contracts.evidence.entries import GapReason
from edge.capture.pickup import PickupSource
from edge.core.recording import (
    FragmentMade,
    GapBegan,
    GapEnded,
    SegmentEnded,
    SegmentOpened,
    TrackItem,
)
from edge.recording.offset_told import OffsetTold
from edge.recording.track import TrackRecorder, TrackSettings
from runtime.clock import SystemClock
from tests.fakes.pulse import PulseServer, Samples, found_at, installed, noise, sine
from tests.fakes.waiting import until

if not installed():
    pytest.skip("needs pulseaudio, pactl and pacat", allow_module_level=True)

START_S = 20.0
PLAYINGS = 3  # a starved player leaves gaps of its own; a source that loses samples always does


class Items:
    """A queue before the disk that keeps everything."""

    broken: GapReason | None = None

    def __init__(self) -> None:
        self.items: list[TrackItem] = []

    def offer(self, item: TrackItem) -> bool:
        self.items.append(item)
        return True

    def ready(self) -> bool:
        return True

    def files(self) -> list[bytes]:
        """The bytes of each file, as the disk would have them."""
        files: list[bytes] = []
        for item in self.items:
            if isinstance(item, SegmentOpened):
                files.append(item.head)
            elif isinstance(item, FragmentMade):
                files[-1] += item.data
        return files

    @property
    def recorded_ms(self) -> int:
        made = [item for item in self.items if isinstance(item, FragmentMade)]
        return made[-1].duration_ms if made else 0


def played_again(data: bytes) -> Samples:
    with av.open(io.BytesIO(data), "r") as container:
        blocks = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(blocks).astype(np.int16)


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[PulseServer]:
    server = PulseServer(tmp_path, {"desk_mic": "desk.monitor"})
    server.start()
    yield server
    server.stop()


async def test_a_pickup_is_recorded_bit_by_bit_and_its_loss_is_a_gap(pulse: PulseServer) -> None:
    sink = pulse.add_sink("desk")
    items, clock = Items(), SystemClock()
    queue = OffsetTold(items)
    recorder = TrackRecorder(TrackSettings("mic-1"), queue, clock)
    name = Named(zh="拾音器", en="Pickup")
    config = PickupConfig(kind="pickup", id="mic-1", area="room-1", name=name, device="desk_mic")
    source = PickupSource(
        config,
        clock,
        random.Random(1),
        lambda event: None,
        (recorder,),
        environ=pulse.environ,
        look_ms=200,
    )
    queue.measure_by(lambda: source.sound_offset_ms)
    task = asyncio.create_task(source.run())
    try:
        await until(lambda: items.recorded_ms > 500, within_s=START_S, what="half a second")
        signal_played = noise(2)
        for _ in range(PLAYINGS):
            with pulse.playing("desk", signal_played) as player:
                await until(lambda: player.poll() is not None, within_s=30, what="played")
        enough_ms = items.recorded_ms + 1_000
        await until(lambda: items.recorded_ms > enough_ms, within_s=30, what="all recorded")
        pulse.unload(sink)
        await until(lambda: recorder.facts.reason, within_s=START_S, what="a gap")
        assert recorder.facts.reason is GapReason.PICKUP_LOST
        pulse.add_sink("desk")
        await until(lambda: len(items.files()) == 2, within_s=START_S, what="a second file")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        recorder.stop()

    first = items.files()[0]
    heard = played_again(first)
    assert found_at(heard, signal_played[4_800:]) is not None
    opened = next(item for item in items.items if isinstance(item, SegmentOpened))
    assert (opened.media.audio, opened.media.rate_hz, opened.media.video) == ("flac", 48_000, None)
    ended = [item for item in items.items if isinstance(item, SegmentEnded)]
    assert len(ended) == 2
    assert all(
        item.sound_offset_ms is not None and abs(item.sound_offset_ms) < 60 for item in ended
    )
    last = [item for item in items.items if isinstance(item, FragmentMade)]
    duration_ms = max(item.duration_ms for item in last)
    # A null sink shifts its own time when a player joins it: then the stamps leave a hole.
    assert abs(duration_ms - heard.size / 48 - source.counts.missing_ms) < 30
    kinds = [type(item) for item in items.items if not isinstance(item, FragmentMade)]
    gaps = [item for item in items.items if isinstance(item, GapBegan)]
    assert gaps[0].reason is GapReason.STARTING
    assert {gap.reason for gap in gaps[1:]} == {GapReason.PICKUP_LOST}
    assert kinds.count(GapEnded) == 2
    lost_ms = gaps[1].since.mono_ms - opened.start.mono_ms
    assert abs(lost_ms - duration_ms) < 200


def test_commands_list_inputs_and_show_a_level(pulse: PulseServer) -> None:
    pulse.add_sink("desk")

    def command(*words: str) -> "subprocess.CompletedProcess[str]":
        start = "from zeroentry.pickups import app; app()"
        return subprocess.run(
            (sys.executable, "-c", start, *words),
            check=False,
            capture_output=True,
            text=True,
            env={**pulse.environ, "COLUMNS": "120"},
        )

    listed = command("list", "--lang", "zh")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "设备名" in listed.stdout
    assert "desk_mic" in listed.stdout
    with pulse.playing("desk", sine(1_000, -20, 30)):
        shown = command("meter", "desk", "--seconds", "1.5", "--lang", "en")
    assert shown.returncode == 0, shown.stderr
    assert "-20.0 dBFS" in shown.stdout
    wrong = command("meter", "roof", "--lang", "zh")
    assert wrong.returncode == 2
    assert "没有这个名称的输入设备" in wrong.stderr
    assert "'desk_mic' (ALSA)" in wrong.stderr
