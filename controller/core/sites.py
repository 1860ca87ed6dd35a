"""Holds a joint session over several sites, and decides how its parts make up the whole.

Every site decides for its own rooms; this module knows only what each has said. ``core.remote``
decides what one input does to them.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from contracts.admission import ProcurementKind, Sector
from contracts.api import Sentence, SessionState
from contracts.api.sites import (
    GENESIS,
    JointActBody,
    JointBody,
    JointState,
    JointVerb,
    LinkState,
    PartState,
    RoomNow,
    SessionTold,
    Stands,
)
from contracts.devices import Named
from contracts.evidence.lines import KeyId
from contracts.units import MonoMs, SessionId, Sha256Hex, SiteId, UtcMs

LINK_LOST_MS: Final = 45_000
# Twice the longest wait of a feed and a little: a way between two cities stutters for seconds.
FAULT_LIMIT_MS: Final = 4 * 3_600_000  # domain.md: a fault beyond four hours suspends
SILENCE_MS: Final = 120_000  # a seal check takes seconds; a person there may have to look
HANDOVER_DAYS: Final = 5  # working days, by one local rule
JOINTS_OPEN_MAX: Final = 200  # of one host at a guest: more is a peer gone wrong
WORKDAYS_SEARCHED_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """Another site as the settings pin it: who it is, and the key that it signs with."""

    site: SiteId
    name: Named
    url: str
    key: KeyId
    public_raw: bytes
    account: str


@dataclass(frozen=True, slots=True)
class SitesPlan:
    """What the settings say of remote evaluation."""

    peers: Mapping[SiteId, PeerPlan] = field(default_factory=dict)
    link_lost_ms: int = LINK_LOST_MS
    fault_limit_ms: int = FAULT_LIMIT_MS
    silence_ms: int = SILENCE_MS
    handover_days: int = HANDOVER_DAYS
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    """Saturdays and Sundays that are worked (调休)."""


@dataclass(frozen=True, slots=True)
class PeerLog:
    """How far both logs with one peer have come; lasting."""

    site: SiteId
    sent: int = 0
    sent_sha256: Sha256Hex = GENESIS
    got: int = 0
    got_sha256: Sha256Hex = GENESIS
    refused: int = 0
    got_utc_ms: UtcMs | None = None
    base: int = 0
    """Lines of the peer's earlier logs: its log began anew, and a person here accepted that."""
    pinned: str = ""
    """Public key, base64, that a person accepted in place of the one in the settings."""
    pinned_key: str = ""
    replaced_key: str = ""
    """The settings' key at that time: when the settings change, they count again."""


@dataclass(frozen=True, slots=True)
class PeerLive:
    """The way to one peer now; begins anew with each start."""

    heard_mono_ms: MonoMs
    link: LinkState = LinkState.CONNECTING
    heard_utc_ms: UtcMs | None = None
    offset_ms: int | None = None
    round_trip_ms: int | None = None
    rooms: tuple[RoomNow, ...] = ()
    reason: Sentence | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """What a guest hands over of one joint session, and what the host has confirmed."""

    due_utc_ms: UtcMs | None = None
    list_sha256: Sha256Hex | None = None
    items: int = 0
    media_bytes: int = 0
    offered_utc_ms: UtcMs | None = None
    fetched: bool = False
    receipt_sha256: Sha256Hex | None = None
    received: int = 0
    missing: int = 0
    receipt_utc_ms: UtcMs | None = None
    receipt_fetched: bool = False
    overdue_told: bool = False

    @property
    def complete(self) -> bool:
        """The host has confirmed every hash."""
        return self.receipt_sha256 is not None and self.missing == 0


@dataclass(frozen=True, slots=True)
class Part:
    """One site in a joint session. ``sessions``: by id, as that site told them last."""

    site: SiteId
    host: bool
    seats: int = 0
    rooms: int = 1
    accepted: bool | None = None
    answered_by: str = ""
    bound: tuple[SessionId, ...] = ()
    sessions: Mapping[SessionId, SessionTold] = field(default_factory=dict)
    asked: JointVerb | None = None
    asked_utc_ms: UtcMs | None = None
    silent_told: bool = False
    refused: Sentence | None = None
    fault_since_utc_ms: UtcMs | None = None
    urged_utc_ms: UtcMs | None = None
    suspended_by_host: bool = False
    ever_sealed: bool = False
    handover: Handover = Handover()


@dataclass(frozen=True, slots=True)
class JointSession:
    """A session that several sites hold together; each keeps its own copy under the same id."""

    id: str
    title: str
    host: SiteId
    made_by: str
    made_utc_ms: UtcMs
    parts: Mapping[SiteId, Part]
    starts_utc_ms: UtcMs | None = None
    note: str = ""
    procurement: ProcurementKind = ProcurementKind.ENGINEERING
    sector: Sector = Sector.OTHER
    cancelled: bool = False
    told: JointState = JointState.PREPARING
    """At the host: what its guests and its record were told last."""
    host_says: Stands | None = None
    fault_suspended: bool = False

    @property
    def ended(self) -> bool:
        """Nothing is left to do: over everywhere, and all evidence handed over."""
        here = [row for row in self.parts.values() if row.bound or not row.host]
        over = (PartState.RELEASED, PartState.CANCELLED, PartState.DECLINED)
        if not self.cancelled and not all(part_state(row) in over for row in here):
            return False
        guests = [row for row in self.parts.values() if not row.host and row.ever_sealed]
        return all(row.handover.complete for row in guests)

    def with_part(self, part: Part) -> "JointSession":
        """The same with one part changed."""
        if self.parts.get(part.site) is part:
            return self
        return replace(self, parts={**self.parts, part.site: part})


@dataclass(frozen=True, slots=True)
class Remote:
    """All that a controller knows of other sites. ``live`` is not lasting."""

    plan: SitesPlan = field(default_factory=SitesPlan)
    joints: Mapping[str, JointSession] = field(default_factory=dict)
    logs: Mapping[SiteId, PeerLog] = field(default_factory=dict)
    live: Mapping[SiteId, PeerLive] = field(default_factory=dict)

    def log(self, peer: SiteId) -> PeerLog:
        """How far the logs with a peer are."""
        return self.logs.get(peer) or PeerLog(peer)


# --- what a store keeps of other sites ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeardLine:
    """A line of a peer as it was kept."""

    peer: str
    seq: int
    kind: str
    subject: str
    here_utc_ms: UtcMs
    received_utc_ms: UtcMs
    line: str


@dataclass(frozen=True, slots=True)
class Document:
    """A hand-over list or a receipt: its exact text, and who signed it."""

    sha256: str
    joint_id: str
    site: str
    kind: str
    utc_ms: UtcMs
    body: str


@dataclass(frozen=True, slots=True)
class KnownSites:
    """What a start finds."""

    joints: Mapping[str, JointSession]
    logs: Mapping[str, PeerLog]


def begun(remote: Remote, mono_ms: MonoMs) -> Remote:
    """What is known of other sites at a start: each peer has time again until it counts as lost."""
    live = {peer: PeerLive(mono_ms) for peer in remote.plan.peers}
    peers = {name: as_pinned(peer, remote.log(name)) for name, peer in remote.plan.peers.items()}
    return replace(remote, live=live, plan=replace(remote.plan, peers=peers))


def as_pinned(peer: PeerPlan, log: PeerLog) -> PeerPlan:
    """A peer with the key that counts: the settings', or the one that a person accepted since."""
    if not log.pinned or log.replaced_key != peer.key:
        return peer
    return replace(peer, key=log.pinned_key, public_raw=base64.b64decode(log.pinned))


# --- how parts make up the whole ----------------------------------------------------------------


def part_state(part: Part) -> PartState:  # noqa: PLR0911  # one a state
    """How a site stands, by what it said last."""
    if part.accepted is None:
        return PartState.INVITED
    if not part.accepted:
        return PartState.DECLINED
    states = [row.state for key in part.bound if (row := part.sessions.get(key)) is not None]
    if not states or len(states) < len(part.bound):
        return PartState.ACCEPTED
    if all(row is SessionState.CANCELLED for row in states):
        return PartState.CANCELLED
    over = (SessionState.RELEASED, SessionState.ARCHIVED, SessionState.CANCELLED)
    if all(row in over for row in states):
        return PartState.RELEASED
    going = [row for row in states if row not in over]
    if SessionState.SUSPENDED in going:
        return PartState.SUSPENDED
    if all(row is SessionState.SEALED for row in going):
        return PartState.SEALED
    if all(row in (SessionState.GATHERING, SessionState.SEALED) for row in going):
        return PartState.READY
    return PartState.ACCEPTED


def joint_state(joint: JointSession) -> JointState:
    """How the whole stands. A guest that declined is no part of it."""
    if joint.cancelled:
        return JointState.CANCELLED
    rows = [part for part in joint.parts.values() if part.accepted is not False]
    states = [part_state(part) for part in rows]
    over = (PartState.RELEASED, PartState.CANCELLED)
    if states and all(row in over for row in states):
        return JointState.RELEASED
    if PartState.SUSPENDED in states:
        return JointState.SUSPENDED
    if states and all(row is PartState.SEALED for row in states) and len(rows) > 1:
        return JointState.SEALED
    if any(row in over for row in states):
        return JointState.RELEASING
    if PartState.SEALED in states or any(row.asked is JointVerb.SEAL for row in rows):
        return JointState.SEALING
    if states and all(row is PartState.READY for row in states):
        return JointState.READY
    return JointState.PREPARING


def answered_asked(part: Part) -> Part:
    """The part without what it was asked, where its state now answers that."""
    done = {
        JointVerb.SEAL: PartState.SEALED,
        JointVerb.RESUME: PartState.SEALED,
        JointVerb.SUSPEND: PartState.SUSPENDED,
        JointVerb.RELEASE: PartState.RELEASED,
    }
    if part.asked is None or done.get(part.asked) is not part_state(part):
        return part
    return replace(part, asked=None, asked_utc_ms=None, refused=None, silent_told=False)


def with_sessions(part: Part, told: Iterable[SessionTold]) -> Part:
    """The part after its site told of some of its sessions; others than the bound do not count."""
    rows = {row.id: row for row in told if row.id in part.bound}
    if all(part.sessions.get(key) == row for key, row in rows.items()):
        return part
    after = replace(part, sessions={**part.sessions, **rows})
    if part_state(after) is PartState.SEALED:
        after = replace(after, ever_sealed=True, suspended_by_host=False, refused=None)
    return answered_asked(after)


# --- working days -------------------------------------------------------------------------------


def working_day(plan: SitesPlan, day: date) -> bool:
    """Whether people work on this day: no weekend, no holiday, or a day that stands in for one."""
    if day in plan.workdays:
        return True
    return day.weekday() < 5 and day not in plan.holidays


def due_after(plan: SitesPlan, since: UtcMs, time_zone: str) -> UtcMs:
    """The end of the last of ``handover_days`` working days behind the day of ``since``."""
    zone = ZoneInfo(time_zone)
    day = datetime.fromtimestamp(since / 1_000, UTC).astimezone(zone).date()
    left = plan.handover_days
    for _ in range(WORKDAYS_SEARCHED_MAX):
        if left == 0:
            break
        day += timedelta(days=1)
        left -= working_day(plan, day)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    return UtcMs(int(end.timestamp() * 1_000) - 1)


# --- inputs -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JointMade:
    """A person here, at the host, makes a joint session."""

    joint_id: str
    body: JointBody
    by: str
    kind: Literal["joint_made"] = "joint_made"


@dataclass(frozen=True, slots=True)
class JointActed:
    """A person here acts on a joint session."""

    joint_id: str
    verb: JointVerb
    body: JointActBody
    by: str
    kind: Literal["joint_acted"] = "joint_acted"


@dataclass(frozen=True, slots=True)
class FeedCame:
    """A line of a peer's log to us, as its exact text."""

    peer: SiteId
    line: str
    kind: Literal["feed_came"] = "feed_came"


@dataclass(frozen=True, slots=True)
class PeerHeard:
    """A peer answered: its clock minus ours, and its rooms now (None: as they were)."""

    peer: SiteId
    offset_ms: int
    round_trip_ms: int
    rooms: tuple[RoomNow, ...] | None = None
    lines: int = 0
    """How many lines came with it: they are judged one by one."""
    kind: Literal["peer_heard"] = "peer_heard"


@dataclass(frozen=True, slots=True)
class PeerTrouble:
    """A peer did not answer, or not as it must."""

    peer: SiteId
    reason: Sentence
    refused: bool = False
    kind: Literal["peer_trouble"] = "peer_trouble"


@dataclass(frozen=True, slots=True)
class PeerTrusted:
    """A person here, who asked there, accepts a peer's new key, or that its log began anew."""

    peer: SiteId
    by: str
    reason: str
    anew: bool
    key: str = ""
    public: str = ""
    """The new key, base64; empty: the old one stays."""
    kind: Literal["peer_trusted"] = "peer_trusted"


@dataclass(frozen=True, slots=True)
class HandoverOffered:
    """A person here, at a guest, hands over: the list is stored under this hash."""

    joint_id: str
    sha256: Sha256Hex
    bytes: int
    items: int
    media_bytes: int
    by: str
    kind: Literal["handover_offered"] = "handover_offered"


@dataclass(frozen=True, slots=True)
class DocumentFetched:
    """A document that a peer announced is stored here, its hash found right."""

    joint_id: str
    peer: SiteId
    sha256: Sha256Hex
    kind: Literal["document_fetched"] = "document_fetched"


@dataclass(frozen=True, slots=True)
class ReceiptMade:
    """A person here, at the host, confirms what has come; the receipt is stored under this hash."""

    joint_id: str
    site: SiteId
    list_sha256: Sha256Hex
    sha256: Sha256Hex
    received: int
    missing: int
    by: str
    kind: Literal["receipt_made"] = "receipt_made"


SitesInput = (
    JointMade
    | JointActed
    | FeedCame
    | PeerHeard
    | PeerTrouble
    | PeerTrusted
    | HandoverOffered
    | DocumentFetched
    | ReceiptMade
)
