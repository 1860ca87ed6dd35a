"""Decides what an input about a session does to the site: its life, its people, its record.

A seal is refused unless everything that it demands is met, or each failed demand is overridden by
name with a reason; this is the only way to a seal, whoever asks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, assert_never

from contracts.api import Sentence, SessionState
from contracts.api.record import RecordKind
from contracts.api.sessions import ActBody, CheckState, SealCheckItem, SuspendReason
from contracts.devices import Named
from contracts.observations import SealApplied
from contracts.units import RoomId, UtcMs
from controller.core import readiness, recording, roster_steps, sessions, sweeps
from controller.core.dispatch import settle
from controller.core.outputs import (
    Accepted,
    FileRecord,
    Output,
    Refusal,
    Refused,
    SendCommand,
)
from controller.core.readiness import DEMAND_NAMES
from controller.core.session_inputs import (
    AmendmentAsked,
    AmendmentDecided,
    CheckedIn,
    RoomSwept,
    RosterFilled,
    RosterInput,
    SessionChanged,
    SessionsImported,
)
from controller.core.sessions import HOLDS_ROOM, SEALING, STATE_NAMES, Session, SessionVerb
from controller.core.state import (
    Now,
    SessionActed,
    SessionScheduled,
    SiteState,
    changed,
    kept,
)

Result = tuple[SiteState, tuple[Output, ...]]

SUSPENSION_NAMES: Final[Mapping[SuspendReason, Named]] = {
    SuspendReason.OVERNIGHT: Named(zh="过夜", en="overnight"),
    SuspendReason.EVACUATION: Named(zh="疏散", en="evacuation"),
    SuspendReason.FAULT: Named(zh="故障", en="fault"),
}
SENTENCE_MAX: Final = 400  # as contracts.api.Sentence


def step(site: SiteState, given: RosterInput, now: Now) -> Result:
    """Apply an input about a schedule, a roster, a check-in or a sweep."""
    match given:
        case SessionsImported():
            return _imported(site, given, now)
        case SessionChanged():
            return _changed(site, given, now)
        case RosterFilled():
            return roster_steps.filled(site, given, now)
        case AmendmentAsked():
            return roster_steps.asked(site, given, now)
        case AmendmentDecided():
            return roster_steps.decided(site, given, now)
        case CheckedIn():
            return roster_steps.checked_in(site, given, now)
        case RoomSwept():
            return _swept(site, given, now)
        case _:
            assert_never(given)


# --- the schedule -------------------------------------------------------------------------------


def scheduled(site: SiteState, given: SessionScheduled, now: Now) -> Result:
    """A session is planned; the same idempotency key is the same session."""
    for row in site.sessions.values():
        if given.idempotency_key is not None and row.idempotency_key == given.idempotency_key:
            return site, (Accepted(row.id),)
    missing = _missing_room(site, given.body.rooms)
    if missing is not None:
        return site, (missing,)
    session = _new(site, given, now)
    site = _with(site, session)
    return site, (Accepted(session.id), _planned(session, given.by, now.utc_ms))


def _new(site: SiteState, given: SessionScheduled, now: Now) -> Session:
    days = site.plan.site.config.keep_sealed_days
    session = sessions.schedule(given.session_id, given.body, given.by, now.utc_ms, days)
    others = (row for row in site.sessions.values() if row.id != session.id)
    code = sessions.free_code(session.id, others)
    return replace(session, code=code, idempotency_key=given.idempotency_key)


def _missing_room(site: SiteState, rooms: Iterable[RoomId]) -> Refused | None:
    known = {area.id for area in site.plan.site.config.areas}
    strange = next((room for room in rooms if room not in known), None)
    if strange is None:
        return None
    text = Sentence(zh=f"没有房间 {strange[:80]}。", en=f"There is no room {strange[:80]}.")
    return Refused(Refusal.NOT_FOUND, text)


def _planned(session: Session, by: str, utc_ms: UtcMs) -> FileRecord:
    text = _cut(f"排期场次 {session.public_code}。", f"Session {session.public_code} scheduled.")
    return line(session, RecordKind.STATE, by, text, utc_ms, to=SessionState.SCHEDULED.value)


def _imported(site: SiteState, given: SessionsImported, now: Now) -> Result:
    missing = _missing_room(site, (room for _, body in given.rows for room in body.rooms))
    if missing is not None:
        return site, (missing,)
    outputs: list[Output] = [Accepted(given.rows[0][0] if given.rows else "")]
    for session_id, body in given.rows:
        session = _new(site, SessionScheduled(session_id, body, given.by), now)
        site = _with(site, session)
        outputs.append(_planned(session, given.by, now.utc_ms))
    return site, tuple(outputs)


def _changed(site: SiteState, given: SessionChanged, now: Now) -> Result:
    session = site.sessions.get(given.session_id)
    if session is None:
        return site, (no_session(given.session_id),)
    if session.revision != given.revision:
        return site, (stale(session),)
    missing = _missing_room(site, given.body.room_ids or ())
    after = missing or sessions.change(session, given.body)
    if isinstance(after, Refused):
        return site, (after,)
    fields = sorted(given.body.model_dump(exclude_none=True))
    text = _cut(f"修改场次：{'、'.join(fields)}。", f"Session changed: {', '.join(fields)}.")
    told = line(after, RecordKind.AMENDMENT, given.by, text, now.utc_ms, fields=",".join(fields))
    return _with(site, after), (Accepted(after.id), told)


def stale(session: Session) -> Refused:
    """Somebody else was quicker: what the asker looked at is no longer so."""
    text = Sentence(
        zh=f"场次已被他人修改（版本 {session.revision}），请刷新后重试。",
        en=f"Somebody changed the session (revision {session.revision}); load it again.",
    )
    return Refused(Refusal.STALE, text)


# --- a session's life ---------------------------------------------------------------------------


def acted(site: SiteState, given: SessionActed, now: Now) -> Result:
    """Somebody moves a session on."""
    session = site.sessions.get(given.session_id) or given.known
    if session is None:
        return site, (no_session(given.session_id),)
    after = sessions.act(
        session, given.verb, given.by, site.sessions.values(), now.utc_ms, given.said
    )
    if isinstance(after, Refused):
        return site, (after,)
    checked = _demanded(site, session, given, now)
    if isinstance(checked, Refused):
        return site, (checked,)
    moved, orders = after
    moved = _with_heads(site, session, moved)
    moved, keeps = sessions.keep_passages(session, moved, site.plan.passages, now.utc_ms)
    outputs: list[Output] = [Accepted(moved.id), *checked]
    outputs.append(_moved_line(session, moved, given, now))
    for order in (*orders, *keeps):
        node_id = site.plan.watcher.get(order.room_id)
        if node_id is not None:
            outputs.append(SendCommand(node_id, order))
    site = _with(site, moved)
    if moved.ended and session.state in HOLDS_ROOM:
        for room in moved.rooms:
            care = sweeps.left(site.care.get(room), room, now.utc_ms)
            site = replace(site, care=changed(site.care, room, care))
    site, more = settle(site, now)
    return site, (*outputs, *more)


def _demanded(
    site: SiteState, session: Session, given: SessionActed, now: Now
) -> tuple[FileRecord, ...] | Refused:
    """What the record tells of the check before this step; or which demands are not met."""
    if given.verb in SEALING:
        items = readiness.seal_check(site, session, now).items
    elif given.verb is SessionVerb.GATHER:
        items = (readiness.sweep_item(site, session, now),)
    else:
        return ()
    failed = [row for row in items if row.state is not CheckState.OK]
    open_ = [row for row in failed if row.demand not in given.said.overrides]
    if open_:
        return _not_ready(open_)
    lines = [_overridden(session, row, given.by, given.said, now.utc_ms) for row in failed]
    if given.verb in SEALING:
        lines.insert(0, _checked(session, items, given.by, now.utc_ms))
    return tuple(lines)


def _not_ready(items: list[SealCheckItem]) -> Refused:
    zh = " ".join(f"{DEMAND_NAMES[row.demand].zh}：{row.text.zh}" for row in items)
    en = " ".join(f"{row.demand.value}: {row.text.en}" for row in items)
    text = _cut(f"未满足要求。{zh}", f"Not ready. {en}")
    return Refused(Refusal.CONFLICT, text)


def _checked(
    session: Session, items: Iterable[SealCheckItem], by: str, utc_ms: UtcMs
) -> FileRecord:
    rows = tuple(items)
    good = sum(1 for row in rows if row.state is CheckState.OK)
    text = _cut(
        f"封闭前检查：{len(rows)} 项中 {good} 项通过。",
        f"Check before the seal: {good} of {len(rows)} demands met.",
    )
    data = {row.demand.value: row.state.value for row in rows}
    return line(session, RecordKind.SEAL_CHECK, by, text, utc_ms, **data)


def _overridden(
    session: Session, row: SealCheckItem, by: str, said: ActBody, utc_ms: UtcMs
) -> FileRecord:
    reason, name = said.overrides[row.demand], DEMAND_NAMES[row.demand]
    text = _cut(
        f"「{name.zh}」未满足，仍继续。理由：{reason}（{row.text.zh}）",
        f"“{name.en}” not met, went on. Reason: {reason} ({row.text.en})",
    )
    return line(
        session,
        RecordKind.OVERRIDE,
        by,
        text,
        utc_ms,
        demand=row.demand.value,
        state=row.state.value,
        reason=reason,
    )


def _moved_line(before: Session, moved: Session, given: SessionActed, now: Now) -> FileRecord:
    state = STATE_NAMES[moved.state]
    why_zh, why_en = given.said.reason, given.said.reason
    if given.verb is SessionVerb.SUSPEND and given.said.suspension is not None:
        name = SUSPENSION_NAMES[given.said.suspension]
        why_zh = f"{name.zh} {why_zh}".strip()
        why_en = f"{name.en} {why_en}".strip()
    text = _cut(
        f"场次{state.zh}。{f'原因：{why_zh}' if why_zh else ''}",
        f"The session is {state.en}.{f' Reason: {why_en}' if why_en else ''}",
    )
    data = {"from": before.state.value, "to": moved.state.value, "verb": given.verb.value}
    if given.said.reason:
        data["reason"] = given.said.reason
    if given.said.suspension is not None and given.verb is SessionVerb.SUSPEND:
        data["suspension"] = given.said.suspension.value
    return line(moved, RecordKind.STATE, given.by, text, now.utc_ms, **data)


def _with_heads(site: SiteState, before: Session, moved: Session) -> Session:
    """The session with the ends of its rooms' chains, as its report tells them for ever."""
    if moved.sealed_utc_ms is not None and before.sealed_utc_ms is None:
        return replace(moved, heads_at_seal=recording.heads_of(site, *moved.rooms))
    if moved.ended and not before.ended:
        return replace(moved, heads_at_release=recording.heads_of(site, *moved.rooms))
    return moved


def applied(site: SiteState, said: SealApplied) -> Result:
    """A node says which seal it enforces."""
    session = next(
        (row for row in site.sessions.values() if sessions.awaits(row, said.command_id)), None
    )
    if session is None:
        return site, ()
    after = sessions.confirm(session, said)
    if after is session:
        return site, ()
    return replace(site, sessions=changed(site.sessions, after.id, after)), ()


# --- sweeps -------------------------------------------------------------------------------------


def _swept(site: SiteState, given: RoomSwept, now: Now) -> Result:
    missing = _missing_room(site, (given.room_id,))
    if missing is not None:
        return site, (missing,)
    care = sweeps.swept(
        site.care.get(given.room_id), given.room_id, given.body, given.by, now.utc_ms
    )
    body, clean = given.body, not care.dirty
    found = _cut(
        "清场完成：无人、无手机、无遗留文件。" if clean else f"清场未通过。{body.note}",
        "Swept: nobody, no phones, no papers." if clean else f"Sweep not passed. {body.note}",
    )
    told = FileRecord(
        room_id=given.room_id,
        utc_ms=now.utc_ms,
        record_kind=RecordKind.SWEEP,
        by=given.by,
        text=found,
        session_id=_next_of(site, given.room_id),
        data={
            "empty": str(body.empty).lower(),
            "phones_cleared": str(body.phones_cleared).lower(),
            "papers_cleared": str(body.papers_cleared).lower(),
        },
    )
    site = replace(site, care=changed(site.care, given.room_id, care))
    return site, (Accepted(given.room_id), told)


def _next_of(site: SiteState, room: RoomId) -> str | None:
    """The session that a sweep makes a room ready for."""
    rows = [row for row in site.sessions.values() if room in row.rooms and not row.ended]
    held = next((row for row in rows if row.state in HOLDS_ROOM), None)
    coming = held or min(rows, key=lambda row: row.scheduled_utc_ms, default=None)
    return coming.id if coming is not None else None


# --- what all share -----------------------------------------------------------------------------


def line(
    session: Session, kind: RecordKind, by: str, text: Sentence, utc_ms: UtcMs, /, **data: str
) -> FileRecord:
    """A line of the session's record."""
    return roster_steps.line(session, kind, by, text, utc_ms, **data)


def no_session(session_id: str) -> Refused:
    """There is none of this id."""
    return roster_steps.no_session(session_id)


def _with(site: SiteState, session: Session) -> SiteState:
    return replace(site, sessions=kept(site.sessions, session.id, session))


def _cut(zh: str, en: str) -> Sentence:
    return Sentence(zh=zh[:SENTENCE_MAX], en=en[:SENTENCE_MAX])
