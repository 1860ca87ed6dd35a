"""Takes what edge nodes send: durable messages in their stream's order, of live ones the newest."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from contracts import topics
from contracts.api.roster import CheckInBody
from contracts.codec import Message, decode, encode_ack
from contracts.envelope import Rejected
from contracts.observations import (
    AccessEvent,
    Alert,
    CheckpointTaken,
    EntryAppended,
    NodeHealth,
    RoomObservation,
    SealApplied,
    VoiceTold,
)
from contracts.topics import Kind
from contracts.units import SiteId
from controller.core.outside import VoiceCame
from controller.core.session_inputs import CheckedIn
from controller.core.state import (
    AlertCame,
    CheckpointCame,
    EntryCame,
    Input,
    NodeSaid,
    Noted,
    Observed,
    SealWasApplied,
)
from controller.ports import Given, Intake, StoreLost
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.mqtt import Bus, DropPolicy, Inbound, Inbox, MqttLost, Outgoing, PublishRefusedError
from runtime.outbox import InboxCursor, Verdict, accept, ack_for, cursor_after

log = structlog.get_logger(__name__)

DURABLE: Final = (Kind.ALERT, Kind.APPLIED, Kind.ENTRY, Kind.ACCESS, Kind.VOICE)
INBOX_MAX: Final = (
    1_024  # 16 windows of 64 messages: as many nodes may send at once before one drops
)
LIVE_MAX: Final = 512  # rooms of a site with room to spare; one message each is kept
TAKEN_AT_ONCE: Final = 128
AHEAD_MAX: Final = 256  # messages of one stream that wait for one before them; four windows
STORE_RETRY_MS: Final = 500  # a database that is locked or full is not hammered


class EdgeInbox:
    """One subscriber for all nodes of a site.

    A stream's messages travel on several topics, so they may come interleaved: what comes too early
    waits for what belongs before it. Nothing is acknowledged before its commit.
    """

    def __init__(
        self, bus: Bus, service: Intake, clock: Clock, site: SiteId, cursors: Iterable[InboxCursor]
    ) -> None:
        self._bus = bus
        self._service = service
        self._clock = clock
        self._site = site
        self._cursors = {(row.stream, row.epoch): row for row in cursors}
        self._held: dict[tuple[str, str], dict[int, Message | Rejected]] = {}
        self._arrived: asyncio.Queue[Message | Rejected] = asyncio.Queue(INBOX_MAX)
        self._repeats = Repeats(clock)
        self.rejected: Counter[str] = Counter()
        """Payloads dropped, by reason: ``mqtt_rejected_total``."""
        self.counts: Counter[str] = Counter()
        """stored, duplicate, ahead, gap, acked."""
        self._durable = [
            bus.subscribe(
                topics.room_filter(kind, site), qos=1, limit=INBOX_MAX, drop=DropPolicy.NEWEST
            )
            for kind in DURABLE
        ]
        self._observations = bus.subscribe(
            topics.room_filter(Kind.OBSERVATION, site),
            qos=0,
            limit=LIVE_MAX,
            drop=DropPolicy.LATEST_PER_TOPIC,
        )
        self._health = bus.subscribe(
            topics.health_filter(site), qos=1, limit=LIVE_MAX, drop=DropPolicy.LATEST_PER_TOPIC
        )
        self._checkpoints = bus.subscribe(
            topics.checkpoint_filter(site), qos=1, limit=LIVE_MAX, drop=DropPolicy.LATEST_PER_TOPIC
        )

    async def run(self) -> None:
        """Take messages until cancelled."""
        async with asyncio.TaskGroup() as group:
            for inbox in self._durable:
                group.create_task(self._read_durable(inbox))
            group.create_task(self._read_live(self._observations))
            group.create_task(self._read_live(self._health))
            group.create_task(self._read_live(self._checkpoints))
            group.create_task(self._store())

    async def repeat_acks(self) -> None:
        """Say again how far every stream is committed: a broker that restarted has forgotten it."""
        for cursor in tuple(self._cursors.values()):
            await self._acknowledge(cursor)

    async def _read_live(self, inbox: Inbox) -> None:
        async for inbound in inbox:
            message = self._decoded(inbound)
            if message is None:
                continue
            match message.body:
                case RoomObservation():
                    await self._service.offer(Observed(message.body))
                case NodeHealth():
                    await self._service.offer(NodeSaid(message.body))
                case CheckpointTaken():
                    await self._service.offer(CheckpointCame(message.body))
                case _:
                    self._reject("wrong_topic", inbound.topic, "not a live message")

    async def _read_durable(self, inbox: Inbox) -> None:
        async for inbound in inbox:
            found = decode(inbound.topic, inbound.payload)
            if isinstance(found, Rejected):
                self._reject(found.reason, found.topic, found.detail)
            if isinstance(found, Message | Rejected) and found.delivered is not None:
                # What cannot be read still takes its turn, or it would hold up its stream for ever.
                await self._arrived.put(found)

    async def _store(self) -> None:
        while True:
            messages = [await self._arrived.get()]
            while len(messages) < TAKEN_AT_ONCE and not self._arrived.empty():
                messages.append(self._arrived.get_nowait())
            try:
                await self._take(messages)
            except StoreLost:
                # Not acknowledged, so the nodes send it again from there.
                self._held.clear()
                await self._clock.sleep_ms(STORE_RETRY_MS)

    async def _take(self, messages: Sequence[Message | Rejected]) -> None:
        streams: dict[tuple[str, str], None] = {}
        for message in messages:
            if message.delivered is None:
                continue
            stream = (message.delivered.stream, message.delivered.epoch)
            held = self._held.setdefault(stream, {})
            if len(held) < AHEAD_MAX:
                held[message.delivered.seq] = message
            streams[stream] = None
        for stream in streams:
            await self._take_stream(stream)

    async def _take_stream(self, stream: tuple[str, str]) -> None:
        held = self._held.pop(stream)
        cursor = self._cursors.get(stream)
        rows: list[Given] = []
        for seq in sorted(held):
            message = held[seq]
            if message.delivered is None:
                continue
            verdict = accept(cursor, message.delivered)
            self.counts[verdict] += 1
            if verdict.stores:
                cursor = cursor_after(message.delivered)
                rows.append(Given(_input(message), cursor))
                if verdict is Verdict.GAP_BELOW_FLOOR:
                    log.error("stream_gap", stream=stream[0], seq=seq)
            elif not verdict.acknowledges:
                self._held.setdefault(stream, {})[seq] = message
        if rows:
            await self._service.take(rows)
        if cursor is not None:
            self._cursors[stream] = cursor
            await self._acknowledge(cursor)

    async def _acknowledge(self, cursor: InboxCursor) -> None:
        ack = ack_for(cursor, by="controller")
        topic = topics.ack_topic(self._site, cursor.stream)
        try:
            await self._bus.publish(Outgoing(topic, encode_ack(ack), qos=1, retain=True))
            self.counts["acked"] += 1
        except MqttLost:
            pass  # The sender repeats what it has no Ack for, and that is acknowledged again.
        except PublishRefusedError as refused:
            if times := self._repeats.due(topic):
                log.error("ack_refused", error=str(refused), times=times)

    def _decoded(self, inbound: Inbound) -> Message | None:
        found = decode(inbound.topic, inbound.payload)
        if isinstance(found, Message):
            return found
        if isinstance(found, Rejected):
            self._reject(found.reason, found.topic, found.detail)
        return None

    def _reject(self, reason: str, topic: str, detail: str) -> None:
        self.rejected[reason] += 1
        if times := self._repeats.due(f"reject {reason}"):
            log.warning("mqtt_rejected", reason=reason, topic=topic, detail=detail, times=times)


def _checked_in(said: AccessEvent) -> CheckedIn:
    body = CheckInBody(
        event_id=said.event_id,
        kind=said.kind,
        utc_ms=said.utc_ms,
        room_id=said.room_id,
        seat=(said.seat or "").strip() or None,
        expert_code=(said.expert_code or "").strip() or None,
    )
    return CheckedIn(said.event_id, body, f"terminal:{said.room_id}")


def _input(message: Message | Rejected) -> Input:
    if isinstance(message, Rejected):
        return Noted(f"refused: {message.reason}")
    match message.body:
        case Alert():
            return AlertCame(message.body)
        case SealApplied():
            return SealWasApplied(message.body)
        case EntryAppended():
            return EntryCame(message.body)
        case AccessEvent():
            return _checked_in(message.body)
        case VoiceTold():
            return VoiceCame(message.body)
        case _:
            return Noted(message.topic.kind)
