"""Decides what else is shown around an alert: other alerts, gaps, deliveries, the record."""

from collections.abc import Iterable
from typing import Final

from contracts.api import AlertView, DeliveryView
from contracts.api.record import RecordKind, RecordLine
from controller.console.house import House
from controller.console.present.words import Drawn, Words

BEFORE_MS: Final = 10 * 60_000  # what led to it is mostly within minutes
AFTER_MS: Final = 10 * 60_000
SPAN_MAX_MS: Final = 2 * 3_600_000  # of a condition that lasts for hours its beginning counts
MARKS: Final = 5
ITEMS_MAX: Final = 200  # beyond this nobody reads; the session's record has them all

_OF_GAPS: Final = ("node.recording_gap", "node.chain_broken")
_SIGNS: Final = {
    RecordKind.STATE: "lock",
    RecordKind.SEAL_CHECK: "check",
    RecordKind.OVERRIDE: "warning",
    RecordKind.AMENDMENT: "group",
    RecordKind.CHECK_IN: "person_add",
    RecordKind.SWEEP: "search",
    RecordKind.HANDLING: "hand",
    RecordKind.CALL: "bell",
    RecordKind.TEXT: "tablet",
    RecordKind.TALK: "sound",
    RecordKind.LISTENING: "ear",
    RecordKind.ENTRY: "door",
    RecordKind.BREAK_GLASS: "key",
    RecordKind.RETRIEVAL: "archive",
    RecordKind.REPORT: "report",
    RecordKind.SITE: "link",
    RecordKind.NOTE: "report",
}


def span(alert: AlertView, now_ms: int) -> tuple[int, int]:
    """The stretch of time around an alert that is looked at, UTC."""
    begin = int(alert.since_utc_ms) - BEFORE_MS
    end = int(alert.cleared_utc_ms or alert.raised_utc_ms) + AFTER_MS
    return begin, max(min(end, now_ms, begin + SPAN_MAX_MS), int(alert.raised_utc_ms) + 1_000)


def drawn(
    alert: AlertView,
    house: House,
    lines: Iterable[RecordLine],
    now_ms: int,
    words: Words,
    *,
    loading: bool,
    why: str,
) -> Drawn:
    """Lanes over the time around an alert, and the same things as a list, newest first."""
    begin, end = span(alert, now_ms)
    lanes = {
        "alerts": [_alert(row, alert, now_ms, words) for row in _near(alert, house, begin, end)],
        "recording": [
            _alert(row, alert, now_ms, words)
            for row in _near(alert, house, begin, end)
            if row.rule in _OF_GAPS
        ],
        "deliveries": [
            item
            for row in house.deliveries.values()
            if row.room_id == alert.room_id
            for item in _delivery(row, words)
            if begin <= _from(item) <= end
        ],
        "record": [
            _line(row, words)
            for row in lines
            if begin <= row.utc_ms <= end and row.room_id == alert.room_id
        ],
    }
    items = [item for name, lane in lanes.items() if name != "recording" for item in lane]
    items.sort(key=_from, reverse=True)
    return {
        "state": "loading" if loading else "ready",
        "why": why,
        "from_ms": begin,
        "to_ms": end,
        "at_ms": int(alert.since_utc_ms),
        "span": f"{words.at(begin)} \N{EN DASH} {words.at(end)}",
        "marks": [
            {"ms": at, "at": words.minute(at)}
            for at in (begin + (end - begin) * n // (MARKS - 1) for n in range(MARKS))
        ],
        "lanes": [
            {"id": name, "label": words.say(f"around.{name}"), "items": lane}
            for name, lane in lanes.items()
        ],
        "items": items[:ITEMS_MAX],
    }


def _from(item: Drawn) -> int:
    at = item["from_ms"]
    return at if isinstance(at, int) else 0


def _near(alert: AlertView, house: House, begin: int, end: int) -> list[AlertView]:
    rows = {**house.alerts, alert.id: alert}.values()
    return [
        row
        for row in rows
        if row.room_id == alert.room_id
        and row.since_utc_ms <= end
        and (row.cleared_utc_ms is None or row.cleared_utc_ms >= begin)
    ]


def _alert(row: AlertView, alert: AlertView, now_ms: int, words: Words) -> Drawn:
    here = row.id == alert.id
    return {
        "from_ms": int(row.since_utc_ms),
        "to_ms": int(row.cleared_utc_ms) if row.cleared_utc_ms is not None else now_ms,
        "at": words.at(row.since_utc_ms),
        "label": words.name(row.title),
        "by": words.say("around.this") if here else "",
        "look": row.severity.value,
        "sign": row.severity.value,
        "here": here,
        "href": f"/alerts/{row.id}",
    }


def _delivery(row: DeliveryView, words: Words) -> Iterable[Drawn]:
    times = ((row.ordered_utc_ms, "ordered"), (row.ended_utc_ms, "ended"))
    for utc_ms, name in times:
        if utc_ms is not None:
            yield _point(
                int(utc_ms),
                f"{words.say('around.deliveries')} {words.say(f'around.{name}')}",
                "meal",
                words,
                by=row.ordered_by if name == "ordered" else "",
            )


def _line(row: RecordLine, words: Words) -> Drawn:
    sign = _SIGNS.get(row.kind, "report")
    return _point(int(row.utc_ms), words.name(row.text), sign, words, by=row.by)


def _point(utc_ms: int, label: str, sign: str, words: Words, *, by: str) -> Drawn:
    return {
        "from_ms": utc_ms,
        "to_ms": None,
        "at": words.at(utc_ms),
        "label": label,
        "by": by,
        "look": "point",
        "sign": sign,
        "here": False,
        "href": "",
    }
