"""Holds what is known of one watched room, and which part of it a restart must find again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from contracts.catalogue import CATALOGUE
from contracts.commands import ADMITTED_MAX
from contracts.envelope import Strict
from contracts.evidence.entries import ClockState, GapReason, TrackId
from contracts.observations import LEVEL_FLOOR_DBFS, Alert, CameraState, RecordingState
from contracts.units import CameraId, NodeId, PickupId, RoomId, RuleCode, SessionId, UtcMs
from edge.core import holding
from edge.core.count import CONFIRM_OF, Counted
from edge.core.holding import Hold
from edge.core.machine_watch import DiskSeen
from edge.core.people import Instant, Track

PEOPLE_STALE_AFTER_MS = 2_000
# Ten analysis periods at 5 fps. What was seen longer ago says nothing about the room of now.

STORED_ALERTS_MAX = 256  # a few rules times the cameras of a room; more is a fault of the file


@dataclass(frozen=True, slots=True)
class CameraSetup:
    """What the configuration says of one camera of the room."""

    camera_id: CameraId
    has_sound: bool


@dataclass(frozen=True, slots=True)
class RoomSetup:
    """The configuration of one room: it does not change while the node runs."""

    room_id: RoomId
    node_id: NodeId
    cameras: tuple[CameraSetup, ...]
    rules: Mapping[RuleCode, Mapping[str, float]]
    """All parameters of every rule, by code and name."""
    pickups: tuple[PickupId, ...] = ()
    """Microphones of the room that are no part of a camera."""
    speaks_for_node: bool = False
    """Whether the node's own alerts (recorder, disk, clock) are raised in this room: they are
    raised in one room of a node alone, or one fault would sound in each."""


def rule_settings(
    changed: Mapping[RuleCode, Mapping[str, float]],
) -> Mapping[RuleCode, Mapping[str, float]]:
    """All parameters of all rules, ``changed`` over the defaults.

    Raises:
        ValueError: an unknown rule or parameter, or a number out of bounds; says what is allowed.
    """
    unknown = sorted(set(changed) - set(CATALOGUE))
    if unknown:
        raise ValueError(f"no rule {', '.join(unknown)}; rules: {', '.join(sorted(CATALOGUE))}")
    return {code: spec.settings(changed.get(code, {})) for code, spec in CATALOGUE.items()}


@dataclass(frozen=True, slots=True)
class CameraSeen:
    """What is known of one camera.

    ``people`` are those who count, of the picture taken at ``frame_at``; ``loud_at`` is when its
    sound was last above the floor of the dead-sound rule, ``heard_at`` when any sound came.
    """

    state: CameraState = CameraState.STARTING
    state_since: Instant | None = None
    counted: Counted = field(default_factory=Counted)
    people: tuple[Track, ...] = ()
    frame_at: Instant | None = None
    frames_seen: int = 0
    """Analysed pictures since the camera went live."""
    level_dbfs: float = LEVEL_FLOOR_DBFS
    heard_at: Instant | None = None
    loud_at: Instant | None = None

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


@dataclass(frozen=True, slots=True)
class TrackSeen:
    """How one track is recorded; ``since`` is when that began."""

    state: RecordingState
    since: Instant
    reason: GapReason | None = None


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


HoldKey = tuple[RuleCode, CameraId | PickupId | None]
"""A rule and its subject: a camera or pickup, or None for the room or node as a whole."""


@dataclass(frozen=True, slots=True)
class RoomState:
    """Everything the rules look at. Mappings in it are replaced, never changed."""

    setup: RoomSetup
    cameras: Mapping[CameraId, CameraSeen]
    sealed: Sealed | None = None
    holds: Mapping[HoldKey, Hold] = field(default_factory=dict)
    recording: RecordingSeen | None = None
    """None: this node does not record, or has not looked yet."""

    def alert_of(self, code: RuleCode, subject: CameraId | PickupId | None = None) -> Alert | None:
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


class StoredRoom(Strict):
    """The part of a room's state that outlives the process: its seal and the alerts that stand."""

    room_id: RoomId
    sealed: StoredSeal | None = None
    alerts: tuple[Alert, ...] = Field(default=(), max_length=STORED_ALERTS_MAX)


def to_store(state: RoomState) -> StoredRoom:
    """What must be on disk for this state."""
    sealed = state.sealed
    stored = None
    if sealed is not None:
        stored = StoredSeal(
            session_id=sealed.session_id, admitted=sealed.admitted, at_utc_ms=sealed.since.utc_ms
        )
    return StoredRoom(room_id=state.setup.room_id, sealed=stored, alerts=state.alerts)


def restore(setup: RoomSetup, stored: StoredRoom | None, now: Instant) -> RoomState:
    """The state after a (re)start: seal and standing alerts as stored, everything else unknown."""
    cameras = {camera.camera_id: CameraSeen() for camera in setup.cameras}
    if stored is None:
        return RoomState(setup, cameras)
    sealed = None
    if stored.sealed is not None:
        since = Instant(now.mono_ms, stored.sealed.at_utc_ms)
        sealed = Sealed(stored.sealed.session_id, stored.sealed.admitted, since)
    holds = {
        (alert.rule, alert.camera_id or alert.pickup_id): holding.begun(alert)
        for alert in stored.alerts
    }
    return RoomState(setup, cameras, sealed, holds)
