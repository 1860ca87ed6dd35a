"""A sink that keeps what a pickup hands over, and decodes it again."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

from dataclasses import dataclass, field

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray

from contracts.evidence.entries import GapReason
from edge.capture.pickup_stream import SoundLink
from edge.core.people import Instant


@dataclass
class Heard:
    """One opened stream and its packets, with their times as they were handed over."""

    stream: AudioStream
    packets: list[Packet[Stream]] = field(default_factory=list)
    stamps: list[tuple[int, Instant]] = field(default_factory=list)

    def samples(self) -> NDArray[np.int16]:
        """Everything, decoded, in the order in which it came."""
        codec = self.stream.codec_context
        decoder = av.CodecContext.create(codec.name, "r")
        assert isinstance(decoder, AudioCodecContext)
        decoder.extradata = codec.extradata
        decoder.sample_rate = codec.sample_rate
        decoder.layout = "mono"
        blocks = []
        for packet in self.packets:
            for frame in decoder.decode(packet):
                block = np.asarray(frame.to_ndarray(), dtype=np.float64).reshape(-1)
                whole = block if frame.format.name == "s16" else np.clip(block, -1, 1) * 32_767
                blocks.append(np.round(whole).astype(np.int16))
        return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


class KeepingSink:
    """See ``edge.capture.pickup_stream.SoundSink``."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.losses: list[tuple[GapReason, Instant, str]] = []

    def opened(self, link: SoundLink) -> None:
        self.heard.append(Heard(link.audio))

    def take(self, packet: Packet[Stream], at: Instant) -> None:
        assert packet.pts is not None
        heard = self.heard[-1]
        heard.packets.append(packet)
        heard.stamps.append((packet.pts, at))

    def lose(self, reason: GapReason, since: Instant, detail: str = "") -> None:
        self.losses.append((reason, since, detail))

    @property
    def seconds(self) -> float:
        """Sound in the stream that was opened last."""
        if not self.heard:
            return 0.0
        return sum(packet.duration or 0 for packet in self.heard[-1].packets) / 48_000
