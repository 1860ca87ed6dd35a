"""Decides what an input about a session's people does: rosters, amendments, check-ins."""

from dataclasses import replace
from typing import Final

from contracts.api import Sentence, SessionState
from contracts.api.record import RecordKind
from contracts.api.roster import AmendmentKind, RefusedCheckIn
from contracts.devices import Named
from contracts.observations import AccessKind, Alert, Condition, Said, Severity
from contracts.units import RoomId, UtcMs
from controller.core import roster as rosters
from controller.core import sessions
from controller.core.alerts import ROSTER_CHANGED
from controller.core.dispatch import lower, raise_alert
from controller.core.outputs import Accepted, FileRecord, Output, Refusal, Refused, SendCommand
from controller.core.roster import MINUTE_MS, PRESENCE, Amendment, CheckIn, Participant
from controller.core.session_inputs import (
    AmendmentAsked,
    AmendmentDecided,
    CheckedIn,
    RosterFilled,
)
from controller.core.sessions import HOLDS_ROOM, Session
from controller.core.state import Now, SiteState, kept, own_alert_id

Result = tuple[SiteState, tuple[Output, ...]]

STRANGERS_KEPT: Final = 1_000  # events that fitted nothing: a terminal repeats one within minutes
SENTENCE_MAX: Final = 400  # as contracts.api.Sentence
BY_MAX: Final = 80  # as contracts.api.record.RecordLine

KIND_NAMES: Final = {
    AccessKind.CHECK_IN: Named(zh="签到", en="checked in"),
    AccessKind.CHECK_OUT: Named(zh="签离", en="checked out"),
    AccessKind.DOOR_OPENED: Named(zh="门已打开", en="door opened"),
    AccessKind.DOOR_CLOSED: Named(zh="门已关闭", en="door closed"),
    AccessKind.DENIED: Named(zh="被拒绝进入", en="denied entry"),
}
AMENDMENT_NAMES: Final = {
    AmendmentKind.REPLACED: Named(zh="更换", en="replaced"),
    AmendmentKind.RECUSED: Named(zh="回避", en="recused"),
    AmendmentKind.ADDED: Named(zh="增加", en="added"),
}


# --- the roster before people gather ------------------------------------------------------------


def filled(site: SiteState, given: RosterFilled, now: Now) -> Result:
    """The whole roster of a scheduled session is set."""
    session = site.sessions.get(given.session_id)
    if session is None:
        return site, (no_session(given.session_id),)
    if session.revision != given.revision:
        text = Sentence(
            zh=f"名单已被他人修改（版本 {session.revision}），请刷新后重试。",
            en=f"Somebody changed the roster (revision {session.revision}); load it again.",
        )
        return site, (Refused(Refusal.STALE, text),)
    if session.state is not SessionState.SCHEDULED:
        text = Sentence(
            zh="已开始集合，名单只能通过变更申请修改。",
            en="People have gathered; ask for an amendment of the roster.",
        )
        return site, (Refused(Refusal.CONFLICT, text),)
    strange = sorted({row.room_id for row in given.seats if row.room_id} - set(session.rooms))
    if strange:
        names = ", ".join(strange)[:200]
        text = Sentence(zh=f"{names} 不是本场次的房间。", en=f"No rooms of this session: {names}.")
        return site, (Refused(Refusal.INVALID, text),)
    after = sessions.with_roster(session, rosters.filled(session.roster, given.seats))
    after = replace(after, revision=session.revision + 1)
    count = len(given.seats)
    told = line(
        after,
        RecordKind.AMENDMENT,
        given.by,
        _cut(f"登记名单：{count} 个席位。", f"Roster filled in: {count} seats."),
        now.utc_ms,
        step="filled",
        seats=str(count),
        sha256=after.roster_sha256 or "",
    )
    return _with(site, after), (Accepted(after.id), told)


# --- amendments ---------------------------------------------------------------------------------


def asked(site: SiteState, given: AmendmentAsked, now: Now) -> Result:
    """Somebody asks for a change after people have gathered."""
    session = site.sessions.get(given.session_id)
    if session is None:
        return site, (no_session(given.session_id),)
    if session.state not in HOLDS_ROOM:
        text = Sentence(
            zh="名单变更只用于集合后、解封前；集合前请直接修改名单。",
            en="Amendments are for the time between gathering and release; "
            "before it change the roster itself.",
        )
        return site, (Refused(Refusal.CONFLICT, text),)
    come = given.body.incoming
    if come is not None and come.room_id is not None and come.room_id not in session.rooms:
        text = Sentence(
            zh=f"{come.room_id} 不是本场次的房间。",
            en=f"{come.room_id} is no room of this session.",
        )
        return site, (Refused(Refusal.INVALID, text),)
    after = rosters.ask(session.roster, given.body, given.by, now.utc_ms)
    if isinstance(after, Refused):
        return site, (after,)
    row = after.amendments[-1]
    session = replace(session, roster=after)
    return _with(site, session), (
        Accepted(str(row.number)),
        _amendment_line(session, row, given.by, now.utc_ms),
    )


def decided(site: SiteState, given: AmendmentDecided, now: Now) -> Result:
    """A second person decides; an approved change of a sealed session goes to its nodes."""
    session = site.sessions.get(given.session_id)
    if session is None:
        return site, (no_session(given.session_id),)
    if session.state not in HOLDS_ROOM:
        text = Sentence(
            zh="场次已结束，名单变更不能再处理。",
            en="The session is over; its roster stands as it is.",
        )
        return site, (Refused(Refusal.CONFLICT, text),)
    done = rosters.decide(
        session.roster, given.number, given.by, given.note, now.utc_ms, approve=given.approve
    )
    if isinstance(done, Refused):
        return site, (done,)
    after, row = done
    session = sessions.with_roster(session, after)
    outputs: list[Output] = [
        Accepted(str(row.number)),
        _amendment_line(session, row, given.by, now.utc_ms),
    ]
    if given.approve and session.state is SessionState.SEALED:
        session, orders = sessions.sealed_anew(session, now.utc_ms)
        for order in orders:
            node_id = site.plan.watcher.get(order.room_id)
            if node_id is not None:
                outputs.append(SendCommand(node_id, order))
        site = _told(site, session, row, now)
    return _with(site, session), tuple(outputs)


def _told(site: SiteState, session: Session, row: Amendment, now: Now) -> SiteState:
    """What a seal froze was changed: an alert that has cleared, and waits to be seen."""
    name = AMENDMENT_NAMES[row.kind]
    alert = Alert(
        alert_id=own_alert_id(ROSTER_CHANGED, f"{session.id}-{row.number}", now.utc_ms),
        rule=ROSTER_CHANGED,
        condition=Condition.ACTIVE,
        severity=Severity.WARNING,
        room_id=session.room_id,
        node_id=site.plan.watcher.get(session.room_id, "controller"),
        session_id=session.id,
        since_utc_ms=now.utc_ms,
        raised_utc_ms=now.utc_ms,
        dwell_ms=0,
        saw=Said(
            zh=f"席位 {row.seat} {name.zh}，{row.asked_by} 申请，{row.decided_by} 批准。",
            en=f"Seat {row.seat} {name.en}: asked by {row.asked_by}, approved by {row.decided_by}.",
        ),
    )
    subject = f"{session.id}-{row.number}"
    site = raise_alert(site, alert, subject, now)
    return lower(site, ROSTER_CHANGED, subject, now)


def _amendment_line(session: Session, row: Amendment, by: str, utc_ms: UtcMs) -> FileRecord:
    name = AMENDMENT_NAMES[row.kind]
    zh = {"pending": "申请", "approved": "批准", "refused": "退回"}[row.state.value]
    en = {"pending": "asked", "approved": "approved", "refused": "refused"}[row.state.value]
    why = row.note if row.decided_by is not None and row.note else row.reason
    text = _cut(
        f"名单变更{zh}：席位 {row.seat} {name.zh}。申请人 {row.asked_by}。理由：{why}",
        f"Roster amendment {en}: seat {row.seat} {name.en}, asked by {row.asked_by}. Reason: {why}",
    )
    return line(
        session,
        RecordKind.AMENDMENT,
        by,
        text,
        utc_ms,
        subject=f"amendment-{row.number}",
        step="asked" if row.decided_by is None else row.state.value,
        kind=row.kind.value,
        seat=row.seat,
        number=str(row.number),
        asked_by=row.asked_by,
        expert_code=row.incoming.expert_code if row.incoming is not None else "",
        sealed=str(session.state is SessionState.SEALED).lower(),
    )


# --- check-ins ----------------------------------------------------------------------------------


def checked_in(site: SiteState, given: CheckedIn, now: Now) -> Result:
    """A terminal or a person says who came; what fits nobody is noted, and nobody is let in."""
    session = _meant(site, given, now)
    if session is None:
        return _stranger(site, given, now)
    if rosters.knows(session.roster, given.event_id):
        return site, (Accepted(session.id),)
    body, utc_ms = given.body, _time(given, now)
    who = rosters.find(session.roster, body.seat, body.expert_code)
    if body.kind not in PRESENCE:
        return site, (Accepted(session.id), _door_line(session, given, utc_ms))
    if who is None:
        refused = RefusedCheckIn(
            event_id=given.event_id,
            utc_ms=utc_ms,
            expert_code=body.expert_code or "",
            seat=body.seat or "",
            by=given.by,
        )
        roster = rosters.refused(session.roster, refused)
        told = _unknown_line(session, given, utc_ms)
        return _with(site, replace(session, roster=roster)), (Accepted(session.id), told)
    event = CheckIn(given.event_id, who.number, body.kind, utc_ms, given.by)
    session = replace(session, roster=rosters.checked_in(session.roster, event))
    return _with(site, session), (
        Accepted(session.id),
        _came_line(site, session, who, event, now.utc_ms),
    )


def _time(given: CheckedIn, now: Now) -> UtcMs:
    """When it happened: a terminal's clock may run ahead, but nobody comes in the future."""
    said = given.body.utc_ms
    return now.utc_ms if said is None else UtcMs(min(said, now.utc_ms))


def _meant(site: SiteState, given: CheckedIn, now: Now) -> Session | None:
    """The session that an event is about: named, or in this room now, or expecting this expert."""
    if given.session_id is not None:
        return site.sessions.get(given.session_id)
    body = given.body
    early_ms = site.plan.session_policy.early_min * MINUTE_MS
    open_ = [
        row
        for row in site.sessions.values()
        if row.state in HOLDS_ROOM
        or (
            row.state is SessionState.SCHEDULED
            and row.scheduled_utc_ms - early_ms <= now.utc_ms <= row.scheduled_utc_ms + DAY_MS
        )
    ]
    if body.room_id is not None:
        open_ = [row for row in open_ if body.room_id in row.rooms]
    open_.sort(key=lambda row: (row.state not in HOLDS_ROOM, row.scheduled_utc_ms))
    fitting = [row for row in open_ if rosters.find(row.roster, body.seat, body.expert_code)]
    if body.room_id is None:
        fitting = fitting if body.expert_code else []
        return fitting[0] if fitting else None
    return fitting[0] if fitting else next(iter(open_), None)


DAY_MS: Final = 86_400_000


def _stranger(site: SiteState, given: CheckedIn, now: Now) -> Result:
    """An event that no session expects: a line of its room, or a refusal without one."""
    if given.session_id is not None:
        return site, (no_session(given.session_id),)
    known = {area.id for area in site.plan.site.config.areas}
    room = given.body.room_id
    if room is None or room not in known:
        text = Sentence(
            zh="没有场次对应此签到，请核对房间或专家编号。",
            en="No session expects this check-in; look at the room or the expert's code.",
        )
        return site, (Refused(Refusal.NOT_FOUND, text),)
    if given.event_id in site.strangers:
        return site, (Accepted(""),)
    site = replace(site, strangers=(*site.strangers, given.event_id)[-STRANGERS_KEPT:])
    name = KIND_NAMES[given.body.kind]
    told = FileRecord(
        room_id=room,
        utc_ms=_time(given, now),
        record_kind=RecordKind.CHECK_IN,
        by=given.by[:BY_MAX],
        text=_cut(f"{name.zh}：此房间没有场次。", f"{name.en}: no session is in this room."),
        data=_data(given, known=False),
    )
    return site, (Accepted(""), told)


def _data(given: CheckedIn, *, known: bool) -> dict[str, str]:
    body = given.body
    rows = {
        "event": given.event_id,
        "kind": body.kind.value,
        "seat": body.seat or "",
        "expert_code": body.expert_code or "",
        "known": str(known).lower(),
    }
    return {key: value for key, value in rows.items() if value}


def _door_line(session: Session, given: CheckedIn, utc_ms: UtcMs) -> FileRecord:
    name = KIND_NAMES[given.body.kind]
    room = given.body.room_id or session.room_id
    text = _cut(f"{name.zh}（{room}）。", f"{name.en.capitalize()} ({room}).")
    data = _data(given, known=True)
    return line(session, RecordKind.CHECK_IN, given.by, text, utc_ms, room_id=room, **data)


def _unknown_line(session: Session, given: CheckedIn, utc_ms: UtcMs) -> FileRecord:
    what = given.body.expert_code or given.body.seat or "-"
    text = _cut(
        f"不在名单中的签到：{what}，未计入。", f"Check-in of {what}, who is not on the roster."
    )
    return line(session, RecordKind.CHECK_IN, given.by, text, utc_ms, **_data(given, known=False))


def _came_line(
    site: SiteState, session: Session, who: Participant, event: CheckIn, utc_ms: UtcMs
) -> FileRecord:
    name, late_zh, late_en = KIND_NAMES[event.kind], "", ""
    data = {
        "event": event.event_id,
        "kind": event.kind.value,
        "seat": who.seat,
        "role": who.role.value,
        "number": str(who.number),
        "known": "true",
    }
    first = session.roster.came(who.number) == event.utc_ms
    due = who.due_utc_ms if who.due_utc_ms is not None else session.scheduled_utc_ms
    late_ms = event.utc_ms - due
    allowed_ms = rosters.allowed_late_ms(who.role, site.plan.session_policy)
    if event.kind is AccessKind.CHECK_IN and first and late_ms > allowed_ms:
        minutes = -(-late_ms // MINUTE_MS)
        late_zh, late_en = f"，迟到 {minutes} 分钟", f", {minutes} min late"
        data["late_ms"] = str(late_ms)
    text = _cut(f"席位 {who.seat} {name.zh}{late_zh}。", f"Seat {who.seat} {name.en}{late_en}.")
    return line(session, RecordKind.CHECK_IN, event.by, text, event.utc_ms, **data)


# --- what all share -----------------------------------------------------------------------------


def line(
    session: Session,
    kind: RecordKind,
    by: str,
    text: Sentence,
    utc_ms: UtcMs,
    /,
    *,
    subject: str = "",
    room_id: RoomId | None = None,
    **data: str,
) -> FileRecord:
    """A line of the session's record."""
    return FileRecord(
        room_id=room_id or session.room_id,
        utc_ms=utc_ms,
        record_kind=kind,
        by=by[:BY_MAX],
        text=text,
        session_id=session.id,
        subject=subject,
        data=data,
    )


def no_session(session_id: str) -> Refused:
    """There is none of this id."""
    name = session_id[:80]
    text = Sentence(zh=f"没有 session {name}。", en=f"There is no session {name}.")
    return Refused(Refusal.NOT_FOUND, text)


def _with(site: SiteState, session: Session) -> SiteState:
    return replace(site, sessions=kept(site.sessions, session.id, session))


def _cut(zh: str, en: str) -> Sentence:
    return Sentence(zh=zh[:SENTENCE_MAX], en=en[:SENTENCE_MAX])
