"""Runs one room: frames, sound and orders into its core, what comes out onto disk and bus."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import structlog

from contracts import codec, topics
from contracts.catalogue import OVER_ADMITTED
from contracts.commands import Keep, Release, Seal
from contracts.observations import (
    Alert,
    PictureRef,
    RoomObservation,
    SoundRef,
)
from contracts.topics import Kind
from contracts.units import CameraId, NodeId, RoomId, SessionId, Sha256Hex, SiteId
from edge.core import room as core
from edge.core.people import Instant
from edge.core.recording import Request
from edge.core.room import (
    AlertBegan,
    AlertCleared,
    Applied,
    ConfigCompared,
    IdSource,
    RoomInput,
    RoomOutput,
    RulesChanged,
    Tick,
    ZonesDrawn,
)
from edge.core.state import RoomState, to_store
from edge.freezing import Consent
from edge.ports import (
    AlertMemory,
    Analysed,
    Caption,
    Frame,
    LiveView,
    PictureShelf,
    SoundShelf,
)
from edge.recent_alerts import RecentAlerts
from edge.room_freeze import RoomFreeze
from edge.store import EdgeStore, Freeze, SessionOver, hand_over
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.metrics import Metrics
from runtime.mqtt import Bus, MqttLost, Outgoing, PublishRefusedError
from runtime.outbox import (
    Entry,
    InboxCursor,
    Outbox,
    OutboxFullError,
)

log = structlog.get_logger(__name__)

QUIET_OBSERVE_MS = 1_000  # a room without frames says at least this often that it sees nothing


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
    metrics: Metrics
    new_id: IdSource
    workers: Executor
    """Runs the analysis; as many threads as pictures may be analysed at once."""
    disk: Executor
    """Runs everything that waits for the disk; one thread, so that order is kept."""
    run_key: bytes | None
    """When set, commands without a right signature are refused."""
    time_zone: tzinfo = UTC
    """Of the site: some rules watch outside its hours alone."""
    moments: AlertMemory | None = None
    """Where alerts are remembered for their clips; None: this node records nothing."""
    sounds: SoundShelf | None = None
    """Where the sound of alerts is kept; None: of none."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is committed with a room's new state."""

    cursor: InboxCursor | None
    requests: Sequence[Request]
    freeze: Freeze
    over: SessionOver | None


def _over(given: RoomInput) -> SessionOver | None:
    return SessionOver(given.room_id, given.session_id) if isinstance(given, Release) else None


class RoomService:
    """One room: its state, and one input at a time."""

    def __init__(self, wiring: Wiring, state: RoomState, freeze: RoomFreeze) -> None:
        self._wiring = wiring
        self._state = state
        self._freeze = freeze
        self._wanted: list[RulesChanged | ZonesDrawn] = []
        self.lately = RecentAlerts()
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

    @property
    def sealed_session(self) -> SessionId | None:
        """The session that is sealed here."""
        return self._state.sealed.session_id if self._state.sealed is not None else None

    def frame(self, camera_id: CameraId) -> Frame | None:
        """The newest analysed frame of a camera."""
        return self._frames.get(camera_id)

    def now(self) -> Instant:
        """The present on both clocks."""
        return Instant(self._wiring.clock.mono_ms(), self._wiring.clock.utc_ms())

    async def start(self) -> None:
        """Clear restored alerts that nobody judges any more; see what differs from the seal."""
        async with self._busy:
            now = self.now()
            state, outputs = core.clear_orphans(self._state, now.mono_ms, now.utc_ms)
            if outputs:
                await self._commit(state, outputs, None)
        await self._compare(None)

    def alerts(self) -> tuple[Alert, ...]:
        """Those that stand, then those that stood lately."""
        return (*self._state.alerts, *self.lately.alerts)

    def measure(self, session_id: SessionId) -> Mapping[str, Sha256Hex]:
        """Hashes of what an order to seal this room for a session freezes."""
        return self._freeze.measure(self._state, session_id)

    async def amend(self, given: RulesChanged | ZonesDrawn, consent: Consent | None) -> None:
        """Put other rules or zones in force; the chains of a closed room are told who did it.

        What the disk refuses now is done at a later tick.
        """
        if not await self.take(given):
            self._wanted.append(given)
        await self._compare(consent)

    async def _compare(self, consent: Consent | None) -> None:
        differs = await self._freeze.compare(self._state, consent)
        if differs != self._state.drifted:
            await self.take(ConfigCompared(differs))

    async def see(self, frame: Frame, seen: Analysed) -> None:
        """Take one analysed frame, tell viewers and the bus what it shows."""
        self._frames[frame.camera_id] = frame
        for signs in (seen.picture, seen.things, seen.people):
            if signs is not None:
                await self.take(signs)
        if seen.people is None:
            return
        view = core.camera_view(self._state, frame.camera_id, self.now())
        self._wiring.live.offer(frame, view, self.caption(), seen.attended)
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
            kept = await self._commit(state, outputs, cursor, requests, _over(given))
        if kept and isinstance(given, Seal | Release | Keep):
            await self._compare(None)
        return kept

    async def _commit(
        self,
        state: RoomState,
        outputs: Sequence[RoomOutput],
        cursor: InboxCursor | None,
        requests: Sequence[Request] = (),
        over: SessionOver | None = None,
    ) -> bool:
        loop = asyncio.get_running_loop()
        kept = Kept(cursor, requests, self._freeze.after(state), over)
        try:
            self._state = await loop.run_in_executor(
                self._wiring.disk, self._to_disk, state, tuple(outputs), kept
            )
        except (sqlite3.Error, OutboxFullError, OSError) as error:
            self._wiring.metrics.counter(
                "edge_disk_refusals_total", "Commits that the disk or the outbox refused"
            ).inc()
            if times := self._faults.due("disk"):
                log.error("disk_refused", room_id=self.room_id, error=str(error), times=times)
            return False
        self._freeze.committed(kept.freeze)
        for output in outputs:
            self._tell(output)
        return True

    def _to_disk(self, state: RoomState, outputs: tuple[RoomOutput, ...], kept: Kept) -> RoomState:
        """Pictures, then state and messages in one transaction, then the outbox. Disk thread."""
        entries: list[Entry] = []
        for output in outputs:
            alert_picture, alert_sound = self._keep_picture(output), self._keep_sound(state, output)
            if alert_picture is not None and isinstance(output, AlertBegan):
                state = core.with_picture(state, output.alert.alert_id, alert_picture)
            if alert_sound is not None and isinstance(output, AlertBegan):
                state = core.with_sound(state, output.alert.alert_id, alert_sound)
            entries.append(self._entry(output, alert_picture, alert_sound))
        wiring = self._wiring
        self._remember(outputs)
        wiring.store.commit(
            room=to_store(state),
            cursor=kept.cursor,
            entries=entries,
            requests=kept.requests,
            freeze=kept.freeze,
            rules=kept.over,
        )
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

    def _keep_sound(self, state: RoomState, output: RoomOutput) -> SoundRef | None:
        """The sound of an alert, from the seal on: what was said before it belongs to nobody."""
        sounds, sealed = self._wiring.sounds, state.sealed
        if sounds is None or sealed is None:
            return None
        if not isinstance(output, AlertBegan) or output.sound_of is None:
            return None
        try:
            return sounds.keep(output.sound_of, sealed.since)
        except (OSError, ValueError) as error:
            # An alert without its sound is still an alert.
            log.error("sound_not_kept", alert_id=output.alert.alert_id, error=str(error))
            return None

    def _entry(
        self, output: RoomOutput, picture: PictureRef | None, sound: SoundRef | None
    ) -> Entry:
        site, room = self._wiring.site_id, self.room_id
        if isinstance(output, Applied):
            topic = topics.room_topic(Kind.APPLIED, site, room)
            return Entry(topic, output.applied, room, self._wiring.new_id())
        alert = output.alert
        if picture is not None:
            alert = alert.model_copy(update={"picture": picture})
        if sound is not None:
            alert = alert.model_copy(update={"sound": sound})
        message_id = f"{alert.alert_id}-{alert.condition.value}"
        return Entry(topics.room_topic(Kind.ALERT, site, room), alert, room, message_id)

    def _tell(self, output: RoomOutput) -> None:
        if isinstance(output, Applied):
            log.info("seal_applied", **output.applied.model_dump(exclude_none=True))
            return
        alert = output.alert
        event = "alert_cleared" if isinstance(output, AlertCleared) else "alert_began"
        if isinstance(output, AlertCleared):
            self.lately.cleared(alert)
        else:
            self.lately.began(alert)
            self._wiring.metrics.counter(
                "edge_findings_total", "Alerts that began, by the rule's mode", ("rule", "mode")
            ).labels(alert.rule, alert.mode.value).inc()
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
        local = datetime.fromtimestamp(self.now().utc_ms / 1000, self._wiring.time_zone)
        await self.take(Tick(local.hour * 60 + local.minute))
        if self._wanted:
            wanted, self._wanted = self._wanted, []
            for given in wanted:
                await self.amend(given, None)
        elif self._freeze.is_behind:
            await self._compare(None)
        if self._wiring.clock.mono_ms() - self._observed_mono_ms >= QUIET_OBSERVE_MS:
            await self.publish_observation()
