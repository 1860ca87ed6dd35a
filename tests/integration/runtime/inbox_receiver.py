"""A receiver for the durability test: stores in SQLite, acknowledges after its commit."""

import asyncio
import contextlib
import random
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from contracts import topics
from contracts.codec import encode_ack
from contracts.envelope import Ack, Delivered, Envelope
from contracts.topics import Kind
from runtime.clock import SystemClock
from runtime.mqtt import Inbox, MqttLost, MqttSession, MqttSettings, Outgoing
from runtime.outbox import InboxCursor, accept, ack_for, cursor_after
from runtime.supervise import run_service

SCHEMA = """
CREATE TABLE IF NOT EXISTS stored (
    place INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT UNIQUE, topic TEXT, number INTEGER
);
CREATE TABLE IF NOT EXISTS repeated (message_id TEXT);
CREATE TABLE IF NOT EXISTS cursor (
    stream TEXT, epoch TEXT, seq INTEGER, PRIMARY KEY (stream, epoch)
);
"""


def open_store(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(SCHEMA)
    return db


def known_acks(db: sqlite3.Connection) -> list[Ack]:
    rows = db.execute("SELECT stream, epoch, seq FROM cursor").fetchall()
    return [ack_for(InboxCursor(*row), by="receiver") for row in rows]


def store(db: sqlite3.Connection, topic: str, envelope: Envelope) -> Ack | None:
    """Store a message and its cursor in one transaction; the Ack to publish afterwards."""
    delivered = envelope.delivered
    assert delivered is not None
    db.execute("BEGIN IMMEDIATE")
    cursor = _cursor(db, delivered)
    verdict = accept(cursor, delivered)
    if verdict.stores:
        cursor = cursor_after(delivered)
        row = (envelope.id, topic, envelope.body["number"])
        added = db.execute(
            "INSERT OR IGNORE INTO stored (message_id, topic, number) VALUES (?, ?, ?)", row
        ).rowcount
        if not added:
            db.execute("INSERT INTO repeated VALUES (?)", (envelope.id,))
        place = (cursor.stream, cursor.epoch, cursor.seq)
        db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", place)
    db.execute("COMMIT")
    return ack_for(cursor, by="receiver") if verdict.acknowledges and cursor else None


def _cursor(db: sqlite3.Connection, delivered: Delivered) -> InboxCursor | None:
    row = db.execute(
        "SELECT stream, epoch, seq FROM cursor WHERE stream = ? AND epoch = ?",
        (delivered.stream, delivered.epoch),
    ).fetchone()
    return InboxCursor(*row) if row else None


async def receive(db: sqlite3.Connection, session: MqttSession, inbox: Inbox) -> None:
    await session.wait_connected()
    await _publish(session, known_acks(db))
    while True:
        newest: Ack | None = None
        for message in await inbox.get_batch(64):
            ack = store(db, message.topic, Envelope.model_validate_json(message.payload))
            newest = ack or newest
        await _publish(session, [newest] if newest else [])


async def _publish(session: MqttSession, acks: Sequence[Ack]) -> None:
    for ack in acks:
        topic = topics.ack_topic("site", ack.stream)
        with contextlib.suppress(MqttLost):  # the sender goes back, and then it is said again
            await session.publish(Outgoing(topic, encode_ack(ack), qos=1, retain=True))


async def main(folder: Path, port: int) -> None:
    db = open_store(folder / "stored.db")
    settings = MqttSettings(port=port, client_id="receiver")
    session = MqttSession(settings, SystemClock(), rng=random.Random())
    inbox = session.subscribe(topics.room_filter(Kind.ALERT, "site"), qos=1)
    await run_service([session.run(), receive(db, session, inbox)])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
