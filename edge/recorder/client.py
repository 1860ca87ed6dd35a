"""Holds the node's link to its recorder: connects for ever, asks, hears what it says."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from contracts.units import MessageId
from edge.core.people import Instant
from edge.core.recording import (
    CheckpointSaid,
    LevelSaid,
    Reply,
    Request,
    RequestBody,
    Said,
    StatusSaid,
)
from edge.recorder.socket_file import connected
from runtime.clock import Clock, backoff_ms
from runtime.logs import Repeats

log = structlog.get_logger(__name__)

RETRY_FIRST_MS: Final = 100  # a recorder that was restarted is back within a second
RETRY_MAX_MS: Final = 1_000  # a try costs nothing, and every second without a word is an alarm
SILENT_AFTER_MS: Final = 5_000
# It speaks twice a second; five seconds of a busy machine's delay say that it hangs.
REQUESTS_MAX: Final = 100  # that wait for their reply; whoever has more forgot to wait
_SAID: Final[TypeAdapter[Said]] = TypeAdapter(Said)


class RecorderLost(Exception):
    """The recorder is not there, or went away before it answered; ask again, under the same id."""


class RecorderClient:
    """The node's end of the control socket. For one event loop; callbacks must not block."""

    def __init__(self, path: Path, clock: Clock, rng: random.Random) -> None:
        self._path = path
        self._clock = clock
        self._rng = rng
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[MessageId, asyncio.Future[Reply]] = {}
        self._on_status: list[Callable[[StatusSaid], None]] = []
        self._on_checkpoint: list[Callable[[CheckpointSaid], None]] = []
        self._on_level: list[Callable[[LevelSaid], None]] = []
        self._on_link: list[Callable[[], None]] = []
        self._heard_mono_ms = clock.mono_ms()
        self._faults = Repeats(clock)
        self.status: StatusSaid | None = None
        """The recorder's last word on itself; may be old, see ``connected``."""
        self.since = Instant(clock.mono_ms(), clock.utc_ms())
        """When ``connected`` last changed."""

    @property
    def connected(self) -> bool:
        """Whether the recorder speaks to us now."""
        return self._writer is not None

    def on_status(self, listener: Callable[[StatusSaid], None]) -> None:
        """Call ``listener`` with each status."""
        self._on_status.append(listener)

    def on_checkpoint(self, listener: Callable[[CheckpointSaid], None]) -> None:
        """Call ``listener`` with each checkpoint."""
        self._on_checkpoint.append(listener)

    def on_level(self, listener: Callable[[LevelSaid], None]) -> None:
        """Call ``listener`` with each sound level of a pickup."""
        self._on_level.append(listener)

    def on_link(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when the recorder is there, and when it is lost."""
        self._on_link.append(listener)

    async def request(self, body: RequestBody, request_id: MessageId) -> Reply:
        """Ask for something; the same id twice is done once.

        Raises:
            RecorderLost: it is not there, or was lost before it answered.
        """
        if self._writer is None:
            raise RecorderLost("the recorder does not run")
        if len(self._waiting) >= REQUESTS_MAX:
            raise RecorderLost(f"{REQUESTS_MAX} requests wait for the recorder already")
        if request_id in self._waiting:
            return await asyncio.shield(self._waiting[request_id])
        answer = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        line = Request(id=request_id, body=body).model_dump_json().encode() + b"\n"
        try:
            self._writer.write(line)
            return await asyncio.shield(answer)
        finally:
            self._waiting.pop(request_id, None)

    async def run(self) -> None:
        """Keep the link until cancelled."""
        attempt = 0
        while True:
            try:
                reader, writer = await connected(self._path)
            except OSError as error:
                if times := self._faults.due("recorder"):
                    log.warning("recorder_unreachable", error=str(error), times=times)
            else:
                attempt = 0
                await self._hear(reader, writer)
            await self._clock.sleep_ms(
                backoff_ms(attempt, self._rng, first_ms=RETRY_FIRST_MS, max_ms=RETRY_MAX_MS)
            )
            attempt += 1

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first line to its end."""
        self._heard_mono_ms = self._clock.mono_ms()
        watchdog = asyncio.ensure_future(self._watch(writer))
        try:
            while line := await reader.readline():
                self._heard_mono_ms = self._clock.mono_ms()
                if self._writer is None:
                    self._link(writer)
                self._take(line)
        except (ConnectionError, ValueError) as error:
            log.warning("recorder_link_broken", error=str(error))
        finally:
            watchdog.cancel()
            writer.close()
            if self._writer is not None:
                self._link(None)

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        """Hang up on a recorder that has stopped speaking: its socket outlives its mind."""
        while True:
            await self._clock.sleep_ms(SILENT_AFTER_MS // 5)
            silent_ms = self._clock.mono_ms() - self._heard_mono_ms
            if silent_ms >= SILENT_AFTER_MS:
                log.error("recorder_silent", silent_ms=silent_ms)
                writer.transport.abort()
                return

    def _link(self, writer: asyncio.StreamWriter | None) -> None:
        self._writer = writer
        self.since = Instant(self._clock.mono_ms(), self._clock.utc_ms())
        log.info("recorder_connected" if writer else "recorder_lost")
        if writer is None:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(RecorderLost("the recorder went away"))
                    answer.exception()  # whoever asked may have given up meanwhile
        for listener in self._on_link:
            listener()

    def _take(self, line: bytes) -> None:
        try:
            said = _SAID.validate_json(line)
        except ValidationError as error:
            if times := self._faults.due("line"):
                log.warning("recorder_line_not_understood", error=str(error), times=times)
            return
        match said:
            case StatusSaid():
                self.status = said
                for on_status in self._on_status:
                    on_status(said)
            case CheckpointSaid():
                for on_checkpoint in self._on_checkpoint:
                    on_checkpoint(said)
            case LevelSaid():
                for on_level in self._on_level:
                    on_level(said)
            case Reply():
                answer = self._waiting.get(said.id)
                if answer is not None and not answer.done():
                    answer.set_result(said)
