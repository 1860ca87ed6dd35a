"""Reads one camera stream in a thread, notices a freeze without it, connects again for ever."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import asyncio
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import structlog
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import Stream

from contracts.devices import CameraConfig
from contracts.evidence.entries import GapReason
from contracts.observations import CameraState
from contracts.units import CameraId
from edge.capture.connect import Credentials, failure_of, open_source, with_credentials
from edge.capture.first_stamps import stamped
from edge.capture.gathering import Gathering
from edge.capture.link import (
    Facts,
    Failure,
    LinkNews,
    Phase,
    frozen_after_ms,
    gap_reason,
    judge,
)
from edge.capture.packets import OpenedLink, PacketSink, streams_of
from edge.capture.sources import StreamAddress, Which, declared, described
from edge.core.people import Instant
from runtime.clock import Clock, backoff_ms

log = structlog.get_logger(__name__)

WATCH_MS = 100  # how often the watchdog looks
WATCH_GATHERED_MS = 500
# ... at readers that are in no hurry, and at all of them at once: each look is one more waking up.
RETRY_FIRST_MS = 250  # a camera that hung up is mostly back at once
RETRY_MAX_MS = 5_000  # nobody waits longer for a camera that has come back
STABLE_AFTER_MS = 10_000  # a link that lived shorter does not reset the backoff
GIVE_UP_AFTER_MS = 15_000
# A reader that has not come back this long after it was told to is stuck in a driver.
STOP_WAIT_S = 1.0  # shutdown has 5 s for everything; a live stream ends within one packet
STUCK_READERS_MAX = 4  # each holds a thread and a socket; beyond this only a restart helps
ASK_AGAIN_AFTER = 4  # failures: a device that was reset gives its streams new addresses
DAMAGES_MAX = 50  # in a row, without a packet between them: the connection is beyond repair
GATHER_MS = 300
# For a recorder over TCP (see gathering): with a fragment of 300 ms, a kill still costs less than
# a second. What 300 ms bring (150 kB at 4 Mb/s) lies in the kernel's receive buffer, which grows
# with the bursts that it is read in.


class Address(Protocol):
    """Says where a stream is, in the reader's thread, at each connection."""

    def __call__(self) -> str:
        """The address without user and password; OSError when nobody knows."""
        ...

    def forget(self) -> None:
        """What was said last did not lead to a stream."""
        ...


@dataclass(frozen=True, slots=True)
class StreamSource:
    """What a reader reads; ``place`` names it in logs.

    ``gather_ms``: how long packets may wait in the kernel before they are read: ``GATHER_MS`` for a
    recorder, 0 for live analysis.
    """

    camera_id: CameraId
    address: Address
    place: str
    fps: float
    transport: str
    gather_ms: int = 0

    @classmethod
    def of(
        cls,
        camera: CameraConfig,
        which: Which,
        credentials: Credentials,
        clock: Clock,
        *,
        gather_ms: int = 0,
    ) -> Self:
        """The source of a camera's main or sub stream.

        Raises:
            NoStreamError: no such stream is declared.
        """
        return cls(
            camera_id=camera.id,
            address=StreamAddress(camera, which, credentials, clock),
            place=described(camera, which),
            fps=declared(camera, which).fps,
            transport=camera.transport,
            gather_ms=gather_ms,
        )

    def pause_ms(self, url: str) -> int:
        """``gather_ms`` where the kernel keeps what waits: not a file, not UDP's small buffer."""
        scheme = url.partition(":")[0]
        waits = scheme == "rtsps" or (scheme == "rtsp" and self.transport == "tcp")
        return self.gather_ms if waits else 0


class LinkWatcher(Protocol):
    """Hears how a link stands; no method may block.

    ``link_changed`` comes from the event loop, ``damaged`` from the reader's thread.
    """

    def link_changed(self, news: LinkNews) -> None:
        """The link's state is another one now."""
        ...

    def damaged(self, detail: str, at: Instant) -> None:
        """Something came that is no packet; reading goes on behind it."""
        ...


class _ReaderThread:
    """One thread that connects, reads and hands packets on, until told to stop."""

    def __init__(
        self,
        source: StreamSource,
        credentials: Credentials,
        clock: Clock,
        rng: random.Random,
        sinks: tuple[PacketSink, ...],
        on_damage: Callable[[str, Instant], None],
    ) -> None:
        self._source = source
        self._credentials = credentials
        self._clock = clock
        self._rng = rng
        self._sinks = sinks
        self._on_damage = on_damage
        self._stop = threading.Event()
        self._hang_up = threading.Event()
        self.connections = 0
        self._facts = Facts(Phase.CONNECTING, self._now())
        self._last_video: Instant | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"read-{source.camera_id}", daemon=True
        )
        self._thread.start()

    @property
    def facts(self) -> Facts:
        """What is known of the link now."""
        facts = self._facts
        return Facts(facts.phase, facts.changed, self._last_video, facts.failure, facts.error)

    def stop(self) -> None:
        """Ask the thread to end; it does so within READ_TIMEOUT_S, or is stuck."""
        self._stop.set()
        self._hang_up.set()

    def hang_up(self) -> None:
        """Ask the thread to end this connection and make a new one."""
        self._hang_up.set()

    def join(self, limit_s: float) -> None:
        """Wait for the thread to end, up to ``limit_s``."""
        self._thread.join(limit_s)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _now(self) -> Instant:
        return Instant(self._clock.mono_ms(), self._clock.utc_ms())

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            self._hang_up.clear()
            before = self._last_video
            self._facts = Facts(Phase.CONNECTING, self._now())
            started = self._clock.mono_ms()
            failure, error = self._connect_once()
            lived = self._clock.mono_ms() - started >= STABLE_AFTER_MS
            attempt = 0 if lived else attempt
            if failure is Failure.MISSING or attempt % ASK_AGAIN_AFTER == ASK_AGAIN_AFTER - 1:
                self._source.address.forget()
            self._facts = Facts(Phase.FAILED, self._now(), None, failure, error)
            self._last_video = self._last_video or before
            delay_ms = backoff_ms(attempt, self._rng, first_ms=RETRY_FIRST_MS, max_ms=RETRY_MAX_MS)
            attempt += 1
            self._stop.wait(delay_ms / 1000)

    def _connect_once(self) -> tuple[Failure, str]:
        try:
            address = self._source.address()
            url = with_credentials(address, self._credentials())
            prompt = not self._source.gather_ms
            with open_source(url, self._source.transport, prompt=prompt) as container:
                self._stream(container, address)
            return (
                (Failure.SILENT, "no pictures came; hung up")
                if self._hang_up.is_set()
                else (Failure.REFUSED, "the camera ended the stream")
            )
        except (FFmpegError, LookupError, OSError) as error:
            return failure_of(error)

    def _stream(self, container: InputContainer, address: str) -> None:
        link = streams_of(container, fps=self._source.fps)
        self.connections += 1
        self._last_video = None
        self._facts = Facts(Phase.STREAMING, self._now())
        for sink in self._sinks:
            sink.opened(link)
        looping = address.startswith("file:")
        packets = self._looped(container) if looping else self._through_damage(container)
        wanted = [stream.index for stream in (link.video, link.audio) if stream is not None]
        packets = stamped(packets, frozenset(wanted))
        try:
            self._hand_on(packets, link, self._source.pause_ms(address))
        finally:
            # A reader that was left behind must not close what its successor has opened.
            if not self._stop.is_set():
                for sink in self._sinks:
                    sink.closed()

    def _hand_on(self, packets: Iterator[Packet[Stream]], link: OpenedLink, gather_ms: int) -> None:
        # Runs for every packet of every camera: attributes are looked up once.
        mono_ms, utc_ms, hung_up = self._clock.mono_ms, self._clock.utc_ms, self._hang_up.is_set
        takes = tuple(sink.take for sink in self._sinks)
        pictures = link.video.index if link.video is not None else -1
        sound = link.audio.index if link.audio is not None else -1
        gathering = Gathering(gather_ms) if gather_ms else None
        ms_per_tick = _ms_per_tick(link.video) if link.video is not None else 1.0
        done_ms = mono_ms()
        for packet in packets:
            if hung_up():
                return
            index = packet.stream_index
            if index not in (pictures, sound) or packet.size == 0:
                continue
            at = Instant(mono_ms(), utc_ms())
            stamp = packet.dts if index == pictures else None
            if index == pictures:
                self._last_video = at
            for take in takes:
                take(packet, at)
            if gathering is not None:
                waited_ms = at.mono_ms - done_ms
                if stamp is None:
                    pause_ms = gathering.after_sound_ms(waited_ms)
                else:
                    due_ms = stamp * ms_per_tick
                    pause_ms = gathering.after_picture_ms(at.mono_ms, waited_ms, due_ms)
                if pause_ms and self._hang_up.wait(pause_ms * self._rng.uniform(0.7, 1.0) / 1000):
                    return
                done_ms = mono_ms()

    def _through_damage(self, container: InputContainer) -> Iterator[Packet[Stream]]:
        """The packets of a live stream; what is none is reported and passed over."""
        damages = 0
        while damages < DAMAGES_MAX:
            try:
                for packet in container.demux():
                    damages = 0
                    yield packet
                return
            except InvalidDataError as error:
                damages += 1
                self._on_damage(error.strerror or "invalid data", self._now())

    def _looped(self, container: InputContainer) -> Iterator[Packet[Stream]]:
        """The packets of a file, at its own rate, again and again, on one line of time stamps."""
        ms_per_tick = {stream.index: _ms_per_tick(stream) for stream in container.streams}
        began_ms, first_ms, end_ms, shift_ms = self._clock.mono_ms(), None, 0.0, 0.0
        while not self._hang_up.is_set():
            for packet in container.demux():
                if packet.dts is None:
                    continue
                tick_ms = ms_per_tick[packet.stream_index]
                due_ms = packet.dts * tick_ms + shift_ms
                first_ms = due_ms if first_ms is None else first_ms
                end_ms = max(end_ms, due_ms + (packet.duration or 0) * tick_ms)
                ahead_ms = due_ms - first_ms - (self._clock.mono_ms() - began_ms)
                if ahead_ms > 0 and self._hang_up.wait(ahead_ms / 1000):
                    return
                _move(packet, round(shift_ms / tick_ms))
                yield packet
            if first_ms is None:
                return
            shift_ms += end_ms - first_ms - shift_ms
            container.seek(0)


def _ms_per_tick(stream: Stream) -> float:
    base = stream.time_base
    return 1000 * base.numerator / base.denominator if base is not None else 1.0


def _move(packet: Packet[Stream], ticks: int) -> None:
    if packet.dts is not None:
        packet.dts += ticks
    if packet.pts is not None:
        packet.pts += ticks


class StreamReader:
    """One stream, read until cancelled: packets to ``sinks``, states to ``watchers``."""

    def __init__(
        self,
        source: StreamSource,
        credentials: Credentials,
        clock: Clock,
        rng: random.Random,
        *,
        sinks: Sequence[PacketSink],
        watchers: Sequence[LinkWatcher] = (),
    ) -> None:
        self._source = source
        self._credentials = credentials
        self._clock = clock
        self._rng = rng
        self._sinks = tuple(sinks)
        self._watchers = tuple(watchers)
        self._limit_ms = frozen_after_ms(source.fps)
        self._news: LinkNews | None = None
        self._stuck: list[_ReaderThread] = []
        self._thread: _ReaderThread | None = None
        self._connections_before = 0

    @property
    def state(self) -> CameraState:
        """How the link stands, as the watchers were told last."""
        return self._news.state if self._news else CameraState.STARTING

    @property
    def connections(self) -> int:
        """Connections that were made since the start."""
        return self._connections_before + (self._thread.connections if self._thread else 0)

    async def run(self) -> None:
        """Watch the reading thread until cancelled. Does not depend on PyAV ever coming back."""
        self._thread = self._new_thread()
        try:
            while True:
                self._watch(self._thread)
                await self._clock.sleep_ms(self._next_look_ms())
        finally:
            self._thread.stop()
            # A thread inside PyAV at the end of the process can bring it down: give it a moment.
            await asyncio.to_thread(self._thread.join, STOP_WAIT_S)

    def _next_look_ms(self) -> int:
        if not self._source.gather_ms:
            return WATCH_MS
        return WATCH_GATHERED_MS - self._clock.mono_ms() % WATCH_GATHERED_MS

    def _new_thread(self) -> _ReaderThread:
        return _ReaderThread(
            self._source, self._credentials, self._clock, self._rng, self._sinks, self._damaged
        )

    def _damaged(self, detail: str, at: Instant) -> None:
        for watcher in self._watchers:
            watcher.damaged(detail, at)

    def _watch(self, thread: _ReaderThread) -> None:
        facts = thread.facts
        now = Instant(self._clock.mono_ms(), self._clock.utc_ms())
        state, since = judge(self.state, facts, now, self._limit_ms)
        if state is CameraState.FROZEN and facts.phase is Phase.STREAMING:
            thread.hang_up()
            silent_ms = now.mono_ms - since.mono_ms
            if silent_ms >= self._limit_ms + GIVE_UP_AFTER_MS:
                self._leave_behind(thread)
        reason = gap_reason(state, facts.failure)
        known = self._news.reason if self._news else None
        # A camera that begins to refuse our password stays offline, for another reason.
        another = facts.phase is Phase.FAILED and reason is not known
        if state is not self.state or another:
            self._tell(state, reason, since, now, facts.error)

    def _tell(
        self,
        state: CameraState,
        reason: GapReason | None,
        since: Instant,
        now: Instant,
        error: str | None,
    ) -> None:
        error = None if state is CameraState.LIVE else (error or "no pictures come")
        log.info(
            "camera_state",
            camera_id=self._source.camera_id,
            state=state.value,
            url=self._source.place,
            error=error,
            gap_ms=now.mono_ms - since.mono_ms,
        )
        since = now if state is CameraState.LIVE else since
        self._news = LinkNews(state, reason, since, now, error)
        for watcher in self._watchers:
            watcher.link_changed(self._news)

    def _leave_behind(self, thread: _ReaderThread) -> None:
        self._stuck = [stuck for stuck in self._stuck if stuck.alive]
        if len(self._stuck) >= STUCK_READERS_MAX:
            return
        log.error(
            "camera_reader_stuck", camera_id=self._source.camera_id, stuck=len(self._stuck) + 1
        )
        thread.stop()
        self._stuck.append(thread)
        self._connections_before += thread.connections
        self._thread = self._new_thread()
