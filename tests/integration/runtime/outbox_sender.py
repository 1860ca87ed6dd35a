"""A sender for the durability test: numbers 0..count-1 through an outbox, killed at any moment."""

import asyncio
import random
import sys
from pathlib import Path

from contracts import topics
from contracts.envelope import Wire
from contracts.topics import Kind
from runtime.clock import SystemClock
from runtime.mqtt import MqttSession, MqttSettings
from runtime.outbox import Entry, Outbox, OutboxPump
from runtime.supervise import run_service

STREAM = "edge-1"
ROOMS = ("room-1", "room-2", "room-3")
ACK_TOPIC = topics.ack_topic("site", STREAM)
PACE_MS = 15


class Note(Wire):
    number: int


def entry(number: int) -> Entry:
    room = ROOMS[number % len(ROOMS)]
    topic = topics.room_topic(Kind.ALERT, "site", room)
    return Entry(topic, Note(number=number), room, f"note-{number}")


def appended(done: Path) -> int:
    return int(done.read_text(encoding="ascii")) if done.exists() else 0


def append(outbox: Outbox, done: Path, number: int) -> None:
    """Append one and note it; a kill between the two appends it again."""
    outbox.append_many([entry(number)])
    fresh = done.with_suffix(".new")
    fresh.write_text(str(number + 1), encoding="ascii")
    fresh.replace(done)


async def append_all(outbox: Outbox, done: Path, count: int, clock: SystemClock) -> None:
    for number in range(appended(done), count):
        await asyncio.to_thread(append, outbox, done, number)
        await clock.sleep_ms(PACE_MS)
    await asyncio.Event().wait()


async def main(folder: Path, port: int, count: int) -> None:
    clock, rng = SystemClock(), random.Random()
    outbox = Outbox(folder / "outbox.db", STREAM, "edge-1", clock)
    session = MqttSession(MqttSettings(port=port, client_id="sender"), clock, rng=rng)
    pump = OutboxPump(outbox, session, clock, rng, ack_topic=ACK_TOPIC)
    await run_service(
        [session.run(), pump.run(), append_all(outbox, folder / "appended", count, clock)]
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
