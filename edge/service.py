"""Runs a node: frames and orders into the rooms' cores, what comes out onto disk and the bus."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from contracts import codec, topics
from contracts.catalogue import OVER_ADMITTED
from contracts.commands import Keep, Release, Seal
from contracts.envelope import Ack, Rejected, RejectReason
from contracts.observations import (
    CameraHealth,
    CameraState,
    NodeHealth,
    NodeState,
    PictureRef,
    RoomObservation,
)
from contracts.topics import Kind
from contracts.units import CameraId, MessageId, NodeId, RoomId, SiteId
from edge.core import room as core
from edge.core.people import Instant
from edge.core.recording import Request
from edge.core.room import (
    AlertBegan,
    AlertCleared,
    Applied,
    CameraChanged,
    IdSource,
    PeopleSeen,
    RoomInput,
    RoomOutput,
    SoundHeard,
    Tick,
)
from edge.core.state import RoomState, to_store
from edge.ports import (
    AlertMemory,
    Camera,
    CameraEvent,
    Caption,
    DetectionLost,
    Detector,
    Frame,
    Level,
    LinkState,
    LiveView,
    PictureShelf,
    RecordingSide,
    Tracker,
)
from edge.store import EdgeStore, hand_over
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.metrics import Metrics
from runtime.mqtt import Bus, DropPolicy, Inbound, MqttLost, Outgoing, PublishRefusedError
from runtime.outbox import (
    Entry,
    InboxCursor,
    Outbox,
    OutboxFullError,
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
QUIET_OBSERVE_MS = 1_000  # a room without frames says at least this often that it sees nothing
EVENTS_MAX = 500
# Levels come ten times a second a camera: 500 is seconds of a stalled disk, then newest are lost.
COMMANDS_MAX = 100  # the sender goes back for what does not fit


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the rooms of one node share."""

    site_id: SiteId
    node_id: NodeId
    clock: Clock
    bus: Bus
    store: EdgeStore
    outbox: Outbox
    shelf: PictureShelf
    live: LiveView
    detector: Detector
    metrics: Metrics
    new_id: IdSource
    workers: Executor
    """Runs the detector; as many threads as detections may run at once."""
    disk: Executor
    """Runs everything that waits for the disk; one thread, so that order is kept."""
    run_key: bytes | None
    """When set, commands without a right signature are refused."""
    moments: AlertMemory | None = None
    """Where alerts are remembered for their clips; None: this node records nothing."""


class RoomService:
    """One room: its state, and one input at a time."""

    def __init__(self, wiring: Wiring, state: RoomState) -> None:
        self._wiring = wiring
        self._state = state
        self._frames: dict[CameraId, Frame] = {}
        self._busy = asyncio.Lock()
        self._index = 0
        self._observed_mono_ms = 0
        self._faults = Repeats(wiring.clock)

    @property
    def room_id(self) -> RoomId:
        return self._state.setup.room_id

    @property
    def state(self) -> RoomState:
        return self._state

    def frame(self, camera_id: CameraId) -> Frame | None:
        """The newest analysed frame of a camera."""
        return self._frames.get(camera_id)

    def now(self) -> Instant:
        """The present on both clocks."""
        return Instant(self._wiring.clock.mono_ms(), self._wiring.clock.utc_ms())

    async def start(self) -> None:
        """Clear restored alerts that nobody judges any more."""
        async with self._busy:
            now = self.now()
            state, outputs = core.clear_orphans(self._state, now.mono_ms, now.utc_ms)
            if outputs:
                await self._commit(state, outputs, None)

    async def see(self, frame: Frame, seen: PeopleSeen) -> None:
        """Take one analysed frame, tell viewers and the bus what it shows."""
        self._frames[frame.camera_id] = frame
        await self.take(seen)
        view = core.camera_view(self._state, frame.camera_id, self.now())
        self._wiring.live.offer(frame, view, self.caption())
        await self.publish_observation()

    def caption(self) -> Caption:
        """What stands beside the boxes on a picture of this room."""
        sealed = self._state.sealed
        return Caption(
            people=core.head_count(self._state, self.now()),
            admitted=sealed.admitted if sealed else None,
            alarm=self._state.alert_of(OVER_ADMITTED.code) is not None,
        )

    async def take(
        self,
        given: RoomInput,
        cursor: InboxCursor | None = None,
        requests: Sequence[Request] = (),
    ) -> bool:
        """Step the room by one input; whether everything that came of it is on disk.

        ``requests`` to the recorder are committed with it. When the disk refuses, the room stays as
        it was: the condition still holds at the next input, so what could not be stored comes up
        again by itself.
        """
        async with self._busy:
            now = self.now()
            state, outputs = core.step(
                self._state, given, now.mono_ms, now.utc_ms, self._wiring.new_id
            )
            if not outputs and cursor is None:
                self._state = state
                return True
            return await self._commit(state, outputs, cursor, requests)

    async def _commit(
        self,
        state: RoomState,
        outputs: Sequence[RoomOutput],
        cursor: InboxCursor | None,
        requests: Sequence[Request] = (),
    ) -> bool:
        loop = asyncio.get_running_loop()
        try:
            self._state = await loop.run_in_executor(
                self._wiring.disk, self._to_disk, state, tuple(outputs), cursor, requests
            )
        except (sqlite3.Error, OutboxFullError, OSError) as error:
            self._wiring.metrics.counter(
                "edge_disk_refusals_total", "Commits that the disk or the outbox refused"
            ).inc()
            if times := self._faults.due("disk"):
                log.error("disk_refused", room_id=self.room_id, error=str(error), times=times)
            return False
        for output in outputs:
            self._tell(output)
        return True

    def _to_disk(
        self,
        state: RoomState,
        outputs: tuple[RoomOutput, ...],
        cursor: InboxCursor | None,
        requests: Sequence[Request],
    ) -> RoomState:
        """Pictures, then state and messages in one transaction, then the outbox. Disk thread."""
        entries: list[Entry] = []
        for output in outputs:
            alert_picture = self._keep_picture(output)
            if alert_picture is not None and isinstance(output, AlertBegan):
                state = core.with_picture(state, output.alert.alert_id, alert_picture)
            entries.append(self._entry(output, alert_picture))
        wiring = self._wiring
        self._remember(outputs)
        wiring.store.commit(room=to_store(state), cursor=cursor, entries=entries, requests=requests)
        hand_over(wiring.store, wiring.outbox, entries)
        return state

    def _remember(self, outputs: Sequence[RoomOutput]) -> None:
        if self._wiring.moments is None:
            return
        for output in outputs:
            if isinstance(output, AlertBegan):
                try:
                    self._wiring.moments.remember(output.alert, output.picture_of)
                except sqlite3.Error as error:
                    # An alert without its clip is still an alert.
                    alert_id = output.alert.alert_id
                    log.error("moment_not_kept", alert_id=alert_id, error=str(error))

    def _keep_picture(self, output: RoomOutput) -> PictureRef | None:
        if not isinstance(output, AlertBegan) or output.picture_of is None:
            return None
        frame = self._frames.get(output.picture_of)
        if frame is None:
            return None
        try:
            return self._wiring.shelf.keep(frame.rgb, frame.camera_id, frame.at)
        except (OSError, ValueError) as error:
            # An alert without its picture is still an alert.
            log.error("picture_not_kept", alert_id=output.alert.alert_id, error=str(error))
            return None

    def _entry(self, output: RoomOutput, picture: PictureRef | None) -> Entry:
        site, room = self._wiring.site_id, self.room_id
        if isinstance(output, Applied):
            topic = topics.room_topic(Kind.APPLIED, site, room)
            return Entry(topic, output.applied, room, self._wiring.new_id())
        alert = output.alert
        if picture is not None:
            alert = alert.model_copy(update={"picture": picture})
        message_id = f"{alert.alert_id}-{alert.condition.value}"
        return Entry(topics.room_topic(Kind.ALERT, site, room), alert, room, message_id)

    def _tell(self, output: RoomOutput) -> None:
        if isinstance(output, Applied):
            log.info("seal_applied", **output.applied.model_dump(exclude_none=True))
            return
        alert = output.alert
        event = "alert_cleared" if isinstance(output, AlertCleared) else "alert_began"
        self._wiring.metrics.counter(
            "edge_alerts_total", "Alerts that began or cleared", ("rule", "condition")
        ).labels(alert.rule, alert.condition.value).inc()
        log.warning(
            event,
            alert_id=alert.alert_id,
            rule=alert.rule,
            room_id=alert.room_id,
            camera_id=alert.camera_id or alert.pickup_id,
            since_utc_ms=alert.since_utc_ms,
        )

    def observe(self) -> RoomObservation:
        """The room of now."""
        return core.observe(self._state, self._wiring.clock.boot_id, self._index, self.now())

    async def publish_observation(self) -> None:
        """Send the room of now; losing one is harmless, the next is due in a moment."""
        wiring = self._wiring
        self._index += 1
        self._observed_mono_ms = wiring.clock.mono_ms()
        payload = codec.encode(
            Kind.OBSERVATION,
            self.observe(),
            message_id=wiring.new_id(),
            sender=wiring.node_id,
            sent_utc_ms=wiring.clock.utc_ms(),
        )
        topic = topics.room_topic(Kind.OBSERVATION, wiring.site_id, self.room_id)
        try:
            await wiring.bus.publish(Outgoing(topic, payload, qos=0))
        except MqttLost:
            return
        except PublishRefusedError as error:
            if times := self._faults.due("observation"):
                log.error("observation_refused", error=str(error), times=times)

    async def tick(self) -> None:
        """Time has passed."""
        await self.take(Tick())
        if self._wiring.clock.mono_ms() - self._observed_mono_ms >= QUIET_OBSERVE_MS:
            await self.publish_observation()


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
    ) -> None:
        """``recordings`` None: the node only watches."""
        self._wiring = wiring
        self._recordings = recordings
        self._rooms = {room_id: RoomService(wiring, state) for room_id, state in rooms.items()}
        self._room_of = {
            camera_id: room for room in self._rooms.values() for camera_id in room.state.cameras
        }
        self._version = version
        self._api_url = api_url
        self._disk_free_bytes = disk_free_bytes
        self._events: deque[CameraEvent] = deque()
        self._eventful = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._cameras: dict[CameraId, Camera] = {}
        self._trackers: dict[CameraId, Tracker] = {}
        self._errors: dict[CameraId, str | None] = {}
        self._analysed: dict[CameraId, int] = {}
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

    def add_camera(self, camera: Camera, tracker: Tracker) -> None:
        """Put a camera to its room; before ``run``."""
        self._cameras[camera.camera_id] = camera
        self._trackers[camera.camera_id] = tracker
        self._analysed[camera.camera_id] = 0

    def report(self, event: CameraEvent) -> None:
        """Where capture reports, from any thread (``ports.EventSink``)."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue, event)

    def _queue(self, event: CameraEvent) -> None:
        if isinstance(event, Level) and len(self._events) >= EVENTS_MAX:
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
                group.create_task(self._analyse(camera))

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

    async def _analyse(self, camera: Camera) -> None:
        wiring = self._wiring
        room, tracker = self._room_of[camera.camera_id], self._trackers[camera.camera_id]
        delay = wiring.metrics.histogram(
            "edge_frame_delay_seconds",
            "From a picture's arrival to what was seen in it",
            ("camera",),
        ).labels(camera.camera_id)
        loop = asyncio.get_running_loop()
        while True:
            frame = await camera.frames.get()
            try:
                found = await loop.run_in_executor(
                    wiring.workers, wiring.detector.find_people, frame.rgb
                )
            except DetectionLost as error:
                self._count("edge_detections_lost_total", "Pictures that could not be analysed")
                if times := self._faults.due(f"detection {camera.camera_id}"):
                    log.error(
                        "detection_lost",
                        camera_id=camera.camera_id,
                        error=str(error),
                        times=times,
                    )
                continue
            tracks = tracker.update(found, frame.at)
            await room.see(frame, PeopleSeen(camera.camera_id, frame.at, tracks))
            self._analysed[camera.camera_id] += 1
            delay.observe((wiring.clock.mono_ms() - frame.at.mono_ms) / 1000)

    async def _take_events(self) -> None:
        while True:
            await self._eventful.wait()
            self._eventful.clear()
            while self._events:
                await self._take_event(self._events.popleft())

    async def _take_event(self, event: CameraEvent) -> None:
        room = self._room_of[event.camera_id]
        match event:
            case LinkState():
                self._errors[event.camera_id] = event.error
                if event.state is CameraState.LIVE:
                    self._trackers[event.camera_id].reset()
                await room.take(CameraChanged(event.camera_id, event.state, event.since))
                await room.publish_observation()
            case Level():
                await room.take(SoundHeard(event.camera_id, event.dbfs, event.at))

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
        recordings = self._recordings
        requests = (recordings.request_for(command),) if recordings else ()
        if isinstance(command, Keep):  # of the recordings alone: no rule looks at it
            taken = await self._remember(cursor, requests)
        else:
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
                self._analysed[camera_id],
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
            level_dbfs=core.level_dbfs(camera),
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
