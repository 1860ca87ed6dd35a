"""Decides the people's side of an alert: which step may follow which, and what it leaves behind.

new -> acknowledged -> assigned -> handling -> resolved -> closed
A step may skip those before it. Resolved and closed can be reopened, with a reason.
Two people at once: who does what is done already changes nothing and is not refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from contracts.api import Disposition, Handling, Sentence
from contracts.api.alerts import HandlingVerb
from contracts.api.record import RecordKind
from contracts.observations import Condition
from contracts.units import UtcMs
from controller.core.alerts import AT_WORK, ENDED, AlertRecord, Step, Told
from controller.core.outputs import FileRecord, Refusal, Refused

STEPS_MAX: Final = 200
# Steps of one alert: a long day of notes. At this number only resolving and closing go on.
RECORD_TEXT_MAX: Final = 300  # of a note inside a record's sentence, which may have 400 characters
URGE_AGAIN_MS: Final = 60_000  # urging more often than a person can answer is noise

VERB_NAMES: Final[Mapping[HandlingVerb, tuple[str, str]]] = {
    HandlingVerb.ACKNOWLEDGE: ("确认", "acknowledged"),
    HandlingVerb.ASSIGN: ("分办", "assigned"),
    HandlingVerb.START: ("开始处置", "started handling"),
    HandlingVerb.NOTE: ("备注", "noted on"),
    HandlingVerb.URGE: ("督办", "urged"),
    HandlingVerb.REPLY: ("反馈", "replied on"),
    HandlingVerb.RESOLVE: ("办结", "resolved"),
    HandlingVerb.STATEMENT: ("记录专家陈述", "recorded the expert's statement on"),
    HandlingVerb.CLOSE: ("关闭", "closed"),
    HandlingVerb.REOPEN: ("重新打开", "reopened"),
    HandlingVerb.RETURN: ("再次出现", "saw the return of"),
    HandlingVerb.TELL: ("通知", "told people on duty of"),
}

DISPOSITION_NAMES: Final[Mapping[Disposition, tuple[str, str]]] = {
    Disposition.VIOLATION: ("违规", "violation"),
    Disposition.PERMITTED: ("允许", "permitted"),
    Disposition.FALSE: ("误报", "false"),
    Disposition.DEVICE: ("设备问题", "device"),
    Disposition.TEST: ("测试", "test"),
}


@dataclass(frozen=True, slots=True)
class Act:
    """What a person asks for. Which fields count depends on the verb."""

    verb: HandlingVerb
    by: str
    text: str = ""
    to: str = ""
    due_utc_ms: UtcMs | None = None
    disposition: Disposition | None = None
    seat: str = ""


_Step: TypeAlias = Callable[[AlertRecord, Act, UtcMs], AlertRecord | Refused]


def act(
    record: AlertRecord, asked: Act, utc_ms: UtcMs, expected: int | None = None
) -> AlertRecord | Refused:
    """The alert after the step; the same record where it is done already.

    ``expected``: the revision that the person saw; another one refuses, so that nobody acts on
    what is no longer so.
    """
    if expected is not None and expected != record.revision:
        last = record.history[-1].by if record.history else "?"
        return _refused(
            Refusal.STALE,
            f"预警 {record.number} 已被 {last} 更新，请刷新后再操作。",
            f"Alert {record.number} was changed by {last} meanwhile; look at it again, then act.",
        )
    after = _STEPS[asked.verb](record, asked, utc_ms)
    if isinstance(after, Refused) or after is record:
        return after
    full = len(record.history) >= STEPS_MAX
    if full and asked.verb not in {HandlingVerb.RESOLVE, HandlingVerb.CLOSE}:
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 的处置记录已满（{STEPS_MAX} 条），只能办结或关闭。",
            f"Alert {record.number} has {STEPS_MAX} steps, which is the limit; resolve it.",
        )
    return with_step(after, asked, utc_ms, by_person=True)


def with_step(record: AlertRecord, asked: Act, utc_ms: UtcMs, *, by_person: bool) -> AlertRecord:
    """The alert with a line of history; the controller's own steps are left out when it is full."""
    if not by_person and len(record.history) >= STEPS_MAX:
        return record
    number = record.history[-1].number + 1 if record.history else 1
    step = Step(
        number=number,
        verb=asked.verb,
        utc_ms=utc_ms,
        by=asked.by,
        handling=record.handling,
        text=asked.text,
        to=asked.to,
        disposition=asked.disposition,
    )
    revision = record.revision + 1 if by_person else record.revision
    return replace(record, history=(*record.history, step), revision=revision)


def acknowledge(record: AlertRecord, by: str, utc_ms: UtcMs) -> AlertRecord | Refused:
    """A person has seen it. The second to press the button changes nothing and is not refused."""
    return act(record, Act(HandlingVerb.ACKNOWLEDGE, by), utc_ms)


def resolve(
    record: AlertRecord, by: str, disposition: Disposition, note: str, utc_ms: UtcMs
) -> AlertRecord | Refused:
    """A person has found what it was; resolving acknowledges what nobody acknowledged."""
    asked = Act(HandlingVerb.RESOLVE, by, text=note, disposition=disposition)
    return act(record, asked, utc_ms)


def record_line(record: AlertRecord) -> FileRecord | None:
    """The line that the last step leaves in the record of the alert's session."""
    if record.alert.session_id is None or not record.history:
        return None
    step = record.history[-1]
    zh, en = VERB_NAMES[step.verb]
    said = "" if not step.text else step.text[:RECORD_TEXT_MAX].strip()
    more_zh = f" → {step.to}" if step.to else ""
    more_en = f" to {step.to}" if step.to else ""
    if step.disposition is not None:
        found_zh, found_en = DISPOSITION_NAMES[step.disposition]
        more_zh, more_en = f"{more_zh}（{found_zh}）", f"{more_en} ({found_en})"
    data = {"verb": step.verb.value, "alert_number": str(record.number), "rule": record.alert.rule}
    data |= {"text": step.text} if step.text else {}
    data |= {"to": step.to} if step.to else {}
    data |= {"disposition": step.disposition.value} if step.disposition else {}
    data |= {"seat": record.seat} if record.seat else {}
    return FileRecord(
        room_id=record.alert.room_id,
        utc_ms=step.utc_ms,
        record_kind=RecordKind.HANDLING,
        by=step.by,
        text=Sentence(
            zh=f"{zh}预警 {record.number}{more_zh}" + (f"：{said}" if said else ""),
            en=f"{en} alert {record.number}{more_en}" + (f": {said}" if said else ""),
        ),
        session_id=record.alert.session_id,
        subject=record.id,
        data=data,
    )


# --- the steps -----------------------------------------------------------------------------------


def _acknowledged(record: AlertRecord, by: str, utc_ms: UtcMs) -> AlertRecord:
    if record.acknowledged_by is not None:
        return record
    return replace(record, acknowledged_by=by, acknowledged_utc_ms=utc_ms)


def _acknowledge(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    if record.handling in ENDED:
        return _ended(record, "确认", "acknowledge")
    if record.handling is not Handling.NEW:
        return record
    seen = _acknowledged(record, asked.by, utc_ms)
    return replace(seen, handling=Handling.ACKNOWLEDGED, since_utc_ms=utc_ms)


def _assign(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    if record.handling in ENDED:
        return _ended(record, "分办", "assign")
    if not asked.to:
        return _refused(Refusal.INVALID, "请指定承办人。", "Say whom the alert is for.")
    late = _past(asked, utc_ms)
    if late is not None:
        return late
    same_due = asked.due_utc_ms is None or asked.due_utc_ms == record.due_utc_ms
    if record.owner == asked.to and record.handling is not Handling.NEW and same_due:
        return record
    seen = _acknowledged(record, asked.by, utc_ms)
    return replace(
        seen,
        handling=Handling.ASSIGNED,
        owner=asked.to,
        since_utc_ms=utc_ms,
        due_utc_ms=asked.due_utc_ms,
    )


def _start(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    if record.handling in ENDED:
        return _ended(record, "处置", "handle")
    if record.handling is Handling.HANDLING:
        if record.owner == asked.by:
            return record
        return _refused(
            Refusal.CONFLICT,
            f"{record.owner} 正在处置预警 {record.number}；如需接手，请先分办给自己。",
            f"{record.owner} is handling alert {record.number}; assign it to yourself first.",
        )
    seen = _acknowledged(record, asked.by, utc_ms)
    return replace(seen, handling=Handling.HANDLING, owner=asked.by, since_utc_ms=utc_ms)


def _note(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    del utc_ms
    if not asked.text.strip():
        return _empty()
    return replace(record)


def _urge(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    if record.handling in ENDED:
        return _ended(record, "督办", "urge")
    if not asked.text.strip():
        return _empty()
    late = _past(asked, utc_ms)
    if late is not None:
        return late
    if record.urged_utc_ms is not None and utc_ms - record.urged_utc_ms < URGE_AGAIN_MS:
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 刚刚督办过，请等待反馈。",
            f"Alert {record.number} was urged within the last minute; wait for the reply.",
        )
    return replace(record, urged_utc_ms=utc_ms, due_utc_ms=asked.due_utc_ms)


def _reply(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    del utc_ms
    if record.urged_utc_ms is None:
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 没有待反馈的督办；如需补充，请写备注。",
            f"No urge of alert {record.number} waits for a reply; write a note instead.",
        )
    if not asked.text.strip():
        return _empty()
    return replace(record, urged_utc_ms=None, due_utc_ms=None)


def _resolve(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    if asked.disposition is None:
        return _refused(Refusal.INVALID, "请选择处置结论。", "Say what the alert was found to be.")
    if record.handling in ENDED:
        if (record.disposition, record.resolved_by) == (asked.disposition, asked.by):
            return record
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 已由 {record.resolved_by} 处置。",
            f"Alert {record.number} was resolved by {record.resolved_by} already.",
        )
    if record.latched:
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 涉及录像缺失，请先查看并确认，再处置。",
            f"Alert {record.number} tells of a hole in the recordings: acknowledge it first.",
        )
    violation = asked.disposition is Disposition.VIOLATION
    return replace(
        _acknowledged(record, asked.by, utc_ms),
        handling=Handling.RESOLVED,
        resolved_by=asked.by,
        resolved_utc_ms=utc_ms,
        since_utc_ms=utc_ms,
        disposition=asked.disposition,
        note=asked.text,
        seat=asked.seat if violation else "",
        urged_utc_ms=None,
        due_utc_ms=None,
    )


def _statement(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    del utc_ms
    if not record.confirmed:
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 未认定为违规，无需专家陈述。",
            f"Alert {record.number} is no confirmed violation; a statement belongs to one.",
        )
    if not asked.text.strip():
        return _empty()
    return replace(record, statement=asked.text, seat=asked.seat or record.seat)


def _close(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    if record.handling is Handling.CLOSED:
        return record
    if record.handling is not Handling.RESOLVED:
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 尚未办结，不能关闭。",
            f"Alert {record.number} is {record.handling}; resolve it before it is closed.",
        )
    if record.alert.condition is Condition.ACTIVE:
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 的情况仍在持续，消除后才能关闭。",
            f"What alert {record.number} tells of still lasts; close it when it is over.",
        )
    return replace(
        record,
        handling=Handling.CLOSED,
        closed_by=asked.by,
        closed_utc_ms=utc_ms,
        since_utc_ms=utc_ms,
    )


def _reopen(record: AlertRecord, asked: Act, utc_ms: UtcMs) -> AlertRecord | Refused:
    if record.handling not in ENDED:
        return _refused(
            Refusal.CONFLICT,
            f"预警 {record.number} 尚未办结，无需重新打开。",
            f"Alert {record.number} is {record.handling}; only a resolved one is reopened.",
        )
    if not asked.text.strip():
        return _empty()
    return replace(
        record,
        handling=Handling.ACKNOWLEDGED if record.owner is None else Handling.ASSIGNED,
        since_utc_ms=utc_ms,
        disposition=None,
        resolved_by=None,
        resolved_utc_ms=None,
        closed_by=None,
        closed_utc_ms=None,
        due_utc_ms=None,
        told=Told(),
    )


_STEPS: Final[Mapping[HandlingVerb, _Step]] = {
    HandlingVerb.ACKNOWLEDGE: _acknowledge,
    HandlingVerb.ASSIGN: _assign,
    HandlingVerb.START: _start,
    HandlingVerb.NOTE: _note,
    HandlingVerb.URGE: _urge,
    HandlingVerb.REPLY: _reply,
    HandlingVerb.RESOLVE: _resolve,
    HandlingVerb.STATEMENT: _statement,
    HandlingVerb.CLOSE: _close,
    HandlingVerb.REOPEN: _reopen,
}


def is_at_work(record: AlertRecord) -> bool:
    """Whether a person has it and has not resolved it."""
    return record.handling in AT_WORK


def _past(asked: Act, utc_ms: UtcMs) -> Refused | None:
    if asked.due_utc_ms is None or asked.due_utc_ms > utc_ms:
        return None
    return _refused(
        Refusal.INVALID,
        "办理期限已过，请选择将来的时间。",
        "due_utc_ms lies in the past; give a time to come.",
    )


def _ended(record: AlertRecord, zh: str, en: str) -> Refused:
    return _refused(
        Refusal.CONFLICT,
        f"预警 {record.number} 已办结，无需{zh}；如有新情况，请重新打开。",
        f"Alert {record.number} is {record.handling}; nothing is left to {en}.",
    )


def _empty() -> Refused:
    return _refused(Refusal.INVALID, "请填写内容。", "Write what you have to say; it is empty.")


def _refused(why: Refusal, zh: str, en: str) -> Refused:
    return Refused(why, Sentence(zh=zh, en=en))
