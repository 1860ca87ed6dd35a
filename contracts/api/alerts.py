"""Holds an alert as the API shows it, and what people do about it."""

from enum import StrEnum

from contracts.api.base import Sentence
from contracts.devices import Named
from contracts.envelope import Strict
from contracts.observations import Condition, Measured, Mode, SeenPerson, Severity
from contracts.units import CameraId, NodeId, Note, PickupId, RoomId, SessionId, UtcMs, ZoneId


class Handling(StrEnum):
    """The people's side of an alert."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    HANDLING = "handling"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Disposition(StrEnum):
    """What a person found an alert to be; resolving demands one."""

    VIOLATION = "violation"
    PERMITTED = "permitted"
    FALSE = "false"
    DEVICE = "device"
    TEST = "test"


class ResolveBody(Strict):
    """Close the people's side of an alert."""

    disposition: Disposition
    note: Note = ""


class AlertView(Strict):
    """One alert with both its sides. ``picture_url`` is valid for minutes, for the asking user."""

    id: str
    number: int
    rule: str
    title: Named
    severity: Severity
    condition: Condition
    handling: Handling
    room_id: RoomId
    camera_id: CameraId | None = None
    pickup_id: PickupId | None = None
    node_id: NodeId | None = None
    session_id: SessionId | None = None
    since_utc_ms: UtcMs
    raised_utc_ms: UtcMs
    received_utc_ms: UtcMs
    cleared_utc_ms: UtcMs | None = None
    dwell_ms: int = 0
    confidence: float = 1.0
    measured: tuple[Measured, ...] = ()
    boxes: tuple[SeenPerson, ...] = ()
    mode: Mode = Mode.ON
    """``shadow``: kept and counted; nobody was told."""
    risk_code: str = ""
    """The centre's own number of the risk point."""
    zone_id: ZoneId | None = None
    saw: Sentence | None = None
    """What was seen or heard, as the node says it."""
    settings: tuple[Measured, ...] = ()
    """The rule's parameters as they were."""
    sound_sha256: str | None = None
    picture_sha256: str | None = None
    picture_url: str | None = None
    acknowledged_by: str | None = None
    acknowledged_utc_ms: UtcMs | None = None
    disposition: Disposition | None = None
    note: str = ""
    detail: Sentence | None = None
    """What exactly was found, where the rule's title does not say it."""


class AlertPage(Strict):
    """Newest first; ``next_before`` asks for the page behind this one."""

    items: tuple[AlertView, ...]
    next_before: int | None = None
