"""Captures one pickup by PortAudio and writes frames to stdout: a process of its own.

PortAudio may block, loop or abort the process, and renews its list of devices only when it is
ended and started again, which ends every stream. So each pickup has a process, and whoever
started it may kill it at any time (docs/adr/0007).

    python -m edge.capture.pickup_process --device NAME [--host-api ALSA] [--rate 48000]
    python -m edge.capture.pickup_process --list
"""

import argparse
import ctypes
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from edge.capture.pickup_devices import DEFAULT_NAME, InputDevice, Loss, PickupLost, choose
from edge.capture.pickup_frames import SAMPLE_BYTES, Listed, Lost, Opened, PickupFrame, Sound, pack
from runtime.clock import Clock, SystemClock

BLOCKS_PER_S: Final = 20
# The driver's buffer grows with the block. Nobody waits for this sound, so a busy machine may leave
# us alone for some 100 ms; with blocks of 20 ms samples were lost at a load of ten on two cores.
NICENESS: Final = -10  # what a reader of a sound card needs is little, and needs it in time
QUEUE_BLOCKS_MAX: Final = 200
# Ten seconds. Who reads us may pause that long; after that, samples are left out and counted.
FIRST_S: Final = 10.0  # a sound server gives its first block after 0.8 s, if it is not busy
STALL_S: Final = 2.0  # a live device gives a block each 50 ms
CHECK_S: Final = 0.1  # how often the stream is asked whether it still runs
LATENCY_MAX_US: Final = 5_000_000  # a driver that says more has no idea
RATES_HZ: Final = (48_000, 44_100, 96_000, 32_000, 16_000, 8_000)
LOOK_MS: Final = 5_000  # starting PortAudio costs 50 to 200 ms of a core
SOUND_DEVICES: Final = Path("/dev/snd")  # what changes when a USB microphone is plugged in
EXIT_LOST: Final = 3

HINT_INSTALL: Final = (
    "install it: apt-get install portaudio19-dev gcc python3-dev, then pip install "
    "'zero-entry[pickup]'"
)
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to capture. ``channels`` is what must be there at least."""

    device: str
    host_api: str | None
    rate_hz: int
    channels: int


class Output:
    """The real stdout, which nobody else in this process can write to."""

    def __init__(self) -> None:
        # ALSA, JACK and PortAudio print what they like to 1 and 2; frames and logs stay clean.
        self._fd = os.dup(1)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
        os.dup2(silence, 2)
        os.close(silence)

    def send(self, frame: PickupFrame) -> None:
        """Write a whole frame; waits while the reader is slow.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        rest = memoryview(pack(frame))
        while rest:
            rest = rest[os.write(self._fd, rest) :]


class Capture:
    """Blocks of one open stream, between PortAudio's thread and ours."""

    def __init__(self, clock: Clock, channels: int, latency_us: int) -> None:
        self._clock = clock
        self._frame_bytes = channels * SAMPLE_BYTES
        self._latency_us = latency_us
        self._blocks: deque[Sound] = deque()
        self._filled = threading.Event()
        self._next = 0
        self._overflows = 0

    def take(
        self, data: bytes | None, count: int, times: Mapping[str, float], *, overflow: bool
    ) -> None:
        """One block, in PortAudio's thread: must not wait."""
        now_us = self._clock.mono_ms() * 1000
        first, self._next = self._next, self._next + count
        self._overflows += overflow
        # Both readings are PortAudio's, so their difference holds whatever clock it reads.
        age_us = round((times["current_time"] - times["input_buffer_adc_time"]) * 1e6)
        timed = times["input_buffer_adc_time"] > 0 and 0 <= age_us <= LATENCY_MAX_US
        if data is None or len(self._blocks) >= QUEUE_BLOCKS_MAX:
            return  # `first` of the next block tells how many are missing
        captured_us = now_us - (age_us if timed else self._latency_us)
        samples = bytes(data[: count * self._frame_bytes])
        self._blocks.append(Sound(first, captured_us, self._overflows, timed, samples))
        self._filled.set()

    def wait(self, limit_s: float) -> list[Sound]:
        """The blocks that have come; none after ``limit_s``."""
        self._filled.wait(limit_s)
        self._filled.clear()
        blocks = []
        while self._blocks:
            blocks.append(self._blocks.popleft())
        return blocks


def inputs(audio: Any) -> tuple[InputDevice, ...]:  # noqa: ANN401 - PyAudio publishes no types
    """All inputs that PortAudio has found at its start."""
    preferred = _preferred(audio)
    devices = []
    for index in range(audio.get_device_count()):
        info = audio.get_device_info_by_index(index)
        if info["maxInputChannels"] < 1:
            continue
        api = audio.get_host_api_info_by_index(info["hostApi"])["name"]
        devices.append(
            InputDevice(
                index=index,
                name=str(info["name"]),
                host_api=str(api),
                rate_hz=round(info["defaultSampleRate"]),
                channels=int(info["maxInputChannels"]),
                preferred=index == preferred,
            )
        )
    return tuple(devices)


def _preferred(audio: Any) -> int | None:  # noqa: ANN401 - PyAudio publishes no types
    try:
        return int(audio.get_default_input_device_info()["index"])
    except OSError:  # there is none
        return None


def formats(device: InputDevice, wanted: Wanted) -> list[tuple[int, int]]:
    """Rates and channel counts to try, the wanted ones first."""
    rates = dict.fromkeys((wanted.rate_hz, device.rate_hz, *RATES_HZ))
    counts = dict.fromkeys((wanted.channels, 2, device.channels))
    usable = [count for count in counts if wanted.channels <= count <= device.channels]
    return [(rate, count) for rate in rates for count in usable]


def _load() -> ModuleType:
    try:
        import pyaudio  # type: ignore[import-untyped] # noqa: PLC0415 - it publishes no types, and only this process may hold PortAudio
    except ImportError as error:
        raise PickupLost(Loss.NOT_INSTALLED, f"PyAudio: {error}; {HINT_INSTALL}") from error
    module: ModuleType = pyaudio
    return module


class Session:
    """One run of PortAudio: from its start, which lists the devices, to the end of a stream."""

    def __init__(self, module: ModuleType, clock: Clock) -> None:
        self._module = module
        self._clock = clock
        self._audio = module.PyAudio()

    def devices(self) -> tuple[InputDevice, ...]:
        """What is there."""
        return inputs(self._audio)

    def end(self) -> None:
        """Give PortAudio back, so that the next session sees what was plugged in meanwhile."""
        self._audio.terminate()

    def open(self, wanted: Wanted) -> "Stream":
        """Open the wanted device at the first format that it takes.

        Raises:
            PickupLost: there is no such device, or it refuses.
        """
        device = choose(self.devices(), wanted.device, wanted.host_api)
        if device.channels < wanted.channels:
            raise PickupLost(
                Loss.REFUSED,
                f"{device.name!r} has {device.channels} inputs; {wanted.channels} are needed",
            )
        said = ""
        for rate_hz, channels in formats(device, wanted):
            try:
                return Stream(self._module, self._audio, self._clock, device, rate_hz, channels)
            except (OSError, ValueError) as error:
                said = said or str(error.args[-1] if error.args else error)
        raise PickupLost(Loss.REFUSED, f"{device.name!r} cannot be opened: {said}")


class Stream:
    """One open input; ``opened`` says how it delivers.

    Raises:
        OSError, ValueError: the device does not take this format, or is busy.
    """

    def __init__(
        self,
        module: ModuleType,
        audio: Any,  # noqa: ANN401 - PyAudio publishes no types
        clock: Clock,
        device: InputDevice,
        rate_hz: int,
        channels: int,
    ) -> None:
        overflow_flag = int(module.paInputOverflow)
        go_on = (None, module.paContinue)
        info = audio.get_device_info_by_index(device.index)
        latency_us = round(info["defaultLowInputLatency"] * 1e6)
        self.capture = Capture(clock, channels, latency_us)

        def take(
            data: bytes | None, count: int, times: Mapping[str, float], status: int
        ) -> tuple[None, int]:
            self.capture.take(data, count, times, overflow=bool(status & overflow_flag))
            return go_on

        self._stream = audio.open(
            rate=rate_hz,
            channels=channels,
            format=module.paInt16,
            input=True,
            input_device_index=device.index,
            frames_per_buffer=rate_hz // BLOCKS_PER_S,
            stream_callback=take,
        )
        self.opened = Opened(device.name, device.host_api, rate_hz, channels, latency_us)

    @property
    def runs(self) -> bool:
        """Whether PortAudio still fills it."""
        try:
            return bool(self._stream.is_active())
        except OSError:
            return False


def forward(stream: Stream, output: Output) -> Lost:
    """Send blocks as they come until there are no more; why that is."""
    output.send(stream.opened)
    waited_s, limit_s = 0.0, FIRST_S
    while True:
        blocks = stream.capture.wait(CHECK_S)
        for block in blocks:
            output.send(block)
        waited_s = 0.0 if blocks else waited_s + CHECK_S
        limit_s = STALL_S if blocks else limit_s
        if not blocks and not stream.runs:
            return Lost(Loss.ENDED, f"{stream.opened.device!r} ended the stream: unplugged?")
        if waited_s >= limit_s:
            return Lost(Loss.STALLED, f"{stream.opened.device!r} gave nothing for {limit_s} s")


def look_until_open(wanted: Wanted, clock: Clock, output: Output, look_ms: int) -> Stream:
    """Start PortAudio again and again until the device is there; says each time why it is not.

    Raises:
        PickupLost: PyAudio is not installed.
    """
    module = _load()
    while True:
        before = _plugged()
        session = Session(module, clock)
        try:
            return session.open(wanted)
        except PickupLost as error:
            session.end()
            output.send(Lost(error.loss, error.detail))
        _wait_for_change(before, look_ms)


def _plugged() -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(SOUND_DEVICES)))  # noqa: PTH208 - names are enough
    except OSError:
        return ()


def _wait_for_change(before: tuple[str, ...], look_ms: int) -> None:
    # A microphone that was plugged in changes the folder; a sound server's source does not.
    pause = threading.Event()
    for _ in range(max(round(look_ms / 1000 / CHECK_S), 1)):
        pause.wait(CHECK_S)
        if _plugged() != before:
            return


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent goes, and end it when stdin does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m edge.capture.pickup_process")
    parser.add_argument("--list", action="store_true", help="name the inputs and end")
    parser.add_argument("--device", default=DEFAULT_NAME)
    parser.add_argument("--host-api", default=None)
    parser.add_argument("--rate", type=int, default=48_000)
    parser.add_argument("--channels", type=int, default=1, help="what must be there at least")
    parser.add_argument("--look-ms", type=int, default=LOOK_MS, help="how often to look again")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Capture until killed, or until there is no more; the exit status."""
    # Before PortAudio starts: it would have JACK start a server that nobody asked for.
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    options = parse(arguments)
    end_with_parent()
    with suppress(PermissionError):  # a service file may allow it (LimitNICE)
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    output = Output()
    clock = SystemClock()
    try:
        if options.list:
            output.send(Listed(Session(_load(), clock).devices()))
            return 0
        wanted = Wanted(options.device, options.host_api, options.rate, options.channels)
        stream = look_until_open(wanted, clock, output, options.look_ms)
        output.send(forward(stream, output))
    except PickupLost as error:
        output.send(Lost(error.loss, error.detail))
    except BrokenPipeError:
        return 0
    return EXIT_LOST


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # Not sys.exit: PortAudio's own threads may hang where a device has gone.
    os._exit(status)
