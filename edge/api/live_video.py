"""Shows a camera's own pictures to viewers with little delay: packets in, fragments out.

``LiveTap`` sits in the camera's reader thread and does nothing until somebody watches;
``LiveVideo`` hands what it makes to each viewer, on the event loop. A viewer that is too slow loses
pictures up to the next key frame, counted; nobody else waits for it.
"""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import structlog

from contracts.units import CameraId, UtcMs
from edge.api import parameter_sets as sets
from edge.api.live_boxes import TIMESCALE, fragment, init_segment
from edge.api.parameter_sets import Config, StreamError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

    from edge.capture.packets import OpenedLink
    from edge.core.people import Instant

log = structlog.get_logger(__name__)

QUEUE_MAX_BYTES: Final = 4 * 1024 * 1024  # two seconds of 16 Mb/s
QUEUE_MAX_MS: Final = 1_500  # further behind is no live view: the next key frame is a new start
JUMP_MAX_S: Final = 2  # time stamps that leave the arrivals by more are a jump, not jitter
SLOWEST: Final = TIMESCALE // 5  # of a stream that does not tell its rate, until it is seen
STEPS_SEEN: Final = 25
SUPPORTED: Final = frozenset({sets.H264, sets.HEVC})


@dataclass(frozen=True, slots=True)
class Init:
    """A stream begins, or goes on with other parameters."""

    data: bytes
    mime: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """One picture; ``key``: a viewer may begin with it."""

    data: bytes
    key: bool
    arrived_utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class Unsupported:
    """This camera's codec cannot be shown this way."""

    codec: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """So many pictures were left out, because the viewer was too slow."""

    fragments: int


Piece = Init | Fragment | Unsupported
Deliver = Callable[[CameraId, Piece], None]


class TooManyWatchersError(Exception):
    """As many viewers as allowed watch this camera already."""


@dataclass(slots=True)
class _Timeline:
    """Turns a stream's time stamps into a timeline without a hole, for a decoder that stops at one.

    Media Source takes a step of more than twice the last duration for a hole, and then drops all up
    to the next key frame. So each picture is said to last as long as the longest of the last ones,
    and a longer step is shortened; when a picture came is told beside it.
    """

    duration: int
    offset: int = 0
    last: int | None = None
    last_arrival_ms: int = 0
    steps: deque[int] = field(default_factory=lambda: deque(maxlen=STEPS_SEEN))

    def place(self, stamp: int | None, at: Instant) -> int:
        """Where a picture stands, in ``TIMESCALE``."""
        placed = 0
        if self.last is None:
            self.offset = -(stamp or 0)
        else:
            due = self.last + (at.mono_ms - self.last_arrival_ms) * TIMESCALE // 1000
            placed = due if stamp is None else stamp + self.offset
            if placed <= self.last or abs(placed - due) > JUMP_MAX_S * TIMESCALE:
                placed = due
            placed = min(max(placed, self.last + 1), self.last + self.duration * 19 // 10)
            self.offset = placed - (stamp or 0)
            self.steps.append(placed - self.last)
            self.duration = max(self.steps)
        self.last, self.last_arrival_ms = placed, at.mono_ms
        return placed


class LiveTap:
    """One camera's packet sink (``capture.packets.PacketSink``); in the reader's thread."""

    def __init__(self, camera_id: CameraId, deliver: Deliver) -> None:
        self._camera_id = camera_id
        self._deliver = deliver
        self._watched = False
        self._afresh = False
        self._codec = ""
        self._extradata = b""
        self._delay_ms = 0
        self._config: Config | None = None
        self._step = SLOWEST
        self._timeline = _Timeline(SLOWEST)
        self._sequence = 0

    def watch(self, *, watched: bool) -> None:
        """Begin to make fragments at the next key frame, or stop; from the event loop."""
        self._afresh = True  # who comes in the moment another goes needs an Init all the same
        self._watched = watched

    def opened(self, link: OpenedLink) -> None:
        """See ``PacketSink``."""
        if link.video is None:
            return
        context = link.video.codec_context
        self._codec = context.name
        self._extradata = bytes(context.extradata or b"")
        self._delay_ms = link.picture_delay_ms
        rate = link.video.average_rate
        self._step = round(TIMESCALE / rate) if rate and rate >= 1 else SLOWEST
        self._config = None

    def take(self, packet: Packet[Stream], at: Instant) -> None:
        """See ``PacketSink``."""
        if packet.stream.type != "video":
            return
        if not self._watched:
            return
        if self._afresh:
            self._afresh = False
            self._config = None
        if self._codec not in SUPPORTED:
            if packet.is_keyframe:
                self._deliver(self._camera_id, Unsupported(self._codec))
            return
        if self._config is None and not packet.is_keyframe:
            return
        try:
            self._take(packet, at)
        except (StreamError, OverflowError) as error:
            # A damaged stream: recorder and decoder see it too, the next key frame may be whole.
            self._config = None
            log.debug("live_picture_damaged", camera_id=self._camera_id, error=str(error))

    def closed(self) -> None:
        """See ``PacketSink``."""
        self._config = None

    def _take(self, packet: Packet[Stream], at: Instant) -> None:
        codec = self._codec
        units = sets.split_units(bytes(packet), sets.length_bytes_of(codec, self._extradata))
        if packet.is_keyframe:
            self._configure(units)
        parameters, left_out = sets.PARAMETER_KINDS[codec], sets.LEFT_OUT_KINDS[codec]
        sample = b"".join(
            len(unit).to_bytes(4, "big") + unit
            for unit in units
            if sets.unit_kind(codec, unit) not in parameters | left_out
        )
        if not sample:
            return
        ticks = Fraction(packet.time_base) * TIMESCALE
        stamp = packet.dts if packet.dts is not None else packet.pts
        decode_time = self._timeline.place(None if stamp is None else round(stamp * ticks), at)
        later = 0
        if packet.pts is not None and packet.dts is not None:
            later = round((packet.pts - packet.dts) * ticks)
        self._sequence += 1
        data = fragment(
            self._sequence,
            decode_time,
            later,
            self._timeline.duration,
            UtcMs(at.utc_ms - self._delay_ms),
            sample,
            key=packet.is_keyframe,
        )
        self._deliver(self._camera_id, Fragment(data, packet.is_keyframe, at.utc_ms))

    def _configure(self, units: list[bytes]) -> None:
        parameters = sets.PARAMETER_KINDS[self._codec]
        inside = [unit for unit in units if sets.unit_kind(self._codec, unit) in parameters]
        outside = sets.parameter_units(self._codec, self._extradata)
        try:
            config = sets.config_of(self._codec, inside)
        except StreamError:
            # Most cameras repeat them before each key frame; some say them once, beside the stream.
            config = sets.config_of(self._codec, outside)
        if config == self._config:
            return
        if self._config is None:
            self._timeline = _Timeline(self._step)
        self._config = config
        mime = f'video/mp4; codecs="{config.codec}"'
        init = Init(init_segment(config), mime, config.width, config.height)
        self._deliver(self._camera_id, init)


@dataclass(slots=True)
class _Watcher:
    """One viewer's queue."""

    pieces: deque[Init | Fragment | Unsupported | Skipped] = field(default_factory=deque)
    bytes: int = 0
    wants_key: bool = True
    behind: bool = False
    """It was too slow, and waits for a key frame to go on."""
    skipped: int = 0
    skipped_ever: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, piece: Piece) -> None:
        """Queue a piece, or leave it out."""
        if not isinstance(piece, Fragment):
            self.pieces.append(piece)
            self.ready.set()
            return
        if self._full(piece):
            self._empty()
        if self.wants_key and not piece.key:
            # Before its first key frame a viewer has missed nothing.
            self.skipped += self.behind
            return
        if self.behind:
            self.pieces.append(Skipped(self.skipped))
            self.skipped_ever += self.skipped
        self.wants_key, self.behind, self.skipped = False, False, 0
        self.pieces.append(piece)
        self.bytes += len(piece.data)
        self.ready.set()

    def _full(self, newest: Fragment) -> bool:
        oldest = next((piece for piece in self.pieces if isinstance(piece, Fragment)), None)
        if oldest is None:
            return False
        late_ms = newest.arrived_utc_ms - oldest.arrived_utc_ms
        return self.bytes + len(newest.data) > QUEUE_MAX_BYTES or late_ms > QUEUE_MAX_MS

    def _empty(self) -> None:
        self.skipped += sum(isinstance(piece, Fragment) for piece in self.pieces)
        self.pieces = deque(piece for piece in self.pieces if not isinstance(piece, Fragment))
        self.bytes = 0
        self.wants_key = self.behind = True

    async def take(self) -> Init | Fragment | Unsupported | Skipped:
        while not self.pieces:
            self.ready.clear()
            await self.ready.wait()
        piece = self.pieces.popleft()
        if isinstance(piece, Fragment):
            self.bytes -= len(piece.data)
        return piece


@dataclass(slots=True)
class _Channel:
    tap: LiveTap
    watchers: list[_Watcher] = field(default_factory=list)
    beginning: Init | Unsupported | None = None


class LiveVideo:
    """Live video of all cameras of a node. On the event loop, but for the taps."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, viewers_max: int) -> None:
        self._loop = loop
        self._viewers_max = viewers_max
        self._channels: dict[CameraId, _Channel] = {}
        self.skipped = 0
        """Pictures that slow viewers did not get."""

    def tap(self, camera_id: CameraId) -> LiveTap:
        """The packet sink of a camera; one each, before its link runs."""
        tap = LiveTap(camera_id, self._from_thread)
        self._channels[camera_id] = _Channel(tap)
        return tap

    def knows(self, camera_id: CameraId) -> bool:
        """Whether this camera has a tap."""
        return camera_id in self._channels

    def viewers(self, camera_id: CameraId) -> int:
        """How many watch this camera."""
        channel = self._channels.get(camera_id)
        return len(channel.watchers) if channel else 0

    async def watch(
        self, camera_id: CameraId
    ) -> AsyncGenerator[Init | Fragment | Unsupported | Skipped]:
        """What a viewer is sent, from the next key frame on.

        Raises:
            KeyError: no such camera.
            TooManyWatchersError: at the first step.
        """
        channel = self._channels[camera_id]
        if len(channel.watchers) >= self._viewers_max:
            raise TooManyWatchersError(camera_id)
        watcher = _Watcher()
        if channel.beginning is not None:
            watcher.put(channel.beginning)
        channel.watchers.append(watcher)
        channel.tap.watch(watched=True)
        try:
            while True:
                yield await watcher.take()
        finally:
            channel.watchers.remove(watcher)
            if watcher.skipped_ever:
                log.info("live_slow", camera_id=camera_id, pictures_skipped=watcher.skipped_ever)
            if not channel.watchers:
                channel.tap.watch(watched=False)
                channel.beginning = None

    def _from_thread(self, camera_id: CameraId, piece: Piece) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hand_out, camera_id, piece)

    def _hand_out(self, camera_id: CameraId, piece: Piece) -> None:
        channel = self._channels[camera_id]
        if not channel.watchers:
            return
        if not isinstance(piece, Fragment):
            channel.beginning = piece
        if channel.beginning is None:
            return  # made for a viewer who has left; the next one begins with an Init
        for watcher in channel.watchers:
            before = watcher.skipped_ever
            watcher.put(piece)
            self.skipped += watcher.skipped_ever - before
