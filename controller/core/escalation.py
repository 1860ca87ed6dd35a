"""Decides who must be told of an alert now: levels by time and severity, again up to a limit.

Times are UTC and kept with the alert, so a restart tells nobody twice and forgets nobody.
Quiet hours hold a notice back until they end; a burst is told as one notice for many.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.api import Handling
from contracts.api.alerts import HandlingVerb
from contracts.api.duty import MINUTE_MS, DutyLevel, EscalationSettings, QuietHours
from contracts.api.notices import NoticeReason
from contracts.observations import Severity
from contracts.units import UtcMs
from controller.core.alerts import AlertRecord, Told
from controller.core.handling import Act, is_at_work, with_step
from controller.core.outputs import SendNotice
from controller.core.state import Now, SiteState, changed

BY: Final = "controller"
AGGREGATE_MS: Final = MINUTE_MS
# In a burst one notice a minute stands for all that wait: a phone rings no oftener, and the most
# severe waits no longer.
_WEIGHT: Final[Mapping[Severity, int]] = {
    Severity.ALARM: 2,
    Severity.WARNING: 1,
    Severity.NOTICE: 0,
}
LEVEL_NAMES: Final[Mapping[DutyLevel, tuple[str, str]]] = {
    DutyLevel.OFFICER: ("值班员", "duty officer"),
    DutyLevel.SUPERVISOR: ("监督负责人", "supervisor"),
    DutyLevel.HEAD: ("中心负责人", "head"),
}


@dataclass(frozen=True, slots=True)
class Due:
    """An alert that a level must be told of now, and how its ``Told`` is afterwards."""

    record: AlertRecord
    level: DutyLevel
    reason: NoticeReason
    after: Told


def due_utc_ms(record: AlertRecord, settings: EscalationSettings) -> UtcMs | None:
    """By when the next step of an open alert is due; None: nobody set a time."""
    rule = settings.of(record.alert.severity)
    if record.handling is Handling.NEW:
        if not rule.after_min or record.shadow:
            return None
        first = rule.after_min[1] if len(rule.after_min) > 1 else rule.after_min[0]
        return UtcMs(record.received_utc_ms + max(first, 1) * MINUTE_MS)
    if not is_at_work(record):
        return None
    if record.due_utc_ms is not None:
        return record.due_utc_ms
    if record.urged_utc_ms is not None:
        return UtcMs(record.urged_utc_ms + settings.reply_min * MINUTE_MS)
    if rule.resolve_min == 0:
        return None
    reopened = (
        step.utc_ms for step in reversed(record.history) if step.verb is HandlingVerb.REOPEN
    )
    begun = _latest(record.acknowledged_utc_ms, record.received_utc_ms, next(reopened, None))
    return UtcMs(begun + rule.resolve_min * MINUTE_MS)


def due_now(record: AlertRecord, settings: EscalationSettings, utc_ms: UtcMs) -> Due | None:
    """Whom this alert must be told to now, quiet hours and bursts apart; None: nobody."""
    if record.shadow:
        return None
    if record.handling is Handling.NEW:
        return _unacknowledged(record, settings, utc_ms)
    if is_at_work(record):
        return _overdue(record, settings, utc_ms)
    return None


def watch(site: SiteState, now: Now) -> tuple[SiteState, tuple[SendNotice, ...]]:
    """Tell who must be told; the alerts then know it."""
    settings = site.plan.escalation
    due: dict[DutyLevel, list[Due]] = {}
    for record in site.alerts.values():
        one = due_now(record, settings, now.utc_ms)
        if one is not None:
            due.setdefault(one.level, []).append(one)
    if not due:
        return site, ()
    zone = ZoneInfo(site.plan.site.config.time_zone)
    hushed = quiet_now(settings.quiet, zone, now.utc_ms)
    notices: list[SendNotice] = []
    for level in sorted(due):
        waiting = [one for one in due[level] if one.record.alert.severity not in hushed]
        for lead, others in batches(waiting, site.alerts.values(), level, settings, now.utc_ms):
            notice = _notice(lead, len(others))
            notices.append(notice)
            for one in (lead, *others):
                told = _told(one, notice.notice_id, now.utc_ms)
                site = replace(site, alerts=changed(site.alerts, told.id, told))
    return site, tuple(notices)


def batches(
    waiting: Iterable[Due],
    known: Iterable[AlertRecord],
    level: DutyLevel,
    settings: EscalationSettings,
    utc_ms: UtcMs,
) -> list[tuple[Due, tuple[Due, ...]]]:
    """What a level is sent now: each alert for itself, or one that stands for all that wait."""
    rows = sorted(waiting, key=lambda one: (-_WEIGHT[one.record.alert.severity], one.record.number))
    if not rows:
        return []
    window_ms = settings.burst_window_min * MINUTE_MS
    lately: dict[str, UtcMs] = {}
    for record in known:
        told = record.told
        if told.level == level and told.utc_ms is not None and utc_ms - told.utc_ms < window_ms:
            lately[told.notice_id] = told.utc_ms
    if len(lately) + len(rows) <= settings.burst_max:
        return [(row, ()) for row in rows]
    newest = max(lately.values(), default=None)
    if newest is not None and utc_ms - newest < AGGREGATE_MS:
        return []
    return [(rows[0], tuple(rows[1:]))]


def quiet_now(quiet: Iterable[QuietHours], zone: ZoneInfo, utc_ms: UtcMs) -> frozenset[Severity]:
    """Severities whose notices wait at this moment."""
    at = datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(zone)
    minute = at.hour * 60 + at.minute
    found: set[Severity] = set()
    for row in quiet:
        start, end = minutes_of(row.start), minutes_of(row.end)
        inside = start <= minute < end if start < end else minute >= start or minute < end
        if inside:
            found.update(row.severities)
    return frozenset(found)


def minutes_of(clock_time: str) -> int:
    """``08:30`` as minutes since midnight."""
    hours, minutes = clock_time.split(":")
    return int(hours) * 60 + int(minutes)


def to_person(
    record: AlertRecord, reason: NoticeReason, to: str, level: DutyLevel | None = None
) -> SendNotice:
    """A notice to one person, because of what another did: given an alert, or urged.

    Where ``to`` is nobody, the level on duty is told.
    """
    return SendNotice(
        notice_id=f"{record.number}-{reason.value}-{record.revision}",
        reason=reason,
        level=level,
        to=to,
        alert_id=record.id,
        alert_number=record.number,
        code=record.alert.rule,
        room_id=record.alert.room_id,
        severity=record.alert.severity,
        utc_ms=record.alert.raised_utc_ms,
    )


def after_act(record: AlertRecord, asked: Act) -> SendNotice | None:
    """Who is told because of what a person did: the new owner, or who is urged."""
    match asked.verb:
        case HandlingVerb.ASSIGN if asked.to != asked.by:
            return to_person(record, NoticeReason.ASSIGNED, asked.to)
        case HandlingVerb.URGE:
            return to_person(record, NoticeReason.URGED, record.owner or "", DutyLevel.OFFICER)
        case _:
            return None


def _unacknowledged(record: AlertRecord, settings: EscalationSettings, utc_ms: UtcMs) -> Due | None:
    rule, told = settings.of(record.alert.severity), record.told
    if told.level < len(rule.after_min):
        due = record.received_utc_ms + rule.after_min[told.level] * MINUTE_MS
        if utc_ms < due:
            return None
        after = replace(told, level=told.level + 1, times=1)
        return Due(record, DutyLevel(after.level), NoticeReason.NEW, after)
    if told.level == 0 or told.times > rule.repeats_max or told.utc_ms is None:
        return None
    if utc_ms - told.utc_ms < rule.repeat_min * MINUTE_MS:
        return None
    after = replace(told, times=told.times + 1)
    return Due(record, DutyLevel(min(told.level, 3)), NoticeReason.NEW, after)


def _overdue(record: AlertRecord, settings: EscalationSettings, utc_ms: UtcMs) -> Due | None:
    due = due_utc_ms(record, settings)
    if due is None or utc_ms < due:
        return None
    rule, told = settings.of(record.alert.severity), record.told
    times = told.overdue_times if told.overdue_for == due else 0
    if times > rule.repeats_max:
        return None
    again_ms = times and rule.repeat_min * MINUTE_MS
    if times and told.utc_ms is not None and utc_ms - told.utc_ms < again_ms:
        return None
    # The owner's superior first, and from the second time on the head: nobody has acted.
    level = DutyLevel.SUPERVISOR if times == 0 else DutyLevel.HEAD
    after = replace(told, level=level.value, overdue_for=due, overdue_times=times + 1)
    return Due(record, level, NoticeReason.OVERDUE, after)


def _notice(lead: Due, more: int) -> SendNotice:
    record, after = lead.record, lead.after
    count = after.overdue_times if lead.reason is NoticeReason.OVERDUE else after.times
    since = record.told.overdue_for if lead.reason is NoticeReason.OVERDUE else None
    name = f"{record.number}-{lead.reason.value}-{lead.level.value}-{count}-{len(record.history)}"
    return SendNotice(
        notice_id=name if since is None else f"{name}-{since}",
        reason=lead.reason,
        level=lead.level,
        to=(record.owner or "") if lead.reason is NoticeReason.OVERDUE else "",
        alert_id=record.id,
        alert_number=record.number,
        code=record.alert.rule,
        room_id=record.alert.room_id,
        severity=record.alert.severity,
        utc_ms=record.alert.raised_utc_ms,
        more=more,
    )


def _told(due: Due, notice_id: str, utc_ms: UtcMs) -> AlertRecord:
    after = replace(due.after, utc_ms=utc_ms, notice_id=notice_id)
    name = LEVEL_NAMES[due.level][1]
    asked = Act(HandlingVerb.TELL, BY, text=due.reason.value, to=name)
    return with_step(replace(due.record, told=after), asked, utc_ms, by_person=False)


def _latest(*times: UtcMs | None) -> UtcMs:
    return max(one for one in times if one is not None)
