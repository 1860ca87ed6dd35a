"""Holds a site's state as the controller knows it, and every input that can change it.

Half of the state is lasting: sessions, alerts, deliveries and duties are committed before anybody
hears of them. The other half is live: it is seen and reported again within seconds of a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol, TypedDict, TypeVar, Unpack

from contracts.api import DeliveryBody, Pose, ResolveBody, SessionBody
from contracts.api.duty import EscalationSettings
from contracts.api.sessions import ActBody
from contracts.catalogue.facility import FIRE
from contracts.evidence.lines import KeyId
from contracts.observations import (
    Alert,
    CheckpointTaken,
    Condition,
    EntryAppended,
    NodeHealth,
    PictureRef,
    RoomObservation,
    SealApplied,
)
from contracts.units import MonoMs, NodeId, RobotId, RoomId, SessionId, UtcMs, ZoneId
from contracts.vda5050.state import ConnectionState
from controller.core.alerts import OWN_TITLES, AlertRecord
from controller.core.deliveries import Delivery
from controller.core.dispatch_inputs import DispatchInput
from controller.core.dispatch_live import DispatchLive
from controller.core.facilities import FacilitiesLive
from controller.core.facilities import begun as facilities_begun
from controller.core.facility_words import FacilityInput
from controller.core.fleet import Duty, RobotLive, RobotReport
from controller.core.fleet_inputs import FleetInput
from controller.core.handling import Act
from controller.core.interlock import ZoneSight
from controller.core.ledger import Ledger, with_declared
from controller.core.ordering import OrderingDoc
from controller.core.ordering_inputs import OrderingInput
from controller.core.outputs import FileRecord
from controller.core.outside import OutsideAct, OutsideInput, revived
from controller.core.plan import SitePlan
from controller.core.plausible import Trail
from controller.core.robot_watch import RobotWatch
from controller.core.session_inputs import RosterInput
from controller.core.sessions import NOTHING_SAID, Session, SessionVerb
from controller.core.sites import Remote, SitesInput, begun
from controller.core.sweeps import RoomCare

_K = TypeVar("_K")
_V = TypeVar("_V")

ENDED_KEPT: Final = 200  # ended ones that stay in memory for the console; the store keeps all


class Now(NamedTuple):
    """The clock, read once for each input."""

    mono_ms: MonoMs
    utc_ms: UtcMs


@dataclass(frozen=True, slots=True)
class RoomLive:
    """The last observation of an area, and when it came."""

    observation: RoomObservation
    received_mono_ms: MonoMs


@dataclass(frozen=True, slots=True)
class NodeLive:
    """A node's last word on itself, when it came, and whether it counts as lost."""

    health: NodeHealth
    heard_mono_ms: MonoMs
    lost: bool = False


@dataclass(frozen=True, slots=True)
class TrackWord:
    """The last word on a track's recording (an entry or a checkpoint), and when it came."""

    heard_mono_ms: MonoMs
    heard_utc_ms: UtcMs
    number: int = 0
    """Of the file being written, as a checkpoint said; 0: none."""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """The last head count of a session's room that was told, and when."""

    session_id: SessionId
    people: int | None
    mono_ms: MonoMs


@dataclass(frozen=True)  # no slots: each step makes copies, and a dict is copied ten times faster
class SiteState:
    """Everything. ``marks``: ``rule|subject`` -> the id of the alert of ours that stands for it.

    ``words``: chain id -> the last word on its recording. ``expected``: chain id -> since when a
    word is due there, because its room is sealed and its node is up.
    """

    plan: SitePlan
    sessions: Mapping[SessionId, Session] = field(default_factory=dict)
    alerts: Mapping[str, AlertRecord] = field(default_factory=dict)
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    duties: Mapping[RobotId, Duty] = field(default_factory=dict)
    next_number: int = 1
    marks: Mapping[str, str] = field(default_factory=dict)
    rooms: Mapping[RoomId, RoomLive] = field(default_factory=dict)
    nodes: Mapping[NodeId, NodeLive] = field(default_factory=dict)
    sights: Mapping[ZoneId, ZoneSight] = field(default_factory=dict)
    robots: Mapping[RobotId, RobotLive] = field(default_factory=dict)
    sent: Mapping[str, MonoMs] = field(default_factory=dict)
    """What was last sent when: order or action id -> time. Unanswered, it is sent again."""
    ledger: Ledger = field(default_factory=Ledger)
    words: Mapping[str, TrackWord] = field(default_factory=dict)
    expected: Mapping[str, MonoMs] = field(default_factory=dict)
    watches: Mapping[RobotId, RobotWatch] = field(default_factory=dict)
    dispatch: DispatchLive = field(default_factory=DispatchLive)
    trails: Mapping[RobotId, Trail] = field(default_factory=dict)
    """Robot -> what its next report is judged by."""
    care: Mapping[RoomId, RoomCare] = field(default_factory=dict)
    """Room -> whether it was swept since a session was there. Lasting."""
    strangers: tuple[str, ...] = ()
    """Events of terminals that fitted no session, newest last: one that comes again is no news."""
    acts: Mapping[str, OutsideAct] = field(default_factory=dict)
    """What is done to rooms from outside, by id (core.outside)."""
    leases: Mapping[str, MonoMs] = field(default_factory=dict)
    """Listening -> when it was renewed last."""
    counted: Mapping[RoomId, Counted] = field(default_factory=dict)
    remote: Remote = field(default_factory=Remote)
    facilities: FacilitiesLive = field(default_factory=FacilitiesLive)
    """Doors, lifts and the fire alarm."""
    ordering: Mapping[str, OrderingDoc] = field(default_factory=dict)
    """The menu and recurring orders, by id. Lasting."""


class SiteParts(TypedDict, total=False):
    """The parts of a state that most steps change."""

    rooms: Mapping[RoomId, RoomLive]
    sights: Mapping[ZoneId, ZoneSight]
    robots: Mapping[RobotId, RobotLive]
    duties: Mapping[RobotId, Duty]
    deliveries: Mapping[str, Delivery]
    trails: Mapping[RobotId, Trail]
    watches: Mapping[RobotId, RobotWatch]
    sent: Mapping[str, MonoMs]
    facilities: FacilitiesLive
    dispatch: DispatchLive


def copied(site: SiteState, **parts: Unpack[SiteParts]) -> SiteState:
    """The state with some parts set: ``dataclasses.replace``, as fast as a step needs it."""
    after = object.__new__(SiteState)
    vars(after).update(vars(site), **parts)
    return after


def changed(mapping: Mapping[_K, _V], key: _K, value: _V) -> Mapping[_K, _V]:
    """A copy of a mapping with one entry set; the mapping itself where nothing changes."""
    if mapping.get(key) is value:
        return mapping
    return MappingProxyType({**mapping, key: value})


class _Entity(Protocol):
    @property
    def ended(self) -> bool: ...


_E = TypeVar("_E", bound=_Entity)


def kept(rows: Mapping[str, _E], key: str, row: _E) -> Mapping[str, _E]:
    """The entities with one set; the oldest ended ones leave memory, the store has them all."""
    after = {**rows, key: row}
    ended = [name for name, one in after.items() if one.ended]
    for name in ended[: max(0, len(ended) - ENDED_KEPT)]:
        if name != key:
            del after[name]
    return after


def lasting_equal(one: SiteState, other: SiteState) -> bool:
    """Whether two states are the same on disk, the ledger excepted: its lines are its journal."""
    return (
        one.sessions is other.sessions
        and one.alerts is other.alerts
        and one.deliveries is other.deliveries
        and one.duties is other.duties
        and one.care is other.care
        and one.acts is other.acts
        and one.ordering is other.ordering
        and one.remote.joints is other.remote.joints
        and one.remote.logs is other.remote.logs
    )


def restored(  # noqa: PLR0913  # what a store holds, by name
    plan: SitePlan,
    *,
    sessions: Mapping[SessionId, Session],
    alerts: Mapping[str, AlertRecord],
    deliveries: Mapping[str, Delivery],
    duties: Mapping[RobotId, Duty],
    next_number: int,
    now: Now,
    same_boot: bool,
    ledger: Ledger | None = None,
    care: Mapping[RoomId, RoomCare] | None = None,
    remote: Remote | None = None,
    acts: Mapping[str, OutsideAct] | None = None,
    ordering: Mapping[str, OrderingDoc] | None = None,
) -> SiteState:
    """The state after a start, from what the store holds.

    Monotonic times of another boot mean nothing: waits that were under way begin anew. Robots that
    left the site keep no duty; new ones begin with an empty one.
    """
    if not same_boot:
        deliveries = {
            key: replace(
                row,
                since_mono_ms=now.mono_ms,
                pin_locked_mono_ms=None if row.pin_locked_mono_ms is None else now.mono_ms,
            )
            for key, row in deliveries.items()
        }
    marks = _marks(alerts)
    fire = any(mark.partition("|")[0] == FIRE.code for mark in marks)
    return SiteState(
        plan=plan,
        sessions=dict(sessions),
        alerts=dict(alerts),
        deliveries=dict(deliveries),
        duties={robot: duties.get(robot, Duty(robot)) for robot in plan.robots},
        next_number=next_number,
        marks=marks,
        facilities=facilities_begun(plan, now.mono_ms, fire=fire),
        care=dict(care or {}),
        robots={robot: RobotLive(silent_since_mono_ms=now.mono_ms) for robot in plan.robots},
        ledger=with_declared(ledger or Ledger(), now.utc_ms),
        remote=begun(remote or Remote(), now.mono_ms),
        acts=dict(acts or {}) if same_boot else revived(acts or {}, now.mono_ms),
        ordering=dict(ordering or {}),
    )


def mark_of(rule: str, subject: str) -> str:
    """The key of ``SiteState.marks``."""
    return f"{rule}|{subject}"


def own_alert_id(rule: str, subject: str, utc_ms: UtcMs) -> str:
    """The id of an alert of ours; the same for the same occurrence, and readable back."""
    return f"{_own_prefix(rule)}{subject}_{utc_ms}"


def _own_prefix(rule: str) -> str:
    return f"c{list(OWN_TITLES).index(rule)}_"


def _marks(alerts: Mapping[str, AlertRecord]) -> Mapping[str, str]:
    return {
        mark_of(row.alert.rule, row.id.split("_")[1]): row.id
        for row in alerts.values()
        if row.alert.condition is Condition.ACTIVE and is_own(row)
    }


def is_own(row: AlertRecord) -> bool:
    """Whether the controller made this alert, and so clears it itself.

    A node has rules of the same code; its ids are others.
    """
    return row.alert.rule in OWN_TITLES and row.id.startswith(_own_prefix(row.alert.rule))


@dataclass(frozen=True, slots=True)
class AlertCame:
    """An edge node tells of an alert. ``known``: its record, where it is no longer in memory."""

    alert: Alert
    known: AlertRecord | None = None
    kind: Literal["alert_came"] = "alert_came"


@dataclass(frozen=True, slots=True)
class SealWasApplied:
    """An edge node says what it enforces."""

    applied: SealApplied
    kind: Literal["seal_was_applied"] = "seal_was_applied"


@dataclass(frozen=True, slots=True)
class EntryCame:
    """A node announces a line of a chain. ``stored``: the same bytes are in the store already."""

    said: EntryAppended
    stored: bool = False
    kind: Literal["entry_came"] = "entry_came"


@dataclass(frozen=True, slots=True)
class CheckpointCame:
    """A node says how far the file being written has come."""

    said: CheckpointTaken
    kind: Literal["checkpoint_came"] = "checkpoint_came"


@dataclass(frozen=True, slots=True)
class KeyConfirmed:
    """A person stands for the key that a node signs with."""

    node_id: NodeId
    key: KeyId
    by: str
    kind: Literal["key_confirmed"] = "key_confirmed"


@dataclass(frozen=True, slots=True)
class Noted:
    """A durable message without effect (access events, refused); its cursor moves."""

    what: str
    kind: Literal["noted"] = "noted"


@dataclass(frozen=True, slots=True)
class Observed:
    """What a room looks like now."""

    observation: RoomObservation
    kind: Literal["observed"] = "observed"


@dataclass(frozen=True, slots=True)
class NodeSaid:
    """A node's health, or its last will."""

    health: NodeHealth
    kind: Literal["node_said"] = "node_said"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""

    kind: Literal["tick"] = "tick"


@dataclass(frozen=True, slots=True)
class RecordNoted:
    """Something happened that the core does not decide but the record must tell."""

    line: FileRecord
    kind: Literal["record_noted"] = "record_noted"


@dataclass(frozen=True, slots=True)
class EscalationSet:
    """Whom alerts are told to, and when, from now on; it is stored already."""

    settings: EscalationSettings
    kind: Literal["escalation_set"] = "escalation_set"


@dataclass(frozen=True, slots=True)
class SessionScheduled:
    """A supervisor plans a session."""

    session_id: SessionId
    body: SessionBody
    by: str
    idempotency_key: str | None = None
    kind: Literal["session_scheduled"] = "session_scheduled"


@dataclass(frozen=True, slots=True)
class SessionActed:
    """A supervisor moves a session on. ``known``: it, where it is no longer in memory."""

    session_id: SessionId
    verb: SessionVerb
    by: str
    said: ActBody = NOTHING_SAID
    known: Session | None = None
    kind: Literal["session_acted"] = "session_acted"


@dataclass(frozen=True, slots=True)
class AlertAcknowledged:
    """A person has seen an alert."""

    alert_id: str
    by: str
    known: AlertRecord | None = None
    kind: Literal["alert_acknowledged"] = "alert_acknowledged"


@dataclass(frozen=True, slots=True)
class AlertResolved:
    """A person has found what an alert was."""

    alert_id: str
    body: ResolveBody
    by: str
    known: AlertRecord | None = None
    kind: Literal["alert_resolved"] = "alert_resolved"


@dataclass(frozen=True, slots=True)
class AlertWorked:
    """A person takes a step about an alert. ``expected``: the revision that the person saw."""

    alert_id: str
    act: Act
    expected: int | None = None
    known: AlertRecord | None = None
    kind: Literal["alert_worked"] = "alert_worked"


@dataclass(frozen=True, slots=True)
class PictureStored:
    """An alert's picture is on the controller's own disk."""

    alert_id: str
    picture: PictureRef
    known: AlertRecord | None = None
    kind: Literal["picture_stored"] = "picture_stored"


@dataclass(frozen=True, slots=True)
class DeliveryOrdered:
    """Somebody orders a meal. The PIN's digest comes with it, the PIN itself never."""

    delivery_id: str
    body: DeliveryBody
    by: str
    pin_digest: str
    idempotency_key: str | None = None
    kind: Literal["delivery_ordered"] = "delivery_ordered"


@dataclass(frozen=True, slots=True)
class DeliveryLoaded:
    """The kitchen says that the compartment is loaded and its lid shut."""

    delivery_id: str
    compartment: int
    by: str
    kind: Literal["delivery_loaded"] = "delivery_loaded"


@dataclass(frozen=True, slots=True)
class PinTried:
    """A PIN was typed at the robot and compared with its digest."""

    delivery_id: str
    right: bool
    by: str
    kind: Literal["pin_tried"] = "pin_tried"


@dataclass(frozen=True, slots=True)
class DeliveryCancelled:
    """Somebody calls a delivery off."""

    delivery_id: str
    reason: str
    by: str
    kind: Literal["delivery_cancelled"] = "delivery_cancelled"


@dataclass(frozen=True, slots=True)
class RobotConnected:
    """A robot came on the bus or left it."""

    robot_id: RobotId
    connection: ConnectionState
    kind: Literal["robot_connected"] = "robot_connected"


@dataclass(frozen=True, slots=True)
class RobotReported:
    """A robot's state. ``header_id`` counts its states, so that a late copy is known."""

    robot_id: RobotId
    header_id: int
    report: RobotReport
    kind: Literal["robot_reported"] = "robot_reported"


@dataclass(frozen=True, slots=True)
class RobotMoved:
    """A robot's position between two states; for showing only."""

    robot_id: RobotId
    pose: Pose
    kind: Literal["robot_moved"] = "robot_moved"


Input = (
    AlertCame
    | SealWasApplied
    | EntryCame
    | CheckpointCame
    | KeyConfirmed
    | Noted
    | Observed
    | NodeSaid
    | Tick
    | RecordNoted
    | EscalationSet
    | SessionScheduled
    | SessionActed
    | RosterInput
    | AlertAcknowledged
    | AlertResolved
    | AlertWorked
    | PictureStored
    | DeliveryOrdered
    | DeliveryLoaded
    | PinTried
    | DeliveryCancelled
    | RobotConnected
    | RobotReported
    | RobotMoved
    | FleetInput
    | SitesInput
    | OutsideInput
    | FacilityInput
    | OrderingInput
    | DispatchInput
)
