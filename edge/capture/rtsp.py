"""Keeps one camera's link: reads it in a thread, notices a freeze without it, connects again."""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import asyncio
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import av
import structlog
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.error import TimeoutError as AvTimeoutError
from av.packet import Packet
from av.stream import Stream

from contracts.devices import CameraConfig
from contracts.observations import CameraState
from contracts.units import CameraId
from edge.capture.decoding import Decoder
from edge.capture.link import Facts, Failure, Phase, frozen_after_ms, judge
from edge.capture.packets import PacketSink, streams_of
from edge.core.people import Instant
from edge.ports import CameraCounts, EventSink, Frame, Latest, LinkState
from runtime.clock import Clock, backoff_ms

log = structlog.get_logger(__name__)

WATCH_MS = 100  # how often the watchdog looks
OPEN_TIMEOUT_S = 5.0  # a camera that wakes up answers DESCRIBE in 1 to 3 s
READ_TIMEOUT_S = 3.0  # longer than a freeze takes to be noticed, so the watchdog speaks first
SOCKET_TIMEOUT_US = 3_000_000
RETRY_FIRST_MS = 250  # a camera that hung up is mostly back at once
RETRY_MAX_MS = 5_000  # nobody waits longer for a camera that has come back
STABLE_AFTER_MS = 10_000  # a link that lived shorter does not reset the backoff
GIVE_UP_AFTER_MS = 15_000
# A reader that has not come back this long after it was told to is stuck in a driver.
STOP_WAIT_S = 1.0  # shutdown has 5 s for everything; a live stream ends within one packet
STUCK_READERS_MAX = 4  # each holds a thread and a socket; beyond this only a restart helps

Credentials = Callable[[], tuple[str, str] | None]
"""User and password of a camera, asked for at each connection; None when it needs none."""


def with_credentials(url: str, pair: tuple[str, str] | None) -> str:
    """The address with user and password in it: for the socket only, never for a log."""
    if pair is None:
        return url
    parts = urlsplit(url)
    user, password = (quote(text, safe="") for text in pair)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}"))


def open_source(url: str, transport: str) -> InputContainer:
    """Open an rtsp, file or v4l2 address with explicit time-outs.

    Raises:
        FFmpegError: it cannot be opened. Its ``filename`` may hold a password: log ``strerror``
            alone.
    """
    timeout_s = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return av.open(unquote(parts.path), timeout=timeout_s)
    if parts.scheme == "v4l2":
        return av.open(parts.path, format="video4linux2", timeout=timeout_s)
    options = {
        "rtsp_transport": transport,
        # libavformat of today knows `timeout` (µs); `stimeout` of the old guides is ignored.
        "timeout": str(SOCKET_TIMEOUT_US),
        "fflags": "nobuffer",
        # The SDP says what comes: half a second of looking is enough; the default costs 5 s.
        "analyzeduration": "500000",
        "probesize": "500000",
    }
    return av.open(url, options=options, timeout=timeout_s)


class _Reader:
    """One thread that connects, reads and hands packets on, until told to stop."""

    def __init__(
        self,
        config: CameraConfig,
        credentials: Credentials,
        clock: Clock,
        rng: random.Random,
        sinks: Sequence[PacketSink],
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._clock = clock
        self._rng = rng
        self._sinks = tuple(sinks)
        self._stop = threading.Event()
        self._hang_up = threading.Event()
        self.connections = 0
        self.facts = Facts(Phase.CONNECTING, self._now())
        self._thread = threading.Thread(target=self._run, name=f"read-{config.id}", daemon=True)
        self._thread.start()

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
            last_video = self.facts.last_video
            self.facts = Facts(Phase.CONNECTING, self._now(), last_video)
            started = self._clock.mono_ms()
            failure, error = self._connect_once()
            self.facts = Facts(
                Phase.FAILED, self._now(), self.facts.last_video or last_video, failure, error
            )
            if self._clock.mono_ms() - started >= STABLE_AFTER_MS:
                attempt = 0
            delay_ms = backoff_ms(attempt, self._rng, first_ms=RETRY_FIRST_MS, max_ms=RETRY_MAX_MS)
            attempt += 1
            self._stop.wait(delay_ms / 1000)

    def _connect_once(self) -> tuple[Failure, str]:
        stream = self._config.analysed
        try:
            url = with_credentials(stream.url, self._credentials())
            with open_source(url, self._config.transport) as container:
                self._stream(container, looping=stream.url.startswith("file:"))
            return (
                (Failure.SILENT, "no pictures came; hung up")
                if self._hang_up.is_set()
                else (Failure.REFUSED, "the camera ended the stream")
            )
        except (ExitError, AvTimeoutError):
            return Failure.SILENT, "no answer in time"
        except FFmpegError as error:
            return Failure.REFUSED, error.strerror or type(error).__name__
        except (LookupError, OSError) as error:
            return Failure.REFUSED, str(error)

    def _stream(self, container: InputContainer, *, looping: bool) -> None:
        link = streams_of(container)
        self.connections += 1
        self.facts = Facts(Phase.STREAMING, self._now())
        for sink in self._sinks:
            sink.opened(link)
        packets = self._looped(container) if looping else container.demux()
        try:
            for packet in packets:
                if self._hang_up.is_set():
                    return
                if packet.size == 0 or packet.stream.index not in _wanted(link.video, link.audio):
                    continue
                at = self._now()
                if packet.stream.index == link.video.index:
                    self.facts = Facts(Phase.STREAMING, self.facts.changed, at)
                for sink in self._sinks:
                    sink.take(packet, at)
        finally:
            # A reader that was left behind must not close what its successor has opened.
            if not self._stop.is_set():
                for sink in self._sinks:
                    sink.closed()

    def _looped(self, container: InputContainer) -> Iterator[Packet[Stream]]:
        """The packets of a file, at its own rate, again and again."""
        while not self._hang_up.is_set():
            began = self._clock.mono_ms()
            first_s: float | None = None
            for packet in container.demux():
                if packet.dts is None or packet.time_base is None:
                    continue
                due_s = float(packet.dts * packet.time_base)
                first_s = due_s if first_s is None else first_s
                ahead_s = due_s - first_s - (self._clock.mono_ms() - began) / 1000
                if ahead_s > 0 and self._hang_up.wait(ahead_s):
                    return
                yield packet
            container.seek(0)


def _wanted(*streams: Stream | None) -> tuple[int, ...]:
    return tuple(stream.index for stream in streams if stream is not None)


class CameraLink:
    """One camera as the service knows it (``ports.Camera``)."""

    def __init__(
        self,
        config: CameraConfig,
        credentials: Credentials,
        clock: Clock,
        rng: random.Random,
        report: EventSink,
        frames: Latest[Frame],
        *,
        recorders: Sequence[PacketSink] = (),
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._clock = clock
        self._rng = rng
        self._report = report
        self._recorders = tuple(recorders)
        self._decoder = Decoder(config.id, frames, report, analyse_fps=config.analyse_fps)
        self._frames = frames
        self._limit_ms = frozen_after_ms(config.analysed.fps)
        self._state = CameraState.STARTING
        self._stuck: list[_Reader] = []
        self._reader: _Reader | None = None
        self._connections_before = 0

    @property
    def camera_id(self) -> CameraId:
        return self._config.id

    @property
    def frames(self) -> Latest[Frame]:
        return self._frames

    @property
    def counts(self) -> CameraCounts:
        connections = self._connections_before + (self._reader.connections if self._reader else 0)
        return CameraCounts(
            frames=self._decoder.decoded,
            dropped=self._frames.dropped + self._decoder.dropped_packets,
            connections=connections,
        )

    async def run(self) -> None:
        """Watch the reader until cancelled. Does not depend on PyAV ever coming back."""
        self._reader = self._new_reader()
        try:
            while True:
                self._watch(self._reader)
                await self._clock.sleep_ms(WATCH_MS)
        finally:
            self._reader.stop()
            self._decoder.stop()
            # A thread inside PyAV at the end of the process can bring it down: give it a moment.
            await asyncio.to_thread(self._reader.join, STOP_WAIT_S)

    def _new_reader(self) -> _Reader:
        # Recorders first: they must have a packet even if the decoder's lock is being waited for.
        sinks = (*self._recorders, self._decoder)
        return _Reader(self._config, self._credentials, self._clock, self._rng, sinks)

    def _watch(self, reader: _Reader) -> None:
        facts = reader.facts
        now = Instant(self._clock.mono_ms(), self._clock.utc_ms())
        state, since = judge(self._state, facts, now, self._limit_ms)
        if state is CameraState.FROZEN and facts.phase is Phase.STREAMING:
            reader.hang_up()
            silent_ms = now.mono_ms - since.mono_ms
            if silent_ms >= self._limit_ms + GIVE_UP_AFTER_MS:
                self._leave_behind(reader)
        if state is self._state:
            return
        self._state = state
        error = None if state is CameraState.LIVE else (facts.error or "no pictures come")
        log.info(
            "camera_state",
            camera_id=self._config.id,
            state=state.value,
            url=self._config.analysed.url,
            error=error,
            gap_ms=now.mono_ms - since.mono_ms,
        )
        since = now if state is CameraState.LIVE else since
        self._report(LinkState(self._config.id, state, since, now, error))

    def _leave_behind(self, reader: _Reader) -> None:
        self._stuck = [stuck for stuck in self._stuck if stuck.alive]
        if len(self._stuck) >= STUCK_READERS_MAX:
            return
        log.error("camera_reader_stuck", camera_id=self._config.id, stuck=len(self._stuck) + 1)
        reader.stop()
        self._stuck.append(reader)
        self._connections_before += reader.connections
        self._reader = self._new_reader()
