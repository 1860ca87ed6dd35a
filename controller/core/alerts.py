"""Decides the world's side of an alert, and holds both; the people's side is core.handling."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from contracts.api import Disposition, Handling, Sentence
from contracts.api.alerts import HandlingVerb
from contracts.catalogue import (
    CAMERA_FROZEN,
    CAMERA_OFFLINE,
    CATALOGUE,
    DISK_FAILING,
    RECORDER_DOWN,
    facility,
)
from contracts.catalogue import RECORDING_GAP as NODE_RECORDING_GAP
from contracts.catalogue.robot import (
    COMPARTMENT_OPEN,
    FAULT,
    IGNORES_PAUSE,
    IMPLAUSIBLE,
    OVERDUE,
    PERSON_FOLLOWS,
    STOPPED_OFF_STOP,
    UNFIT,
)
from contracts.catalogue.site import LINK_LOST as SITE_LINK_LOST
from contracts.devices import Named
from contracts.observations import Alert, Condition, Mode, PictureRef, Said
from contracts.units import Bilingual, RuleCode, UtcMs

PERSON_IN_ZONE: Final = "robot.person_in_zone"
NODE_OFFLINE: Final = "node.offline"
PIN_LOCKED: Final = "delivery.pin_locked"
LOCK_FAILED: Final = "delivery.lock_failed"
NOT_COLLECTED: Final = "delivery.not_collected"
NOT_EMPTIED: Final = "delivery.not_emptied"
STRANDED: Final = "delivery.stranded"
BATTERY_LOW: Final = "robot.battery_low"
FOREIGN_LOAD: Final = "delivery.foreign_load"
LID_OPEN: Final = "delivery.lid_open"
ROBOT_LOST: Final = "robot.lost"
ROBOT_ERROR: Final = "robot.error"
CHAIN_BROKEN: Final = "node.chain_broken"
RECORDING_GAP: Final = NODE_RECORDING_GAP.code
LINK_LOST: Final = SITE_LINK_LOST.code
IN_HAND: Final = "delivery.in_hand"
BLOCKS_WAY: Final = "robot.blocks_way"
CALL_UNANSWERED: Final = "call.unanswered"
ROSTER_CHANGED: Final = "session.roster_changed"
ENTRY_OVERDUE: Final = "entry.overdue"

ROBOT_RULES: Final = (COMPARTMENT_OPEN, STOPPED_OFF_STOP, OVERDUE, PERSON_FOLLOWS)
"""Of what ``core.robot_watch`` judges, those that stand in the middle of the titles below."""

OF_TRACK: Final = frozenset({RECORDING_GAP, CAMERA_OFFLINE.code, CAMERA_FROZEN.code})
"""Rules that tell of one track that it is not recorded, or why."""
OF_RECORDER: Final = frozenset({RECORDER_DOWN.code, DISK_FAILING.code})
"""Rules that tell it of all tracks of a node."""

OWN_TITLES: Final[Mapping[RuleCode, Named]] = {
    PERSON_IN_ZONE: Named(zh="机器人通道内有人", en="Person in a robot's zone"),
    NODE_OFFLINE: Named(zh="边缘节点离线", en="Edge node offline"),
    PIN_LOCKED: Named(zh="取餐码连续输错，已锁定", en="Wrong PIN too often; delivery locked"),
    LOCK_FAILED: Named(zh="箱格无法锁闭", en="Compartment does not lock"),
    LID_OPEN: Named(zh="箱盖未关闭", en="Compartment left open"),
    ROBOT_LOST: Named(zh="机器人失联", en="Robot lost"),
    ROBOT_ERROR: Named(zh="机器人无法执行任务", en="Robot cannot do its order"),
    CHAIN_BROKEN: Named(zh="录像证据链断裂", en="Chain of evidence broken"),
    RECORDING_GAP: Named(zh="录像中断", en="Recording gap"),  # a node's own rule has this code too
    **{rule.code: Named(zh=rule.title.zh, en=rule.title.en) for rule in ROBOT_RULES},
    CALL_UNANSWERED: Named(zh="室内呼叫无人应答", en="A call from a room is not answered"),
    ENTRY_OVERDUE: Named(zh="紧急进入超时", en="Emergency entry past its time"),
    LINK_LOST: Named(zh=SITE_LINK_LOST.title.zh, en=SITE_LINK_LOST.title.en),
    ROSTER_CHANGED: Named(zh="封闭后名单变更", en="Roster changed after the seal"),
    **{rule.code: Named(zh=rule.title.zh, en=rule.title.en) for rule in facility.RULES},
    IMPLAUSIBLE.code: Named(zh=IMPLAUSIBLE.title.zh, en=IMPLAUSIBLE.title.en),
    UNFIT.code: Named(zh=UNFIT.title.zh, en=UNFIT.title.en),
    NOT_COLLECTED: Named(zh="无人取餐", en="Nobody collects a delivery"),
    NOT_EMPTIED: Named(zh="箱格内物品无人取出", en="Nobody takes out what a robot brought back"),
    STRANDED: Named(zh="机器人载物停运", en="A robot stopped with a load"),
    BATTERY_LOW: Named(zh="机器人电量不足", en="Robot's battery is low"),
    FOREIGN_LOAD: Named(zh="返回箱格内有其他物品", en="Something came back that nobody sent"),
    FAULT.code: Named(zh=FAULT.title.zh, en=FAULT.title.en),
    IGNORES_PAUSE.code: Named(zh=IGNORES_PAUSE.title.zh, en=IGNORES_PAUSE.title.en),
    IN_HAND: Named(
        zh="机器人已移离，箱内物品在人员手中",
        en="A robot was taken off the floor with something in it",
    ),
    BLOCKS_WAY: Named(zh="机器人堵住通道", en="A robot blocks the way of others"),
}
"""Titles of the alerts that the controller itself makes; the edge's are in the catalogue.

Append only: an alert's id holds the place of its rule in this table.
"""

DETAIL_MAX_CHARS: Final = 400  # as contracts.api.Sentence

ENDED: Final = frozenset({Handling.RESOLVED, Handling.CLOSED})
AT_WORK: Final = frozenset({Handling.ACKNOWLEDGED, Handling.ASSIGNED, Handling.HANDLING})


RETURN_MS: Final = 60_000
# A thing that is back within a minute of going, while a person is at it, is the same thing to them.

LATCHED: Final = OF_TRACK | OF_RECORDER | {CHAIN_BROKEN}
"""Rules whose alerts stand until a person has acknowledged them: a hole in the evidence."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done about an alert; ``handling`` is the people's side after it."""

    number: int
    verb: HandlingVerb
    utc_ms: UtcMs
    by: str
    handling: Handling
    text: str = ""
    to: str = ""
    disposition: Disposition | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """How far escalation has come. ``times`` counts the tellings at ``level``.

    ``overdue_for`` is the time whose passing was told ``overdue_times`` times.
    ``notice_id`` is the last notice: several alerts share one where it stands for all of them.
    """

    level: int = 0
    times: int = 0
    utc_ms: UtcMs | None = None
    notice_id: str = ""
    overdue_for: UtcMs | None = None
    overdue_times: int = 0


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert as the controller keeps it. ``number`` is what people call it by."""

    alert: Alert
    number: int
    received_utc_ms: UtcMs
    handling: Handling = Handling.NEW
    acknowledged_by: str | None = None
    acknowledged_utc_ms: UtcMs | None = None
    resolved_by: str | None = None
    resolved_utc_ms: UtcMs | None = None
    disposition: Disposition | None = None
    note: str = ""
    picture_stored: bool = False
    detail: Sentence | None = None
    """What exactly was found, where the rule's title does not say it."""
    history: tuple[Step, ...] = ()
    """What was done about it, oldest first; ``handling.STEPS_MAX`` bounds it."""
    revision: int = 0
    """How many steps people took."""
    owner: str | None = None
    since_utc_ms: UtcMs | None = None
    """Since when the people's side is what it is; None: since it came."""
    due_utc_ms: UtcMs | None = None
    """By when a person said the next step is due."""
    urged_utc_ms: UtcMs | None = None
    """Since when an urge waits for its reply."""
    closed_by: str | None = None
    closed_utc_ms: UtcMs | None = None
    seat: str = ""
    """Whom a violation is held against."""
    statement: str = ""
    """What that expert says of it."""
    told: Told = Told()
    returns: int = 0
    follows: int | None = None
    """Number of the alert that people were at when this one came."""

    @property
    def latched(self) -> bool:
        """Whether it waits for a person to acknowledge it, for itself, before it is resolved."""
        return self.alert.rule in LATCHED and self.handling is Handling.NEW

    @property
    def confirmed(self) -> bool:
        """Whether a person found it a violation: an incident, which conduct reports tell."""
        return self.handling in ENDED and self.disposition is Disposition.VIOLATION

    @property
    def id(self) -> str:
        return self.alert.alert_id

    @property
    def shadow(self) -> bool:
        """Whether a rule in shadow found it: kept and counted, but nobody is told."""
        return self.alert.mode is Mode.SHADOW

    @property
    def ended(self) -> bool:
        """Neither the world nor a person has anything left to do about it."""
        handled = self.shadow or self.handling in ENDED
        return handled and self.alert.condition is Condition.CLEARED


@dataclass(frozen=True, slots=True)
class RuleTally:
    """How many alerts of one rule got one disposition; None: not resolved."""

    rule: RuleCode
    shadow: bool
    disposition: Disposition | None
    count: int


def title_of(rule: RuleCode) -> Named:
    """What people read; a rule of a newer node that is unknown here shows its code."""
    if rule in OWN_TITLES:
        return OWN_TITLES[rule]
    spec = CATALOGUE.get(rule)
    return Named(zh=rule, en=rule) if spec is None else Named(zh=spec.title.zh, en=spec.title.en)


def receive(known: AlertRecord | None, alert: Alert, number: int, utc_ms: UtcMs) -> AlertRecord:
    """Take an alert's message: the first makes the record, later ones only move its condition on.

    It may come twice and late. Cleared is final: an ``active`` that arrives behind it is old.
    """
    if known is None:
        return AlertRecord(alert=alert, number=number, received_utc_ms=utc_ms)
    if known.alert.condition is Condition.CLEARED or alert == known.alert:
        return known
    picture = alert.picture or known.alert.picture
    boxes = alert.boxes or known.alert.boxes
    return replace(known, alert=alert.model_copy(update={"picture": picture, "boxes": boxes}))


def clear(record: AlertRecord, utc_ms: UtcMs) -> AlertRecord:
    """The condition of an alert of ours is over."""
    if record.alert.condition is Condition.CLEARED:
        return record
    over = {"condition": Condition.CLEARED, "cleared_utc_ms": utc_ms}
    return replace(record, alert=record.alert.model_copy(update=over))


def with_detail(record: AlertRecord, more: Sentence) -> AlertRecord:
    """Note something more on an alert; what is told already, or beyond the limit, is left out."""
    told = record.detail
    if told is None:
        return replace(record, detail=more)
    zh, en = f"{told.zh} {more.zh}", f"{told.en} {more.en}"
    if more.en in told.en or max(len(zh), len(en)) > DETAIL_MAX_CHARS:
        return record
    return replace(record, detail=Sentence(zh=zh, en=en))


def saw_now(record: AlertRecord, saw: Sentence) -> AlertRecord:
    """The alert with what is seen now: more rooms may be kept waiting than when it was raised."""
    said = Said.of(Bilingual(saw.zh, saw.en))
    if record.alert.saw == said:
        return record
    return replace(record, alert=record.alert.model_copy(update={"saw": said}))


def with_picture(record: AlertRecord, picture: PictureRef) -> AlertRecord:
    """The picture is in the controller's own store now."""
    if record.picture_stored:
        return record
    alert = record.alert.model_copy(update={"picture": picture})
    return replace(record, alert=alert, picture_stored=True)


def gone_lately(known: Iterable[AlertRecord], alert: Alert, utc_ms: UtcMs) -> AlertRecord | None:
    """The alert of ours of the same subject that cleared a moment ago and is not resolved."""
    stem = alert.alert_id.rpartition("_")[0]
    for record in known:
        cleared = record.alert.cleared_utc_ms
        if cleared is None or record.handling in ENDED or record.alert.rule != alert.rule:
            continue
        same = record.id.rpartition("_")[0] == stem and record.alert.session_id == alert.session_id
        if same and 0 <= utc_ms - cleared <= RETURN_MS:
            return record
    return None


def again(record: AlertRecord) -> AlertRecord:
    """The condition of an alert of ours is back, soon after it cleared: the same alert stands."""
    over = {"condition": Condition.ACTIVE, "cleared_utc_ms": None}
    back = record.alert.model_copy(update=over)
    return replace(record, alert=back, returns=record.returns + 1)


def same_matter(known: Iterable[AlertRecord], alert: Alert, utc_ms: UtcMs) -> AlertRecord | None:
    """The alert that a person is at, and that this one repeats, soon after it had cleared."""
    for record in known:
        old = record.alert
        if record.handling in AT_WORK and old.cleared_utc_ms is not None and _same(old, alert):
            gone_ms = max(alert.raised_utc_ms, utc_ms) - old.cleared_utc_ms
            if 0 <= gone_ms <= RETURN_MS:
                return record
    return None


def _same(one: Alert, other: Alert) -> bool:
    keys = ("rule", "room_id", "session_id", "camera_id", "pickup_id", "zone_id", "mode")
    return one.alert_id != other.alert_id and all(
        getattr(one, key) == getattr(other, key) for key in keys
    )


def carried(record: AlertRecord, before: AlertRecord) -> AlertRecord:
    """A repeat of what a person is at goes to that person: nobody else is called again."""
    return replace(
        record,
        handling=before.handling,
        owner=before.owner,
        acknowledged_by=before.acknowledged_by,
        acknowledged_utc_ms=before.acknowledged_utc_ms,
        due_utc_ms=before.due_utc_ms,
        since_utc_ms=record.received_utc_ms,
        follows=before.number,
    )
