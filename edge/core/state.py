"""Holds what is known of one watched room, and which part of it a restart must find again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from contracts.admission import AreaKind, ProcurementKind
from contracts.commands import ADMITTED_MAX
from contracts.envelope import Strict
from contracts.evidence.entries import ClockState, GapReason, TrackId
from contracts.observations import Alert, Appearance, CameraState, RecordingState
from contracts.units import CameraId, NodeId, PickupId, RoomId, RuleCode, SessionId, UtcMs, ZoneId
from contracts.zones import PictureZone
from edge.core import holding
from edge.core.area_watch import AreaWatch
from edge.core.count import CONFIRM_OF, Counted
from edge.core.hearing import Heard, SourceId
from edge.core.holding import Hold
from edge.core.load import LoadSeen
from edge.core.machine_watch import DiskSeen
from edge.core.people import Instant, Track
from edge.core.phones import PhonePlace
from edge.core.pictures import PictureWatch
from edge.core.places import Places
from edge.core.rule_settings import RuleSettings
from edge.core.streams import StreamDeclared, StreamSeen
from edge.core.things import ThingWatch

PEOPLE_STALE_AFTER_MS = 2_000
# Ten analysis periods at 5 fps. What was seen longer ago says nothing about the room of now.

STORED_ALERTS_MAX = 256  # a few rules times the cameras of a room; more is a fault of the file
PASSING_MAX = 64  # sealed rooms of one centre at a time, with room to spare


@dataclass(frozen=True, slots=True)
class CameraSetup:
    """What the configuration says of one camera of the room."""

    camera_id: CameraId
    has_sound: bool
    zones: tuple[PictureZone, ...] = ()
    """As declared, or as drawn since."""
    floor: tuple[tuple[float, float, float, float], ...] = ()
    """Marks on the floor: x and y in shares of the picture, x and y in metres of the room."""
    stream: StreamDeclared | None = None
    """What it is declared to send; None: nobody checks."""


@dataclass(frozen=True, slots=True)
class RoomSetup:
    """The configuration of one room: it does not change while the node runs."""

    room_id: RoomId
    node_id: NodeId
    cameras: tuple[CameraSetup, ...]
    rules: Mapping[RuleCode, RuleSettings]
    """How every rule is set here, by code."""
    pickups: tuple[PickupId, ...] = ()
    """Microphones of the room that are no part of a camera."""
    kind: AreaKind = AreaKind.EVALUATION
    admits: Mapping[ProcurementKind, Mapping[Appearance, int]] = field(default_factory=dict)
    """How many of each appearance may be here, by what is tendered; empty: nobody checks."""
    speaks_for_node: bool = False
    """Whether the node's own alerts (recorder, disk, clock) are raised in this room: they are
    raised in one room of a node alone, or one fault would sound in each."""


@dataclass(frozen=True, slots=True)
class CameraSeen:
    """What is known of one camera.

    ``people`` are those who count, of the picture taken at ``frame_at``.
    """

    state: CameraState = CameraState.STARTING
    state_since: Instant | None = None
    counted: Counted = field(default_factory=Counted)
    people: tuple[Track, ...] = ()
    frame_at: Instant | None = None
    frames_seen: int = 0
    """Pictures looked at as a whole since the camera went live."""
    picture: PictureWatch = field(default_factory=PictureWatch)
    things: ThingWatch = field(default_factory=ThingWatch)
    stream: StreamSeen | None = None
    """What it sends; None: not measured yet."""
    phones: tuple[PhonePlace, ...] = ()

    def shows_people(self, now: Instant) -> bool:
        """Whether ``people`` says something about the room of now."""
        return (
            self.state is CameraState.LIVE
            and self.frame_at is not None
            # Before, those who have always been there are not confirmed yet: unknown, not empty.
            and self.frames_seen >= CONFIRM_OF
            and now.mono_ms - self.frame_at.mono_ms <= PEOPLE_STALE_AFTER_MS
        )


@dataclass(frozen=True, slots=True)
class Sealed:
    """The session that the room belongs to. ``since`` is the seal, or the restart that found it."""

    session_id: SessionId
    admitted: int
    since: Instant
    procurement: ProcurementKind = ProcurementKind.ENGINEERING


@dataclass(frozen=True, slots=True)
class Passing:
    """A session sealed in another room, whose people pass through this area."""

    session_id: SessionId
    room_id: RoomId | None
    procurement: ProcurementKind = ProcurementKind.ENGINEERING


@dataclass(frozen=True, slots=True)
class TrackSeen:
    """How one track is recorded; ``since`` is when that began."""

    state: RecordingState
    since: Instant
    reason: GapReason | None = None
    sound_offset_ms: int | None = None
    """How much later than its picture the sound of the last file was; None: nothing to measure."""
    sound_offset_at: Instant | None = None
    """When that file ended."""


@dataclass(frozen=True, slots=True)
class CopiesFailing:
    """A place for copies that has taken none since ``since_utc_ms``, and why."""

    place: str
    since_utc_ms: UtcMs
    error: str


@dataclass(frozen=True, slots=True)
class RecordingSeen:
    """What the node knows at ``at`` of its recorder, of the disk and of the clock.

    ``tracks`` are all of the node, as the recorder last said; they mean nothing unless ``running``.
    ``since`` is when ``running`` became what it is.
    """

    at: Instant
    running: bool
    since: Instant
    tracks: Mapping[TrackId, TrackSeen]
    disk: DiskSeen
    disk_low_percent: float
    clock: ClockState
    clock_step_ms: int
    copies_failing: tuple[CopiesFailing, ...] = ()
    """Places for copies that take none."""


HoldKey = tuple[RuleCode, str | None]
"""A rule and its subject (``subject_of``), or None for the room or node as a whole."""


def subject_of(
    camera_id: CameraId | None, pickup_id: PickupId | None, zone_id: ZoneId | None
) -> str | None:
    """The name of what a finding is about: a zone of a camera, a device; None: the room."""
    if zone_id is not None:
        return f"{camera_id}/{zone_id}"
    return camera_id or pickup_id


SILENT = Heard()


@dataclass(frozen=True, slots=True)
class RoomState:
    """Everything the rules look at. Mappings in it are replaced, never changed."""

    setup: RoomSetup
    cameras: Mapping[CameraId, CameraSeen]
    sealed: Sealed | None = None
    holds: Mapping[HoldKey, Hold] = field(default_factory=dict)
    recording: RecordingSeen | None = None
    """None: this node does not record, or has not looked yet."""
    changed_rules: Mapping[RuleCode, RuleSettings] | None = None
    """How the rules are set since the node started; None: as at its start."""
    zones: Mapping[CameraId, tuple[PictureZone, ...]] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    area: AreaWatch = field(default_factory=AreaWatch)
    sounds: Mapping[SourceId, Heard] = field(default_factory=dict)
    load: Mapping[CameraId, LoadSeen] = field(default_factory=dict)
    passing: Mapping[SessionId, Passing] = field(default_factory=dict)
    minute_of_day: int | None = None
    """Local time of the site, 0 to 1439; None: not told yet."""
    drifted: tuple[str, ...] = ()
    """What differs from what the seal froze: ``rules``, ``zones``, ``devices``."""

    @property
    def rules(self) -> Mapping[RuleCode, RuleSettings]:
        """How every rule is set now."""
        return self.setup.rules if self.changed_rules is None else self.changed_rules

    @property
    def closed(self) -> bool:
        """Whether a session is sealed here, or its people pass through here."""
        return self.sealed is not None or bool(self.passing)

    @property
    def closed_session(self) -> SessionId | None:
        """The session that an alert here belongs to; None where there is none, or several."""
        if self.sealed is not None:
            return self.sealed.session_id
        return next(iter(self.passing)) if len(self.passing) == 1 else None

    def heard(self, source_id: SourceId) -> Heard:
        """What is known of a sound source; one never heard is silent."""
        return self.sounds.get(source_id, SILENT)

    def alert_of(self, code: RuleCode, subject: str | None = None) -> Alert | None:
        """The alert of this rule and subject that stands, if one does."""
        hold = self.holds.get((code, subject))
        return hold.alert if hold else None

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts that stand."""
        return tuple(hold.alert for hold in self.holds.values() if hold.alert is not None)


class StoredSeal(Strict):
    """A seal as it lies on disk."""

    session_id: SessionId
    admitted: int = Field(ge=0, le=ADMITTED_MAX)
    at_utc_ms: UtcMs
    procurement: ProcurementKind = ProcurementKind.ENGINEERING


class StoredPassing(Strict):
    """A session whose people pass through, as it lies on disk."""

    session_id: SessionId
    room_id: RoomId | None = None
    procurement: ProcurementKind = ProcurementKind.ENGINEERING


class StoredRoom(Strict):
    """The part of a room's state that outlives the process: its seal and the alerts that stand."""

    room_id: RoomId
    sealed: StoredSeal | None = None
    alerts: tuple[Alert, ...] = Field(default=(), max_length=STORED_ALERTS_MAX)
    passing: tuple[StoredPassing, ...] = Field(default=(), max_length=PASSING_MAX)


def to_store(state: RoomState) -> StoredRoom:
    """What must be on disk for this state."""
    sealed = state.sealed
    stored = None
    if sealed is not None:
        stored = StoredSeal(
            session_id=sealed.session_id,
            admitted=sealed.admitted,
            at_utc_ms=sealed.since.utc_ms,
            procurement=sealed.procurement,
        )
    passing = tuple(
        StoredPassing(session_id=one.session_id, room_id=one.room_id, procurement=one.procurement)
        for one in state.passing.values()
    )
    return StoredRoom(
        room_id=state.setup.room_id, sealed=stored, alerts=state.alerts, passing=passing
    )


def restore(setup: RoomSetup, stored: StoredRoom | None, now: Instant) -> RoomState:
    """The state after a (re)start: seal and standing alerts as stored, everything else unknown."""
    cameras = {camera.camera_id: CameraSeen() for camera in setup.cameras}
    zones = {camera.camera_id: camera.zones for camera in setup.cameras}
    if stored is None:
        return RoomState(setup, cameras, zones=zones)
    sealed = None
    if stored.sealed is not None:
        since = Instant(now.mono_ms, stored.sealed.at_utc_ms)
        sealed = Sealed(
            stored.sealed.session_id, stored.sealed.admitted, since, stored.sealed.procurement
        )
    holds = {
        (alert.rule, subject_of(alert.camera_id, alert.pickup_id, alert.zone_id)): holding.begun(
            alert
        )
        for alert in stored.alerts
    }
    passing = {
        one.session_id: Passing(one.session_id, one.room_id, one.procurement)
        for one in stored.passing
    }
    return RoomState(setup, cameras, sealed, holds, zones=zones, passing=passing)
