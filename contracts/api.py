"""What the controller's public API takes and gives: the only way in for console, tablets.

Times are UTC milliseconds; lengths are metres in the robot map's frame; texts that people read come
in both languages. Errors are ``application/problem+json`` (RFC 9457), see ``Problem``.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.admission import AreaKind, ProcurementKind
from contracts.commands import KEEP_MAX_DAYS
from contracts.devices import Named, ZonePolicy
from contracts.envelope import Strict
from contracts.evidence.entries import ClockState, GapReason, TrackId
from contracts.evidence.lines import KeyId
from contracts.observations import (
    CameraState,
    Condition,
    LevelDbfs,
    Measured,
    Mode,
    NodeState,
    RecordingState,
    SeenPerson,
    Severity,
    SoundState,
)
from contracts.units import (
    CameraId,
    NodeId,
    Note,
    PickupId,
    RobotId,
    RoomId,
    SessionId,
    Sha256Hex,
    UtcMs,
    ZoneId,
)

BASE = "/api/v1"
PAGE_MAX = 200  # rows of one page: what a person scrolls, and below 1 MiB of JSON
PIN_DIGITS = 6
PIN_TRIES_MAX = (
    5  # dispatch.md: after five wrong PINs the delivery is locked and the supervisor decides
)


class Sentence(Strict):
    """What people read about one thing, in both languages; longer than a name."""

    zh: str = Field(min_length=1, max_length=400)
    en: str = Field(min_length=1, max_length=400)


class Problem(Strict):
    """RFC 9457 problem: what went wrong, where, and what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[str, ...] = ()


class Role(StrEnum):
    """What an account may do; the table of scopes is controller.auth."""

    SUPERVISOR = "supervisor"
    OPS = "ops"
    KITCHEN = "kitchen"
    TABLET = "tablet"
    DOOR_PANEL = "door_panel"
    AUDITOR = "auditor"


class LoginBody(Strict):
    """Log-in of a person or a panel."""

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class User(Strict):
    """Who asks. ``room_id`` binds a tablet to its room, ``robot_id`` a door panel to its robot."""

    username: str
    roles: tuple[Role, ...]
    room_id: RoomId | None = None


class LoginGiven(Strict):
    """A bearer token for ``Authorization: Bearer``; shown once, stored as a digest."""

    token: str
    expires_utc_ms: UtcMs
    user: User


class SessionState(StrEnum):
    """A session's life, domain.md."""

    SCHEDULED = "scheduled"
    GATHERING = "gathering"
    SEALED = "sealed"
    SUSPENDED = "suspended"
    RELEASED = "released"
    ARCHIVED = "archived"
    CANCELLED = "cancelled"


class SessionBody(Strict):
    """Schedule a session in one room with this many people admitted.

    ``keep_days``: how long its recordings are kept; left out, the site's setting counts.
    ``roster_sha256``: hash of the roster that the centre holds; the seal freezes it.
    """

    room_id: RoomId
    title: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    admitted: int = Field(ge=1, le=40)
    starts_utc_ms: UtcMs | None = None
    keep_days: int | None = Field(default=None, ge=1, le=KEEP_MAX_DAYS)
    roster_sha256: Sha256Hex | None = None
    procurement: ProcurementKind = ProcurementKind.ENGINEERING
    """What is tendered: each kind admits others to the closed area."""


class SessionView(Strict):
    """One session. ``seal_confirmed``: the edge node has said that it watches by this seal."""

    id: SessionId
    room_id: RoomId
    title: str
    state: SessionState
    admitted: int
    scheduled_utc_ms: UtcMs
    gathering_utc_ms: UtcMs | None = None
    sealed_utc_ms: UtcMs | None = None
    released_utc_ms: UtcMs | None = None
    seal_confirmed: bool = False
    sealed_by: str | None = None
    released_by: str | None = None
    keep_days: int | None = None
    procurement: ProcurementKind = ProcurementKind.ENGINEERING


class MediaLink(Strict):
    """Where a browser gets a camera's picture, straight from its edge node, for a few minutes."""

    camera_id: CameraId
    snapshot_url: str
    live_url: str
    expires_utc_ms: UtcMs


class PageLink(Strict):
    """A page of a camera at its edge node, with a ticket of the asking user in its address."""

    camera_id: CameraId
    url: str
    expires_utc_ms: UtcMs


class ClipLink(Strict):
    """Where a browser plays what a camera recorded around an alert, straight from its edge node.

    The whole clip is there from ``complete_utc_ms`` on; ``early``: the address is of what there was
    when it was asked for, up to ``to_utc_ms``. It answers the asking user until ``expires_utc_ms``.
    """

    alert_id: str
    camera_id: CameraId
    url: str
    early: bool = False
    from_utc_ms: UtcMs
    to_utc_ms: UtcMs
    complete_utc_ms: UtcMs
    expires_utc_ms: UtcMs


class SoundLink(Strict):
    """Where a browser hears what belongs to an alert; asking for it is entered in the log."""

    alert_id: str
    source_id: str
    url: str
    from_utc_ms: UtcMs
    duration_ms: int
    expires_utc_ms: UtcMs


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


class Dish(Strict):
    """One choice of the menu; nothing else can be written, so a robot carries no message."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
    name: Named
    allergens: tuple[Named, ...] = ()


class OrderLine(Strict):
    """So many portions of one dish."""

    dish: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
    count: int = Field(ge=1, le=20)


class DeliveryKind(StrEnum):
    """What is carried. Papers, devices and medicine come later, with the supervisor's approval."""

    MEAL = "meal"


class DeliveryBody(Strict):
    """Order a meal to a room. With an ``Idempotency-Key`` header the same key is the same order."""

    room_id: RoomId
    kind: DeliveryKind = DeliveryKind.MEAL
    lines: tuple[OrderLine, ...] = Field(min_length=1, max_length=20)


class DeliveryState(StrEnum):
    """order -> load -> locked -> travel -> arrive -> unlock -> collected -> returned."""

    REQUESTED = "requested"
    TO_KITCHEN = "to_kitchen"
    LOADING = "loading"
    LOCKING = "locking"
    TRAVELLING = "travelling"
    ARRIVED = "arrived"
    UNLOCKING = "unlocking"
    OPEN = "open"
    COLLECTED = "collected"
    RETURNING = "returning"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Leg(Strict):
    """One stretch of a delivery with its time."""

    name: str
    started_utc_ms: UtcMs
    ended_utc_ms: UtcMs | None = None


class ZoneVerdict(StrEnum):
    """What the cameras prove for one zone and one passage."""

    NO_UNADMITTED_PERSON = "no_unadmitted_person"
    PERSON_SEEN = "person_seen"
    UNPROVEN = "unproven"


class ZonePassage(Strict):
    """A robot passed a zone: when, and what was seen there meanwhile."""

    zone_id: ZoneId
    name: Named
    seen_by: RoomId | None
    entered_utc_ms: UtcMs
    left_utc_ms: UtcMs | None = None
    verdict: ZoneVerdict
    detail: str = ""


class CustodyEvent(Strict):
    """Who could have opened the compartment, from when."""

    utc_ms: UtcMs
    what: str
    by: str
    node_id: str | None = None
    lid: str | None = None
    lock: str | None = None


class DeliveryView(Strict):
    """One delivery. ``explanation`` says why it waits, is held or has failed."""

    id: str
    room_id: RoomId
    session_id: SessionId | None
    kind: DeliveryKind
    lines: tuple[OrderLine, ...]
    state: DeliveryState
    held: bool = False
    robot_id: RobotId | None = None
    compartment: int | None = None
    ordered_utc_ms: UtcMs
    ordered_by: str
    ended_utc_ms: UtcMs | None = None
    pin_tries_left: int = PIN_TRIES_MAX
    legs: tuple[Leg, ...] = ()
    zones: tuple[ZonePassage, ...] = ()
    custody: tuple[CustodyEvent, ...] = ()
    explanation: Sentence | None = None


class DeliveryGiven(Strict):
    """The answer to an order. The PIN is shown this once, on the tablet that ordered."""

    delivery: DeliveryView
    pin: str | None


class LoadedBody(Strict):
    """The kitchen says the compartment holds the meal and its lid is shut."""

    compartment: int = Field(ge=1, le=4)


class UnlockBody(Strict):
    """The PIN, typed on the robot's panel."""

    pin: Annotated[str, StringConstraints(pattern=rf"^[0-9]{{{PIN_DIGITS}}}$")]


class CancelBody(Strict):
    """Call a delivery off."""

    reason: Note


class RobotCondition(StrEnum):
    """One word for what a robot does now."""

    OFFLINE = "offline"
    IDLE = "idle"
    DRIVING = "driving"
    PAUSED = "paused"
    HELD = "held"
    ERROR = "error"


class Pose(Strict):
    """Where a robot says it stands: metres and radians in the map's frame."""

    x_m: float
    y_m: float
    theta_rad: float
    map_id: str


class CompartmentView(Strict):
    """What a compartment's sensors say."""

    number: int
    lid: str
    lock: str
    occupied: bool


class RobotView(Strict):
    """One robot now. ``route`` is what lies before it, ``base_nodes`` of them released."""

    id: RobotId
    name: Named
    condition: RobotCondition
    pose: Pose | None = None
    battery_percent: float | None = None
    last_node: str | None = None
    route: tuple[str, ...] = ()
    base_nodes: int = 0
    delivery_id: str | None = None
    held_for: tuple[ZoneId, ...] = ()
    compartments: tuple[CompartmentView, ...] = ()
    errors: tuple[str, ...] = ()
    seen_utc_ms: UtcMs | None = None


class MapNodeView(Strict):
    """A node of the robot map."""

    id: str
    name: str
    x_m: float
    y_m: float


class MapEdgeView(Strict):
    """A way between two nodes."""

    start: str
    end: str


class ZoneView(Strict):
    """A zone of the robot map. ``clear`` None: nobody can see it now, so it counts as occupied."""

    id: ZoneId
    name: Named
    policy: ZonePolicy
    nodes: tuple[str, ...]
    seen_by: RoomId | None
    clear: bool | None
    people: int | None = None
    holding: tuple[RobotId, ...] = ()


class SiteView(Strict):
    """What does not change while the controller runs: the site, its map, its menu."""

    id: str
    name: Named
    time_zone: str
    demo: bool
    nodes: tuple[MapNodeView, ...]
    edges: tuple[MapEdgeView, ...]
    kitchen_node: str
    door_nodes: dict[str, str]
    menu: tuple[Dish, ...]


class Overview(Strict):
    """Everything that a console needs to draw itself; then it follows the event stream."""

    event_id: int
    rooms: tuple[RoomView, ...]
    zones: tuple[ZoneView, ...]
    robots: tuple[RobotView, ...]
    alerts: tuple[AlertView, ...]
    deliveries: tuple[DeliveryView, ...]
    sessions: tuple[SessionView, ...]


class ControllerHealth(Strict):
    """How the controller fares. ``queue`` inputs wait; ``clients`` follow the event stream."""

    version: str
    broker_connected: bool
    uptime_ms: int
    queue: int
    clients: int
    event_id: int
    nodes: dict[str, str]


class EventName(StrEnum):
    """Kinds of server-sent events on ``GET /api/v1/events``; ``data`` is the view of that name.

    ``alert``, ``session`` and ``delivery`` are lasting: they carry an id, and ``Last-Event-ID``
    resumes behind it. ``room``, ``robot`` and ``zone`` are live: newest wins, no id. ``resync``
    (no data) says that too much was missed: fetch the overview again.
    """

    ALERT = "alert"
    SESSION = "session"
    DELIVERY = "delivery"
    ROOM = "room"
    ROBOT = "robot"
    ZONE = "zone"
    RESYNC = "resync"


class ReportAlert(Strict):
    """An alert as a line of the witness report."""

    number: int
    title: Named
    since_utc_ms: UtcMs
    cleared_utc_ms: UtcMs | None
    handling: Handling
    disposition: Disposition | None
    acknowledged_by: str | None
    picture_sha256: str | None


class HeadSeen(Strict):
    """The end of a track's chain as the controller had it at one moment."""

    node_id: NodeId
    track_id: TrackId
    sequence: int
    sha256: Sha256Hex
    utc_ms: UtcMs


class ReportGap(Strict):
    """Time without a recording while the room was sealed, as a line of the witness report.

    ``told_by_node`` false: no entry of the node explains it; the controller found the hole between
    what was announced.
    """

    track_id: TrackId
    name: Named
    reason: GapReason | None
    detail: str
    started_utc_ms: UtcMs
    duration_ms: int
    ended: bool
    sequence: int
    told_by_node: bool = True


class ReportTrack(Strict):
    """One recording of a session: its chain's head at seal and release, and what it covers."""

    track_id: TrackId
    name: Named
    kind: TrackKind
    room_id: RoomId
    node_id: NodeId | None
    key: KeyId | None
    key_confirmed: bool
    known_from: int | None
    head_at_seal: HeadSeen | None
    head_at_release: HeadSeen | None
    seal_entry: int | None
    """Sequence of the node's own ``seal`` entry for this session."""
    release_entry: int | None
    segments: int
    recorded_ms: int
    refused_lines: int


class WitnessReport(Strict):
    """The draft of a session's witness report; signing comes with the evidence chain.

    ``recordings`` are the tracks of the room and of the passages that a sealed session keeps.
    """

    draft: Literal[True] = True
    session: SessionView
    room: Named
    site: Named
    made_utc_ms: UtcMs
    sealed_for_ms: int | None
    alerts: tuple[ReportAlert, ...]
    deliveries: tuple[DeliveryView, ...]
    statement: Sentence
    recordings: tuple[ReportTrack, ...] = ()
    gaps: tuple[ReportGap, ...] = ()
    shadow_findings: int = Field(default=0, ge=0)
    """What rules in shadow found in this session; nobody was told, so none is an alert."""
