"""Holds a watched area as the API shows it: cameras, recordings, head count."""

from enum import StrEnum

from contracts.admission import AreaKind
from contracts.api.sessions import SessionView
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.evidence.entries import ClockState, GapReason, TrackId
from contracts.observations import (
    CameraState,
    LevelDbfs,
    NodeState,
    RecordingState,
    SeenPerson,
    SoundState,
)
from contracts.units import CameraId, NodeId, RoomId, UtcMs


class CameraStatus(Strict):
    """One camera of a room as the controller knows it."""

    id: CameraId
    name: Named
    state: CameraState
    sound: SoundState
    level_dbfs: LevelDbfs | None = None
    people: tuple[SeenPerson, ...] = ()
    seen_utc_ms: UtcMs | None = None


class TrackKind(StrEnum):
    """What a track records."""

    CAMERA = "camera"
    PICKUP = "pickup"


class TrackView(Strict):
    """How one track is recorded: what its node says, and what the controller has witnessed.

    ``state`` None: the node has said nothing of it. ``known_from`` above 1: entries before it never
    came to this controller. ``broken``: a line came that its chain does not allow.
    """

    id: TrackId
    name: Named
    kind: TrackKind
    state: RecordingState | None = None
    since_utc_ms: UtcMs | None = None
    reason: GapReason | None = None
    sequence: int = 0
    entry_utc_ms: UtcMs | None = None
    witnessed_sequence: int = 0
    witnessed_utc_ms: UtcMs | None = None
    known_from: int | None = None
    broken: bool = False


class RoomView(Strict):
    """One watched area now. ``head_count`` None: nobody can see it, which is not zero.

    ``tracks`` are its recordings; ``clock`` is the state of its node's clock, ``key_confirmed``
    whether a person has confirmed the key that its node signs with (None: no key was seen).
    """

    id: RoomId
    name: Named
    kind: AreaKind
    node_id: NodeId | None
    node_state: NodeState | None
    head_count: int | None
    admitted: int | None
    session: SessionView | None
    cameras: tuple[CameraStatus, ...]
    active_alerts: int
    observed_utc_ms: UtcMs | None
    tracks: tuple[TrackView, ...] = ()
    clock: ClockState | None = None
    key_confirmed: bool | None = None
