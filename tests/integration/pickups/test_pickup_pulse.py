"""A pickup through PyAudio, from a real PulseAudio that plays signals we know."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from contracts.devices import Named, PickupConfig
from contracts.evidence.entries import GapReason
from edge.capture.pickup import PickupEvent, PickupSource
from edge.capture.pickup_devices import Loss
from edge.capture.pickup_stream import SoundSink
from edge.core.recording import LevelSaid
from runtime.clock import SystemClock
from tests.fakes.pickup_sink import KeepingSink
from tests.fakes.pulse import (
    Microphone,
    PulseServer,
    Samples,
    found_at,
    installed,
    loudest_hz,
    noise,
    sine,
)
from tests.fakes.waiting import until, until_blocking

if not installed():
    pytest.skip("needs pulseaudio, pactl and pacat", allow_module_level=True)

START_S = 20.0  # a busy machine needs seconds to start a process and PortAudio
LEVEL_DBFS = -20.0
LEVEL_ERROR_MAX_DB = 0.5
FREQUENCY_ERROR_MAX_HZ = 4.0
PLAYER_START = 4_800  # the player's first tenth of a second may be cut by the sink's own start
PLAYINGS = 3  # a starved player leaves gaps of its own; a source that loses samples always does
LISTENINGS = 4  # a microphone that is starved feeds late; stamps that are wrong are so each time
STAMP_ERROR_MAX_MS = 30
DESK = "desk_mic"


def pickup(device: str = DESK, **fields: object) -> PickupConfig:
    name = Named(zh="拾音器", en="Pickup")
    plain = {"kind": "pickup", "id": "mic-1", "area": "room-1", "name": name, "device": device}
    return PickupConfig.model_validate({**plain, **fields})


class Ears:
    """One running pickup, and all it has said."""

    def __init__(
        self, pulse: PulseServer, config: PickupConfig, sinks: Sequence[SoundSink] = ()
    ) -> None:
        self.said: list[PickupEvent] = []
        self.sink = KeepingSink()
        self.source = PickupSource(
            config,
            SystemClock(),
            random.Random(1),
            self.said.append,
            (self.sink, *sinks),
            environ=pulse.environ,
            look_ms=200,
        )

    @property
    def levels(self) -> list[float]:
        return [event.dbfs for event in self.said if isinstance(event, LevelSaid)]

    @property
    def live(self) -> bool:
        return self.source.state is not None and self.source.state.live

    @property
    def loss(self) -> Loss | None:
        return self.source.state.loss if self.source.state else None

    async def hear(self, seconds: float) -> Samples:
        """Everything since the stream was opened, once there are ``seconds`` of it."""
        await until(lambda: self.sink.seconds >= seconds, within_s=30, what=f"{seconds} s heard")
        return self.sink.heard[-1].samples()


@asynccontextmanager
async def listening(
    pulse: PulseServer, config: PickupConfig, sinks: Sequence[SoundSink] = ()
) -> AsyncIterator[Ears]:
    ears = Ears(pulse, config, sinks)
    task = asyncio.create_task(ears.source.run())
    try:
        yield ears
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    inputs = {DESK: "desk.monitor", "wall_mic": "wall"}
    server = PulseServer(tmp_path_factory.mktemp("pulse"), inputs)
    server.start()
    server.add_sink("desk")
    yield server
    server.stop()


@pytest.fixture
def own_pulse(tmp_path: Path) -> Iterator[PulseServer]:
    """For tests that unplug and kill: not shared, and with one source alone."""
    server = PulseServer(tmp_path, {DESK: "desk.monitor"})
    server.start()
    yield server
    server.stop()


async def played(player: "subprocess.Popen[bytes]") -> None:
    await until(lambda: player.poll() is not None, within_s=30, what="the signal was played")


async def test_no_sample_is_missing_and_no_noise_of_alsa_comes_through(
    pulse: PulseServer, capfd: pytest.CaptureFixture[str]
) -> None:
    signal_played = noise(3)
    # part of a name is enough, in any case of letters
    async with listening(pulse, pickup("desk", host_api="alsa")) as ears:
        await until(lambda: ears.live, within_s=START_S, what="live")
        for _ in range(PLAYINGS):
            with pulse.playing("desk", signal_played) as player:
                await played(player)
            heard = await ears.hear(ears.sink.seconds + 0.5)
            if found_at(heard, signal_played[PLAYER_START:]) is not None:
                break
        assert found_at(heard, signal_played[PLAYER_START:]) is not None
        assert ears.source.counts.overflows == 0
    captured = capfd.readouterr()
    assert "ALSA lib" not in captured.out + captured.err
    assert "jack" not in (captured.out + captured.err).lower()


async def test_frequency_and_level_are_those_that_were_played_at_any_rate(
    pulse: PulseServer,
) -> None:
    configs = [
        pickup(),
        pickup(rate_hz=44_100),
        pickup(rate_hz=16_000, codec="aac"),
        pickup(rate_hz=8_000),
    ]
    async with AsyncExitStack() as stack:
        group = [await stack.enter_async_context(listening(pulse, each)) for each in configs]
        await until(lambda: all(ears.live for ears in group), within_s=START_S, what="all live")
        with pulse.playing("desk", sine(1_000, LEVEL_DBFS, 1.6)) as player:
            await played(player)
        for ears, config in zip(group, configs, strict=True):
            heard = await ears.hear(ears.sink.seconds + 0.2)
            loud = sorted(ears.levels)[-8:-2]
            errors_db = [abs(level - LEVEL_DBFS) for level in loud]
            assert max(errors_db) < LEVEL_ERROR_MAX_DB, config.rate_hz
            middle = int(np.median(np.flatnonzero(np.abs(heard) > np.abs(heard).max() // 2)))
            hz = loudest_hz(heard[middle - 12_000 : middle + 12_000])
            assert abs(hz - 1_000) < FREQUENCY_ERROR_MAX_HZ, config.rate_hz


async def test_silence_is_a_level_and_no_gap(pulse: PulseServer) -> None:
    async with listening(pulse, pickup()) as ears:
        heard = await ears.hear(1.5)
        assert not heard.any()
        assert set(ears.levels) == {-120.0}
        assert ears.live
        assert ears.sink.losses == []


async def test_stamps_follow_the_nodes_clock(pulse: PulseServer) -> None:
    wall = pulse.microphone("wall")
    found = []
    try:
        wall.feed(clicks)
        for _ in range(LISTENINGS):
            async with listening(pulse, pickup("wall_mic")) as ears:
                heard = await ears.hear(3)
                errors = click_errors_ms(ears, heard, wall)
                assert len(errors) >= 5
                # PulseAudio's own estimate of its latency wanders; what came first must be right.
                first_ms = max(abs(error) for error in errors[:2])
                worst_ms = max(abs(error) for error in errors)
                found.append((first_ms, worst_ms / 3, abs(ears.source.sound_offset_ms)))
            if max(found[-1]) < STAMP_ERROR_MAX_MS:
                break
        assert max(found[-1]) < STAMP_ERROR_MAX_MS, f"in {len(found)} listenings: {found}"
    finally:
        wall.close()
        pulse.unload(wall.module)


CLICK_EVERY = 24_000  # half a second: a click's number is in its height
CLICK_FROM, CLICK_STEP = 8_000, 100


def clicks(first: int, count: int) -> Samples:
    block = np.zeros(count, np.int16)
    place = -first % CLICK_EVERY
    if place < count:
        block[place] = CLICK_FROM + CLICK_STEP * ((first + place) // CLICK_EVERY)
    return block


def click_errors_ms(ears: Ears, heard: Samples, microphone: Microphone) -> list[float]:
    """How much later than it was fed each click is stamped."""
    stream = ears.sink.heard[-1]
    fed = dict(microphone.marks)
    errors = []
    for place in np.flatnonzero(heard >= CLICK_FROM):
        packet, rest = divmod(int(place), stream.packets[0].duration or 1)
        number = (int(heard[place]) - CLICK_FROM) // CLICK_STEP
        # two ways to tell the time of a sample, which must agree: the stamps, and the instants
        ticks, at = stream.stamps[packet]
        by_instant_ms = at.mono_ms + rest / 48
        by_stamp_ms = stream.stamps[0][1].mono_ms + (ticks + rest) / 48
        assert abs(by_instant_ms - by_stamp_ms) < 3
        errors.append(by_instant_ms - fed[number * CLICK_EVERY])
    return errors


async def test_what_is_unplugged_or_dies_is_lost_and_found_again(own_pulse: PulseServer) -> None:
    module = own_pulse.add_sink("desk")
    async with listening(own_pulse, pickup()) as ears:
        await ears.hear(1)
        own_pulse.unload(module)
        await until(lambda: ears.loss is Loss.ENDED, within_s=START_S, what="lost")
        reason, since, detail = ears.sink.losses[0]
        assert reason is GapReason.PICKUP_LOST
        assert "unplugged?" in detail
        last = ears.sink.heard[0].stamps[-1][1]
        assert 0 <= since.mono_ms - last.mono_ms < 200
        own_pulse.add_sink("desk")
        await until(lambda: len(ears.sink.heard) == 2, within_s=START_S, what="heard again")
        assert ears.live
        assert ears.sink.heard[1].stamps[0][1].mono_ms > last.mono_ms

        own_pulse.stop(signal.SIGKILL)
        await until(lambda: ears.loss is Loss.MISSING, within_s=START_S, what="missing")
        own_pulse.start()
        own_pulse.add_sink("desk")
        await until(lambda: ears.live, within_s=START_S, what="live again")


async def test_process_that_hangs_is_replaced(pulse: PulseServer) -> None:
    async with listening(pulse, pickup()) as ears:
        await until(lambda: ears.live, within_s=START_S, what="live")
        first = ears.source.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        await until(lambda: ears.loss is Loss.STALLED, within_s=START_S, what="stalled")
        await until(lambda: ears.live, within_s=START_S, what="live again")
        assert ears.source.pid != first


async def test_name_that_fits_none_or_several_says_what_is_there(pulse: PulseServer) -> None:
    async with (
        listening(pulse, pickup("_mic")) as several,
        listening(pulse, pickup("roof")) as none,
    ):
        await until(lambda: several.loss and none.loss, within_s=START_S, what="both lost")
        assert several.loss is Loss.AMBIGUOUS
        assert none.loss is Loss.MISSING
        for ears in (several, none):
            state = ears.source.state
            assert state is not None
            assert "'desk_mic' (ALSA), 'wall_mic' (ALSA)" in state.detail
            assert ears.sink.heard == []


PARENT = """
import subprocess, sys
command = (sys.executable, "-m", "edge.capture.pickup_process", "--device", "desk_mic")
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.read(1)
print(child.pid, flush=True)
child.wait()
"""


def test_process_ends_when_its_parent_is_killed(pulse: PulseServer) -> None:
    parent = subprocess.Popen(
        (sys.executable, "-c", PARENT), env=pulse.environ, stdout=subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child)
    finally:
        parent.kill()
        parent.communicate()
    until_blocking(lambda: gone(child), what="the child has ended")


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
