"""Decides how other sites and joint sessions are drawn."""

from collections.abc import Iterable, Mapping

from contracts.api import SessionState, SessionView
from contracts.api.sites import (
    GuestAlert,
    HandoverView,
    JointRecordLine,
    JointView,
    PartView,
    PeerView,
    RoomNow,
)
from controller.console.house import House
from controller.console.present.words import Drawn, Words

_SIGNS = {
    "sealed": "lock",
    "suspended": "pause",
    "released": "unlock",
    "declined": "close",
    "cancelled": "close",
}
KEY_CHARS = 16


def peer(view: PeerView, words: Words) -> Drawn:
    """A peer and the way to it."""
    return {
        "id": view.site,
        "name": words.name(view.name),
        "url": view.url,
        "key": view.key,
        "link": view.link.value,
        "link_label": words.say(f"sites.link_{view.link.value}"),
        "reason": words.name(view.reason) if view.reason else "",
        "heard": words.day_and_time(view.last_heard_utc_ms)[:19],
        "offset": _signed_ms(view.clock_offset_ms),
        "trip": "" if view.round_trip_ms is None else f"{view.round_trip_ms} ms",
        "lines": f"{view.received} / {view.sent}",
        "refused": view.refused,
    }


def _signed_ms(value: int | None) -> str:
    if value is None:
        return ""
    sign = "+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else "±"
    return f"{sign}{abs(value)} ms" if abs(value) < 10_000 else f"{sign}{abs(value) / 1_000:.1f} s"


def joint(view: JointView, words: Words, *, may: bool) -> Drawn:
    """A joint session with every site's part."""
    return {
        "id": view.id,
        "title": view.title,
        "host": view.own_host,
        "state": view.state.value,
        "state_label": words.say(f"sites.state_{view.state.value}"),
        "starts": words.day_and_time(view.starts_utc_ms)[:16],
        "seats": view.seats,
        "note": view.note,
        "may": [verb.value for verb in view.may] if may else [],
        "guests": [
            {"id": row.site, "name": words.name(row.name)}
            for row in view.parts
            if not row.host and not row.own and row.state.value != "declined"
        ],
        "parts": [_part(view, row, words, may=may) for row in view.parts],
    }


def _part(view: JointView, row: PartView, words: Words, *, may: bool) -> Drawn:
    rooms = {one.session_id: one for one in row.rooms_now}
    return {
        "id": row.site,
        "name": words.name(row.name),
        "host": row.host,
        "own": row.own,
        "state": row.state.value,
        "state_label": words.say(f"sites.part_{row.state.value}"),
        "sign": _SIGNS.get(row.state.value, "clock"),
        "old": row.old,
        "heard": words.day_and_time(row.last_heard_utc_ms)[:19],
        "fault": words.day_and_time(row.fault_since_utc_ms)[:19],
        "asked": words.say(f"sites.do_{row.asked.value}") if row.asked else "",
        "asked_at": words.at(row.asked_utc_ms),
        "silent": row.silent,
        "refused": words.name(row.refused) if row.refused else "",
        "urged": words.day_and_time(row.urged_utc_ms)[:16],
        "rooms": [
            {
                "id": told.id,
                "name": words.name(told.room),
                "state": told.state.value,
                "people": _people(told.id, rooms, words),
                "of": told.admitted,
                "live": told.id in rooms,
                "recording": told.id in rooms and rooms[told.id].recording,
                "alerts": rooms[told.id].active_alerts if told.id in rooms else 0,
            }
            for told in row.sessions
        ],
        "handover": _handover(view, row, row.handover, words, may=may) if row.handover else None,
    }


def _people(session_id: str, rooms: Mapping[str, RoomNow], words: Words) -> str:
    seen = rooms.get(session_id)
    count = seen.head_count if seen is not None else None
    return words.say("sites.unknown") if count is None else str(count)


def _handover(
    view: JointView, row: PartView, given: HandoverView, words: Words, *, may: bool
) -> Drawn:
    receipt = ""
    if given.receipt_sha256:
        receipt = (
            words.say("sites.receipt_all")
            if given.missing == 0
            else words.say("sites.receipt_some").format(
                received=given.received, missing=given.missing
            )
        )
    released = row.state.value == "released"
    return {
        "due": words.day_and_time(given.due_utc_ms)[:16],
        "overdue": given.overdue,
        "list": (given.list_sha256 or "")[:KEY_CHARS],
        "items": given.items,
        "size": f"{given.media_bytes / 1e9:.2f} GB" if given.media_bytes else "",
        "fetched": given.fetched or row.own,
        "receipt": receipt,
        "complete": bool(given.receipt_sha256) and given.missing == 0,
        "receipt_hash": (given.receipt_sha256 or "")[:KEY_CHARS],
        "may_offer": may and row.own and released and not given.receipt_sha256,
        "may_sign": may and view.own_host and given.fetched and given.missing > 0,
    }


def alert(row: GuestAlert, names: dict[str, str], rooms: dict[str, str], words: Words) -> Drawn:
    """An alert at another site."""
    told = row.alert
    return {
        "id": f"{row.site}-{told.alert_id}",
        "site": names.get(row.site, row.site),
        "title": words.name(told.title),
        "severity": told.severity.value,
        "room": rooms.get(told.session_id, told.room_id),
        "at": words.day_and_time(told.raised_utc_ms)[:19],
        "active": told.condition.value == "active",
        "handling": words.say(f"handling.{told.handling.value}"),
    }


def record(row: JointRecordLine, names: dict[str, str], words: Words) -> Drawn:
    """A line of the merged record."""
    return {
        "id": f"{row.site}-{row.seq or 0}-{row.line.number}",
        "site": names.get(row.site, row.site),
        "at": words.day_and_time(row.here_utc_ms)[:19],
        "by": row.line.by,
        "text": words.name(row.line.text),
    }


def open_sessions(house: House | None, taken: Iterable[JointView], words: Words) -> list[Drawn]:
    """Our sessions that could take part in a joint one."""
    if house is None:
        return []
    bound = {told.id for row in taken for part in row.parts if part.own for told in part.sessions}
    states = (SessionState.SCHEDULED, SessionState.GATHERING)
    rows: list[SessionView] = [row for row in house.sessions.values() if row.state in states]
    return [
        {
            "id": row.id,
            "title": row.title,
            "room": _room(house, row.room_id, words),
            "people": row.admitted,
        }
        for row in sorted(rows, key=lambda row: row.scheduled_utc_ms)
        if row.id not in bound
    ]


def _room(house: House, room_id: str, words: Words) -> str:
    room = house.rooms.get(room_id)
    return words.name(room.name) if room else room_id
