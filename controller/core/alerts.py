"""Decides both sides of an alert: what the world says of it, and what people have done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from contracts.api import Disposition, Handling, Sentence
from contracts.catalogue import (
    CAMERA_FROZEN,
    CAMERA_OFFLINE,
    CATALOGUE,
    DISK_FAILING,
    RECORDER_DOWN,
)
from contracts.catalogue import RECORDING_GAP as NODE_RECORDING_GAP
from contracts.catalogue.robot import COMPARTMENT_OPEN, OVERDUE, PERSON_FOLLOWS, STOPPED_OFF_STOP
from contracts.devices import Named
from contracts.observations import Alert, Condition, Mode, PictureRef
from contracts.units import RuleCode, UtcMs
from controller.core.outputs import Refusal, Refused

PERSON_IN_ZONE: Final = "robot.person_in_zone"
NODE_OFFLINE: Final = "node.offline"
PIN_LOCKED: Final = "delivery.pin_locked"
LOCK_FAILED: Final = "delivery.lock_failed"
LID_OPEN: Final = "delivery.lid_open"
ROBOT_LOST: Final = "robot.lost"
ROBOT_ERROR: Final = "robot.error"
CHAIN_BROKEN: Final = "node.chain_broken"
RECORDING_GAP: Final = NODE_RECORDING_GAP.code

ROBOT_RULES: Final = (COMPARTMENT_OPEN, STOPPED_OFF_STOP, OVERDUE, PERSON_FOLLOWS)
"""What ``core.robot_watch`` judges; append only, as the table of titles below."""

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
}
"""Titles of the alerts that the controller itself makes; the edge's are in the catalogue.

Append only: an alert's id holds the place of its rule in this table.
"""

DETAIL_MAX_CHARS: Final = 400  # as contracts.api.Sentence

ENDED: Final = frozenset({Handling.RESOLVED, Handling.CLOSED})


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


def with_picture(record: AlertRecord, picture: PictureRef) -> AlertRecord:
    """The picture is in the controller's own store now."""
    if record.picture_stored:
        return record
    alert = record.alert.model_copy(update={"picture": picture})
    return replace(record, alert=alert, picture_stored=True)


def acknowledge(record: AlertRecord, by: str, utc_ms: UtcMs) -> AlertRecord | Refused:
    """A person has seen it. The second to press the button changes nothing and is not refused."""
    if record.handling in ENDED:
        detail = Sentence(
            zh=f"预警 {record.number} 已处置完毕，无需确认。",
            en=f"Alert {record.number} is {record.handling}; nothing is left to acknowledge.",
        )
        return Refused(Refusal.CONFLICT, detail)
    if record.handling is not Handling.NEW:
        return record
    return replace(
        record, handling=Handling.ACKNOWLEDGED, acknowledged_by=by, acknowledged_utc_ms=utc_ms
    )


def resolve(
    record: AlertRecord, by: str, disposition: Disposition, note: str, utc_ms: UtcMs
) -> AlertRecord | Refused:
    """A person has found what it was; resolving acknowledges what nobody acknowledged."""
    if record.handling in ENDED:
        if (record.disposition, record.resolved_by) == (disposition, by):
            return record
        detail = Sentence(
            zh=f"预警 {record.number} 已由 {record.resolved_by} 处置。",
            en=f"Alert {record.number} was resolved by {record.resolved_by} already.",
        )
        return Refused(Refusal.CONFLICT, detail)
    return replace(
        record,
        handling=Handling.RESOLVED,
        acknowledged_by=record.acknowledged_by or by,
        acknowledged_utc_ms=record.acknowledged_utc_ms or utc_ms,
        resolved_by=by,
        resolved_utc_ms=utc_ms,
        disposition=disposition,
        note=note,
    )
