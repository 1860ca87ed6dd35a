"""Runs a recorder: its tracks, what it is asked for, what it says, the clock and the disk it has.

Nothing here is on the way of a packet to the disk: were this event loop to stop, the readers and
writers of the tracks would go on.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog
from pydantic import BaseModel

from contracts.units import NodeId
from edge.core.machine_watch import ClockWatch, DiskSeen, compare, saves_space
from edge.core.people import Instant
from edge.core.recording import Noted, Reply, Request, SaveSpace, StatusSaid, TrackStatus
from edge.evidence.disk import Disk
from edge.evidence.keys import NodeKeys
from edge.evidence.manifest import ChainNotOpenError
from edge.recorder.control import ControlServer
from edge.recorder.orders import Orders
from edge.recorder.track import RecordedTrack
from runtime.clock import Clock
from runtime.logs import Repeats

log = structlog.get_logger(__name__)

LOOK_MS: Final = 250  # how late a change is told; a look costs what eight tracks have to say
STATUS_MS: Final = 500
CLOCK_MS: Final = 500
READING_MAX_MS: Final = 50
# Between two readings of the clock; when the machine slept in between, they cannot be compared.
DISK_MS: Final = 2_000
DISK_SILENT_MS: Final = 10_000  # a disk that does not say within this how full it is hangs
RETRY_MS: Final = 2_000
STOP_WRITING_S: Final = 1.5
# Readers end within a second, all at once; the whole stop has three.

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Threads:
    """Where this process waits for its disk; one thread each, so that one cannot block the other.

    ``orders`` keeps the order of what is asked; ``space`` asks the disk how full it is.
    """

    orders: Executor
    space: Executor


@dataclass(frozen=True, slots=True)
class Books:
    """What this process writes in, and with which key."""

    disk: Disk
    keys: NodeKeys
    orders: Orders


@dataclass(frozen=True, slots=True)
class RecorderSetup:
    """What the settings say of this recorder."""

    node_id: NodeId
    version: str
    socket: Path
    critical_percent: float


class RecorderService:
    """One recorder; see the module."""

    def __init__(
        self,
        setup: RecorderSetup,
        tracks: Sequence[RecordedTrack],
        books: Books,
        threads: Threads,
        clock: Clock,
    ) -> None:
        self._setup = setup
        self._tracks = tuple(tracks)
        self._orders = books.orders
        self._keys = books.keys
        self._disk = books.disk
        self._threads = threads
        self._clock = clock
        self._control = ControlServer(setup.socket, self.answer)
        self._watch = ClockWatch(clock.mono_ms(), clock.utc_ms())
        self._disk_seen = DiskSeen()
        self._disk_asked_ms: int | None = None
        self._saving = False
        self._told_to_save = False
        self._said: tuple[object, ...] = ()
        self._said_ms = 0
        self._faults = Repeats(clock)

    def say(self, said: BaseModel) -> None:
        """Tell whoever listens; from the event loop's thread."""
        self._control.say(said)

    async def run(self) -> None:
        """Record until cancelled; then end every file and enter the stop, within three seconds."""
        for track in self._tracks:
            track.start()
        control = asyncio.create_task(self._serve())
        try:
            async with asyncio.TaskGroup() as group:
                for track in self._tracks:
                    group.create_task(track.run())
                group.create_task(self._say_status())
                group.create_task(self._watch_clock())
                group.create_task(self._watch_disk())
                group.create_task(self._keep_keys())
        finally:
            await self._stop()
            control.cancel()
            await asyncio.gather(control, return_exceptions=True)

    async def _serve(self) -> None:
        while True:
            try:
                await self._control.run()
            except OSError as error:
                # Recording needs nobody who listens.
                if times := self._faults.due("control"):
                    log.error("control_socket_lost", error=str(error), times=times)
            await self._clock.sleep_ms(RETRY_MS)

    async def _stop(self) -> None:
        for track in self._tracks:
            track.stop_writing()
        for track in await asyncio.to_thread(self._join_writers):
            # The next start finds its file unfinished, and closes it.
            log.error("writer_stuck", track_id=track.track_id)
        self.say(self.status())

    def _join_writers(self) -> list[RecordedTrack]:
        """Wait for all writers, together no longer than STOP_WRITING_S; those that are stuck."""
        began_ms = self._clock.mono_ms()
        stuck = []
        for track in self._tracks:
            spent_s = (self._clock.mono_ms() - began_ms) / 1000
            if not track.join(max(STOP_WRITING_S - spent_s, 0.0)):
                stuck.append(track)
        return stuck

    async def _off(self, executor: Executor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    # What is asked.

    async def answer(self, request: Request) -> Reply:
        """Perform a request (``control.Answer``)."""
        if isinstance(request.body, SaveSpace):
            self._told_to_save = request.body.stop
            await self._save_space()
            return Reply(id=request.id)
        reply = await self._off(self._threads.orders, lambda: self._orders.perform(request))
        if self._saving or self._told_to_save:
            await self._save_space()  # a seal guards from now on, a release does not any more
        return reply

    # What it says.

    def status(self) -> StatusSaid:
        """How the recorder fares now."""
        now = self._clock.mono_ms()
        return StatusSaid(
            utc_ms=self._clock.utc_ms(),
            mono_ms=now,
            boot_id=self._clock.boot_id,
            version=self._setup.version,
            pid=os.getpid(),
            key=self._keys.current.id,
            clock=self._clock.state(),
            disk_free_bytes=self._disk_seen.free_bytes,
            disk_total_bytes=self._disk_seen.total_bytes,
            disk_error=self._disk_error(),
            saving_space=self._saving or self._told_to_save,
            clock_step_ms=self._watch.shown_step_ms(now),
            tracks=tuple(track.status() for track in self._tracks),
        )

    def _disk_error(self) -> str | None:
        asked = self._disk_asked_ms
        if asked is not None and self._clock.mono_ms() - asked >= DISK_SILENT_MS:
            return "the disk does not answer"
        return self._disk_seen.error

    async def _say_status(self) -> None:
        while True:
            status = self.status()
            facts = (
                (status.saving_space, status.clock_step_ms, status.disk_error, status.key),
                tuple(_news_of(track) for track in status.tracks),
            )
            now = self._clock.mono_ms()
            if facts != self._said or now - self._said_ms >= STATUS_MS:
                self._said, self._said_ms = facts, now
                self.say(status)
            await self._clock.sleep_ms(LOOK_MS)

    # The machine.

    async def _watch_clock(self) -> None:
        while True:
            self.look_at_clock()
            await self._clock.sleep_ms(CLOCK_MS)

    def look_at_clock(self) -> None:
        """Compare the two clocks; a step of UTC is entered in every chain."""
        before = self._clock.mono_ms()
        utc = self._clock.utc_ms()
        if self._clock.mono_ms() - before > READING_MAX_MS:
            return
        last = self._watch
        self._watch, step_ms = compare(last, before, utc)
        if not step_ms:
            return
        expected = last.utc_ms + (before - last.mono_ms)
        log.warning("clock_stepped", step_ms=step_ms)
        note = Noted(
            "clock_step",
            f"utc_ms {expected}",
            f"utc_ms {utc} ({step_ms:+d} ms)",
            Instant(before, utc),
        )
        for track in self._tracks:
            track.note(note)

    async def _watch_disk(self) -> None:
        while True:
            self._disk_asked_ms = self._clock.mono_ms()
            self._disk_seen = await self._off(self._threads.space, self._ask_disk)
            self._disk_asked_ms = None
            critical = self._setup.critical_percent
            self._saving = saves_space(self._disk_seen, critical, saving=self._saving)
            await self._save_space()
            await self._clock.sleep_ms(DISK_MS)

    def _ask_disk(self) -> DiskSeen:
        try:
            space = self._disk.space()
        except OSError as error:
            return DiskSeen(error=(error.strerror or str(error))[:200])
        return DiskSeen(space.free_bytes, space.total_bytes)

    async def _save_space(self) -> None:
        """Let the disk have what it has room for: everything, or what is guarded."""
        if not (self._saving or self._told_to_save):
            for track in self._tracks:
                track.want(wanted=True)
            return
        guarded = await self._off(
            self._threads.space, lambda: [track.is_guarded() for track in self._tracks]
        )
        for track, wanted in zip(self._tracks, guarded, strict=True):
            track.want(wanted=wanted)

    async def _keep_keys(self) -> None:
        """Until the public key lies beside the recordings and no rotation is half done."""
        while True:
            try:
                await self._off(self._threads.orders, self._orders.upkeep)
            except (OSError, ChainNotOpenError) as error:
                if times := self._faults.due("keys"):
                    log.warning("keys_wait", error=str(error), times=times)
                await self._clock.sleep_ms(RETRY_MS)
            else:
                return


def _news_of(track: TrackStatus) -> tuple[object, ...]:
    """What of a track is worth a line of its own."""
    return track.state, track.reason, track.since_mono_ms, track.sequence, track.number
