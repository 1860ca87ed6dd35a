"""Holds what a step may want done: answers to who asked, commands, orders, actions, pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from contracts.api import Sentence
from contracts.api.duty import DutyLevel
from contracts.api.notices import NoticeReason
from contracts.api.record import RecordKind
from contracts.commands import Command
from contracts.evidence.lines import KeyId
from contracts.observations import PictureRef, Severity
from contracts.units import (
    CameraId,
    NodeId,
    RobotId,
    RoomId,
    SessionId,
    Sha256Hex,
    SiteId,
    UtcMs,
)
from contracts.vda5050.profile import LockCompartment, OpenCompartment
from controller.core.facility_words import CommandFacility


class Refusal(StrEnum):
    """Why a request was not done; the API turns each into one HTTP status."""

    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    STALE = "stale"
    """It was asked about something that another has changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that changed nothing, and what the person can do about it."""

    why: Refusal
    detail: Sentence


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was done (or had been done before), and what it is about."""

    entity_id: str


@dataclass(frozen=True, slots=True)
class SendCommand:
    """Order an edge node; durable, through the outbox of that node's stream."""

    node_id: NodeId
    command: Command
    kind: Literal["send_command"] = "send_command"


@dataclass(frozen=True, slots=True)
class FetchPicture:
    """Copy an alert's picture from its edge node before the node's disk needs the room."""

    alert_id: str
    node_id: NodeId
    picture: PictureRef
    kind: Literal["fetch_picture"] = "fetch_picture"


@dataclass(frozen=True, slots=True)
class FetchSnapshot:
    """Take the newest picture of a camera for an alert that the controller made itself."""

    alert_id: str
    node_id: NodeId
    camera_id: CameraId
    kind: Literal["fetch_snapshot"] = "fetch_snapshot"


@dataclass(frozen=True, slots=True)
class SendNotice:
    """Tell people of an alert: those on duty at ``level``, and ``to`` by name.

    It holds a code, a room and a time, and nothing else that a telephone may show. ``notice_id``
    is the same whenever it is sent again, so that nobody is told twice by a restart.
    """

    notice_id: str
    reason: NoticeReason
    alert_id: str
    alert_number: int
    code: str
    room_id: RoomId
    severity: Severity
    utc_ms: UtcMs
    level: DutyLevel | None = None
    to: str = ""
    more: int = 0
    kind: Literal["send_notice"] = "send_notice"


@dataclass(frozen=True, slots=True)
class OrderNode:
    """One stop of an order; ``sequence_id`` is even.

    ``deviation_m``: how far from it the robot counts as there, where it starts between two nodes.
    ``slow``: the way to it is driven slowly.
    """

    node_id: str
    sequence_id: int
    released: bool
    deviation_m: float | None = None
    slow: bool = False


@dataclass(frozen=True, slots=True)
class PublishOrder:
    """Send (again) an order or its update; a robot that has it ignores the same content."""

    robot_id: RobotId
    order_id: str
    order_update_id: int
    nodes: tuple[OrderNode, ...]
    fields: tuple[str, ...] | None = None
    """The optional fields that the robot declares; None: it declares none, and gets all."""
    kind: Literal["publish_order"] = "publish_order"


class ActionKind(StrEnum):
    """The instant actions that the controller sends."""

    PAUSE = "startPause"
    RESUME = "stopPause"
    CANCEL = "cancelOrder"
    FACTSHEET = "factsheetRequest"
    START_CHARGING = "startCharging"
    STOP_CHARGING = "stopCharging"
    OPEN = "zeOpenCompartment"
    LOCK = "zeLockCompartment"


@dataclass(frozen=True, slots=True)
class PublishAction:
    """Send or send again an instant action; ``opens`` and ``locks`` carry the parameters of ours.

    ``valid_until_utc_ms``: never published later. An unlock that was late is not performed after a
    restart, whoever stands before the robot by then.
    """

    robot_id: RobotId
    action_id: str
    action: ActionKind
    opens: OpenCompartment | None = None
    locks: LockCompartment | None = None
    valid_until_utc_ms: UtcMs | None = None
    kind: Literal["publish_action"] = "publish_action"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A sound line of a chain, to be stored with its countersignature by the same commit.

    ``life`` counts how often the chain began anew here. ``bytes`` and ``media_sha256`` are a
    segment's; ``reason`` is a gap's; ``session_id`` is a seal's, a release's or a keep's.
    """

    node_id: NodeId
    track_id: str
    room_id: RoomId
    life: int
    sequence: int
    entry_kind: str
    sha256: Sha256Hex
    key: KeyId
    recorded_utc_ms: UtcMs
    received_utc_ms: UtcMs
    line: str
    witness: str
    start_utc_ms: UtcMs | None = None
    duration_ms: int | None = None
    bytes: int | None = None
    media_sha256: Sha256Hex | None = None
    reason: str | None = None
    detail: str = ""
    ended: bool | None = None
    session_id: SessionId | None = None


@dataclass(frozen=True, slots=True)
class FileRefused:
    """A line that its chain does not allow, to be kept as a trace of what was tried."""

    node_id: NodeId
    track_id: str
    room_id: RoomId
    sequence: int | None
    sha256: Sha256Hex
    fault: str
    detail: str
    received_utc_ms: UtcMs
    line: str


@dataclass(frozen=True, slots=True)
class FileRoot:
    """An hourly root. ``leaves``: node, track, life and sequence of each head under it, in order.

    A leaf is the Witness line that ``FileEntry`` stored for that entry.
    """

    number: int
    utc_ms: UtcMs
    root: Sha256Hex
    sha256: Sha256Hex
    line: str
    leaves: tuple[tuple[NodeId, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A line of a session's record (``contracts.api.record``), stored by the same commit for ever.

    Without a session it belongs to the room alone.
    """

    room_id: RoomId
    utc_ms: UtcMs
    record_kind: RecordKind
    by: str
    text: Sentence
    session_id: SessionId | None = None
    subject: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileCount:
    """How many people a session's room held from this moment on; ``people`` None: nobody knows."""

    session_id: SessionId
    room_id: RoomId
    utc_ms: UtcMs
    people: int | None


@dataclass(frozen=True, slots=True)
class FileFeed:
    """A signed line of our log for another site (``core.site_feed``)."""

    peer: SiteId
    seq: int
    joint_id: str
    utc_ms: UtcMs
    sha256: Sha256Hex
    line: str


@dataclass(frozen=True, slots=True)
class FileHeard:
    """A line of another site's log to us, kept as it came: it proves what that site said."""

    peer: SiteId
    seq: int
    joint_id: str
    event_kind: str
    subject: str
    utc_ms: UtcMs
    offset_ms: int
    received_utc_ms: UtcMs
    sha256: Sha256Hex
    line: str


@dataclass(frozen=True, slots=True)
class FileSiteRefused:
    """What a peer sent and we did not take, and why."""

    peer: SiteId
    utc_ms: UtcMs
    reason: Sentence
    sample: str


FiledOfSites = FileFeed | FileHeard | FileSiteRefused
Filed = FileEntry | FileRefused | FileRoot | FileRecord | FileCount | FiledOfSites
"""What the commit of its input stores beside the state; nobody performs it afterwards."""

Answer = Accepted | Refused
Published = PublishOrder | PublishAction | CommandFacility
"""What is sent at once and may be lost: it is sent again until an answer shows that it came."""
Lasting = SendCommand | FetchPicture | FetchSnapshot | SendNotice
Output = Answer | Lasting | Filed | Published
