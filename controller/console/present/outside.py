"""Decides how acts from outside are drawn: plain values for the desk, the banner and the tablet."""

from contracts.api.outside import (
    CALL_REASONS,
    ENTRY_KINDS,
    TEMPLATES,
    CallView,
    EntryKind,
    EntryState,
    EntryView,
    TextView,
)
from controller.console.house import House
from controller.console.present.alerts import room_name
from controller.console.present.words import Drawn, Words

TEXTS_SHOWN = 5


def _newest(rows: list[Drawn]) -> list[Drawn]:
    return sorted(rows, key=lambda row: str(row["order"]), reverse=True)


def calls(house: House, room_id: str, words: Words) -> list[Drawn]:
    """Open calls of a room, oldest first."""
    rows = [row for row in house.calls.values() if row.room_id == room_id]
    open_ones = [row for row in rows if row.ended_utc_ms is None]
    return [_call(row, words) for row in sorted(open_ones, key=lambda row: row.raised_utc_ms)]


def _call(call: CallView, words: Words) -> Drawn:
    return {
        "id": call.id,
        "reason": words.name(CALL_REASONS[call.reason]),
        "grave": call.reason in {"unwell", "danger"},
        "at": words.at(call.raised_utc_ms),
        "waits": call.answered_utc_ms is None,
        "overdue": call.overdue,
        "repeats": call.repeats,
        "answered_by": call.answered_by or "",
    }


def texts(house: House, room_id: str, words: Words) -> list[Drawn]:
    """The newest texts to a room."""
    rows = [row for row in house.texts.values() if row.room_id == room_id]
    rows.sort(key=lambda row: row.sent_utc_ms, reverse=True)
    return [_text(row, words) for row in rows[:TEXTS_SHOWN]]


def _text(text: TextView, words: Words) -> Drawn:
    read = text.read_utc_ms
    state = "read" if read is not None else "withdrawn" if text.ended_utc_ms else "unread"
    return {
        "id": text.id,
        "text": words.name(text.text),
        "by": text.sent_by,
        "at": words.at(text.sent_utc_ms),
        "state": state,
        "read_at": words.at(read) if read is not None else "",
    }


def unread(house: House, room_id: str, words: Words) -> list[Drawn]:
    """What a room's tablet shows big: texts that nobody has read there, oldest first."""
    rows = [
        row for row in house.texts.values() if row.room_id == room_id and row.ended_utc_ms is None
    ]
    rows.sort(key=lambda row: row.sent_utc_ms)
    return [
        {"id": row.id, "text": words.name(row.text), "at": words.at(row.sent_utc_ms)}
        for row in rows
    ]


def entries(house: House, room_id: str, user: str, words: Words) -> list[Drawn]:
    """Entries of a room that are asked for or open."""
    rows = [
        row
        for row in house.entries.values()
        if row.room_id == room_id and row.state in {EntryState.ASKED, EntryState.OPEN}
    ]
    return [_entry(row, user, words) for row in sorted(rows, key=lambda row: row.asked_utc_ms)]


def _entry(entry: EntryView, user: str, words: Words) -> Drawn:
    approvers = [one.by for one in entry.approvals]
    asked = entry.state is EntryState.ASKED
    return {
        "id": entry.id,
        "kind": words.name(ENTRY_KINDS[entry.kind]),
        "reason": entry.reason,
        "state": "overdue" if entry.overdue else entry.state.value,
        "asked_by": entry.asked_by,
        "approved_by": approvers,
        "approvals": f"{len(approvers)}/{entry.approvals_needed}",
        "minutes": entry.minutes,
        "persons": entry.persons,
        "until": words.at(entry.until_utc_ms) if entry.until_utc_ms is not None else "",
        "alerts": entry.alerts,
        "asked": asked,
        "mine_to_judge": asked and user != entry.asked_by and user not in approvers,
    }


def listeners(house: House, room_id: str) -> list[str]:
    """Who hears a room now."""
    rows = house.listenings.values()
    return sorted({row.by for row in rows if row.room_id == room_id and row.ended_utc_ms is None})


def talker(house: House, room_id: str) -> str:
    """Who talks into a room now."""
    for row in house.talks.values():
        if row.room_id == room_id and row.began_utc_ms is not None and row.ended_utc_ms is None:
            return row.by
    return ""


def banner(house: House, words: Words) -> list[Drawn]:
    """One line for each call that waits, each entry, each talk and each listening."""
    rows: list[Drawn] = []
    for call in house.open_calls():
        say = words.say("outside.banner_call")
        rows.append(
            _line(
                "call",
                call.id,
                call.room_id,
                house,
                words,
                f"{say}: {_call(call, words)['reason']}",
            )
            | {"at": words.at(call.raised_utc_ms), "grave": True}
        )
    for entry in house.entries.values():
        if entry.state in {EntryState.ASKED, EntryState.OPEN}:
            state = "overdue" if entry.overdue else entry.state.value
            text = " · ".join(
                (
                    words.say("outside.banner_entry"),
                    words.name(ENTRY_KINDS[entry.kind]),
                    words.say(f"outside.entry_{state}"),
                )
            )
            if entry.until_utc_ms is not None:
                text += f" {words.say('outside.entry_until')} {words.at(entry.until_utc_ms)}"
            row = _line("entry", entry.id, entry.room_id, house, words, text)
            rows.append(row | {"at": words.at(entry.asked_utc_ms), "grave": entry.overdue})
    for talk in house.talks.values():
        if talk.began_utc_ms is not None and talk.ended_utc_ms is None:
            text = f"{talk.by} {words.say('outside.banner_talk')}"
            rows.append(_line("talk", talk.id, talk.room_id, house, words, text))
    for one in house.listenings.values():
        if one.ended_utc_ms is None:
            text = f"{one.by} {words.say('outside.banner_listen')}"
            rows.append(_line("listen", one.id, one.room_id, house, words, text))
    return rows


def _line(kind: str, key: str, room_id: str, house: House, words: Words, text: str) -> Drawn:
    return {
        "id": key,
        "kind": kind,
        "room_id": room_id,
        "room": room_name(room_id, house, words),
        "text": text,
        "at": "",
        "grave": False,
    }


def templates(words: Words) -> list[Drawn]:
    """Every template in the reader's language."""
    return [{"id": key.value, "text": words.name(text)} for key, text in TEMPLATES.items()]


def entry_kinds(words: Words) -> list[Drawn]:
    """Every reason of an entry; ``at_once``: it needs no approval."""
    return [
        {
            "id": kind.value,
            "text": words.name(text),
            "at_once": kind in {EntryKind.FIRE, EntryKind.MEDICAL},
        }
        for kind, text in ENTRY_KINDS.items()
    ]


def reasons(words: Words) -> list[Drawn]:
    """Every reason of a call."""
    return [{"id": key.value, "text": words.name(text)} for key, text in CALL_REASONS.items()]
