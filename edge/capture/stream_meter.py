"""Measures what a camera really sends: codec, size, rate, and the time that it puts on its stream.

The time is that of the RTCP sender reports (RFC 3550, 6.4.1), which libavformat hangs on packets as
"producer reference time". Cameras without a clock of their own send seconds since power-on there:
what is no date of this century is not taken for one.
"""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import struct
import threading
from collections import deque
from typing import Final

from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from contracts.units import CameraId
from edge.capture.packets import OpenedLink
from edge.core.people import Instant
from edge.core.streams import ClockSeen, ClockSource, StreamSeen

RATE_OVER_MS: Final = 5_000  # a rate over less would tremble with every burst
STAMPS_MAX: Final = 1_000  # five seconds of 120 pictures a second, and room to spare
CLOCK_EVERY_MS: Final = 5_000  # as often as a camera sends a report
EARLIEST_UTC_MS: Final = 1_577_836_800_000  # 2020: a device that says less has no clock
REFERENCE: Final = struct.Struct("=q")  # microseconds since 1970, at the start of the side data
CODECS: Final = {"hevc": "h265"}  # libav's names, where a site says otherwise


class StreamMeter:
    """A packet sink that counts. ``seen`` may be asked from any thread."""

    def __init__(self, camera_id: CameraId) -> None:
        self._camera_id = camera_id
        self._lock = threading.Lock()
        self._codec: VideoCodecContext | None = None
        self._index = -1
        self._opened_ms: int | None = None
        self._stamps: deque[int] = deque(maxlen=STAMPS_MAX)
        self._clock: ClockSeen | None = None
        self._clock_due_ms = 0

    def opened(self, link: OpenedLink) -> None:
        """See ``PacketSink``."""
        with self._lock:
            self._codec = link.video.codec_context if link.video is not None else None
            self._index = link.video.index if link.video is not None else -1
            self._opened_ms = None
            self._stamps.clear()

    def take(self, packet: Packet[Stream], at: Instant) -> None:
        """See ``PacketSink``."""
        if packet.stream_index != self._index:
            return
        if at.mono_ms >= self._clock_due_ms and packet.has_sidedata("prft"):
            self._read_clock(bytes(packet.get_sidedata("prft")), at)
        with self._lock:
            if self._opened_ms is None:
                self._opened_ms = at.mono_ms
            self._stamps.append(at.mono_ms)

    def closed(self) -> None:
        """See ``PacketSink``."""
        with self._lock:
            self._codec = None
            self._opened_ms = None
            self._stamps.clear()

    def _read_clock(self, reference: bytes, at: Instant) -> None:
        if len(reference) < REFERENCE.size:
            return
        (told_us,) = REFERENCE.unpack(reference[: REFERENCE.size])
        told_ms = told_us / 1000
        self._clock_due_ms = at.mono_ms + CLOCK_EVERY_MS
        if told_ms >= EARLIEST_UTC_MS:
            with self._lock:
                self._clock = ClockSeen(told_ms - at.utc_ms, ClockSource.RTCP, at)

    def seen(self, now: Instant) -> StreamSeen:
        """What the stream has been over the last seconds."""
        with self._lock:
            codec = self._codec
            name = CODECS.get(codec.name, codec.name) if codec is not None else None
            size = (codec.width, codec.height) if codec is not None else (0, 0)
            return StreamSeen(
                self._camera_id,
                now,
                codec=name,
                # Nought until the first picture or a description that says it.
                width_px=size[0] or None,
                height_px=size[1] or None,
                fps=self._rate(now),
                clock=self._clock,
            )

    def _rate(self, now: Instant) -> float | None:
        if self._opened_ms is None or now.mono_ms - self._opened_ms < RATE_OVER_MS:
            return None
        came = sum(1 for stamp in self._stamps if now.mono_ms - stamp <= RATE_OVER_MS)
        return came * 1000 / RATE_OVER_MS
