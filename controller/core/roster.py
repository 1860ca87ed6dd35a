"""Decides who belongs to a session and who has come: seats, amendments, check-ins, lateness.

It knows places, roles and codes of registers. Names are kept elsewhere, encrypted, by number.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from contracts.admission import Role
from contracts.api import Sentence
from contracts.api.roster import (
    AmendmentBody,
    AmendmentKind,
    AmendmentState,
    AmendmentView,
    Attendance,
    ParticipantView,
    RefusedCheckIn,
    Seat,
    SessionPolicy,
    Standing,
)
from contracts.observations import AccessKind
from contracts.units import RoomId, Sha256Hex, UtcMs
from controller.core.outputs import Refusal, Refused

AMENDMENTS_MAX: Final = 100  # a committee of nine changes a handful of times
CHECK_INS_MAX: Final = 1_000  # forty people who leave and come ten times, and room to spare
REFUSED_KEPT: Final = 50  # the newest; the record has all
MINUTE_MS: Final = 60_000
PRESENCE: Final = frozenset({AccessKind.CHECK_IN, AccessKind.CHECK_OUT})


@dataclass(frozen=True, slots=True)
class Participant:
    """One person of a session. ``number`` names it for ever; ``seat`` may pass to another."""

    number: int
    seat: str
    role: Role
    organisation: str = ""
    expert_code: str = ""
    room_id: RoomId | None = None
    standing: Standing = Standing.ACTIVE
    due_utc_ms: UtcMs | None = None
    """Of who was added later; the others are due at the session's start."""


@dataclass(frozen=True, slots=True)
class CheckIn:
    """Somebody came or went. ``by``: the terminal or the person who says so."""

    event_id: str
    number: int
    kind: AccessKind
    utc_ms: UtcMs
    by: str


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change of the roster after people have gathered, asked by one and decided by another."""

    number: int
    kind: AmendmentKind
    seat: str
    incoming: Seat | None
    incoming_number: int | None
    reason: str
    asked_by: str
    asked_utc_ms: UtcMs
    state: AmendmentState = AmendmentState.PENDING
    decided_by: str | None = None
    decided_utc_ms: UtcMs | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    """Everything that a session knows of its people."""

    participants: tuple[Participant, ...] = ()
    amendments: tuple[Amendment, ...] = ()
    check_ins: tuple[CheckIn, ...] = ()
    refused: tuple[RefusedCheckIn, ...] = ()
    next_number: int = 1

    @property
    def active(self) -> tuple[Participant, ...]:
        """Those who belong to the session now."""
        return tuple(row for row in self.participants if row.standing is Standing.ACTIVE)

    @property
    def pending(self) -> tuple[Amendment, ...]:
        """What waits for a second person."""
        return tuple(row for row in self.amendments if row.state is AmendmentState.PENDING)

    def sha256(self) -> Sha256Hex | None:
        """Hash of who belongs to it, the same for the same roster; None for an empty one."""
        rows = [
            {
                "expert_code": row.expert_code,
                "organisation": row.organisation,
                "role": row.role.value,
                "room_id": row.room_id,
                "seat": row.seat,
            }
            for row in sorted(self.active, key=lambda row: row.seat)
        ]
        if not rows:
            return None
        text = json.dumps(rows, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def came(self, number: int) -> UtcMs | None:
        """When a participant first checked in."""
        times = (
            row.utc_ms
            for row in self.check_ins
            if row.number == number and row.kind is AccessKind.CHECK_IN
        )
        return min(times, default=None)

    def left(self, number: int) -> UtcMs | None:
        """When a participant checked out, where nothing came after it."""
        rows = [row for row in self.check_ins if row.number == number and row.kind in PRESENCE]
        rows.reverse()  # of two in one millisecond the later one counts
        last = max(rows, key=lambda row: row.utc_ms, default=None)
        return last.utc_ms if last is not None and last.kind is AccessKind.CHECK_OUT else None

    @property
    def missing(self) -> tuple[Participant, ...]:
        """Active ones who never checked in, or have left again."""
        return tuple(
            row
            for row in self.active
            if self.came(row.number) is None or self.left(row.number) is not None
        )


EMPTY: Final = Roster()
"""Of a session that keeps none: head count alone is watched."""


def filled(before: Roster, seats: Iterable[Seat]) -> Roster:
    """The roster with these seats and no others; who stays on a seat keeps number and check-ins."""
    known = {(row.seat, row.role, row.expert_code): row for row in before.participants}
    number, rows = before.next_number, list[Participant]()
    for seat in seats:
        old = known.get((seat.seat, seat.role, seat.expert_code))
        rows.append(_participant(old.number if old is not None else number, seat))
        number += 0 if old is not None else 1
    kept = {row.number for row in rows}
    return replace(
        before,
        participants=tuple(rows),
        check_ins=tuple(row for row in before.check_ins if row.number in kept),
        next_number=number,
    )


def _participant(number: int, seat: Seat, due_utc_ms: UtcMs | None = None) -> Participant:
    return Participant(
        number=number,
        seat=seat.seat,
        role=seat.role,
        organisation=seat.organisation,
        expert_code=seat.expert_code,
        room_id=seat.room_id,
        due_utc_ms=due_utc_ms,
    )


# --- amendments --------------------------------------------------------------------------------


def ask(roster: Roster, body: AmendmentBody, by: str, utc_ms: UtcMs) -> Roster | Refused:
    """Put a change before a second person. ``body`` must carry no name any more."""
    if len(roster.amendments) >= AMENDMENTS_MAX:
        return _conflict("本场次名单变更过多。", "This session's roster has changed too often.")
    refused = _unfit(roster, body)
    if refused is not None:
        return refused
    comes = body.incoming is not None
    row = Amendment(
        number=len(roster.amendments) + 1,
        kind=body.kind,
        seat=body.seat,
        incoming=body.incoming.bare() if body.incoming is not None else None,
        incoming_number=roster.next_number if comes else None,
        reason=body.reason,
        asked_by=by,
        asked_utc_ms=utc_ms,
    )
    return replace(
        roster,
        amendments=(*roster.amendments, row),
        next_number=roster.next_number + (1 if comes else 0),
    )


def _unfit(roster: Roster, body: AmendmentBody) -> Refused | None:
    if any(row.seat == body.seat for row in roster.pending):
        return _conflict(
            f"席位 {body.seat} 已有待批准的变更，请先处理。",
            f"A change of seat {body.seat} waits for approval; decide it first.",
        )
    taken = {row.seat: row for row in roster.active}
    if body.kind is AmendmentKind.ADDED:
        if body.seat in taken:
            return _conflict(
                f"席位 {body.seat} 已有人，请选其他席位。",
                f"Seat {body.seat} is taken; name another.",
            )
    elif body.seat not in taken:
        return Refused(
            Refusal.NOT_FOUND,
            Sentence(zh=f"名单中没有席位 {body.seat}。", en=f"The roster has no seat {body.seat}."),
        )
    come = body.incoming
    if come is None:
        return None
    if come.seat != body.seat:
        return _conflict(
            f"新参加人的席位须为 {body.seat}。", f"Who comes must have the seat {body.seat}."
        )
    same = (row for row in roster.active if come.expert_code and row.seat != body.seat)
    if any(row.expert_code == come.expert_code for row in same):
        return _conflict("该专家编号已在名单中。", "This expert's code is on the roster already.")
    return None


def decide(
    roster: Roster, number: int, by: str, note: str, utc_ms: UtcMs, *, approve: bool
) -> tuple[Roster, Amendment] | Refused:
    """A second person approves or refuses a change."""
    row = next((one for one in roster.amendments if one.number == number), None)
    if row is None:
        text = Sentence(zh=f"没有名单变更 {number}。", en=f"There is no amendment {number}.")
        return Refused(Refusal.NOT_FOUND, text)
    if row.state is not AmendmentState.PENDING:
        return _conflict("该变更已处理。", "This amendment is decided already.")
    if row.asked_by == by:
        text = Sentence(
            zh="名单变更须由另一人批准，申请人不能处理。",
            en="Another person than who asked has to decide this.",
        )
        return Refused(Refusal.FORBIDDEN, text)
    state = AmendmentState.APPROVED if approve else AmendmentState.REFUSED
    done = replace(row, state=state, decided_by=by, decided_utc_ms=utc_ms, note=note)
    rows = tuple(done if one.number == number else one for one in roster.amendments)
    roster = replace(roster, amendments=rows)
    return (_amended(roster, done, utc_ms) if approve else roster), done


def _amended(roster: Roster, row: Amendment, utc_ms: UtcMs) -> Roster:
    gone = {
        AmendmentKind.REPLACED: Standing.REPLACED,
        AmendmentKind.RECUSED: Standing.RECUSED,
    }.get(row.kind)
    people = [
        replace(one, standing=gone)
        if gone is not None and one.seat == row.seat and one.standing is Standing.ACTIVE
        else one
        for one in roster.participants
    ]
    if row.incoming is not None and row.incoming_number is not None:
        people.append(_participant(row.incoming_number, row.incoming, utc_ms))
    return replace(roster, participants=tuple(people))


# --- check-ins ---------------------------------------------------------------------------------


def find(roster: Roster, seat: str | None, expert_code: str | None) -> Participant | None:
    """Who an event is about: by the expert's code first, for a card says more than a chair."""
    if expert_code:
        return next((row for row in roster.active if row.expert_code == expert_code), None)
    return next((row for row in roster.active if seat and row.seat == seat), None)


def knows(roster: Roster, event_id: str) -> bool:
    """Whether this event has come before."""
    ids = {row.event_id for row in roster.check_ins} | {row.event_id for row in roster.refused}
    return event_id in ids


def checked_in(roster: Roster, event: CheckIn) -> Roster:
    """The roster with one event more; beyond the limit the oldest but one of a person goes."""
    rows = (*roster.check_ins, event)
    if len(rows) > CHECK_INS_MAX:
        spare = next(
            (
                place
                for place, row in enumerate(rows)
                if any(row.number == one.number for one in rows[:place])
            ),
            0,
        )
        rows = (*rows[:spare], *rows[spare + 1 :])
    return replace(roster, check_ins=rows)


def refused(roster: Roster, event: RefusedCheckIn) -> Roster:
    """The roster with one event that fits nobody."""
    return replace(roster, refused=(*roster.refused, event)[-REFUSED_KEPT:])


# --- attendance --------------------------------------------------------------------------------


def allowed_late_ms(role: Role, policy: SessionPolicy) -> int:
    """How late a role may come."""
    minutes = policy.late_after_min.get(role, policy.others_late_after_min)
    return minutes * MINUTE_MS


def participant_views(
    roster: Roster, starts_utc_ms: UtcMs, policy: SessionPolicy, now_utc_ms: UtcMs, *, over: bool
) -> tuple[ParticipantView, ...]:
    """Every participant with its attendance; ``over``: who has not come yet will not."""
    return tuple(
        _view(row, roster, starts_utc_ms, policy, now_utc_ms, over=over)
        for row in sorted(roster.participants, key=lambda row: (row.seat, row.number))
    )


def _view(
    row: Participant,
    roster: Roster,
    starts_utc_ms: UtcMs,
    policy: SessionPolicy,
    now_utc_ms: UtcMs,
    *,
    over: bool,
) -> ParticipantView:
    due = row.due_utc_ms if row.due_utc_ms is not None else starts_utc_ms
    came, may_ms = roster.came(row.number), allowed_late_ms(row.role, policy)
    late_ms = None
    if came is not None:
        late = came - due > may_ms
        late_ms = came - due if late else None
        attendance = Attendance.LATE if late else Attendance.PRESENT
    elif over or now_utc_ms - due > max(may_ms, policy.absent_after_min * MINUTE_MS):
        attendance = Attendance.ABSENT
    elif now_utc_ms - due > may_ms:
        attendance = Attendance.OVERDUE
    else:
        attendance = Attendance.EXPECTED
    return ParticipantView(
        number=row.number,
        seat=row.seat,
        role=row.role,
        organisation=row.organisation,
        expert_code=row.expert_code,
        room_id=row.room_id,
        standing=row.standing,
        attendance=attendance,
        due_utc_ms=due,
        checked_in_utc_ms=came,
        checked_out_utc_ms=roster.left(row.number),
        late_ms=late_ms,
    )


def amendment_view(row: Amendment) -> AmendmentView:
    """One change of the roster as people see it."""
    return AmendmentView(
        number=row.number,
        kind=row.kind,
        seat=row.seat,
        incoming=row.incoming,
        reason=row.reason,
        state=row.state,
        asked_by=row.asked_by,
        asked_utc_ms=row.asked_utc_ms,
        decided_by=row.decided_by,
        decided_utc_ms=row.decided_utc_ms,
        note=row.note,
    )


def _conflict(zh: str, en: str) -> Refused:
    return Refused(Refusal.CONFLICT, Sentence(zh=zh, en=en))
