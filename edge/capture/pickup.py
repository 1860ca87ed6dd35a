"""Keeps one pickup: runs the process that captures it, encodes its sound, says how it stands.

Silence is sound: a live device that gives zeros has a level, and no gap.
"""

from __future__ import annotations  # av.packet.Packet is generic in its stub alone

import asyncio
import contextlib
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from contracts.devices import PickupConfig
from contracts.evidence.entries import GapReason
from contracts.units import PickupId
from edge.capture.pickup_devices import Loss
from edge.capture.pickup_frames import (
    FrameError,
    FrameReader,
    Listed,
    Lost,
    Opened,
    PickupFrame,
    Sound,
)
from edge.capture.pickup_stream import SoundSink, SoundStream, StreamCut
from edge.core.people import Instant
from edge.core.recording import LevelSaid
from runtime.clock import Clock, backoff_ms

log = structlog.get_logger(__name__)

START_LIMIT_S: Final = 20.0  # PortAudio asks every driver what it can; a slow one takes seconds
SILENT_LIMIT_S: Final = 4.0  # twice what the process itself waits for: then it hangs
RETRY_FIRST_MS: Final = 250
RETRY_MAX_MS: Final = 5_000
STABLE_AFTER_MS: Final = 10_000  # a run that was shorter does not reset the backoff
READ_BYTES: Final = 65_536
STDERR_KEPT_BYTES: Final = 2_000  # the end of a traceback says what went wrong
DETAIL_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class PickupState:
    """How a pickup stands. A loss is seen at ``noticed``, and holds ``since`` the last sample.

    Where one loss follows another (ended, then missing), the later one's ``since`` is when it was
    noticed.
    """

    pickup_id: PickupId
    live: bool
    since: Instant
    noticed: Instant
    loss: Loss | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PickupCounts:
    """What a pickup has delivered since the node started."""

    starts: int
    """Processes started."""
    samples: int
    """Recorded, at 48 kHz."""
    overflows: int
    """Times that the driver said it lost samples."""
    missing_ms: int
    """Time within open streams for which no samples came."""
    drift_ppm: float | None
    """How much faster than its nominal rate the device counts, by our clock; None: too early."""
    sound_offset_ms: int
    """See ``PickupSource.sound_offset_ms``."""


PickupEvent = PickupState | LevelSaid
PickupReport = Callable[[PickupEvent], None]


def command(config: PickupConfig, look_ms: int | None = None) -> tuple[str, ...]:
    """The line that starts the process of a pickup."""
    words = [sys.executable, "-m", "edge.capture.pickup_process", "--device", config.device]
    words += ["--rate", str(config.rate_hz), "--channels", str(config.channel or 1)]
    if config.host_api is not None:
        words += ["--host-api", config.host_api]
    if look_ms is not None:
        words += ["--look-ms", str(look_ms)]
    return tuple(words)


class _Ended(Exception):
    """A run of the process is over, and why."""

    def __init__(self, lost: Lost) -> None:
        super().__init__(lost.detail)
        self.lost = lost


class PickupSource:
    """One pickup as the recorder knows it. Its packets go to ``sinks``.

    Packets carry time stamps at 48 kHz by the node's clock (see ``pickup_clock``) and come with the
    instant at which their first sample was captured, not the one at which they arrived.
    """

    def __init__(
        self,
        config: PickupConfig,
        clock: Clock,
        rng: random.Random,
        report: PickupReport,
        sinks: Sequence[SoundSink],
        *,
        environ: Mapping[str, str] | None = None,
        look_ms: int | None = None,
        process: Sequence[str] | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._rng = rng
        self._report = report
        self._sinks = tuple(sinks)
        self._environ = dict(os.environ if environ is None else environ)
        self._command = tuple(process) if process is not None else command(config, look_ms)
        self._state: PickupState | None = None
        self._last: Instant | None = None
        self._opened: Opened | None = None
        self._run: SoundStream | None = None
        self._process: Process | None = None
        self._starts = 0
        self._before = PickupCounts(0, 0, 0, 0, None, 0)

    @property
    def pickup_id(self) -> PickupId:
        return self._config.id

    @property
    def state(self) -> PickupState | None:
        """How it stands; None until its first sound or its first loss."""
        return self._state

    @property
    def pid(self) -> int | None:
        """Of the process that captures; None while it waits for the next start."""
        return self._process.pid if self._process else None

    @property
    def counts(self) -> PickupCounts:
        """What it has delivered."""
        before, run = self._before, self._run
        if run is None:
            return before
        return PickupCounts(
            starts=self._starts,
            samples=before.samples + run.samples,
            overflows=before.overflows + run.overflows,
            missing_ms=before.missing_ms + run.missing_us // 1000,
            drift_ppm=run.clock.drift_ppm,
            sound_offset_ms=run.sound_offset_ms,
        )

    @property
    def sound_offset_ms(self) -> int:
        """How much later than captured the sound is stamped, for the manifest.

        Where the driver gives times, they have been followed, and what is left is how far the last
        blocks were off: mostly 0. Where it gives none, its stated latency has been taken off every
        stamp, and cannot be checked; it is what the offset may be.
        """
        return self.counts.sound_offset_ms

    async def run(self) -> None:
        """Capture until cancelled; starts the process again for ever."""
        attempt = 0
        self._last = self._now()
        while True:
            started = self._clock.mono_ms()
            try:
                await self._run_once()
            except _Ended as ended:
                self._close_run()
                self._lost(ended.lost)
            finally:
                self._close_run()
                self._opened = None
            if self._clock.mono_ms() - started >= STABLE_AFTER_MS:
                attempt = 0
            delay_ms = backoff_ms(attempt, self._rng, first_ms=RETRY_FIRST_MS, max_ms=RETRY_MAX_MS)
            attempt += 1
            await self._clock.sleep_ms(delay_ms)

    async def _run_once(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self._environ
            )
        except OSError as error:
            raise _Ended(Lost(Loss.CRASHED, f"cannot be started: {error}")) from error
        self._process = process
        self._starts += 1
        complaints = asyncio.create_task(_tail(process))
        try:
            await self._read(process)
        finally:
            # Only SIGKILL is sure: PortAudio may sit in a loop where a device has gone.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            self._process = None
            said = await complaints
            if said:
                log.warning("pickup_process_said", pickup_id=self._config.id, text=said)

    async def _read(self, process: Process) -> None:
        if process.stdout is None:
            raise _Ended(Lost(Loss.CRASHED, "its output is not a pipe"))
        reader = FrameReader()
        while True:
            limit_s = SILENT_LIMIT_S if self._run is not None else START_LIMIT_S
            try:
                async with asyncio.timeout(limit_s):
                    data = await process.stdout.read(READ_BYTES)
            except TimeoutError as error:
                detail = f"its process said nothing for {limit_s} s"
                raise _Ended(Lost(Loss.STALLED, detail)) from error
            if not data:
                status = await process.wait()
                raise _Ended(Lost(Loss.CRASHED, f"its process ended with status {status}"))
            try:
                frames = reader.feed(data)
            except FrameError as error:
                raise _Ended(Lost(Loss.CRASHED, str(error))) from error
            for frame in frames:
                self._take(frame)

    def _take(self, frame: PickupFrame) -> None:
        match frame:
            case Sound():
                self._sound(frame)
            case Opened():
                self._close_run()
                self._opened = frame
                log.info(
                    "pickup_opened",
                    pickup_id=self._config.id,
                    device=frame.device,
                    host_api=frame.host_api,
                    rate_hz=frame.rate_hz,
                    channels=frame.channels,
                )
            case Lost():
                if self._opened is not None or frame.loss is Loss.NOT_INSTALLED:
                    raise _Ended(frame)
                self._lost(frame)  # it goes on looking by itself
            case Listed():
                raise _Ended(Lost(Loss.CRASHED, "it lists devices where sound was asked for"))

    def _sound(self, sound: Sound) -> None:
        if self._opened is None:
            raise _Ended(Lost(Loss.CRASHED, "it sends sound of no device"))
        try:
            self._feed(self._opened, (sound,))
        except StreamCut as cut:
            self._close_run()
            self._lose(self._last or self._now(), str(cut))
            self._feed(self._opened, (*cut.held, sound))
        self._live()

    def _feed(self, opened: Opened, blocks: Sequence[Sound]) -> None:
        for block in blocks:
            if self._run is None:
                self._run = SoundStream(self._config, opened, block, self._sinks, self._clock)
            for level in self._run.take(block):
                self._report(level)
            self._last = self._run.ended or self._last

    def _close_run(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        run.close()
        self._last = run.ended or self._last
        before = self._before
        self._before = PickupCounts(
            starts=self._starts,
            samples=before.samples + run.samples,
            overflows=before.overflows + run.overflows,
            missing_ms=before.missing_ms + run.missing_us // 1000,
            drift_ppm=run.clock.drift_ppm,
            sound_offset_ms=run.sound_offset_ms,
        )

    def _now(self) -> Instant:
        return Instant(self._clock.mono_ms(), self._clock.utc_ms())

    def _live(self) -> None:
        if self._state is not None and self._state.live:
            return
        now = self._now()
        self._say(PickupState(self._config.id, live=True, since=now, noticed=now))

    def _lost(self, lost: Lost) -> None:
        before, now = self._state, self._now()
        since = now  # lost as before, for another reason from now on
        if before is None or before.live:
            since = self._last or now
        elif before.loss is lost.loss:
            return
        detail = lost.detail[:DETAIL_MAX]
        state = PickupState(
            self._config.id, live=False, since=since, noticed=now, loss=lost.loss, detail=detail
        )
        self._say(state)
        self._lose(since, detail)

    def _lose(self, since: Instant, detail: str) -> None:
        for sink in self._sinks:
            sink.lose(GapReason.PICKUP_LOST, since, detail)

    def _say(self, state: PickupState) -> None:
        self._state = state
        log.info(
            "pickup_state",
            pickup_id=self._config.id,
            live=state.live,
            loss=state.loss.value if state.loss else None,
            detail=state.detail or None,
            gap_ms=state.noticed.mono_ms - state.since.mono_ms,
        )
        self._report(state)


async def _tail(process: Process) -> str:
    """The end of what a process writes to stderr."""
    if process.stderr is None:
        return ""
    kept = b""
    while data := await process.stderr.read(READ_BYTES):
        kept = (kept + data)[-STDERR_KEPT_BYTES:]
    return kept.decode(errors="replace").strip()
