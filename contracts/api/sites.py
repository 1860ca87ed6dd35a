"""Holds what sites of a remote evaluation (远程异地评标) say to each other, and what people see.

Between two controllers nothing but signed lines counts: each keeps an append-only log for each
peer, a line holding the hash of the one before it, and the peer reads it by sequence number. The
same lines carry what a guest (副场) tells the host (主场) and what the host asks of the guest.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from contracts.admission import ProcurementKind, Sector
from contracts.api.alerts import Disposition, Handling
from contracts.api.base import Sentence
from contracts.api.record import RecordKind, RecordLine
from contracts.api.report import HeadSeen
from contracts.api.sessions import OverrideReason, SealDemand, SessionState, SuspendReason
from contracts.devices import Named
from contracts.envelope import Strict, Wire
from contracts.evidence.lines import KeyId
from contracts.observations import Condition, Severity
from contracts.units import Note, RoomId, RuleCode, SessionId, Sha256Hex, SiteId, UtcMs

GENESIS: Final = "0" * 64
"""What the first line of a log calls its previous."""

SITES_MAX: Final = 21  # partner cities of one centre (domain.md); one joint session has a few
JOINT_SESSIONS_MAX: Final = 40  # single-seat rooms (分散评标) of one site in one joint session
TOLD_AT_ONCE_MAX: Final = (
    10  # sessions of one line: 700 bytes each, Chinese as \uXXXX; below 16 KiB
)
FEED_LINES_MAX: Final = 50  # of one answer: 50 x 16 KiB stays below the 1 MiB that a reader takes
FEED_BYTES_MAX: Final = 1_048_576
FEED_WAIT_MAX_MS: Final = 20_000  # below the time-outs of proxies between two cities
DOCUMENT_MAX_BYTES: Final = 8_388_608
# A ten-hour session of ten cameras has 6,000 segments at about 250 bytes of list.
ITEMS_MAX: Final = 20_000

JointId = Annotated[str, StringConstraints(pattern=r"^j-[0-9a-f]{16}$")]
Title = Annotated[str, StringConstraints(min_length=1, max_length=120)]
_By = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class JointVerb(StrEnum):
    """What a person does to a joint session; the last part of the API's path."""

    ACCEPT = "accept"
    """Guest: take part, with these sessions of ours."""
    DECLINE = "decline"
    SEAL = "seal"
    """Host: ask every site to seal; each one's own seal check decides there."""
    SUSPEND = "suspend"
    RESUME = "resume"
    RELEASE = "release"
    CANCEL = "cancel"
    URGE = "urge"
    """督办: ask a guest to act on something that is overdue there."""


class PartState(StrEnum):
    """How one site stands in a joint session."""

    INVITED = "invited"
    DECLINED = "declined"
    ACCEPTED = "accepted"
    READY = "ready"
    """Its people gather: it could be asked to seal."""
    SEALED = "sealed"
    SUSPENDED = "suspended"
    RELEASED = "released"
    CANCELLED = "cancelled"


class JointState(StrEnum):
    """How the whole stands, which is never more than its slowest site."""

    PREPARING = "preparing"
    READY = "ready"
    SEALING = "sealing"
    """Some sites have sealed, or were asked to and have not all confirmed."""
    SEALED = "sealed"
    """Every site has confirmed."""
    SUSPENDED = "suspended"
    RELEASING = "releasing"
    """Some sites have released, others have not."""
    RELEASED = "released"
    CANCELLED = "cancelled"


class SessionTold(Wire):
    """One session of a site in a joint session, as that site tells it."""

    id: SessionId
    room_id: RoomId
    room: Named
    rooms: int = Field(default=1, ge=1, le=100)
    state: SessionState
    admitted: int = Field(ge=0, le=400)
    sealed_utc_ms: UtcMs | None = None
    released_utc_ms: UtcMs | None = None


class SiteStands(Wire):
    """A site and how it stands, as the host tells its guests."""

    site: SiteId
    state: PartState


class Invited(Wire):
    """Host to guest: take part in this session."""

    kind: Literal["invited"] = "invited"
    title: Title
    host_name: Named
    seats: int = Field(ge=1, le=400)
    rooms: int = Field(ge=1, le=JOINT_SESSIONS_MAX)
    starts_utc_ms: UtcMs | None = None
    procurement: ProcurementKind
    sector: Sector
    by: _By
    note: Note = ""


class Asked(Wire):
    """Host to guest: do this with your sessions."""

    kind: Literal["asked"] = "asked"
    verb: JointVerb
    by: _By
    reason: Note = ""
    suspension: SuspendReason = SuspendReason.FAULT


class Urged(Wire):
    """Host to guest: 督办. ``subject``: an alert of the guest's, ``handover``, or nothing."""

    kind: Literal["urged"] = "urged"
    subject: str = Field(default="", max_length=80)
    by: _By
    reason: Note = ""


class Stands(Wire):
    """Host to guest: how all sites stand, so that nobody takes a half for the whole."""

    kind: Literal["stands"] = "stands"
    state: JointState
    sites: tuple[SiteStands, ...] = Field(max_length=SITES_MAX + 1)


class ReceiptTold(Wire):
    """Host to guest: a receipt lies ready under this hash."""

    kind: Literal["receipt"] = "receipt"
    list_sha256: Sha256Hex
    sha256: Sha256Hex
    received: int = Field(ge=0, le=ITEMS_MAX)
    missing: int = Field(ge=0, le=ITEMS_MAX)
    by: _By


class Answered(Wire):
    """Guest to host: whether it takes part."""

    kind: Literal["answered"] = "answered"
    accepted: bool
    sessions: tuple[SessionId, ...] = Field(default=(), max_length=JOINT_SESSIONS_MAX)
    """All that take part; ``PartTold`` tells how each of them is."""
    by: _By
    reason: Note = ""


class PartTold(Wire):
    """Guest to host: some of its sessions as they are now; the others are as they were."""

    kind: Literal["part"] = "part"
    sessions: tuple[SessionTold, ...] = Field(min_length=1, max_length=TOLD_AT_ONCE_MAX)


class AskRefused(Wire):
    """Guest to host: not done, and why."""

    kind: Literal["ask_refused"] = "ask_refused"
    verb: JointVerb
    reason: Sentence


class AlertTold(Wire):
    """Guest to host: an alert in one of its sessions as it is now; no picture travels with it."""

    kind: Literal["alert"] = "alert"
    alert_id: str = Field(min_length=1, max_length=80)
    number: int
    rule: RuleCode
    title: Named
    severity: Severity
    condition: Condition
    handling: Handling
    disposition: Disposition | None = None
    room_id: RoomId
    session_id: SessionId
    raised_utc_ms: UtcMs
    cleared_utc_ms: UtcMs | None = None
    picture_sha256: Sha256Hex | None = None


class RecordTold(Wire):
    """Guest to host: a line of its record of one of the sessions."""

    kind: Literal["record"] = "record"
    room_id: RoomId
    session_id: SessionId
    utc_ms: UtcMs
    record_kind: RecordKind
    by: str = Field(max_length=80)
    text: Sentence
    subject: str = Field(default="", max_length=80)


class HandoverTold(Wire):
    """Guest to host: the list of what it hands over lies ready under this hash."""

    kind: Literal["handover"] = "handover"
    sha256: Sha256Hex
    bytes: int = Field(ge=1, le=DOCUMENT_MAX_BYTES)
    items: int = Field(ge=0, le=ITEMS_MAX)
    media_bytes: int = Field(ge=0)
    by: _By


HostEvent = Invited | Asked | Urged | Stands | ReceiptTold
GuestEvent = Answered | PartTold | AskRefused | AlertTold | RecordTold | HandoverTold
SiteEvent = HostEvent | GuestEvent

_EVENT: Final[TypeAdapter[SiteEvent]] = TypeAdapter(
    Annotated[SiteEvent, Field(discriminator="kind")]
)
KINDS: Final = frozenset(
    {"invited", "asked", "urged", "stands", "receipt", "answered", "part", "ask_refused"}
    | {"alert", "record", "handover"}
)


class FeedLine(Wire):
    """One line of a log from ``site`` to ``to``; signed like every line of evidence.

    ``event`` stays a plain object here, so that a newer peer's line counts although nobody here
    understands it yet.
    """

    v: Literal[1] = 1
    site: SiteId
    to: SiteId
    seq: int = Field(ge=1)
    previous: Sha256Hex
    utc_ms: UtcMs
    joint: JointId
    event: dict[str, object]
    key: KeyId


def event_of(line: FeedLine) -> SiteEvent | None:
    """What a line says; None where its kind is unknown here or its members do not fit."""
    if line.event.get("kind") not in KINDS:
        return None
    try:
        return _EVENT.validate_python(line.event)
    except ValidationError:
        return None


class RoomNow(Wire):
    """A room of a joint session now, in numbers: no picture, no sound, no name of a person."""

    room_id: RoomId
    name: Named
    session_id: SessionId
    state: SessionState
    admitted: int
    head_count: int | None = None
    active_alerts: int = Field(default=0, ge=0)
    recording: bool = False
    """Every camera of the room is live."""


class FeedPage(Wire):
    """What a peer reads: lines behind ``after``, the rooms now, and this controller's clock.

    ``waited_ms``: how long the answer was held back for news; the asker takes it off the way.
    """

    site: SiteId
    head: int = Field(ge=0)
    lines: tuple[Annotated[str, StringConstraints(max_length=16_384)], ...] = Field(
        max_length=FEED_LINES_MAX
    )
    rooms: tuple[RoomNow, ...] = Field(default=(), max_length=400)
    rooms_tag: str = Field(default="", max_length=64)
    utc_ms: UtcMs
    waited_ms: int = Field(ge=0)


class LinkState(StrEnum):
    """How the way to a peer is."""

    CONNECTING = "connecting"
    UP = "up"
    LOST = "lost"
    REFUSED = "refused"
    """It answers, but what it says is refused; ``reason`` says why."""


class PeerView(Strict):
    """Another site. ``clock_offset_ms``: its clock minus ours."""

    site: SiteId
    name: Named
    url: str
    key: KeyId
    link: LinkState
    reason: Sentence | None = None
    last_heard_utc_ms: UtcMs | None = None
    clock_offset_ms: int | None = None
    round_trip_ms: int | None = None
    received: int = 0
    sent: int = 0
    refused: int = 0


class PeerTrustBody(Strict):
    """A peer changed its key, or its log began anew; its people were asked by another way.

    ``public_key``: the new one, PEM, as they gave it. ``anew``: take its log from its first line.
    """

    reason: str = Field(min_length=5, max_length=300)
    public_key: str = Field(default="", max_length=2_000)
    anew: bool = False

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not self.public_key and not self.anew:
            raise ValueError("say what to accept: public_key, anew, or both")
        return self


class HandoverView(Strict):
    """What a guest hands over, by when, and what the host has confirmed of it."""

    due_utc_ms: UtcMs | None = None
    overdue: bool = False
    list_sha256: Sha256Hex | None = None
    items: int = 0
    media_bytes: int = 0
    offered_utc_ms: UtcMs | None = None
    fetched: bool = False
    receipt_sha256: Sha256Hex | None = None
    received: int = 0
    missing: int = 0
    receipt_utc_ms: UtcMs | None = None


class PartView(Strict):
    """One site in a joint session. ``old``: nothing was heard of it lately, so all may differ."""

    site: SiteId
    name: Named
    host: bool
    own: bool
    state: PartState
    sessions: tuple[SessionTold, ...] = ()
    rooms_now: tuple[RoomNow, ...] = ()
    asked: JointVerb | None = None
    asked_utc_ms: UtcMs | None = None
    silent: bool = False
    refused: Sentence | None = None
    fault_since_utc_ms: UtcMs | None = None
    last_heard_utc_ms: UtcMs | None = None
    old: bool = False
    handover: HandoverView | None = None
    urged_utc_ms: UtcMs | None = None


class JointView(Strict):
    """A session over several sites. ``may``: what a person here can do now."""

    id: JointId
    title: Title
    host: SiteId
    own_host: bool
    state: JointState
    made_by: str
    made_utc_ms: UtcMs
    starts_utc_ms: UtcMs | None = None
    seats: int
    rooms: int
    note: str = ""
    procurement: ProcurementKind
    sector: Sector
    parts: tuple[PartView, ...]
    host_says: JointState | None = None
    """At a guest: how the host last told that the whole stands."""
    may: tuple[JointVerb, ...] = ()


class SitesView(Strict):
    """This site, its peers, and the joint sessions that are not over."""

    site: SiteId
    name: Named
    key: KeyId
    public_key: str
    peers: tuple[PeerView, ...]
    joints: tuple[JointView, ...]


class GuestAsked(Strict):
    """A guest to invite, with the seats and rooms that it should provide."""

    site: SiteId
    seats: int = Field(ge=1, le=400)
    rooms: int = Field(default=1, ge=1, le=JOINT_SESSIONS_MAX)


class JointBody(Strict):
    """Make a joint session of our own sessions, and invite guests."""

    title: Title
    sessions: tuple[SessionId, ...] = Field(min_length=1, max_length=JOINT_SESSIONS_MAX)
    guests: tuple[GuestAsked, ...] = Field(min_length=1, max_length=SITES_MAX)
    note: Note = ""


class JointActBody(Strict):
    """What an action on a joint session needs.

    ``sessions``: for ``accept``, ours that take part. ``site``: for ``urge`` the guest, for
    ``suspend`` and ``resume`` one site alone where it is given. ``reason``: for all but ``accept``
    and ``seal`` a sentence that the other site and the record get to read.
    """

    sessions: tuple[SessionId, ...] = Field(default=(), max_length=JOINT_SESSIONS_MAX)
    site: SiteId | None = None
    subject: str = Field(default="", max_length=80)
    reason: Note = ""
    suspension: SuspendReason = SuspendReason.FAULT
    overrides: dict[SealDemand, OverrideReason] = Field(default_factory=dict, max_length=20)
    """For a seal: demands that our own site goes on without; a guest overrides its own itself."""


class GuestAlert(Strict):
    """An alert at another site, to read; it is handled there."""

    site: SiteId
    told_utc_ms: UtcMs
    seq: int
    alert: AlertTold


class JointRecordLine(Strict):
    """A line of the merged record. ``here_utc_ms``: its time by the clock of the site that reads.

    ``seq``: the signed line of the peer that said it; None for our own.
    """

    site: SiteId
    here_utc_ms: UtcMs
    line: RecordLine
    seq: int | None = None


class JointRecordPage(Strict):
    """Oldest first; ``next_after`` asks for what follows this page."""

    items: tuple[JointRecordLine, ...]
    next_after: str | None = None


class HandoverFile(Strict):
    """One file of evidence: where it lies in the chain that proves it."""

    node_id: str = Field(max_length=80)
    track_id: str = Field(max_length=80)
    sequence: int
    start_utc_ms: UtcMs | None = None
    duration_ms: int | None = None
    bytes: int = Field(ge=0)
    sha256: Sha256Hex


class HandoverSession(Strict):
    """One session of what is handed over; ``report`` is its witness report as JSON text."""

    session_id: SessionId
    heads_at_seal: tuple[HeadSeen, ...] = ()
    heads_at_release: tuple[HeadSeen, ...] = ()
    report: str
    report_sha256: Sha256Hex


class HandoverList(Strict):
    """All that a guest hands over; the last member of its bytes is the guest's signature."""

    v: Literal[1] = 1
    joint: JointId
    site: SiteId
    to: SiteId
    made_utc_ms: UtcMs
    made_by: str
    sessions: tuple[HandoverSession, ...] = Field(max_length=JOINT_SESSIONS_MAX)
    files: tuple[HandoverFile, ...] = Field(max_length=ITEMS_MAX)
    key: KeyId


class Receipt(Strict):
    """What the host has received, by hash; the last member of its bytes is the host's signature."""

    v: Literal[1] = 1
    joint: JointId
    site: SiteId
    to: SiteId
    list_sha256: Sha256Hex
    made_utc_ms: UtcMs
    made_by: str
    received: tuple[Sha256Hex, ...] = Field(max_length=ITEMS_MAX)
    missing: tuple[Sha256Hex, ...] = Field(max_length=ITEMS_MAX)
    key: KeyId


class ReceiptBody(Strict):
    """What of the list is here. ``everything`` saves typing 900 hashes; a person stands for it.

    ``received``: hashes as ``sha256sum`` computed them over the files that came. Those of earlier
    receipts of the same list count on.
    """

    everything: bool = False
    received: tuple[Sha256Hex, ...] = Field(default=(), max_length=900)


class SignedText(Strict):
    """A document with the hash of its exact bytes and who signed them."""

    sha256: Sha256Hex
    key: KeyId
    text: str


class JointPart(Strict):
    """One site's part of the merged report.

    ``statement``: what that site signed (its hand-over list, with its witness reports); None until
    it has come. ``lines``: how many signed lines of that site stand for what is told until then.
    """

    site: SiteId
    name: Named
    own: bool
    state: PartState
    sessions: tuple[SessionTold, ...]
    clock_offset_ms: int | None
    statement: SignedText | None = None
    receipt: SignedText | None = None
    lines: int = 0
    alerts: tuple[GuestAlert, ...] = ()


class JointReport(Strict):
    """The merged report of a joint session: a part for each site, each by its own controller."""

    joint: JointView
    made_utc_ms: UtcMs
    parts: tuple[JointPart, ...]
    record: tuple[JointRecordLine, ...]
