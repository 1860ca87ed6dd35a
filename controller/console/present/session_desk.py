"""Decides how sessions are listed by day, and how one of them is drawn with its people."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from contracts.admission import ProcurementKind, Role, Sector
from contracts.api import SessionState, SessionView
from contracts.api.record import RecordLine
from contracts.api.roster import AmendmentState, RosterView, Standing, SweepView
from contracts.api.sessions import CheckState, ImportResult, SealCheck
from controller.console.house import House
from controller.console.present.words import Drawn, Words

S: Final = SessionState
STEPS: Final[dict[SessionState, tuple[str, ...]]] = {
    S.SCHEDULED: ("gather", "cancel"),
    S.GATHERING: ("seal", "cancel"),
    S.SEALED: ("release", "suspend", "cancel"),
    S.SUSPENDED: ("resume", "release", "cancel"),
    S.RELEASED: ("archive",),
    S.ARCHIVED: (),
    S.CANCELLED: (),
}
PATH: Final = (S.SCHEDULED, S.GATHERING, S.SEALED, S.RELEASED, S.ARCHIVED)
LIVE: Final = frozenset({S.GATHERING, S.SEALED, S.SUSPENDED})
CHECKED: Final = frozenset({S.GATHERING, S.SUSPENDED})
"""States from which a seal is the next step, so that its demands are shown live."""
MINUTE_MS: Final = 60_000


def local(utc_ms: int, words: Words) -> datetime:
    """A moment in the site's zone."""
    return datetime.fromtimestamp(utc_ms / 1_000, words.zone)


def room_names(view: SessionView, house: House | None, words: Words) -> str:
    """The rooms of a session by name."""
    rooms = house.rooms if house is not None else {}
    names = [words.name(rooms[one].name) if one in rooms else one for one in rooms_of(view)]
    return words.say("desk.rooms_tail").join(names)


def rooms_of(view: SessionView) -> tuple[str, ...]:
    """The rooms of a session."""
    return view.room_ids or (view.room_id,)


def row(view: SessionView, house: House | None, words: Words) -> Drawn:
    """A session as a line of the list, and as the head of its page."""
    return {
        "id": view.id,
        "code": view.code,
        "title": view.title,
        "state": view.state.value,
        "label": words.say(f"session.{view.state.value}"),
        "rooms": room_names(view, house, words),
        "at": f"{local(view.scheduled_utc_ms, words):%H:%M}",
        "starts": f"{local(view.scheduled_utc_ms, words):%Y-%m-%d %H:%M}",
        "admitted": view.admitted,
        "seats": view.seats,
        "checked_in": view.checked_in,
        "procurement": words.say(f"procurement.{view.procurement.value}"),
        "sector": words.say(f"sector.{view.sector.value}"),
    }


def by_day(
    views: Iterable[SessionView], house: House | None, words: Words, now_utc_ms: int
) -> list[Drawn]:
    """Sessions under the day that they start on, in the site's zone."""
    today = local(now_utc_ms, words).date()
    days: dict[str, Drawn] = {}
    rows: dict[str, list[Drawn]] = {}
    for view in views:
        day = local(view.scheduled_utc_ms, words).date()
        key = day.isoformat()
        label = f"{key} · {words.say('sessions.today')}" if day == today else key
        days.setdefault(key, {"day": key, "label": label, "rows": rows.setdefault(key, [])})
        rows[key].append(row(view, house, words))
    return list(days.values())


def options(house: House | None, words: Words) -> Drawn:
    """What may be chosen in filters and forms."""
    rooms = house.rooms.values() if house is not None else ()
    return {
        "rooms": [
            {"id": one.id, "label": words.name(one.name)}
            for one in rooms
            if one.kind.value == "evaluation"
        ],
        "states": [{"id": one.value, "label": words.say(f"session.{one.value}")} for one in S],
        "roles": [{"id": one.value, "label": words.say(f"role_of.{one.value}")} for one in Role],
        "sectors": [{"id": one.value, "label": words.say(f"sector.{one.value}")} for one in Sector],
        "procurements": [
            {"id": one.value, "label": words.say(f"procurement.{one.value}")}
            for one in ProcurementKind
        ],
    }


def imported(result: ImportResult | None, words: Words) -> Drawn | None:
    """What an import found, row by row."""
    if result is None:
        return None
    return {
        "rows": result.rows,
        "imported": result.imported,
        "more": result.more_problems,
        "problems": [
            {
                "row": one.row or words.say("import.file_itself"),
                "column": one.column,
                "value": one.value,
                "text": words.name(one.text),
                "advice": words.name(one.advice),
            }
            for one in result.problems
        ],
    }


def head(view: SessionView, house: House | None, words: Words, *, may: bool) -> Drawn:
    """One session: where it stands, and what may be done."""
    times = {
        S.SCHEDULED: view.scheduled_utc_ms,
        S.GATHERING: view.gathering_utc_ms,
        S.SEALED: view.sealed_utc_ms,
        S.RELEASED: view.released_utc_ms,
        S.ARCHIVED: view.archived_utc_ms,
    }
    place = (
        PATH.index(S.SEALED if view.state is S.SUSPENDED else view.state)
        if (view.state is not S.CANCELLED)
        else -1
    )
    why = words.say(f"desk.{view.suspension.value}") if view.suspension is not None else ""
    return row(view, house, words) | {
        "path": [
            {
                "id": one.value,
                "label": words.say(f"session.{one.value}"),
                "at": words.minute(times[one]),
                "status": "done" if number < place else "active" if number == place else "todo",
            }
            for number, one in enumerate(PATH)
        ],
        "steps": list(STEPS[view.state]) if may else [],
        "confirmed": view.seal_confirmed,
        "why": " · ".join(one for one in (why, view.reason) if one),
        "form": {
            "title": view.title,
            "rooms": list(rooms_of(view)),
            "admitted": view.admitted,
            "starts": words.day_and_time(view.scheduled_utc_ms)[:16].replace(" ", "T"),
            "procurement": view.procurement.value,
            "sector": view.sector.value,
        },
        "outside": f"/outside/{view.room_id}" if view.state in LIVE else "",
        "report": f"/report/{view.id}" if view.sealed_utc_ms is not None else "",
    }


def check(found: SealCheck | None, words: Words) -> list[Drawn]:
    """Every demand of a seal: what is not met first."""
    if found is None:
        return []
    rows = sorted(found.items, key=lambda one: one.state is CheckState.OK)
    return [
        {
            "id": one.demand.value,
            "name": words.say(f"demand.{one.demand.value}"),
            "state": one.state.value,
            "label": words.say(f"desk.{one.state.value}"),
            "text": words.name(one.text),
            "advice": words.name(one.advice) if one.advice is not None else "",
        }
        for one in rows
    ]


def roster(view: RosterView | None, words: Words, user: str) -> Drawn | None:
    """A roster with who has come, and what waits for a second person."""
    if view is None:
        return None
    return {
        "people": [
            {
                "number": one.number,
                "seat": one.seat,
                "role": one.role.value,
                "role_label": words.say(f"role_of.{one.role.value}"),
                "expert_code": one.expert_code,
                "organisation": one.organisation,
                "active": one.standing is Standing.ACTIVE,
                "standing": ""
                if one.standing is Standing.ACTIVE
                else words.say(f"desk.{one.standing.value}"),
                "attendance": one.attendance.value,
                "label": words.say(f"desk.{one.attendance.value}"),
                "at": words.minute(one.checked_in_utc_ms),
                "left": words.minute(one.checked_out_utc_ms),
                "late_min": -(-one.late_ms // MINUTE_MS) if one.late_ms is not None else 0,
            }
            for one in view.participants
        ],
        "amendments": [
            {
                "number": one.number,
                "kind": words.say(f"desk.kind_{one.kind.value}"),
                "seat": one.seat,
                "reason": one.reason,
                "note": one.note,
                "state": one.state.value,
                "label": words.say(f"desk.{one.state.value}"),
                "asked_by": one.asked_by,
                "decided_by": one.decided_by or "",
                "at": words.minute(one.asked_utc_ms),
                "code": one.incoming.expert_code if one.incoming is not None else "",
                "open": one.state is AmendmentState.PENDING,
                "own": one.asked_by == user,
            }
            for one in reversed(view.amendments)
        ],
        "refused": [
            {
                "id": one.event_id,
                "at": words.minute(one.utc_ms),
                "what": one.expert_code or one.seat,
            }
            for one in view.refused
        ],
        "seen": view.presence.seen,
        "admitted": view.presence.admitted,
    }


def sweeps(found: Iterable[SweepView], house: House | None, words: Words) -> list[Drawn]:
    """The rooms of a session, and whether each was swept."""
    rooms = house.rooms if house is not None else {}
    return [
        {
            "room": one.room_id,
            "name": words.name(rooms[one.room_id].name) if one.room_id in rooms else one.room_id,
            "needed": one.needed,
            "label": words.say(
                "desk.sweep_needed"
                if one.needed
                else "desk.sweep_done"
                if one.swept_utc_ms is not None
                else "desk.sweep_none"
            ),
            "at": words.minute(one.swept_utc_ms),
            "by": one.swept_by or "",
        }
        for one in found
    ]


def record(lines: Iterable[RecordLine], words: Words) -> list[Drawn]:
    """What happened, newest first."""
    return [
        {
            "number": one.number,
            "at": f"{local(one.utc_ms, words):%m-%d %H:%M:%S}",
            "kind": one.kind.value,
            "by": one.by,
            "text": words.name(one.text),
        }
        for one in reversed(tuple(lines))
    ]
