"""Keeps on disk what a node must know after kill -9: seals, alerts, cursors, what is still owed.

One transaction commits a room's new state, the cursor of the command that caused it and the
messages that come out of it. The messages then move to the outbox, which has a file of its own;
what a crash leaves between the two is moved at the next start, under the same message ids, so that
nothing is sent twice. Requests to the recorder wait in the same way until it has confirmed them.
"""

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from contracts import topics
from contracts.evidence.entries import TrackId
from contracts.observations import Alert, EntryAppended, SealApplied, VoiceTold
from contracts.topics import Kind
from contracts.units import CameraId, MessageId, RoomId, RuleCode, SessionId, Sha256Hex
from edge.core.recording import Request
from edge.core.state import StoredRoom
from edge.freezing import Frozen
from runtime.outbox import Entry, InboxCursor, Outbox

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS room (room_id TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cursor (
    stream TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (stream, epoch)
);
CREATE TABLE IF NOT EXISTS unsent (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL, body TEXT NOT NULL, key TEXT NOT NULL, message_id TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS announced (
    track_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, chain TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS request (
    number INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL UNIQUE, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS drawn_zones (camera_id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS frozen (room_id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS frozen_text (
    number INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL UNIQUE, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS rule_change (
    layer TEXT NOT NULL, room_id TEXT NOT NULL, session_id TEXT NOT NULL, code TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (layer, room_id, session_id, code)
);
"""

FROZEN_TEXTS_MAX: Final = 20_000
# Rules take 12 kB and change some hundred times a year: fifteen years and more, 240 MB at most.

_MODELS: Final[Mapping[Kind, type[BaseModel]]] = {
    Kind.ALERT: Alert,
    Kind.APPLIED: SealApplied,
    Kind.ENTRY: EntryAppended,
    Kind.VOICE: VoiceTold,
}


class StoreError(OSError):
    """The node's database cannot be opened or is damaged; says what to do."""


@dataclass(frozen=True, slots=True)
class RulePlace:
    """Where a change of a rule was set: for the site, for a room, or for a session in a room."""

    layer: str
    room_id: RoomId | None = None
    session_id: SessionId | None = None


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A change of one rule as it lies on disk; ``body`` is JSON. None: none is set there."""

    place: RulePlace
    code: RuleCode
    body: str | None


@dataclass(frozen=True, slots=True)
class SessionOver:
    """A session is released: what was set for it alone goes."""

    room_id: RoomId
    session_id: SessionId


@dataclass(frozen=True, slots=True)
class Freeze:
    """What is frozen in a room (None: it is open), and the texts whose hashes it names."""

    room_id: RoomId
    frozen: Frozen | None
    texts: Mapping[Sha256Hex, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Announced:
    """How far a track's chain was announced. ``chain`` is the hash of its first line.

    A new disk begins a new chain, whose sequence numbers begin at 1 again.
    """

    track_id: TrackId
    sequence: int
    chain: Sha256Hex


class EdgeStore:
    """The node's SQLite file (WAL, synchronous=FULL). Methods block for a flush; any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise StoreError(
                f"{path}: cannot open the node's database: {error}. "
                "Check the disk and who owns the folder"
            ) from error

    def rooms(self) -> Mapping[RoomId, StoredRoom]:
        """Every room as it was committed last.

        Raises:
            StoreError: a row cannot be read.
        """
        rows = self._db.execute("SELECT room_id, state FROM room").fetchall()
        try:
            return {room: StoredRoom.model_validate_json(state) for room, state in rows}
        except ValidationError as error:
            raise StoreError(
                f"{self._path}: the stored state of a room is damaged: {error}. "
                "Move the file away; the node then starts unsealed and says so"
            ) from error

    def cursors(self) -> tuple[InboxCursor, ...]:
        """How far each epoch of each stream of commands was taken; the one in use comes last."""
        rows = self._db.execute("SELECT stream, epoch, seq FROM cursor ORDER BY rowid").fetchall()
        return tuple(InboxCursor(*row) for row in rows)

    def commit(
        self,
        *,
        room: StoredRoom | None = None,
        cursor: InboxCursor | None = None,
        entries: Sequence[Entry] = (),
        requests: Sequence[Request] = (),
        announced: Sequence[Announced] = (),
        freeze: Freeze | None = None,
        rules: StoredRule | SessionOver | None = None,
    ) -> None:
        """Store all of it or nothing; durable on return. A request that waits is not stored again.

        Raises:
            sqlite3.Error: the disk refused; nothing was stored.
        """
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if room is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO room VALUES (?, ?)",
                    (room.room_id, room.model_dump_json()),
                )
            if cursor is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)",
                    (cursor.stream, cursor.epoch, cursor.seq),
                )
            self._db.executemany(
                "INSERT INTO unsent (topic, body, key, message_id) VALUES (?, ?, ?, ?)",
                [
                    (entry.topic, entry.message.model_dump_json(), entry.key, entry.message_id)
                    for entry in entries
                ],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO request (request_id, body) VALUES (?, ?)",
                [(request.id, request.model_dump_json()) for request in requests],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO announced VALUES (?, ?, ?)",
                [(one.track_id, one.sequence, one.chain) for one in announced],
            )
            if freeze is not None:
                self._write_freeze(freeze)
            if isinstance(rules, StoredRule):
                self._write_rule(rules)
            elif isinstance(rules, SessionOver):
                self._db.execute(
                    "DELETE FROM rule_change WHERE room_id = ? AND session_id = ?",
                    (rules.room_id, rules.session_id),
                )

    def _write_freeze(self, freeze: Freeze) -> None:
        if freeze.frozen is None:
            self._db.execute("DELETE FROM frozen WHERE room_id = ?", (freeze.room_id,))
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO frozen VALUES (?, ?)",
                (freeze.room_id, freeze.frozen.model_dump_json()),
            )
        self._db.executemany(
            "INSERT OR IGNORE INTO frozen_text (sha256, body) VALUES (?, ?)",
            list(freeze.texts.items()),
        )
        if freeze.texts:
            self._db.execute(
                "DELETE FROM frozen_text WHERE number <= (SELECT max(number) FROM frozen_text) - ?",
                (FROZEN_TEXTS_MAX,),
            )

    def _write_rule(self, rule: StoredRule) -> None:
        place = rule.place
        key = (place.layer, place.room_id or "", place.session_id or "", rule.code)
        if rule.body is None:
            self._db.execute(
                "DELETE FROM rule_change "
                "WHERE layer = ? AND room_id = ? AND session_id = ? AND code = ?",
                key,
            )
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO rule_change VALUES (?, ?, ?, ?, ?)", (*key, rule.body)
            )

    def frozen(self) -> Mapping[RoomId, Frozen]:
        """What was frozen in each closed room.

        Raises:
            StoreError: a row cannot be read.
        """
        rows = self._db.execute("SELECT room_id, body FROM frozen").fetchall()
        try:
            return {room: Frozen.model_validate_json(body) for room, body in rows}
        except ValidationError as error:
            raise StoreError(
                f"{self._path}: what a seal froze cannot be read: {error}. "
                "Move the file away; the node then starts unsealed and says so"
            ) from error

    def frozen_text(self, sha256: Sha256Hex) -> str | None:
        """What a chain names by this hash: rules, zones or devices; None: it is not known here."""
        row = self._db.execute(
            "SELECT body FROM frozen_text WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return None if row is None else str(row[0])

    def rule_changes(self) -> tuple[StoredRule, ...]:
        """Every change of a rule that was set over the API."""
        rows = self._db.execute(
            "SELECT layer, room_id, session_id, code, body FROM rule_change"
        ).fetchall()
        return tuple(
            StoredRule(RulePlace(layer, room or None, session or None), code, body)
            for layer, room, session, code, body in rows
        )

    def drawn_zones(self) -> Mapping[CameraId, str]:
        """The zones that were drawn on each camera's picture, as JSON."""
        rows = self._db.execute("SELECT camera_id, body FROM drawn_zones").fetchall()
        return dict(rows)

    def draw_zones(self, camera_id: CameraId, body: str | None) -> None:
        """Keep the zones of one camera, as JSON; None: those declared are back. Durable on return.

        Raises:
            sqlite3.Error: the disk refused; nothing was stored.
        """
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM drawn_zones WHERE camera_id = ?", (camera_id,))
            if body is not None:
                self._db.execute("INSERT INTO drawn_zones VALUES (?, ?)", (camera_id, body))

    def announced(self) -> Mapping[TrackId, Announced]:
        """How far each track's chain was announced."""
        rows = self._db.execute("SELECT track_id, sequence, chain FROM announced").fetchall()
        return {row[0]: Announced(*row) for row in rows}

    def requests(self) -> list[Request]:
        """Requests that the recorder has not confirmed, in order."""
        rows = self._db.execute("SELECT body FROM request ORDER BY number").fetchall()
        return [Request.model_validate_json(body) for (body,) in rows]

    def forget_request(self, request_id: MessageId) -> None:
        """The recorder has confirmed it."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM request WHERE request_id = ?", (request_id,))

    def unsent(self) -> list[Entry]:
        """Messages that were committed and not yet handed to the outbox, in order."""
        rows = self._db.execute(
            "SELECT topic, body, key, message_id FROM unsent ORDER BY number"
        ).fetchall()
        return [
            Entry(topic, _model(topic).model_validate_json(body), key, message_id)
            for topic, body, key, message_id in rows
        ]

    def forget_unsent(self, message_ids: Iterable[str]) -> None:
        """The outbox has these."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "DELETE FROM unsent WHERE message_id = ?", [(one,) for one in message_ids]
            )

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()


def hand_over(store: EdgeStore, outbox: Outbox, entries: Sequence[Entry]) -> None:
    """Move committed messages to the outbox; safe to repeat after a crash at any point."""
    if entries:
        outbox.append_many(entries)
        store.forget_unsent([entry.message_id for entry in entries])


def _model(topic: str) -> type[BaseModel]:
    parsed = topics.parse(topic)
    if parsed is None or parsed.kind not in _MODELS:
        raise StoreError(f"a message for {topic!r} waits in the node's database; not one of ours")
    return _MODELS[parsed.kind]
