"""Keeps messages on disk until their receiver has committed them, and sends them in order.

PUBACK is not storage: a broker killed with -9 forgets what it has acknowledged. So a sender writes
to disk first, sends a window of messages in sequence order (go-back-N), and forgets only what the
receiver's own ``Ack`` covers. The receiver keeps an ``InboxCursor`` in the transaction that stores
the message.
"""

import asyncio
import json
import random
import secrets
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog
from pydantic import BaseModel, ValidationError

from contracts import topics
from contracts.codec import body_bytes, signed_part
from contracts.envelope import PAYLOAD_MAX_BYTES, Ack, Delivered, Envelope, StreamId
from contracts.units import UtcMs
from runtime.clock import Clock, backoff_ms
from runtime.logs import Repeats
from runtime.mqtt import (
    Bus,
    DropPolicy,
    MqttLost,
    Outgoing,
    PayloadTooLargeError,
    PublishRefusedError,
)
from runtime.tokens import sign_message

log = structlog.get_logger(__name__)

WINDOW = 64
# Messages on their way at once: hides a round trip of 50 ms at 1000 messages/s, and a resend stays
# small.
DEPTH_MAX = 200_000
# A week of a busy room's messages; at about 1 KiB each 200 MB of disk. Beyond it the disk needs a
# person.
ACK_FIRST_MS = 1_000  # a receiver commits in milliseconds; a second means that something was lost
ACK_MAX_MS = 15_000  # a receiver that comes back also says so itself, and is answered at once
LOST_MAX_MS = 1_000  # without a link only a counter is tried, so often is cheap
REFUSED_FIRST_MS = 2_000  # an ACL does not change by itself
REFUSED_MAX_MS = 60_000
SEQ_ROOM = Delivered(
    stream="x" * 40, epoch="0" * 16, seq=10**15, floor=10**15
)  # longest on the wire

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    stream TEXT NOT NULL, epoch TEXT NOT NULL, next_seq INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY,
    topic TEXT NOT NULL, body BLOB NOT NULL, key TEXT NOT NULL,
    message_id TEXT NOT NULL UNIQUE, appended_utc_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS message_key ON message (key, seq);
"""


class OutboxFullError(Exception):
    """The outbox holds DEPTH_MAX messages: nobody has acknowledged for days."""


class OutboxMismatchError(Exception):
    """The database file belongs to another stream."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be appended; ``key`` names whose order matters (a room, a robot)."""

    topic: str
    message: BaseModel
    key: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that waits for its acknowledgement."""

    seq: int
    topic: str
    body: bytes
    key: str
    message_id: str
    appended_utc_ms: UtcMs


class Outbox:
    """One stream's durable queue in its own SQLite file (WAL, synchronous=FULL).

    Methods block for one disk flush and may be called from any thread. Sequence order is append
    order, which keeps the order of every key.
    """

    def __init__(
        self,
        path: Path,
        stream: StreamId,
        sender: str,
        clock: Clock,
        *,
        new_epoch: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.stream = stream
        self.sender = sender
        self._clock = clock
        self._new_epoch = new_epoch
        self._lock = threading.RLock()
        self._listeners: list[Callable[[], None]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._epoch, self._next_seq = self._open_stream(path)
        self._depth = int(self._db.execute("SELECT count(*) FROM message").fetchone()[0])

    def _open_stream(self, path: Path) -> tuple[str, int]:
        row = self._db.execute("SELECT stream, epoch, next_seq FROM outbox").fetchone()
        if row is None:
            epoch = self._new_epoch()
            self._db.execute("INSERT INTO outbox VALUES (1, ?, ?, 1)", (self.stream, epoch))
            return epoch, 1
        if row[0] != self.stream:
            raise OutboxMismatchError(
                f"{path} is the outbox of stream {row[0]!r}, not {self.stream!r}; "
                "give each stream a file of its own"
            )
        return str(row[1]), int(row[2])

    @property
    def epoch(self) -> str:
        """The life of this database; a new one begins when the file is new or was set back."""
        return self._epoch

    @property
    def depth(self) -> int:
        """How many messages wait for their acknowledgement."""
        return self._depth

    def on_append(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each append, in the appending thread."""
        self._listeners.append(listener)

    def off_append(self, listener: Callable[[], None]) -> None:
        """Stop calling ``listener``."""
        self._listeners.remove(listener)

    def append(self, topic: str, message: BaseModel, key: str, message_id: str) -> int:
        """Store one message; durable on return. See ``append_many``."""
        return self.append_many((Entry(topic, message, key, message_id),))[0]

    def append_many(self, entries: Iterable[Entry]) -> list[int]:
        """Store messages in one transaction, durable on return; their sequence numbers.

        A ``message_id`` that still waits is not stored again: its old number is returned.

        Raises:
            OutboxFullError: there is no room; nothing was stored.
            PayloadTooLargeError: a message would exceed PAYLOAD_MAX_BYTES; nothing was stored.
            ValueError: a topic is not one of ours.
        """
        rows = [(entry, self._checked_body(entry)) for entry in entries]
        with self._lock:
            if self._depth + len(rows) > DEPTH_MAX:
                raise OutboxFullError(
                    f"outbox {self.stream!r} holds {self._depth} messages, limit {DEPTH_MAX}; "
                    "find out why its receiver does not acknowledge"
                )
            with _Transaction(self._db):
                seqs, added = self._insert(rows)
            self._next_seq += added
            self._depth += added
        for listener in self._listeners:
            listener()
        return seqs

    def _insert(self, rows: Sequence[tuple[Entry, bytes]]) -> tuple[list[int], int]:
        seqs: list[int] = []
        seq = self._next_seq
        for entry, body in rows:
            known = self._db.execute(
                "SELECT seq FROM message WHERE message_id = ?", (entry.message_id,)
            ).fetchone()
            if known is not None:
                seqs.append(int(known[0]))
                continue
            self._db.execute(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?)",
                (seq, entry.topic, body, entry.key, entry.message_id, self._clock.utc_ms()),
            )
            seqs.append(seq)
            seq += 1
        self._db.execute("UPDATE outbox SET next_seq = ?", (seq,))
        return seqs, seq - self._next_seq

    def _checked_body(self, entry: Entry) -> bytes:
        body = body_bytes(entry.message)
        row = Pending(1, entry.topic, body, entry.key, entry.message_id, self._clock.utc_ms())
        size = len(_envelope(row, self.sender, SEQ_ROOM, "0" * 64))
        if size > PAYLOAD_MAX_BYTES:
            raise PayloadTooLargeError(
                f"message {entry.message_id} for {entry.topic!r} has {size} bytes; "
                f"the limit is {PAYLOAD_MAX_BYTES}"
            )
        return body

    def acknowledge(self, ack: Ack) -> int:
        """Forget what the receiver has committed; how many messages that were.

        An Ack of another stream or epoch changes nothing. An Ack for more than was ever sent means
        that this file was set back to an older copy: the waiting messages then begin a new epoch,
        for under their old numbers the receiver would take them for duplicates.
        """
        if ack.stream != self.stream or ack.epoch != self._epoch:
            return 0
        with self._lock:
            if ack.seq >= self._next_seq:
                self._begin_epoch(ack.seq)
                return 0
            with _Transaction(self._db):
                gone = self._db.execute("DELETE FROM message WHERE seq <= ?", (ack.seq,)).rowcount
            self._depth -= gone
        return gone

    def _begin_epoch(self, acknowledged: int) -> None:
        epoch = self._new_epoch()
        rows = self._db.execute("SELECT seq FROM message ORDER BY seq").fetchall()
        with _Transaction(self._db):
            for new, (old,) in enumerate(rows, start=1):
                self._db.execute("UPDATE message SET seq = ? WHERE seq = ?", (new, old))
            self._db.execute("UPDATE outbox SET epoch = ?, next_seq = ?", (epoch, len(rows) + 1))
        log.error(
            "outbox_set_back",
            stream=self.stream,
            acknowledged=acknowledged,
            next_seq=self._next_seq,
        )
        self._epoch, self._next_seq = epoch, len(rows) + 1

    def pending(self, limit: int = WINDOW, *, after: int = 0) -> list[Pending]:
        """Up to ``limit`` waiting messages with numbers above ``after``, in order."""
        with self._lock:
            rows = self._db.execute(
                "SELECT seq, topic, body, key, message_id, appended_utc_ms FROM message "
                "WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit),
            ).fetchall()
        return [Pending(*row) for row in rows]

    def payload(self, row: Pending, *, floor: int, signing_key: bytes | None = None) -> bytes:
        """The envelope of a waiting message as it goes on the wire now."""
        signature = None
        if signing_key is not None:
            signature = sign_message(signing_key, signed_part(row.topic, row.message_id, row.body))
        place = Delivered(stream=self.stream, epoch=self._epoch, seq=row.seq, floor=floor)
        return _envelope(row, self.sender, place, signature)

    def close(self) -> None:
        """Close the database; what was appended stays."""
        with self._lock:
            self._db.close()


class _Transaction:
    """BEGIN IMMEDIATE .. COMMIT, or ROLLBACK when the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _envelope(row: Pending, sender: str, place: Delivered, signature: str | None) -> bytes:
    parsed = topics.parse(row.topic)
    if parsed is None:
        raise ValueError(f"{row.topic!r} is not a topic of ours; build it with contracts.topics")
    envelope = Envelope(
        schema=topics.SPECS[parsed.kind].schema,
        id=row.message_id,
        sender=sender,
        sent_utc_ms=row.appended_utc_ms,
        delivered=place,
        body=json.loads(row.body),
        signature=signature,
    )
    return envelope.model_dump_json(by_alias=True, exclude_none=True).encode()


class OutboxPump:
    """Sends an outbox in order, WINDOW messages ahead of the Ack, and again when none comes."""

    def __init__(
        self,
        outbox: Outbox,
        bus: Bus,
        clock: Clock,
        rng: random.Random,
        *,
        ack_topic: str,
        signing_key: bytes | None = None,
    ) -> None:
        self._outbox = outbox
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._ack_topic = ack_topic
        self._key = signing_key
        self._sent_to = 0
        self._repeats = 0
        self._went_back_at = self._progress_at = clock.mono_ms()
        self._stirred = asyncio.Event()
        self._refusals = Repeats(clock)
        self.counts: Counter[str] = Counter()
        """published, went_back, refused, lost, acknowledged, bad_ack."""

    async def run(self) -> None:
        """Send until cancelled."""
        loop = asyncio.get_running_loop()

        def stir() -> None:
            loop.call_soon_threadsafe(self._stirred.set)

        self._outbox.on_append(stir)
        self._bus.on_connect(self._link_is_back)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take_acks())
                group.create_task(self._send_windows())
        finally:
            self._outbox.off_append(stir)

    async def _take_acks(self) -> None:
        # Acks are cumulative, so only the newest matters.
        inbox = self._bus.subscribe(
            self._ack_topic, qos=1, limit=1, drop=DropPolicy.LATEST_PER_TOPIC
        )
        async for message in inbox:
            try:
                ack = Ack.model_validate_json(message.payload)
            except ValidationError:
                self.counts["bad_ack"] += 1
                continue
            self._take_ack(ack)

    def _take_ack(self, ack: Ack) -> None:
        epoch = self._outbox.epoch
        gone = self._outbox.acknowledge(ack)
        self.counts["acknowledged"] += gone
        if self._outbox.epoch != epoch:
            self._go_back()
        elif gone:
            self._repeats = 0
            self._progress_at = self._clock.mono_ms()
        elif self._outbox.depth and self._clock.mono_ms() - self._went_back_at >= ACK_FIRST_MS:
            # A receiver that has just come back repeats its last Ack: do not let it wait for the
            # time-out. Once in ACK_FIRST_MS at most, because a resend provokes such Acks too.
            self._repeats = 0
            self._go_back()
        self._stirred.set()

    def _link_is_back(self) -> None:
        # What the old link had taken may never have been delivered.
        self._go_back()
        self._stirred.set()

    def _go_back(self) -> None:
        self._sent_to = 0
        self._went_back_at = self._progress_at = self._clock.mono_ms()
        self.counts["went_back"] += 1

    async def _send_windows(self) -> None:
        lost = refused = 0
        while True:
            self._stirred.clear()
            try:
                await self._send_window()
                lost = refused = 0
            except MqttLost:
                self.counts["lost"] += 1
                delay_ms = backoff_ms(lost, self._rng, max_ms=LOST_MAX_MS)
                lost += 1
                self._sent_to = 0
                await self._clock.sleep_ms(delay_ms)
                continue
            except PublishRefusedError as error:
                self._count_refusal(error)
                delay_ms = backoff_ms(
                    refused, self._rng, first_ms=REFUSED_FIRST_MS, max_ms=REFUSED_MAX_MS
                )
                refused += 1
                self._sent_to = 0
                await self._clock.sleep_ms(delay_ms)
                continue
            await self._wait_for_ack()

    async def _send_window(self) -> None:
        """Publish what the window allows and was not sent yet, without waiting for each PUBACK."""
        window = self._outbox.pending(WINDOW)
        if not window:
            return
        floor = window[0].seq
        fresh = [row for row in window if row.seq > self._sent_to]
        if not fresh:
            return
        if fresh[0] is window[0]:
            self._progress_at = self._clock.mono_ms()
        self._sent_to = fresh[-1].seq
        # All payloads before the first await: an Ack meanwhile may begin a new epoch with new
        # numbers.
        letters = [
            Outgoing(
                row.topic, self._outbox.payload(row, floor=floor, signing_key=self._key), qos=1
            )
            for row in fresh
        ]
        answers = await asyncio.gather(
            *(self._bus.publish(letter) for letter in letters), return_exceptions=True
        )
        self.counts["published"] += sum(1 for answer in answers if answer is None)
        for answer in answers:
            if answer is not None:
                raise answer

    async def _wait_for_ack(self) -> None:
        """Wait for an Ack or an append; when neither comes in time and messages wait, go back."""
        if self._outbox.depth == 0:
            await self._stirred.wait()
            return
        limit_ms = backoff_ms(
            self._repeats, self._rng, first_ms=2 * ACK_FIRST_MS, max_ms=ACK_MAX_MS
        )
        # Counted from the last progress: a steady stream of appends must not put it off.
        left_ms = self._progress_at + limit_ms - self._clock.mono_ms()
        if left_ms > 0 and await self._stirred_within(left_ms):
            return
        if self._outbox.depth:
            self._repeats += 1
            self._go_back()

    async def _stirred_within(self, limit_ms: int) -> bool:
        waiter = asyncio.ensure_future(self._stirred.wait())
        timer = asyncio.ensure_future(self._clock.sleep_ms(limit_ms))
        try:
            await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
            return self._stirred.is_set()
        finally:
            waiter.cancel()
            timer.cancel()

    def _count_refusal(self, error: PublishRefusedError) -> None:
        self.counts["refused"] += 1
        times = self._refusals.due(error.topic)
        if times:
            log.error(
                "outbox_refused",
                stream=self._outbox.stream,
                topic=error.topic,
                reason_code=error.reason_code,
                times=times,
                depth=self._outbox.depth,
                hint="the messages stay on disk; correct this client's ACL in the broker",
            )


@dataclass(frozen=True, slots=True)
class InboxCursor:
    """How far a receiver has committed an epoch of a stream. Store one per (stream, epoch)."""

    stream: str
    epoch: str
    seq: int


class Verdict(StrEnum):
    """What a receiver does with a message that came."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """Committed before: publish the Ack again, store nothing."""
    AHEAD = "ahead"
    """Something before it is missing: drop it and do not acknowledge; the sender goes back."""
    NEW_EPOCH = "new_epoch"
    """First message of an epoch that this receiver has not seen: store it, with a new cursor."""
    GAP_BELOW_FLOOR = "gap_below_floor"
    """The sender no longer holds what is missing: this receiver's memory was set back. Store it and
    raise an alarm, for messages are gone."""

    @property
    def stores(self) -> bool:
        """Whether the message is to be stored and the cursor moved."""
        return self in {Verdict.NEW, Verdict.NEW_EPOCH, Verdict.GAP_BELOW_FLOOR}

    @property
    def acknowledges(self) -> bool:
        """Whether an Ack is to be published after the commit."""
        return self is not Verdict.AHEAD


def accept(cursor: InboxCursor | None, delivered: Delivered) -> Verdict:
    """Judge a message against the cursor of its stream AND epoch (None: never heard of).

    A cursor for each epoch makes a late copy from an old epoch a duplicate instead of a new epoch.
    As a second line receivers keep message ids unique, because a sender set back to an old copy of
    its disk sends what it holds under new numbers.
    """
    if cursor is None or (cursor.stream, cursor.epoch) != (delivered.stream, delivered.epoch):
        return Verdict.NEW_EPOCH if delivered.seq == delivered.floor else Verdict.AHEAD
    expected = cursor.seq + 1
    if delivered.seq < expected:
        return Verdict.DUPLICATE
    if delivered.seq == expected:
        return Verdict.NEW
    if delivered.seq == delivered.floor:
        return Verdict.GAP_BELOW_FLOOR
    return Verdict.AHEAD


def cursor_after(delivered: Delivered) -> InboxCursor:
    """The cursor to commit together with a message whose verdict ``stores``."""
    return InboxCursor(delivered.stream, delivered.epoch, delivered.seq)


def ack_for(cursor: InboxCursor, *, by: str) -> Ack:
    """The Ack to publish after the commit, and for each known stream when a receiver starts."""
    return Ack(stream=cursor.stream, epoch=cursor.epoch, seq=cursor.seq, by=by)
