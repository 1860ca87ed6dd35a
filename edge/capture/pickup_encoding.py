"""Turns a pickup's blocks into packets: 48 kHz mono, levels, FLAC or AAC, stamped by our clock."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray

from edge.capture.sound import RATE_HZ, WINDOW_SAMPLES
from edge.core.levels import Reading, joined, read, rms_dbfs

Samples = NDArray[np.int16]
"""Mono at 48 kHz."""

AAC_BITS_PER_S: Final = 96_000  # mono speech: above it nobody hears a difference
FULL_SCALE: Final = 32_768.0
LOW_RATE_HZ: Final = 16_000  # what detectors of speech take; the recording keeps all of it
_TICK: Final = Fraction(1, RATE_HZ)


class Mono:
    """Any rate and channel count to 48 kHz mono; what is that already passes untouched.

    ``channel`` picks one input of the device, from 1; None mixes all.
    """

    def __init__(self, rate_hz: int, channels: int, channel: int | None) -> None:
        self._rate_hz = rate_hz
        self._channels = channels
        self._channel = channel
        self._fed = 0
        alone = channels == 1 or channel is not None
        self._mixes = not alone
        self._resampler: AudioResampler | None = None
        if rate_hz != RATE_HZ:
            self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)

    def take(self, block: bytes) -> Samples:
        """The samples that a block of interleaved 16-bit samples completes."""
        wide = np.frombuffer(block, dtype="<i2").reshape(-1, self._channels)
        if self._mixes:
            one = np.rint(wide.mean(axis=1, dtype=np.float64)).astype(np.int16)
        else:
            one = wide[:, (self._channel or 1) - 1]
        if self._resampler is None:
            return np.ascontiguousarray(one, dtype=np.int16)
        frame = _frame(one.reshape(1, -1), "s16", self._rate_hz, self._fed)
        self._fed += one.size
        return _joined(self._resampler.resample(frame))

    def flush(self) -> Samples:
        """What the resampler still holds."""
        if self._resampler is None or not self._fed:
            return np.zeros(0, np.int16)
        return _joined(self._resampler.resample(None))


def _joined(frames: list[AudioFrame]) -> Samples:
    if not frames:
        return np.zeros(0, np.int16)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.int16)


def _frame(samples: Samples | NDArray[np.float32], form: str, rate_hz: int, pts: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(samples, format=form, layout="mono")
    frame.sample_rate = rate_hz
    frame.pts = pts
    frame.time_base = Fraction(1, rate_hz)
    return frame


@dataclass(frozen=True, slots=True)
class Window:
    """100 ms of a pickup: how loud and full it was, and its sound at ``LOW_RATE_HZ``."""

    reading: Reading
    pcm: bytes


class Levels:
    """Windows of 100 ms: levels, and the sound in a form that is cheap to hand on.

    What is full and what is clipped is told with each block, as its device gave it.
    """

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.int16)
        self._fed = 0
        self._resampler = AudioResampler(format="s16", layout="mono", rate=LOW_RATE_HZ)
        self._before: Reading | None = None

    def take(self, samples: Samples, own: Reading) -> Iterator[Window]:
        """The windows that these samples complete; ``own`` was measured of the device's block."""
        full = own if self._before is None else joined(self._before, own)
        self._before = full
        self._rest = np.concatenate((self._rest, samples))
        while self._rest.size >= WINDOW_SAMPLES:
            window, self._rest = self._rest[:WINDOW_SAMPLES], self._rest[WINDOW_SAMPLES:]
            frame = _frame(window.reshape(1, -1), "s16", RATE_HZ, self._fed)
            self._fed += window.size
            low = _joined(self._resampler.resample(frame))
            level_dbfs = rms_dbfs(window.astype(np.float32) / np.float32(FULL_SCALE))
            self._before = own
            yield Window(
                Reading(level_dbfs, full.peak_dbfs, full.clipped_share),
                low.astype("<i2").tobytes(),
            )


def own_reading(block: bytes, channels: int, channel: int | None) -> Reading:
    """How loud and full a block of interleaved 16-bit samples is, in the channels that count."""
    wide = np.frombuffer(block, dtype="<i2").reshape(-1, channels).T.astype(np.float32)
    return read((wide if channel is None else wide[channel - 1]) / np.float32(FULL_SCALE))


@dataclass(frozen=True, slots=True)
class Encoded:
    """A packet and the position (in samples at 48 kHz since the start) of its first sample."""

    packet: Packet[Stream]
    position: int


class Encoder:
    """One run of FLAC or AAC. ``stream`` is a template for a muxer: codec, rate, head."""

    def __init__(self, codec: Literal["flac", "aac"]) -> None:
        # A stream exists inside a container alone; this one is written nowhere.
        self._container = av.open(io.BytesIO(), "w", format="mp4")
        self.stream: AudioStream = self._container.add_stream(codec, rate=RATE_HZ, layout="mono")
        self._format = "s16" if codec == "flac" else "fltp"
        self.stream.codec_context.format = self._format
        if codec == "aac":
            self.stream.codec_context.bit_rate = AAC_BITS_PER_S
        self._container.start_encoding()
        self._frame_samples = self.stream.codec_context.frame_size
        self._rest: Samples = np.zeros(0, np.int16)
        self._position = 0

    def take(self, samples: Samples) -> Iterator[Encoded]:
        """Packets that these samples complete."""
        self._rest = np.concatenate((self._rest, samples))
        while self._rest.size >= self._frame_samples:
            part, self._rest = (
                self._rest[: self._frame_samples],
                self._rest[self._frame_samples :],
            )
            yield from self._encode(part)

    def finish(self) -> Iterator[Encoded]:
        """The last packets; nothing may be taken afterwards."""
        if self._rest.size:
            yield from self._encode(self._rest)
        yield from self._wrap(self.stream.encode(None))

    def _encode(self, part: Samples) -> Iterator[Encoded]:
        data: Samples | NDArray[np.float32] = part.reshape(1, -1)
        if self._format == "fltp":
            data = part.reshape(1, -1).astype(np.float32) / np.float32(FULL_SCALE)
        frame = _frame(data, self._format, RATE_HZ, self._position)
        self._position += part.size
        yield from self._wrap(self.stream.encode(frame))

    def _wrap(self, packets: list[Packet[Stream]]) -> Iterator[Encoded]:
        for packet in packets:
            # FLAC's last word is a new head without samples: it belongs to files that end.
            if packet.size and packet.pts is not None:
                yield Encoded(packet, packet.pts)


def stamp(packet: Packet[Stream], pts: int) -> Packet[Stream]:
    """Give a packet its time, in samples at 48 kHz since its stream began."""
    packet.pts = pts
    packet.dts = pts
    packet.time_base = _TICK
    return packet
