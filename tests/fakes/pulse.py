"""A private PulseAudio as the sound card that CI lacks: sinks to play into, a microphone to feed.

ALSA names lead to it through a configuration of the test alone, so PortAudio sees it as a machine's
inputs, and neither the machine's own sound nor another test is touched.
"""

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runtime.clock import SystemClock
from tests.fakes.waiting import until_blocking

Samples = NDArray[np.int16]

# PortAudio 19.6 aborts where every name of ALSA can be opened, so one that never can is among them.
BROKEN_NAME: Final = "pcm.no_such_card { type hw card 99 }\n"
BLOCK_MS: Final = 20
UNHEARD_BLOCKS_MAX: Final = 2


def installed() -> bool:
    """Whether this machine can run one."""
    return all(shutil.which(name) for name in ("pulseaudio", "pactl", "pacat"))


class PulseServer:
    """One daemon in a folder of its own; ``inputs`` maps ALSA names to sources."""

    def __init__(self, folder: Path, inputs: Mapping[str, str]) -> None:
        self._folder = folder
        self._socket = folder / "native"
        self._process: subprocess.Popen[bytes] | None = None
        config = BROKEN_NAME + "".join(
            f'pcm.{name} {{ type pulse server "unix:{self._socket}" device "{source}" }}\n'
            for name, source in inputs.items()
        )
        (folder / "asound.conf").write_text(config, encoding="utf-8")
        self.environ = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }

    def start(self) -> None:
        """Start the daemon; it answers when this returns."""
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            (
                *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"),
                *("--use-pid-file=no", "--disable-shm=yes", "--realtime=no", "--high-priority=no"),
                *("--load", f"module-native-protocol-unix socket={self._socket} auth-anonymous=1"),
            ),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until_blocking(self._answers, within_s=30, what="PulseAudio answers")

    def _answers(self) -> bool:
        command = ("pactl", "info")
        answer = subprocess.run(command, check=False, env=self.environ, capture_output=True)
        return answer.returncode == 0

    def stop(self, signum: signal.Signals = signal.SIGKILL) -> None:
        """End the daemon, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.wait(10)
            self._process = None

    def load(self, module: str, *arguments: str) -> int:
        """Load a module; its number."""
        return int(self._pactl("load-module", module, *arguments))

    def unload(self, module: int) -> None:
        """Take a module out: what it brought is gone, as if unplugged."""
        self._pactl("unload-module", str(module))

    def _pactl(self, *command: str) -> str:
        done = subprocess.run(
            ("pactl", *command), env=self.environ, capture_output=True, check=True, text=True
        )
        return done.stdout.strip()

    def add_sink(self, name: str) -> int:
        """A sink; its source is ``NAME.monitor``."""
        return self.load(
            "module-null-sink", f"sink_name={name}", "rate=48000", "channels=1", "format=s16le"
        )

    @contextmanager
    def playing(self, sink: str, samples: Samples) -> Iterator["subprocess.Popen[bytes]"]:
        """Play samples (48 kHz mono) into a sink; they have been taken when the player ends."""
        (self._folder / "play.raw").write_bytes(samples.astype("<i2").tobytes())
        player = subprocess.Popen(
            (
                *("pacat", "--playback", f"--device={sink}", "--raw", "--format=s16le"),
                *("--rate=48000", "--channels=1", "--latency-msec=200"),
                str(self._folder / "play.raw"),
            ),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield player
        finally:
            player.kill()
            player.wait(10)

    def microphone(self, name: str, rate_hz: int = 48_000) -> "Microphone":
        """A source that hands on what is fed to it as it is fed; see ``Microphone``."""
        return Microphone(self, self._folder / f"{name}.fifo", name, rate_hz)


class Microphone:
    """A source with a converter clock of its own: ``ppm`` faster than ours, as real cards are.

    ``signal`` gives the samples of the block that begins at a sample number; ``marks`` holds, for
    each block handed over, its first sample number and the monotonic time (ms) of that.
    """

    def __init__(self, server: PulseServer, fifo: Path, name: str, rate_hz: int) -> None:
        self._server = server
        self._rate_hz = rate_hz
        self.module = server.load(
            "module-pipe-source",
            *(f"source_name={name}", f"file={fifo}"),
            *("format=s16le", f"rate={rate_hz}", "channels=1"),
        )
        self._fd = os.open(fifo, os.O_WRONLY)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.marks: list[tuple[int, int]] = []

    def feed(self, signal_of: Callable[[int, int], Samples], ppm: float = 0.0) -> None:
        """Begin to speak: ``signal_of(first, count)`` for each block of 20 ms."""
        self._thread = threading.Thread(target=self._run, args=(signal_of, ppm), daemon=True)
        self._thread.start()

    def _run(self, signal_of: Callable[[int, int], Samples], ppm: float) -> None:
        clock = SystemClock()
        count = self._rate_hz * BLOCK_MS // 1000
        rate = self._rate_hz * (1 + ppm * 1e-6)
        start, first = clock.mono_ms(), 0
        while not self._stop.wait(max(start + first / rate * 1000 - clock.mono_ms(), 0) / 1000):
            block = signal_of(first, count).astype("<i2").tobytes()
            if self._waiting_bytes() <= UNHEARD_BLOCKS_MAX * len(block):
                self.marks.append((first, clock.mono_ms()))
                try:
                    os.write(self._fd, block)
                except BrokenPipeError:  # the source was unplugged
                    return
            first += count

    def _waiting_bytes(self) -> int:
        """What the server has not fetched: a microphone does not keep what nobody listens to."""
        return int(struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, b"\0" * 4))[0])

    def stop(self) -> None:
        """Fall silent, without being unplugged: no samples come at all."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def close(self) -> None:
        """Give everything back."""
        self.stop()
        os.close(self._fd)


def sine(hz: float, level_dbfs: float, seconds: float) -> Samples:
    """A sine at 48 kHz whose RMS level is ``level_dbfs``."""
    peak = 32_767 * 10 ** (level_dbfs / 20) * np.sqrt(2)
    wave = peak * np.sin(2 * np.pi * hz * np.arange(round(48_000 * seconds)) / 48_000)
    return np.asarray(np.round(wave), dtype=np.int16)


def noise(seconds: float, seed: int = 1) -> Samples:
    """Noise of which no two stretches are alike."""
    rng = np.random.default_rng(seed)
    return rng.integers(-8_000, 8_000, round(48_000 * seconds)).astype(np.int16)


def loudest_hz(samples: Samples, rate_hz: int = 48_000) -> float:
    """The frequency that holds most of the power."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * rate_hz / samples.size)


def found_at(whole: Samples, part: Sequence[int] | Samples) -> int | None:
    """Where ``part`` stands in ``whole``, sample by sample; None if nowhere."""
    text, sought = whole.astype("<i2").tobytes(), np.asarray(part).astype("<i2").tobytes()
    place = text.find(sought)
    while place >= 0 and place % 2:
        place = text.find(sought, place + 1)
    return None if place < 0 else place // 2
