"""Hands the live sound of cameras and pickups to who may hear it; keeps none of it.

It is what the ears hear anyway, at 16 kHz in windows of 100 ms: nothing is decoded for a listener.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from contracts.observations import VoiceKind, VoiceTold
from contracts.units import RoomId, UtcMs
from edge.core.hearing import SourceId
from edge.core.levels import Samples
from edge.core.people import Instant
from edge.voice_book import VoiceBook
from runtime.clock import Clock

WAITING_MAX: Final = 20  # windows: two seconds; a listener that is further behind hears the newest
FULL_SCALE: Final = 32_767


@dataclass(slots=True)
class Listener:
    """One person who hears one source. ``ended`` says why, once it is over."""

    listening_id: str
    source_id: SourceId
    by: str
    began_utc_ms: UtcMs
    windows: deque[bytes] = field(default_factory=lambda: deque(maxlen=WAITING_MAX))
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str | None = None

    def put(self, window: bytes) -> None:
        """Queue a window; the oldest goes where there is no room."""
        self.windows.append(window)
        self.ready.set()

    def end(self, why: str) -> None:
        """It is over; the first reason counts."""
        self.ended = self.ended or why
        self.ready.set()

    async def sound(self) -> AsyncGenerator[bytes]:
        """16-bit samples, little endian, until it is over."""
        while self.ended is None:
            while self.windows and self.ended is None:
                yield self.windows.popleft()
            self.ready.clear()
            if self.ended is None:
                await self.ready.wait()


class LiveSound:
    """The live sound of a node. On the event loop, but for ``hear``."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, rooms: Mapping[SourceId, RoomId], clock: Clock
    ) -> None:
        self._loop = loop
        self._rooms = rooms
        self._clock = clock
        self._listeners: tuple[Listener, ...] = ()

    def knows(self, source_id: SourceId) -> bool:
        """Whether there is such a microphone."""
        return source_id in self._rooms

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Who hears what now."""
        return self._listeners

    def hear(self, source_id: SourceId, samples: Samples, at: Instant) -> None:
        """Samples of a source as ``perception.ear.Keep`` gives them; from any thread."""
        if not samples.size or not any(one.source_id == source_id for one in self._listeners):
            return
        window = np.rint(np.clip(samples, -1.0, 1.0) * FULL_SCALE).astype("<i2").tobytes()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hand_out, source_id, window)

    def _hand_out(self, source_id: SourceId, window: bytes) -> None:
        for listener in self._listeners:
            if listener.source_id == source_id:
                listener.put(window)

    async def begin(
        self, listening_id: str, source_id: SourceId, by: str, book: VoiceBook
    ) -> Listener | None:
        """Somebody begins to hear; what the same person heard before is over. None: disk refused.

        One listening is opened once: a ticket used a second time takes the sound from the first.
        """
        for other in self._listeners:
            if other.by == by or other.listening_id == listening_id:
                other.end("other_room" if other.by == by else "taken_over")
        listener = Listener(listening_id, source_id, by, self._clock.utc_ms())
        if not await book.tell(self._told(listener, None, book)):
            return None
        self._listeners = (*self._listeners, listener)
        return listener

    async def end(self, listener: Listener, why: str, book: VoiceBook) -> None:
        """It is over, and the controller is told."""
        listener.end(why)
        self._listeners = tuple(one for one in self._listeners if one is not listener)
        await book.tell(self._told(listener, self._clock.utc_ms(), book))

    def _told(self, listener: Listener, ended: UtcMs | None, book: VoiceBook) -> VoiceTold:
        return VoiceTold(
            voice_id=listener.listening_id,
            kind=VoiceKind.LISTENING,
            room_id=self._rooms[listener.source_id],
            node_id=book.node_id,
            source_id=listener.source_id,
            by=listener.by,
            began_utc_ms=listener.began_utc_ms,
            ended_utc_ms=ended,
            why=(listener.ended or "") if ended is not None else "",
        )
