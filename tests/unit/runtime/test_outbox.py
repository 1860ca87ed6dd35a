"""Whatever the network does, each message of an outbox is stored once and in order."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import topics
from contracts.codec import encode_ack, signed_part
from contracts.envelope import PAYLOAD_MAX_BYTES, Ack, Delivered, Envelope, Wire
from contracts.topics import Kind
from runtime.clock import SimulatedClock
from runtime.mqtt import Bus, MqttLost, Outgoing, PayloadTooLargeError
from runtime.outbox import (
    WINDOW,
    Entry,
    InboxCursor,
    Outbox,
    OutboxMismatchError,
    OutboxPump,
    Verdict,
    accept,
    ack_for,
    cursor_after,
)
from runtime.tokens import verify_message
from tests.fakes.bus import Faults, MemoryBroker
from tests.fakes.waiting import until_simulated

STREAM = "edge-1"
EPOCH = "0123456789abcdef"
TOPIC = topics.room_topic(Kind.ALERT, "site", "room-1")
ACK_TOPIC = topics.ack_topic("site", STREAM)
KEY = bytes(range(32))


class Note(Wire):
    """A body; the outbox does not care which."""

    number: int
    text: str = ""


def entry(number: int) -> Entry:
    return Entry(TOPIC, Note(number=number), "room-1", f"note-{number}")


@dataclass
class Receiver:
    """What a receiver has on disk: it survives its own death because it is one transaction."""

    bus: Bus
    cursors: dict[tuple[str, str], InboxCursor] = field(default_factory=dict)
    stored: list[int] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    async def run(self) -> None:
        inbox = self.bus.subscribe(TOPIC, qos=1)
        for cursor in self.cursors.values():
            await self._acknowledge(cursor)
        async for message in inbox:
            envelope = Envelope.model_validate_json(message.payload)
            assert envelope.delivered is not None
            await self._take(envelope, envelope.delivered)

    async def _take(self, envelope: Envelope, delivered: Delivered) -> None:
        place = (delivered.stream, delivered.epoch)
        verdict = accept(self.cursors.get(place), delivered)
        self.verdicts.append(verdict)
        if verdict.stores:
            self.stored.append(Note.model_validate(envelope.body).number)
            self.cursors[place] = cursor_after(delivered)
        if verdict.acknowledges:
            await self._acknowledge(self.cursors[place])

    async def _acknowledge(self, cursor: InboxCursor) -> None:
        payload = encode_ack(ack_for(cursor, by="controller"))
        with contextlib.suppress(MqttLost):  # the sender goes back, and then it is said again
            await self.bus.publish(Outgoing(ACK_TOPIC, payload, qos=1, retain=True))


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def make_outbox(tmp_path: Path, clock: SimulatedClock) -> Iterator[Callable[..., Outbox]]:
    opened: list[Outbox] = []

    def make(name: str = "outbox.db", stream: str = STREAM) -> Outbox:
        opened.append(Outbox(tmp_path / name, stream, "edge-1", clock))
        return opened[-1]

    yield make
    for outbox in opened:
        outbox.close()


def delivered(seq: int, *, floor: int = 1, epoch: str = EPOCH) -> Delivered:
    return Delivered(stream=STREAM, epoch=epoch, seq=seq, floor=floor)


AT_5 = InboxCursor(STREAM, EPOCH, 5)


@pytest.mark.parametrize(
    ("cursor", "message", "verdict"),
    [
        (None, delivered(1), Verdict.NEW_EPOCH),
        (None, delivered(2), Verdict.AHEAD),
        (None, delivered(7, floor=7), Verdict.NEW_EPOCH),
        (AT_5, delivered(6), Verdict.NEW),
        (AT_5, delivered(5), Verdict.DUPLICATE),
        (AT_5, delivered(1), Verdict.DUPLICATE),
        (AT_5, delivered(7, floor=3), Verdict.AHEAD),
        (AT_5, delivered(9, floor=9), Verdict.GAP_BELOW_FLOOR),
        (AT_5, delivered(10, floor=9), Verdict.AHEAD),
        (AT_5, delivered(1, epoch="f" * 16), Verdict.NEW_EPOCH),
        (AT_5, delivered(6, epoch="f" * 16), Verdict.AHEAD),
    ],
)
def test_verdicts(cursor: InboxCursor | None, message: Delivered, verdict: Verdict) -> None:
    assert accept(cursor, message) is verdict


@given(st.data(), st.integers(1, 30))
def test_any_loss_duplication_and_reordering_stores_each_once_in_order(
    data: st.DataObject, count: int
) -> None:
    """The network may deliver anything that was ever sent, any number of times, in any order."""
    base, channel, acks, stored = 1, list[Delivered](), [0], list[int]()
    cursor: InboxCursor | None = None

    def receive(message: Delivered) -> None:
        nonlocal cursor
        verdict = accept(cursor, message)
        assert verdict is not Verdict.GAP_BELOW_FLOOR
        if verdict.stores:
            stored.append(message.seq)
            cursor = cursor_after(message)
        if verdict.acknowledges and cursor is not None:
            acks.append(cursor.seq)

    for action in data.draw(st.lists(st.sampled_from(["send", "deliver", "ack"]), max_size=80)):
        if action == "send" and base <= count:
            seq = data.draw(st.integers(base, min(count, base + WINDOW - 1)))
            channel.append(delivered(seq, floor=base))
        elif action == "deliver" and channel:
            receive(data.draw(st.sampled_from(channel)))
        elif action == "ack":
            base = max(base, data.draw(st.sampled_from(acks)) + 1)
    for seq in range(base, count + 1):  # at last the network is whole
        receive(delivered(seq, floor=base))
    assert stored == list(range(1, count + 1))


async def pumped(
    clock: SimulatedClock, outbox: Outbox, broker: MemoryBroker, receiver: Receiver, seed: int
) -> tuple[OutboxPump, list[asyncio.Task[None]]]:
    pump = OutboxPump(
        outbox, broker.client("edge"), clock, random.Random(seed), ack_topic=ACK_TOPIC
    )
    return pump, [asyncio.create_task(pump.run()), asyncio.create_task(receiver.run())]


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(outcome, asyncio.CancelledError), "a task ended before its time"


BAD_NETWORK = Faults(
    publish_lost=0.05, delivery_lost=0.1, duplicated=0.2, delayed=0.2, delay_max_ms=1_500
)


@pytest.mark.parametrize("seed", range(8))
async def test_a_bad_network_and_dying_brokers_lose_and_double_nothing(
    clock: SimulatedClock, make_outbox: Callable[..., Outbox], seed: int
) -> None:
    rng = random.Random(seed)
    broker = MemoryBroker(clock, faults=BAD_NETWORK, seed=seed)
    outbox = make_outbox()
    receiver = Receiver(broker.client("controller"))
    _, tasks = await pumped(clock, outbox, broker, receiver, seed)
    for burst in range(4):
        outbox.append_many(entry(number) for number in range(burst * 40, burst * 40 + 40))
        await clock.run_ms(rng.randint(1, 3_000))
        if burst % 2:
            broker.crash()
            await clock.run_ms(rng.randint(1, 3_000))
            await broker.restart()
    await until_simulated(
        clock, lambda: outbox.depth == 0, within_ms=600_000, step_ms=500, what="all acknowledged"
    )
    assert receiver.stored == list(range(160)), f"seed {seed}"
    await end(tasks)


async def test_a_receiver_that_comes_back_does_not_wait_for_the_backoff(
    clock: SimulatedClock, make_outbox: Callable[..., Outbox]
) -> None:
    broker = MemoryBroker(clock)
    outbox = make_outbox()
    receiver = Receiver(broker.client("controller"))
    pump, tasks = await pumped(clock, outbox, broker, receiver, 1)
    outbox.append_many([entry(0)])
    await until_simulated(clock, lambda: outbox.depth == 0, within_ms=5_000, what="the first")
    tasks.pop().cancel()
    await clock.run_ms(1_000)
    outbox.append_many([entry(1)])
    await clock.run_ms(120_000)
    assert pump.counts["went_back"] >= 5
    tasks.append(asyncio.create_task(receiver.run()))
    await until_simulated(clock, lambda: outbox.depth == 0, within_ms=1_000, what="the second")
    assert receiver.stored == [0, 1]
    await end(tasks)


async def test_a_refused_message_stays_and_is_counted(
    clock: SimulatedClock, make_outbox: Callable[..., Outbox]
) -> None:
    broker = MemoryBroker(clock)
    broker.refuse(TOPIC, client="edge")
    outbox = make_outbox()
    receiver = Receiver(broker.client("controller"))
    pump, tasks = await pumped(clock, outbox, broker, receiver, 1)
    outbox.append_many([entry(0), entry(1)])
    await clock.run_ms(300_000)
    assert 4 <= pump.counts["refused"] < 40
    assert (outbox.depth, receiver.stored) == (2, [])
    await end(tasks)


async def test_a_window_bounds_what_is_on_its_way(
    clock: SimulatedClock, make_outbox: Callable[..., Outbox]
) -> None:
    broker = MemoryBroker(clock)
    outbox = make_outbox()
    pump = OutboxPump(outbox, broker.client("edge"), clock, random.Random(1), ack_topic=ACK_TOPIC)
    tasks = [asyncio.create_task(pump.run())]
    outbox.append_many(entry(number) for number in range(3 * WINDOW))
    await clock.run_ms(100)
    assert pump.counts["published"] == WINDOW
    await end(tasks)


async def test_steady_appends_do_not_put_off_going_back(
    clock: SimulatedClock, make_outbox: Callable[..., Outbox]
) -> None:
    broker = MemoryBroker(clock)
    outbox = make_outbox()
    pump = OutboxPump(outbox, broker.client("edge"), clock, random.Random(1), ack_topic=ACK_TOPIC)
    tasks = [asyncio.create_task(pump.run())]
    for number in range(40):
        outbox.append_many([entry(number)])
        await clock.run_ms(200)
    assert pump.counts["went_back"] >= 2
    await end(tasks)


async def test_a_payload_is_signed_over_topic_id_and_body(
    clock: SimulatedClock, make_outbox: Callable[..., Outbox]
) -> None:
    outbox = make_outbox()
    outbox.append_many([entry(3)])
    (row,) = outbox.pending()
    envelope = Envelope.model_validate_json(outbox.payload(row, floor=1, signing_key=KEY))
    assert verify_message(KEY, signed_part(TOPIC, "note-3", row.body), envelope.signature)
    assert envelope.schema_id == topics.SPECS[Kind.ALERT].schema
    assert envelope.delivered == Delivered(stream=STREAM, epoch=outbox.epoch, seq=1, floor=1)


def test_what_was_appended_is_there_after_reopening(make_outbox: Callable[..., Outbox]) -> None:
    first = make_outbox()
    assert first.append(TOPIC, Note(number=1), "room-1", "a") == 1
    assert first.append_many([entry(2), entry(3)]) == [2, 3]
    assert first.acknowledge(Ack(stream=STREAM, epoch=first.epoch, seq=1, by="c")) == 1
    again = make_outbox()
    assert (again.epoch, again.depth) == (first.epoch, 2)
    assert [row.seq for row in again.pending()] == [2, 3]
    assert again.append(TOPIC, Note(number=4), "room-1", "d") == 4


def test_numbers_are_not_used_again_after_all_was_acknowledged(
    make_outbox: Callable[..., Outbox],
) -> None:
    first = make_outbox()
    first.append_many([entry(1), entry(2)])
    first.acknowledge(Ack(stream=STREAM, epoch=first.epoch, seq=2, by="c"))
    assert make_outbox().append_many([entry(3)]) == [3]


def test_a_message_id_that_waits_is_not_stored_twice(make_outbox: Callable[..., Outbox]) -> None:
    outbox = make_outbox()
    assert outbox.append_many([entry(1), entry(2), entry(1)]) == [1, 2, 1]
    assert outbox.append_many([entry(2), entry(3)]) == [2, 3]
    assert outbox.depth == 3


def test_a_foreign_ack_changes_nothing(make_outbox: Callable[..., Outbox]) -> None:
    outbox = make_outbox()
    outbox.append_many([entry(1)])
    assert outbox.acknowledge(Ack(stream="other", epoch=outbox.epoch, seq=1, by="c")) == 0
    assert outbox.acknowledge(Ack(stream=STREAM, epoch="f" * 16, seq=1, by="c")) == 0
    assert outbox.acknowledge(Ack(stream=STREAM, epoch=outbox.epoch, seq=0, by="c")) == 0
    assert outbox.depth == 1


def test_a_file_set_back_to_an_older_copy_begins_a_new_epoch(
    make_outbox: Callable[..., Outbox],
) -> None:
    outbox = make_outbox()
    epoch = outbox.epoch
    outbox.append_many([entry(1), entry(2)])
    assert outbox.acknowledge(Ack(stream=STREAM, epoch=epoch, seq=9, by="c")) == 0
    assert outbox.epoch != epoch
    assert [(row.seq, row.message_id) for row in outbox.pending()] == [(1, "note-1"), (2, "note-2")]
    assert make_outbox().append_many([entry(3)]) == [3]


def test_too_large_a_message_is_refused_and_nothing_is_stored(
    make_outbox: Callable[..., Outbox],
) -> None:
    outbox = make_outbox()
    large = Entry(TOPIC, Note(number=2, text="x" * PAYLOAD_MAX_BYTES), "room-1", "large")
    with pytest.raises(PayloadTooLargeError, match="message large"):
        outbox.append_many([entry(1), large])
    with pytest.raises(ValueError, match="not a topic of ours"):
        outbox.append("somewhere", Note(number=1), "room-1", "a")
    assert outbox.depth == 0


def test_a_file_belongs_to_one_stream(make_outbox: Callable[..., Outbox]) -> None:
    make_outbox()
    with pytest.raises(OutboxMismatchError, match="is the outbox of stream 'edge-1', not 'edge-2'"):
        make_outbox(stream="edge-2")


def test_the_file_promises_durability(make_outbox: Callable[..., Outbox], tmp_path: Path) -> None:
    outbox = make_outbox()
    assert outbox._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
