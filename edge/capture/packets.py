"""Fans a camera's packets out: to the decoder, and to whoever records, none waiting for another."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

from dataclasses import dataclass
from typing import Protocol

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from edge.core.people import Instant

FRAMED_BY_THE_NEXT = ("h264", "hevc")


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """The streams of a new connection; a pickup's has no picture. Their codec contexts outlive it.

    ``picture_delay_ms``: a picture is handed on this much after its last packet has arrived.
    """

    video: VideoStream | None
    audio: AudioStream | None
    picture_delay_ms: int = 0


class PacketSink(Protocol):
    """Takes a camera's packets as they come, in the reader's thread.

    No method may block: a sink that is slow keeps a bounded queue of its own and says what it lost.
    A packet is shared by all sinks: one that must change time stamps (a muxer) copies it first.
    """

    def opened(self, link: OpenedLink) -> None:
        """A connection was made; packets follow."""
        ...

    def take(self, packet: Packet[Stream], at: Instant) -> None:
        """One packet and when it arrived."""
        ...

    def closed(self) -> None:
        """The connection is over; ``opened`` comes before the next packet."""
        ...


def streams_of(container: av.container.InputContainer, *, fps: float) -> OpenedLink:
    """The first picture and sound stream. ``fps`` is the declared rate.

    Raises:
        LookupError: there is no picture.
    """
    if not container.streams.video:
        raise LookupError("the source has no video stream")
    video, audio = container.streams.video[0], container.streams.audio
    # From RTP, libavformat knows where a picture ends when the next one begins: measured 40.0 ms
    # late at 25 fps beside the sound of the same time stamp.
    waits = container.format.name == "rtsp" and video.codec_context.name in FRAMED_BY_THE_NEXT
    delay_ms = round(1000 / fps) if waits else 0
    return OpenedLink(video, audio[0] if audio else None, delay_ms)
