"""One unreadable durable message must not hold up its stream."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts import topics
from contracts.codec import encode
from contracts.envelope import Ack, Delivered
from contracts.observations import SealApplied
from contracts.topics import Kind
from contracts.units import UtcMs
from controller.core.outputs import Answer
from controller.core.state import Input, Noted, SealWasApplied
from controller.edges.inbox import EdgeInbox
from controller.ports import Given
from runtime.clock import SystemClock
from runtime.mqtt import DropPolicy, Outgoing
from tests.fakes.bus import MemoryBroker
from tests.fakes.waiting import until

SITE, ROOM, NODE, EPOCH = "demo", "room-1", "edge-1", "0123456789abcdef"


@dataclass
class Taken:
    """An intake that remembers what it was given."""

    rows: list[Given] = field(default_factory=list)
    live: list[Input] = field(default_factory=list)

    async def take(self, rows: Sequence[Given]) -> list[Answer | None]:
        self.rows.extend(rows)
        return [None] * len(rows)

    async def ask(self, given: Input) -> Answer:
        raise AssertionError(f"nobody asks in this test: {given}")

    async def offer(self, given: Input) -> None:
        self.live.append(given)


def _applied(seq: int) -> bytes:
    body = SealApplied(
        node_id=NODE, room_id=ROOM, sealed=False, command_id=f"c-{seq}", utc_ms=UtcMs(seq)
    )
    return encode(
        Kind.APPLIED,
        body,
        message_id=f"m-{seq}",
        sender=NODE,
        sent_utc_ms=UtcMs(seq),
        delivered=Delivered(stream=NODE, epoch=EPOCH, seq=seq, floor=1),
    )


async def test_an_unreadable_message_takes_its_turn_and_the_next_one_arrives() -> None:
    broker, intake = MemoryBroker(), Taken()
    node, controller = broker.client("edge-1"), broker.client("controller")
    acks = node.subscribe(topics.ack_topic(SITE, NODE), qos=1, limit=10, drop=DropPolicy.OLDEST)
    inbox = EdgeInbox(controller, intake, SystemClock(), SITE, ())
    task = asyncio.create_task(inbox.run())
    topic = topics.room_topic(Kind.APPLIED, SITE, ROOM)
    spoilt = json.loads(_applied(2))
    del spoilt["body"]["command_id"]
    for payload in (_applied(1), json.dumps(spoilt).encode(), _applied(3)):
        await node.publish(Outgoing(topic, payload, qos=1))
    await until(lambda: len(intake.rows) == 3, within_s=30, what="three turns taken")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    kinds = [type(row.given) for row in intake.rows]
    assert kinds == [SealWasApplied, Noted, SealWasApplied]
    assert inbox.rejected == {"invalid": 1}
    said = [Ack.model_validate_json((await acks.get()).payload).seq for _ in range(len(acks))]
    assert said[-1] == 3
