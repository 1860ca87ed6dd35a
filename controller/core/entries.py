"""Decides an emergency entry: asked, approved by two others, open for its minutes, ended.

Fire and medical open at once. Rules go on judging all the while: what they find is kept as ever,
and marked with the entry that it was raised under.
"""

from dataclasses import replace

from contracts.api import Sentence
from contracts.api.outside import (
    APPROVERS,
    AT_ONCE,
    ENTRY_KINDS,
    EntryApproval,
    EntryState,
)
from contracts.api.record import RecordKind
from contracts.units import RoomId, UtcMs
from controller.core import acts, alerts, dispatch
from controller.core.acts import Result
from controller.core.alerts import ENTRY_OVERDUE, AlertRecord
from controller.core.outputs import Accepted, FileRecord, Refusal, Refused
from controller.core.outside import (
    ENTRY_ASKED_MS,
    Entry,
    EntryAsked,
    EntryEnded,
    EntryJudged,
)
from controller.core.state import Now, SiteState, changed

MINUTE_MS = 60_000


def asked(site: SiteState, given: EntryAsked, now: Now) -> Result:
    """Somebody asks to go in; fire and medical open at once. An id that is known is done."""
    if given.entry_id in site.acts:
        return site, (Accepted(given.entry_id),)
    if not acts.knows_room(site, given.room_id):
        return site, (acts.no_room(given.room_id),)
    session = acts.session_of(site, given.room_id)
    if session is None:
        zh, en = "该评标室未被场次占用，无需紧急进入。", "No session holds this room: just go in."
        return site, (acts.conflict(zh, en),)
    body = given.body
    for one in acts.going_on(site, Entry, given.room_id):
        if one.state is EntryState.OPEN or body.kind not in AT_ONCE:
            zh = f"该评标室已有紧急进入（{ENTRY_KINDS[one.entry_kind].zh}），请先结束。"
            en = f"An emergency entry is {one.state} here already; end or refuse it first."
            return site, (acts.conflict(zh, en),)
    entry = Entry(
        id=given.entry_id,
        room_id=given.room_id,
        session_id=session.id,
        entry_kind=body.kind,
        reason=body.reason,
        minutes=body.minutes,
        persons=body.persons,
        asked_by=given.by,
        asked_utc_ms=now.utc_ms,
        since_mono_ms=now.mono_ms,
    )
    kind = ENTRY_KINDS[body.kind]
    text = Sentence(
        zh=f"{given.by} 申请紧急进入（{kind.zh}）：{body.reason}；{body.minutes} 分钟，"
        f"{body.persons} 人",
        en=f"{given.by} asked for an emergency entry ({kind.en}): {body.reason}; {body.minutes} "
        f"min, {body.persons} persons",
    )
    outputs: acts.Outputs = (_line(entry, "asked", text, given.by, now),)
    site = acts.put(site, entry)
    if body.kind in AT_ONCE:
        site, opened = _open(site, entry, given.by, now)
        outputs += opened
    return site, (*outputs, Accepted(entry.id))


def judged(site: SiteState, given: EntryJudged, now: Now) -> Result:
    """An approver's word. Who asked does not approve; who approved does not approve twice."""
    entry = acts.find(site, Entry, given.entry_id)
    if isinstance(entry, Refused):
        return site, (entry,)
    if entry.state is not EntryState.ASKED:
        zh, en = "该紧急进入不在待批准状态。", f"This entry is {entry.state}, not asked for."
        return site, (acts.conflict(zh, en),)
    if not given.approves:
        after = replace(entry, state=EntryState.REFUSED, ended_by=given.by, ended_utc_ms=now.utc_ms)
        text = Sentence(zh=f"{given.by} 拒绝紧急进入", en=f"{given.by} refused the entry")
        told = _line(after, "refused", text, given.by, now)
        return acts.put(site, after), (told, Accepted(entry.id))
    if given.by == entry.asked_by or any(one.by == given.by for one in entry.approvals):
        detail = Sentence(
            zh="须由申请人以外的两名不同人员批准。",
            en="Two different people approve an entry, neither of them who asked for it.",
        )
        return site, (Refused(Refusal.FORBIDDEN, detail),)
    approvals = (*entry.approvals, EntryApproval(by=given.by, utc_ms=now.utc_ms))
    after = replace(entry, approvals=approvals)
    count = len(approvals)
    text = Sentence(
        zh=f"{given.by} 批准紧急进入（{count}/{APPROVERS}）",
        en=f"{given.by} approved the entry ({count} of {APPROVERS})",
    )
    outputs: acts.Outputs = (_line(after, "approved", text, given.by, now),)
    site = acts.put(site, after)
    if count >= APPROVERS:
        site, opened = _open(site, after, given.by, now)
        outputs += opened
    return site, (*outputs, Accepted(entry.id))


def _open(site: SiteState, entry: Entry, by: str, now: Now) -> Result:
    until = UtcMs(now.utc_ms + entry.minutes * MINUTE_MS)
    after = replace(entry, state=EntryState.OPEN, began_utc_ms=now.utc_ms, until_utc_ms=until)
    text = Sentence(
        zh=f"紧急进入生效，限 {entry.minutes} 分钟、{entry.persons} 人",
        en=f"The entry is open for {entry.minutes} min and {entry.persons} persons",
    )
    return acts.put(site, after), (_line(after, "begun", text, by, now),)


def ended(site: SiteState, given: EntryEnded, now: Now) -> Result:
    """Everybody is out again, says a person; or an asking is withdrawn."""
    entry = acts.find(site, Entry, given.entry_id)
    if isinstance(entry, Refused):
        return site, (entry,)
    if entry.ended:
        return site, (Accepted(entry.id),)
    site, told = end(site, entry, given.by, now)
    return site, (*told, Accepted(entry.id))


def end(site: SiteState, entry: Entry, by: str, now: Now) -> Result:
    """An entry is over."""
    state = EntryState.ENDED if entry.state is EntryState.OPEN else EntryState.LAPSED
    after = replace(entry, state=state, ended_by=by, ended_utc_ms=now.utc_ms)
    if entry.began_utc_ms is None:
        text = Sentence(zh=f"紧急进入申请撤回（{by}）", en=f"The asking was withdrawn ({by})")
        site = acts.put(site, after)
        return site, (_line(after, "lapsed", text, by, now),)
    minutes = max(now.utc_ms - entry.began_utc_ms, 0) / MINUTE_MS
    text = Sentence(
        zh=f"紧急进入结束（{by}），历时 {minutes:.1f} 分钟，期间预警 {entry.alerts} 条",
        en=f"The entry ended ({by}) after {minutes:.1f} min; {entry.alerts} alerts came meanwhile",
    )
    site = dispatch.lower(acts.put(site, after), ENTRY_OVERDUE, entry.id, now)
    return site, (_line(after, "ended", text, by, now),)


def watch(site: SiteState, now: Now) -> Result:
    """Askings that nobody approved lapse; an entry past its time alarms until it is ended."""
    outputs: acts.Outputs = ()
    for entry in acts.going_on(site, Entry):
        if entry.state is EntryState.ASKED:
            if now.mono_ms - entry.since_mono_ms >= ENTRY_ASKED_MS:
                site, told = end(site, entry, "controller", now)
                outputs += told
        elif entry.permits and entry.until_utc_ms is not None and now.utc_ms >= entry.until_utc_ms:
            after = replace(entry, overdue=True)
            text = Sentence(
                zh=f"紧急进入已超时（限 {entry.minutes} 分钟），尚未报告全部离开",
                en=f"The entry is past its {entry.minutes} min; nobody has said that all are out",
            )
            site = acts.put(site, after)
            site = acts.alarm(site, ENTRY_OVERDUE, after, entry.until_utc_ms, text, now)
            outputs += (_line(after, "overdue", text, "controller", now),)
    return site, outputs


def marked(site: SiteState, record: AlertRecord, now: Now) -> Result:
    """Note on a new alert that it was raised while an entry was open; nothing is kept back."""
    entry = permitting(site, record.alert.room_id)
    if entry is None or record.shadow:
        return site, ()
    note = Sentence(
        zh=f"紧急进入 {entry.id} 期间发生（{ENTRY_KINDS[entry.entry_kind].zh}）。",
        en=f"Raised during emergency entry {entry.id} ({ENTRY_KINDS[entry.entry_kind].en}).",
    )
    noted = alerts.with_detail(record, note)
    counted = replace(entry, alerts=entry.alerts + 1)
    site = acts.put(replace(site, alerts=changed(site.alerts, record.id, noted)), counted)
    title = alerts.title_of(record.alert.rule)
    text = Sentence(
        zh=f"紧急进入期间预警 {record.number}：{title.zh}",
        en=f"Alert {record.number} during the entry: {title.en}",
    )
    told = _line(counted, "alert", text, record.alert.node_id, now)
    data = {**told.data, "alert": record.id, "permitted_by": entry.id}
    return site, (replace(told, data=data),)


def permitting(site: SiteState, room_id: RoomId) -> Entry | None:
    """The entry under which people are expected in a room, or in a passage on their way to it."""
    for entry in acts.going_on(site, Entry):
        if entry.permits and (room_id == entry.room_id or room_id in site.plan.passages):
            return entry
    return None


def _line(entry: Entry, step: str, text: Sentence, by: str, now: Now) -> FileRecord:
    data = {
        "step": step,
        "kind": entry.entry_kind.value,
        "minutes": str(entry.minutes),
        "persons": str(entry.persons),
    }
    if entry.began_utc_ms is not None:
        data["from_utc_ms"] = str(entry.began_utc_ms)
        data["until_utc_ms"] = str(entry.until_utc_ms or 0)
    if entry.ended_utc_ms is not None:
        data["to_utc_ms"] = str(entry.ended_utc_ms)
    if entry.approvals:
        data["approved_by"] = ", ".join(one.by for one in entry.approvals)
    return acts.line(entry, RecordKind.ENTRY, text, now, by, data)
