"""Runs a node: its rooms, its cameras, the orders it gets and what it says of itself."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import structlog

from contracts import codec, topics
from contracts.commands import Keep, Release, Seal
from contracts.envelope import Ack, Rejected, RejectReason
from contracts.observations import (
    CameraHealth,
    NodeHealth,
    NodeState,
)
from contracts.topics import Kind
from contracts.units import CameraId, MessageId, PickupId, RoomId, SiteId
from edge.analysis import CameraAnalysis
from edge.core import room as core
from edge.core.hearing import SoundSigns
from edge.core.recording import Request
from edge.core.room import (
    CameraChanged,
    RulesChanged,
)
from edge.core.state import RoomState
from edge.ports import (
    Camera,
    CameraEvent,
    LinkState,
    RecordingSide,
    Sight,
)
from edge.room_freeze import RoomFreeze
from edge.room_service import RoomService, Wiring
from edge.rule_book import RuleBook
from edge.store import hand_over
from runtime.logs import Repeats
from runtime.mqtt import DropPolicy, Inbound, MqttLost, Outgoing, PublishRefusedError
from runtime.outbox import (
    InboxCursor,
    Verdict,
    accept,
    ack_for,
    cursor_after,
)
from runtime.tokens import verify_message

log = structlog.get_logger(__name__)

TICK_MS = 100  # how exactly a dwell without frames is met
HEALTH_MS = 2_000
RECORDING_MS = 500  # as often as the recorder says how it fares
EVENTS_MAX = 500
# Levels come ten times a second a camera: 500 is seconds of a stalled disk, then newest are lost.
COMMANDS_MAX = 100  # the sender goes back for what does not fit

__all__ = ["NodeService", "RoomService", "Wiring", "health_message"]


class NodeService:
    """All rooms and cameras of a node."""

    def __init__(
        self,
        wiring: Wiring,
        rooms: Mapping[RoomId, RoomState],
        *,
        version: str,
        api_url: str | None,
        disk_free_bytes: Callable[[], int | None],
        recordings: RecordingSide | None = None,
        devices: Mapping[RoomId, object] | None = None,
        book: RuleBook | None = None,
    ) -> None:
        """``recordings`` None: the node only watches. ``devices``: what is declared of them.

        ``book``: how rules are set for a session; None: nothing was set over the API.
        """
        self._wiring = wiring
        self._recordings = recordings
        self._book = book
        stored = wiring.store.frozen()
        self._rooms = {
            room_id: RoomService(
                wiring,
                state,
                RoomFreeze(
                    wiring.store,
                    wiring.disk,
                    wiring.clock,
                    wiring.new_id,
                    devices=(devices or {}).get(room_id),
                    stored=stored.get(room_id),
                    ask=recordings.stir if recordings else None,
                ),
            )
            for room_id, state in rooms.items()
        }
        self._room_of: dict[CameraId | PickupId, RoomService] = {
            source_id: room
            for room in self._rooms.values()
            for source_id in (*room.state.cameras, *room.state.setup.pickups)
        }
        self._version = version
        self._api_url = api_url
        self._disk_free_bytes = disk_free_bytes
        self._events: deque[CameraEvent] = deque()
        self._eventful = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._cameras: dict[CameraId, Camera] = {}
        self._analyses: dict[CameraId, CameraAnalysis] = {}
        self._errors: dict[CameraId, str | None] = {}
        self._cursors = {(one.stream, one.epoch): one for one in wiring.store.cursors()}
        self._faults = Repeats(wiring.clock)
        # From the start: who sees this node's first health message may send it a command at once.
        self._commands = wiring.bus.subscribe(
            topics.command_topic(wiring.site_id, wiring.node_id),
            qos=1,
            limit=COMMANDS_MAX,
            drop=DropPolicy.NEWEST,
        )
        self._health = self._measure_health({}, 0)

    @property
    def rooms(self) -> Mapping[RoomId, RoomService]:
        return self._rooms

    @property
    def health(self) -> NodeHealth:
        """The node's latest word on itself."""
        return self._health

    def room_of(self, camera_id: CameraId) -> RoomService | None:
        """The room that a camera watches."""
        return self._room_of.get(camera_id)

    def add_camera(self, camera: Camera, sight: Sight) -> None:
        """Put a camera to its room, and who looks at its pictures; before ``run``."""
        room = self._room_of[camera.camera_id]
        self._cameras[camera.camera_id] = camera
        self._analyses[camera.camera_id] = CameraAnalysis(self._wiring, room, camera, sight)

    def report(self, event: CameraEvent) -> None:
        """Where capture reports, from any thread (``ports.EventSink``)."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue, event)

    def _queue(self, event: CameraEvent) -> None:
        if isinstance(event, SoundSigns) and len(self._events) >= EVENTS_MAX:
            self._count("edge_levels_dropped_total", "Sound levels lost to a full queue")
            return
        self._events.append(event)
        self._eventful.set()

    async def run(self) -> None:
        """Run until cancelled."""
        wiring = self._wiring
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            wiring.disk, lambda: hand_over(wiring.store, wiring.outbox, wiring.store.unsent())
        )
        for room in self._rooms.values():
            await room.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_events())
            group.create_task(self._take_commands())
            group.create_task(self._say_health())
            if self._recordings is not None:
                group.create_task(self._recordings.run())
                group.create_task(self._watch(self._recordings))
            for room in self._rooms.values():
                group.create_task(self._ticks(room))
            for camera in self._cameras.values():
                group.create_task(camera.run())
            for analysis in self._analyses.values():
                group.create_task(analysis.run())

    async def _ticks(self, room: RoomService) -> None:
        while True:
            await self._wiring.clock.sleep_ms(TICK_MS)
            await room.tick()

    async def _watch(self, recordings: RecordingSide) -> None:
        """Let the rules of every room look at how its tracks are recorded."""
        while True:
            seen = recordings.seen()
            for room in self._rooms.values():
                await room.take(seen)
            await self._wiring.clock.sleep_ms(RECORDING_MS)

    async def _take_events(self) -> None:
        while True:
            await self._eventful.wait()
            self._eventful.clear()
            while self._events:
                await self._take_event(self._events.popleft())

    async def _take_event(self, event: CameraEvent) -> None:
        match event:
            case LinkState():
                room = self._room_of[event.camera_id]
                self._errors[event.camera_id] = event.error
                self._analyses[event.camera_id].link_changed(event.state)
                await room.take(CameraChanged(event.camera_id, event.state, event.since))
                await room.publish_observation()
            case SoundSigns():
                await self._room_of[event.source_id].take(event)

    async def _take_commands(self) -> None:
        async for inbound in self._commands:
            await self._take_command(inbound)

    async def _take_command(self, inbound: Inbound) -> None:
        message = self._understood(inbound)
        if message is None or message.delivered is None:
            return
        delivered = message.delivered
        cursor = self._cursors.get((delivered.stream, delivered.epoch))
        verdict = accept(cursor, delivered)
        if verdict is Verdict.GAP_BELOW_FLOOR:
            log.error("commands_missing", stream=delivered.stream, seq=delivered.seq)
        if verdict.stores and isinstance(message.body, Seal | Release | Keep):
            cursor = cursor_after(delivered)
            if not await self._apply(message.body, cursor):
                return  # not on disk: no acknowledgement, the controller sends it again
            self._cursors[cursor.stream, cursor.epoch] = cursor
        if verdict.acknowledges and cursor is not None:
            await self._acknowledge(cursor)

    def _understood(self, inbound: Inbound) -> codec.Message | None:
        wiring = self._wiring
        message = codec.decode(inbound.topic, inbound.payload)
        if isinstance(message, Rejected):
            self._reject(message.reason, message.detail)
            return None
        if isinstance(message, Ack) or message.topic.kind is not Kind.COMMAND:
            self._reject(RejectReason.WRONG_TOPIC, inbound.topic)
            return None
        if wiring.run_key is not None and not verify_message(
            wiring.run_key, message.signed_bytes, message.signature
        ):
            self._reject(RejectReason.BAD_SIGNATURE, f"command {message.id}")
            return None
        expected = topics.command_stream(wiring.node_id)
        if message.delivered is None or message.delivered.stream != expected:
            self._reject(RejectReason.WRONG_TOPIC, f"stream of a command is not {expected}")
            return None
        return message

    async def _apply(self, command: Seal | Release | Keep, cursor: InboxCursor) -> bool:
        room = self._rooms.get(command.room_id)
        if room is None:
            # Taken and acknowledged all the same, or one foreign order would block the stream.
            log.error(
                "command_for_unknown_room", room_id=command.room_id, rooms=sorted(self._rooms)
            )
            return await self._remember(cursor, ())
        if self._book is None:
            return await self._order(room, command, cursor)
        # Nobody changes a rule between the look whether the room is sealed, and the change.
        async with self._book.changing:
            return await self._order_by_the_book(room, command, cursor, self._book)

    async def _order_by_the_book(
        self, room: RoomService, command: Seal | Release | Keep, cursor: InboxCursor, book: RuleBook
    ) -> bool:
        """A session brings its own rules, and takes them with it."""
        session = room.sealed_session
        if isinstance(command, Seal):
            session = command.session_id
        elif isinstance(command, Release) and command.session_id == session:
            session = None
        # Before the order: what is frozen with it is what holds from then on.
        before = book.rules(room.room_id, session)
        if before != room.state.rules:
            await room.take(RulesChanged(before))
        taken = await self._order(room, command, cursor)
        if taken and isinstance(command, Release):
            book.session_over(room.room_id, command.session_id)
        rules = book.rules(room.room_id, room.sealed_session)
        if rules != room.state.rules:
            await room.amend(RulesChanged(rules), None)
        return taken

    async def _order(
        self, room: RoomService, command: Seal | Release | Keep, cursor: InboxCursor
    ) -> bool:
        recordings = self._recordings
        requests = (
            (recordings.request_for(command, room.measure(command.session_id)),)
            if recordings
            else ()
        )
        taken = await room.take(command, cursor, requests)
        if recordings is not None:
            recordings.stir()
        return taken

    async def _remember(self, cursor: InboxCursor, requests: Sequence[Request]) -> bool:
        store = self._wiring.store
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._wiring.disk, lambda: store.commit(cursor=cursor, requests=requests)
            )
        except (sqlite3.Error, OSError) as error:
            if times := self._faults.due("remember"):
                log.error("disk_refused", error=str(error), times=times)
            return False
        return True

    async def _acknowledge(self, cursor: InboxCursor) -> None:
        try:
            await self._wiring.bus.publish(self._ack(cursor))
        except (MqttLost, PublishRefusedError) as error:
            # The controller sends the command again, and is then answered again.
            log.warning("ack_not_sent", stream=cursor.stream, seq=cursor.seq, error=str(error))

    def _ack(self, cursor: InboxCursor) -> Outgoing:
        node_id = self._wiring.node_id
        topic = topics.ack_topic(self._wiring.site_id, topics.command_stream(node_id))
        return Outgoing(topic, codec.encode_ack(ack_for(cursor, by=node_id)), qos=1, retain=True)

    def _reject(self, reason: RejectReason, detail: str) -> None:
        self._count("mqtt_rejected_total", "Payloads that were dropped", reason=reason.value)
        if times := self._faults.due(reason.value):
            log.warning("mqtt_rejected", reason=reason.value, detail=detail, times=times)

    def _count(self, name: str, help_text: str, **labels: str) -> None:
        counter = self._wiring.metrics.counter(name, help_text, tuple(labels))
        (counter.labels(**labels) if labels else counter).inc()

    async def _say_health(self) -> None:
        before = self._totals()
        while True:
            await self._wiring.clock.sleep_ms(HEALTH_MS)
            self._health = self._measure_health(before, HEALTH_MS)
            before = self._totals()
            try:
                await self._wiring.bus.publish(self.health_message(self._health))
            except MqttLost:
                continue
            except PublishRefusedError as error:
                if times := self._faults.due("health"):
                    log.error("health_refused", error=str(error), times=times)

    def birth(self) -> tuple[Outgoing, ...]:
        """What is said at each connection."""
        acks = tuple(self._ack(cursor) for cursor in self._cursors.values())
        return (*acks, self.health_message(self._health))

    def health_message(self, health: NodeHealth) -> Outgoing:
        """A word on this node as a retained message."""
        wiring = self._wiring
        return health_message(wiring.site_id, health, wiring.new_id())

    def _totals(self) -> dict[CameraId, tuple[int, int, int]]:
        return {
            camera_id: (
                camera.counts.frames,
                self._analyses[camera_id].analysed,
                camera.counts.dropped,
            )
            for camera_id, camera in self._cameras.items()
        }

    def _measure_health(
        self, before: Mapping[CameraId, tuple[int, int, int]], period_ms: int
    ) -> NodeHealth:
        wiring = self._wiring
        return NodeHealth(
            node_id=wiring.node_id,
            state=NodeState.RUNNING,
            utc_ms=wiring.clock.utc_ms(),
            boot_id=wiring.clock.boot_id,
            version=self._version,
            api_url=self._api_url,
            rooms=tuple(self._rooms),
            cameras=tuple(
                self._camera_health(camera_id, before.get(camera_id), period_ms)
                for camera_id in self._cameras
            ),
            outbox_depth=wiring.outbox.depth,
            disk_free_bytes=self._disk_free_bytes(),
            recording=self._recordings.health() if self._recordings else None,
        )

    def _camera_health(
        self, camera_id: CameraId, before: tuple[int, int, int] | None, period_ms: int
    ) -> CameraHealth:
        state = self._room_of[camera_id].state
        camera = state.cameras[camera_id]
        now = self._totals()[camera_id]
        frames, analysed, dropped = (
            (one - other for one, other in zip(now, before, strict=True)) if before else (0, 0, 0)
        )
        per_s = 1000 / period_ms if period_ms else 0.0
        return CameraHealth(
            camera_id=camera_id,
            state=camera.state,
            frames_per_s=round(frames * per_s, 1),
            analysed_per_s=round(analysed * per_s, 1),
            dropped_frames=dropped,
            sound=core.sound_state(state, camera_id),
            level_dbfs=core.level_dbfs(state, camera_id),
            last_error=self._errors.get(camera_id),
        )


def health_message(site_id: SiteId, health: NodeHealth, message_id: MessageId) -> Outgoing:
    """A node's word on itself; retained, so that who connects later knows it at once."""
    payload = codec.encode(
        Kind.HEALTH,
        health,
        message_id=message_id,
        sender=health.node_id,
        sent_utc_ms=health.utc_ms,
    )
    return Outgoing(topics.health_topic(site_id, health.node_id), payload, qos=1, retain=True)
