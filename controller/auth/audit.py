"""Writes the audit log: a chain of lines, its head signed; a line counts once it is on the disk."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from contracts.api.audit import AuditHead, AuditLine, line_hash
from contracts.units import UtcMs
from controller.ports import AuditStore, Blocking, StoreLost
from runtime.clock import Clock
from runtime.signing import SigningKey

log = structlog.get_logger(__name__)

HEAD_LINES: Final = 200  # a head is signed so often at least, and once an hour
HEAD_MS: Final = 3_600_000
BATCH_MAX: Final = 500  # lines of one transaction: requests that came while the last one synced
OWED_MAX: Final = 1_000  # lines of requests that were done when the log failed
DAY_MS: Final = 86_400_000
TIDY_MS: Final = 3_600_000
SUBJECT_MAX: Final = 12  # parts of an address; ours have three at most
VALUE_MAX_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class Happened:
    """What a line tells, before it has its place in the chain."""

    by: str
    what: str
    subject: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    status: int = 0
    note: str = ""


class AuditLog:
    """The chain's writer; one for a controller. For one event loop.

    ``write`` returns when the line is committed. Requests that come while a transaction syncs
    share the next one. When the store refuses, what had happened is owed: it is written first
    when the store is back, and until then ``writable`` is false, so that nothing more is done.
    """

    def __init__(
        self,
        store: AuditStore,
        clock: Clock,
        key: SigningKey,
        days_kept: int,
        blocking: Blocking = asyncio.to_thread,
    ) -> None:
        self._store = store
        self._clock = clock
        self._key = key
        self.days_kept = days_kept
        self._blocking = blocking
        self._waiting: deque[tuple[UtcMs, Happened, asyncio.Future[None]]] = deque()
        self._owed: deque[tuple[UtcMs, Happened]] = deque(maxlen=OWED_MAX)
        self._draining: asyncio.Task[None] | None = None
        self._end: tuple[int, str] | None = None
        self._signed: tuple[int, UtcMs] = (0, UtcMs(0))
        self.writable = True

    async def write(self, happened: Happened) -> None:
        """Append a line; returns after its commit.

        Raises:
            StoreLost: it is not on the disk; it is owed.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._clock.utc_ms(), happened, done))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain(), name="audit-drain")
        await done

    async def recover(self) -> bool:
        """Whether the log writes, after trying to write what is owed."""
        if not self.writable:
            try:
                await self.write(Happened("controller", "audit.recovered"))
            except StoreLost:
                return False
        return self.writable

    async def run(self) -> None:
        """Sign the head hourly and forget what is older than must be kept, until cancelled."""
        while True:
            before = UtcMs(self._clock.utc_ms() - self.days_kept * DAY_MS)
            try:
                gone = await self._blocking(self._store.cut_audit, before)
                if gone:
                    await self.write(Happened("controller", "audit.cut", {"lines": str(gone)}))
                elif self._end is not None and self._end[0] > self._signed[0]:
                    await self.write(Happened("controller", "audit.hour"))
            except StoreLost as error:
                log.warning("audit_lost", why=str(error))
            await self._clock.sleep_ms(TIDY_MS)

    async def _drain(self) -> None:
        while self._waiting:
            rows = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            told = [*self._owed, *((at, happened) for at, happened, _ in rows)]
            try:
                await self._commit(told)
            except StoreLost as error:
                self.writable, self._end = False, None
                log.error("audit_lost", why=str(error), lines=len(rows))
                for at, happened, done in rows:
                    if happened.what != "audit.recovered":
                        self._owed.append((at, happened))
                    if not done.done():
                        done.set_exception(StoreLost(str(error)))
                continue
            self._owed.clear()
            self.writable = True
            for _, _, done in rows:
                if not done.done():
                    done.set_result(None)

    async def _commit(self, told: list[tuple[UtcMs, Happened]]) -> None:
        end = self._end if self._end is not None else await self._blocking(self._store.audit_end)
        seq, prev = end
        lines = []
        for at, happened in told:
            seq += 1
            line = AuditLine(
                seq=seq,
                utc_ms=at,
                by=happened.by[:VALUE_MAX_CHARS],
                what=happened.what[:160],
                subject=_short(happened.subject),
                address=happened.address[:VALUE_MAX_CHARS],
                status=happened.status,
                note=happened.note[:200],
                prev=prev,
            )
            prev = line_hash(line.text())
            lines.append(line)
        heads = self._heads(seq, prev)
        await self._blocking(self._store.add_audit, lines, heads)
        self._end = (seq, prev)
        if heads:
            self._signed = (seq, heads[0].utc_ms)

    def _heads(self, seq: int, sha256: str) -> list[AuditHead]:
        now = self._clock.utc_ms()
        number, at = self._signed
        if seq - number < HEAD_LINES and now - at < HEAD_MS:
            return []
        head = AuditHead(head=seq, utc_ms=now, sha256=sha256, key=self._key.id)
        signature = self._key.sign(head.signed()).hex()
        return [head.model_copy(update={"signature": signature})]


def _short(subject: Mapping[str, str]) -> dict[str, str]:
    rows = list(subject.items())[:SUBJECT_MAX]
    return {key[:40]: printable(value)[:VALUE_MAX_CHARS] for key, value in rows}


def printable(text: str) -> str:
    """Without what would break a line or cannot be stored."""
    return "".join(char if char.isprintable() else "?" for char in text)
