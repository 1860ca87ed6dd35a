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


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """The streams of a new connection. Their codec contexts outlive the container."""

    video: VideoStream
    audio: AudioStream | None


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


def streams_of(container: av.container.InputContainer) -> OpenedLink:
    """The first picture and sound stream.

    Raises:
        LookupError: there is no picture.
    """
    if not container.streams.video:
        raise LookupError("the source has no video stream")
    audio = container.streams.audio
    return OpenedLink(container.streams.video[0], audio[0] if audio else None)
