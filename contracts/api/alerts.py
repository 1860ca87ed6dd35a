"""Holds an alert as the API shows it, and what people do about it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

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


class HandlingVerb(StrEnum):
    """What a person does about an alert; ``RETURN`` and ``TELL`` are the controller's own."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    START = "start"
    NOTE = "note"
    URGE = "urge"
    """督办: a superior asks for an overdue step."""
    REPLY = "reply"
    """反馈: the recorded answer to an urge."""
    RESOLVE = "resolve"
    STATEMENT = "statement"
    """What the expert whom a violation is held against says of it."""
    CLOSE = "close"
    REOPEN = "reopen"
    RETURN = "return"
    """The condition came back while people were at it."""
    TELL = "tell"
    """People on duty were told, by escalation."""


Username = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Seat = Annotated[str, StringConstraints(max_length=40)]
SAID_MAX_CHARS = 2_000  # an expert's statement: a page
Spoken = Annotated[Note, Field(min_length=1)]


class ResolveBody(Strict):
    """Close the people's side of an alert. ``seat``: whom a violation is held against."""

    disposition: Disposition
    note: Note = ""
    seat: Seat = ""


class AssignBody(Strict):
    """Give an alert to a person. ``due_utc_ms``: by when; left out, by the site's rule."""

    to: Username
    due_utc_ms: UtcMs | None = Field(default=None, ge=0)
    note: Note = ""


class SaidBody(Strict):
    """A note, an urge, a reply, or why an alert is reopened: it cannot be empty."""

    text: Spoken


class UrgeBody(Strict):
    """Urge whoever has the alert. ``due_utc_ms``: by when an answer is expected."""

    text: Spoken
    due_utc_ms: UtcMs | None = Field(default=None, ge=0)


class CloseBody(Strict):
    """Put a resolved alert away."""

    note: Note = ""


class StatementBody(Strict):
    """The expert's own words on a violation, as a person took them down."""

    text: str = Field(min_length=1, max_length=SAID_MAX_CHARS)
    seat: Seat = ""


class HandlingStep(Strict):
    """One thing that was done about an alert. ``to``: whom it was given to or who was told."""

    number: int
    verb: HandlingVerb
    utc_ms: UtcMs
    by: str
    text: str = ""
    to: str = ""
    disposition: Disposition | None = None
    handling: Handling
    """The people's side after it."""


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
    revision: int = 0
    """How many steps people took; ``If-Match`` of a verb compares it."""
    owner: str | None = None
    due_utc_ms: UtcMs | None = None
    """By when the next step is due: to acknowledge, to resolve, or to answer an urge."""
    latched: bool = False
    """It can be resolved only after a person has acknowledged it, for itself."""
    urged_utc_ms: UtcMs | None = None
    """Since when an urge waits for its reply."""
    resolved_by: str | None = None
    resolved_utc_ms: UtcMs | None = None
    closed_by: str | None = None
    closed_utc_ms: UtcMs | None = None
    seat: str = ""
    """Whom a violation is held against, as the roster calls the seat."""
    statement: str = ""
    """What that expert says of it."""
    told_level: int = 0
    """How far escalation has come: 1 duty officer, 2 supervisor, 3 head; 0: nobody was told."""
    told_utc_ms: UtcMs | None = None
    returns: int = 0
    """How often the condition came back while the alert was open."""
    follows: int | None = None
    """Number of the alert that people were at when this came: the same thing again."""


class AlertPage(Strict):
    """Newest first; ``next_before`` asks for the page behind this one."""

    items: tuple[AlertView, ...]
    next_before: int | None = None


class AlertHistory(Strict):
    """All that people did about an alert, oldest first."""

    alert_id: str
    revision: int
    steps: tuple[HandlingStep, ...]
