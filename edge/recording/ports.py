"""States what a track's recorder needs: somewhere for what it makes, and the streams of a link."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

from typing import Protocol

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from contracts.evidence.entries import GapReason
from contracts.units import MonoMs, UtcMs
from edge.core.recording import TrackItem


class TrackItems(Protocol):
    """The bounded queue before the disk. No method blocks; any thread may call them."""

    def offer(self, item: TrackItem) -> bool:
        """Hand an item on. False: it is lost, and ``broken`` says why until ``ready()`` is true."""
        ...

    def ready(self) -> bool:
        """Whether a new segment may begin after a refusal; to be asked at each key frame."""
        ...

    @property
    def broken(self) -> GapReason | None:
        """Why nothing is taken; None while the queue takes items."""
        ...


class Link(Protocol):
    """The streams of a connection, as templates of the recording's tracks."""

    @property
    def video(self) -> VideoStream | None: ...

    @property
    def audio(self) -> AudioStream | None: ...

    @property
    def picture_delay_ms(self) -> int:
        """How long after its last packet a picture is handed on."""
        ...


class TwoClocks(Protocol):
    """Both readings of the machine's time."""

    def mono_ms(self) -> MonoMs: ...

    def utc_ms(self) -> UtcMs: ...
