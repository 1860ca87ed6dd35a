"""The single writer and its inbox: committed once or not at all, whatever dies between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from contracts import topics
from contracts.api import EventName, SessionBody
from contracts.codec import decode
from contracts.envelope import Ack
from contracts.observations import NodeState
from contracts.topics import Kind
from contracts.vda5050.profile import OpenCompartment
from controller.api.hub import BEHIND_MAX, EventHub, StreamEvent
from controller.core.outputs import Accepted, ActionKind, PublishAction, SendCommand
from controller.core.sessions import SessionVerb
from controller.core.state import AlertCame, SessionActed, SessionScheduled
from controller.ports import Batch, Given, OutputId, StoreLost
from controller.store.database import Database
from runtime.clock import SimulatedClock
from runtime.mqtt import Outgoing
from runtime.outbox import Outbox, OutboxPump
from tests.fakes.bus import Faults, MemoryBroker
from tests.fakes.controller_site import (
    Bench,
    an_alert,
    at_once,
    bench,
    durable,
    fresh_state,
    health,
    live,
    observation,
    person,
    small_plan,
)
from tests.fakes.sealing import ALL_OVERRIDDEN
from tests.fakes.waiting import until_simulated

EPOCH = "0" * 16


@asynccontextmanager
async def running(tmp_path: Path, **how: object) -> AsyncIterator[Bench]:
    made = bench(tmp_path, blocking=at_once, **how)  # type: ignore[arg-type]  # passed through
    task = asyncio.create_task(made.controller.run())
    await made.clock.settle()
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def acks(broker: MemoryBroker) -> list[int]:
    topic = topics.ack_topic("centre", "edge-1")
    found = [decode(row.topic, row.payload) for row in broker.sent if row.topic == topic]
    return [row.seq for row in found if isinstance(row, Ack)]


async def test_messages_that_overtake_each_other_are_stored_once_and_in_order(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as made:
        letters = [durable(Kind.ALERT, "room-1", an_alert(f"a{n}"), n) for n in range(1, 6)]
        for index in (2, 0, 3, 1, 1, 4, 0):
            await made.edge.publish(letters[index])
        await made.clock.settle()
        rows = sorted(made.controller.service.state.alerts.values(), key=lambda row: row.number)
        assert [row.id for row in rows] == ["a1", "a2", "a3", "a4", "a5"]
        assert acks(made.broker)[-1] == 5
        assert acks(made.broker) == sorted(acks(made.broker))


async def test_nothing_is_acknowledged_that_is_not_committed(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        store = made.controller.database
        commit = store.commit
        refusing = True

        def sometimes(batch: Batch) -> tuple[tuple[OutputId, ...], ...]:
            if refusing:
                raise StoreLost("the disk is full (test)")
            return commit(batch)

        store.commit = sometimes  # type: ignore[method-assign]  # a disk that fails
        letter = durable(Kind.ALERT, "room-1", an_alert(), 1)
        await made.edge.publish(letter)
        await made.clock.run_ms(2_000)
        assert acks(made.broker) == []
        assert not made.controller.service.state.alerts
        refusing = False
        await made.edge.publish(letter)
        await made.clock.run_ms(2_000)
        assert acks(made.broker) == [1]
        assert list(made.controller.service.state.alerts) == ["a1"]


async def test_killed_between_commit_and_ack_it_is_in_the_store_once(tmp_path: Path) -> None:
    letter = durable(Kind.ALERT, "room-1", an_alert(), 1)
    async with running(tmp_path) as made:
        made.broker.refuse(topics.ack_topic("centre", "edge-1"))
        await made.edge.publish(letter)
        await made.clock.settle()
        assert acks(made.broker) == []
    async with running(tmp_path) as again:
        assert list(again.controller.service.state.alerts) == ["a1"]
        await again.edge.publish(letter)
        await again.clock.settle()
        assert acks(again.broker) == [1]
        assert [row.number for row in again.controller.service.state.alerts.values()] == [1]
        assert len(again.controller.database.alerts(before=None, limit=10)) == 1


async def test_a_command_committed_but_not_sent_is_sent_after_the_restart(tmp_path: Path) -> None:
    made = bench(tmp_path, blocking=at_once)
    service = made.controller.service
    # The writer alone: the process dies before the command's outbox has seen it.
    task = asyncio.create_task(service._take_inputs())
    body = SessionBody(room_id="room-1", title="T", admitted=5)
    assert isinstance(await service.ask(SessionScheduled("s-1", body, "sup")), Accepted)
    for verb in (SessionVerb.GATHER, SessionVerb.SEAL):
        assert isinstance(
            await service.ask(SessionActed("s-1", verb, "sup", ALL_OVERRIDDEN)), Accepted
        )
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    left = [row.output for row in made.controller.database.open_outputs()]
    assert [type(row) for row in left] == [SendCommand, SendCommand]
    assert [row.command.kind for row in left if isinstance(row, SendCommand)] == ["seal", "keep"]
    made.controller.database.close()
    made.controller.commands.close()
    await made.controller.client.aclose()

    async with running(tmp_path) as again:
        commands = again.edge.subscribe(topics.command_topic("centre", "edge-1"))
        await until_simulated(again.clock, lambda: len(commands), within_ms=10_000, what="sent")
        assert again.controller.database.open_outputs() == ()


async def test_an_alert_that_left_memory_is_still_one_alert(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        service = made.controller.service
        await made.edge.publish(durable(Kind.ALERT, "room-1", an_alert(), 1))
        await made.clock.settle()
        service.state = fresh_state(small_plan())
        await service.take([Given(AlertCame(an_alert(cleared_utc_ms=9_000)))])
        (row,) = made.controller.database.alerts(before=None, limit=10)
        assert (row.number, row.alert.condition) == (1, "cleared")


async def test_bad_payloads_are_counted_and_nothing_dies(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        topic = topics.room_topic(Kind.ALERT, "centre", "room-1")
        for payload in (b"", b"nonsense", b"{}", b"\xff" * 10, b"[" * 5_000):
            await made.edge.publish(Outgoing(topic, payload))
        await made.edge.publish(Outgoing("uagv/v2/ZeroEntry/R1/state", b"{}", qos=0))
        await made.edge.publish(Outgoing("uagv/v2/nobody/R9/state", b"nonsense", qos=0))
        await made.edge.publish(durable(Kind.ALERT, "room-1", an_alert(), 1))
        await made.clock.settle()
        assert sum(made.controller.inbox.rejected.values()) == 5
        assert sum(made.controller.fleet.rejected.values()) == 2
        assert list(made.controller.service.state.alerts) == ["a1"]


async def test_live_inputs_are_not_journaled(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        for index in range(20):
            seen = observation("room-1", index=index, utc_ms=index, people=(person(),))
            await made.edge.publish(live(Kind.OBSERVATION, "room-1", seen))
            await made.clock.run_ms(200)
        assert made.controller.service.state.rooms["room-1"].observation.head_count == 1
        assert made.controller.service.counts["inputs"] >= 20
        assert made.controller.service.counts["journaled"] == 0


async def test_a_lost_node_is_one_alert_that_clears_when_it_returns(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        for state in (NodeState.RUNNING, NodeState.LOST, NodeState.LOST, NodeState.RUNNING):
            await made.edge.publish(health("http://edge", state))
            await made.clock.settle()
        (row,) = made.controller.service.state.alerts.values()
        assert (row.alert.rule, row.alert.condition) == ("node.offline", "cleared")
        assert row.alert.severity == "alarm"


async def test_a_silent_node_counts_as_lost(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        await made.edge.publish(health())
        await made.clock.run_ms(19_000)
        assert not made.controller.service.state.alerts
        await made.clock.run_ms(3_000)
        assert len(made.controller.service.state.alerts) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_every_alert_once_over_a_bad_network(tmp_path: Path, seed: int) -> None:
    clock = SimulatedClock()
    faults = Faults(delivery_lost=0.1, publish_lost=0.05, duplicated=0.1, delayed=0.1)
    broker = MemoryBroker(clock, faults=faults, seed=seed)
    async with running(tmp_path, clock=clock, broker=broker) as made:
        outbox = Outbox(tmp_path / "edge.db", "edge-1", "edge-1", clock)
        pump = OutboxPump(
            outbox,
            made.edge,
            clock,
            Random(seed),
            ack_topic=topics.ack_topic("centre", "edge-1"),
        )
        task = asyncio.create_task(pump.run())
        for number in range(1, 31):
            topic = topics.room_topic(Kind.ALERT, "centre", "room-1")
            outbox.append(topic, an_alert(f"a{number}"), "room-1", f"a{number}")
        await until_simulated(
            clock, lambda: outbox.depth == 0, within_ms=300_000, what="all acknowledged"
        )
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        outbox.close()
        rows = made.controller.database.alerts(before=None, limit=100)
        assert [row.id for row in reversed(rows)] == [f"a{n}" for n in range(1, 31)]
        assert [row.number for row in reversed(rows)] == list(range(1, 31))


async def test_an_unlock_is_never_published_after_its_time(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        now = made.clock.utc_ms()
        opens = OpenCompartment(1, "d-1", "door-1", now, "c-1")
        action = PublishAction("robot-1", "c-1", ActionKind.OPEN, opens, None, now)
        sent = len(made.broker.sent)
        made.clock.advance_ms(1)
        await made.controller.fleet.publish(action, made.clock.utc_ms())
        assert len(made.broker.sent) == sent
        assert made.controller.fleet.counts["too_late"] == 1


@dataclass
class Follower:
    """A client of the hub, and what it got."""

    hub: EventHub
    last: int | None = None
    got: list[StreamEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.hub.join(lambda event: True, self.last)

    def take(self) -> list[EventName]:
        events = self.client.take()
        self.got += events
        return [event.name for event in events]


async def test_the_stream_resumes_and_says_when_it_cannot(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        hub = made.controller.hub
        start = hub.last_id
        first = Follower(hub)
        for number in range(1, 4):
            await made.edge.publish(durable(Kind.ALERT, "room-1", an_alert(f"a{number}"), number))
        await made.clock.settle()
        assert first.take() == [EventName.ALERT] * 3
        resumed = Follower(hub, first.got[0].id)
        assert resumed.take() == [EventName.ALERT] * 2
        assert Follower(hub, start).take() == [EventName.ALERT] * 3
        assert Follower(hub, start - 1).take() == [EventName.RESYNC]
        assert Follower(hub, hub.last_id + 1).take() == [EventName.RESYNC]
        assert Follower(hub, hub.last_id).take() == []


async def test_live_events_are_the_newest_and_a_slow_client_is_dropped(tmp_path: Path) -> None:
    async with running(tmp_path) as made:
        hub = made.controller.hub
        follower = Follower(hub)
        for index in range(10):
            seen = observation("room-1", index=index, utc_ms=index, people=(person(track=index),))
            await made.edge.publish(live(Kind.OBSERVATION, "room-1", seen))
            await made.clock.settle()
        await made.clock.run_ms(200)
        events = follower.client.take()
        rooms = [event for event in events if event.key == "room-1"]
        assert len(rooms) == 1
        letters = [
            durable(Kind.ALERT, "room-1", an_alert(f"a{n}"), n) for n in range(1, BEHIND_MAX + 3)
        ]
        for letter in letters:
            await made.edge.publish(letter)
            await made.clock.settle()
        assert follower.client.dropped
        assert hub.counts["dropped"] == 1
        assert hub.clients == 0


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from controller.store.schema import METADATA

    database = Database(f"sqlite:///{tmp_path}/x.db", "boot")
    with database._engine.connect() as connection:
        # The full-text index keeps tables of its own, which SQLite makes; PostgreSQL's is an index.
        full_text = ("search_terms", "search_item_terms")
        own = {"include_object": lambda thing, name, *_: not (name or "").startswith(full_text)}
        context = MigrationContext.configure(connection, opts=own)
        found: Sequence[object] = compare_metadata(context, METADATA)
        assert list(found) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    database.close()
