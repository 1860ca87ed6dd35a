"""Decides how statistics are written and plotted. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from contracts.api import Disposition
from contracts.api.statistics import CountRow, DayRow, RuleRow, Statistics, Waits
from contracts.observations import Mode
from controller.console.present.words import Drawn, Words

DAYS_MAX: Final = 366  # as the API takes it
RULES_PLOTTED: Final = 12  # bars that can be told apart; the table has all
OPEN: Final = "open"
# Told apart in brightness as well as in colour; each also has its own pattern by `aria.decal`.
COLOURS: Final[Mapping[str, str]] = {
    Disposition.VIOLATION: "#ff7a6b",
    Disposition.PERMITTED: "#6fd08c",
    Disposition.FALSE: "#f6c14b",
    Disposition.DEVICE: "#7db8ff",
    Disposition.TEST: "#8b9bab",
    OPEN: "#e8eef4",
}
TEXT: Final = "#b3c0cd"
LINE: Final = "#25303c"


def interval(first: object, last: object, zone: ZoneInfo) -> tuple[int, int] | None:
    """UTC milliseconds of two days of the site, the last one included; None: no such interval."""
    try:
        begin, end = date.fromisoformat(str(first)), date.fromisoformat(str(last))
        after = end + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    if begin > end or (end - begin).days >= DAYS_MAX or not 1970 < begin.year < 2100:
        return None
    return _midnight(begin, zone), _midnight(after, zone)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)


def span(ms: int | None) -> str:
    """``1:02:03`` of a duration; a dash for None."""
    if ms is None:
        return "\N{EN DASH}"
    seconds = round(ms / 1000)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def cards(figures: Statistics, words: Words) -> list[Drawn]:
    """The figures on top."""

    def waits(name: str, given: Waits) -> Drawn:
        more = f"{words.say('statistics.p95')} {span(given.p95_ms)} · n = {given.count}"
        return {
            "id": name,
            "label": f"{words.say(f'statistics.{name}')} ({words.say('statistics.median')})",
            "value": span(given.p50_ms),
            "more": more,
        }

    availability = figures.availability
    recorded = sum(row.recorded_ms for row in availability)
    whole = recorded + sum(row.gap_ms for row in availability)
    return [
        {
            "id": "alerts",
            "label": words.say("statistics.alerts"),
            "value": str(figures.alerts),
            "more": f"{words.say('statistics.shadowed')}: {figures.shadowed}",
        },
        waits("acknowledge", figures.acknowledge),
        waits("resolve", figures.resolve),
        {
            "id": "sessions",
            "label": words.say("statistics.sessions"),
            "value": str(figures.sessions.count),
            "more": f"{words.say('statistics.sealed_hours')} {span(figures.sessions.sealed_ms)}",
        },
        {
            "id": "deliveries",
            "label": words.say("statistics.deliveries"),
            "value": str(figures.deliveries.count),
            "more": f"{words.say('statistics.collected')} "
            f"{span(figures.deliveries.order_to_collected.p50_ms)}",
        },
        {
            "id": "availability",
            "label": words.say("statistics.availability"),
            "value": percent(recorded / whole) if whole else "\N{EN DASH}",
            "more": f"{words.say('statistics.availability_since')} "
            f"{words.day_and_time(figures.availability_from_utc_ms)[:10]}",
        },
    ]


def percent(share: float | None) -> str:
    """``99.98 %``; never rounded up to 100."""
    if share is None:
        return "\N{EN DASH}"
    return "100 %" if share >= 1 else f"{min(share * 100, 99.99):.2f} %"


def tables(figures: Statistics, words: Words, rooms: Mapping[str, str]) -> Drawn:
    """The same figures as tables."""
    return {
        "days": _counts([(row.day, row) for row in figures.days if row.count]),
        "rooms": _counts([(rooms.get(row.key, row.key), row) for row in figures.rooms]),
        "rules": [_rule(row, words) for row in figures.rules],
        "tracks": [
            {
                "key": row.track_id,
                "room": rooms.get(row.room_id, row.room_id),
                "recorded": span(row.recorded_ms),
                "missing": span(row.gap_ms),
                "gaps": row.gaps,
                "share": percent(row.share),
            }
            for row in figures.availability
        ],
    }


def _counts(rows: Iterable[tuple[str, CountRow | DayRow]]) -> list[Drawn]:
    return [
        {
            "key": name,
            "count": row.count,
            "said": [row.by_disposition.get(key, 0) for key in COLOURS],
        }
        for name, row in rows
    ]


def _rule(row: RuleRow, words: Words) -> Drawn:
    proposal = {
        Mode.SHADOW: words.say("statistics.propose_shadow"),
        Mode.ON: words.say("statistics.propose_on"),
    }
    why = row.why
    chinese = words.language.value.startswith("zh")
    return {
        "key": words.name(row.title),
        "rule": row.rule,
        "count": row.told,
        "shadowed": row.shadowed,
        "said": [row.by_disposition.get(key, 0) for key in COLOURS],
        "judged": row.judged,
        "false": row.false,
        "share": f"{row.false_share_low:.1%} \N{EN DASH} {row.false_share_high:.1%}"
        if row.judged
        else "\N{EN DASH}",
        "proposal": proposal.get(row.proposal, words.say("statistics.keep"))
        if row.proposal
        else words.say("statistics.keep"),
        "why": (why.zh if chinese else why.en) if why is not None else "",
        "proposed": row.proposal is not None,
    }


def labels(words: Words) -> list[str]:
    """Names of the columns of dispositions, in the order of ``COLOURS``."""
    return [_label(key, words) for key in COLOURS]


def _label(key: str, words: Words) -> str:
    return words.say("statistics.open") if key == OPEN else words.say(f"disposition.{key}")


def plot_days(figures: Statistics, words: Words) -> dict[str, Any]:
    """Alerts by day, stacked by disposition, as ECharts takes it."""
    axis = {"type": "category", "data": [row.day for row in figures.days], **_axis()}
    return _stacked(axis, {"type": "value", "minInterval": 1, **_axis()}, figures.days, words)


def plot_rules(figures: Statistics, words: Words) -> dict[str, Any]:
    """The rules that spoke most, as lying bars."""
    most = sorted(figures.rules, key=lambda row: row.told + row.shadowed)[-RULES_PLOTTED:]
    axis = {"type": "category", "data": [words.name(row.title) for row in most], **_axis()}
    axis["axisLabel"] = {"color": TEXT, "width": 120, "overflow": "truncate"}
    return _stacked({"type": "value", "minInterval": 1, **_axis()}, axis, most, words)


def plot_rooms(figures: Statistics, words: Words, rooms: Mapping[str, str]) -> dict[str, Any]:
    """Alerts by room."""
    names = [rooms.get(row.key, row.key) for row in figures.rooms]
    axis = {"type": "category", "data": names, **_axis()}
    return _stacked(axis, {"type": "value", "minInterval": 1, **_axis()}, figures.rooms, words)


def _stacked(
    x_axis: dict[str, Any],
    y_axis: dict[str, Any],
    rows: Iterable[CountRow | DayRow | RuleRow],
    words: Words,
) -> dict[str, Any]:
    given = list(rows)
    return {
        "backgroundColor": "transparent",
        "animation": False,
        "aria": {"enabled": True, "decal": {"show": True}},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "legend": {"textStyle": {"color": TEXT}, "bottom": 0, "type": "scroll"},
        "grid": {"left": 12, "right": 18, "top": 12, "bottom": 44, "containLabel": True},
        "xAxis": x_axis,
        "yAxis": y_axis,
        "series": [
            {
                "type": "bar",
                "stack": "all",
                "name": _label(key, words),
                "data": [row.by_disposition.get(key, 0) for row in given],
                "itemStyle": {"color": colour},
                "barMaxWidth": 34,
            }
            for key, colour in COLOURS.items()
        ],
    }


def _axis() -> dict[str, Any]:
    return {
        "axisLabel": {"color": TEXT},
        "axisLine": {"lineStyle": {"color": LINE}},
        "splitLine": {"lineStyle": {"color": LINE}},
    }
