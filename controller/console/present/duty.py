"""Decides how duty, escalation, channels and the log of notices are drawn."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts.api.duty import (
    DutyGap,
    DutyNow,
    DutySpan,
    DutyWeek,
    EscalationRule,
    EscalationSettings,
    RosterView,
)
from contracts.api.notices import ChannelView, DeliveryRow, DeliveryState, NoticeView
from contracts.observations import Severity
from controller.console.present.words import Drawn, Words

DAY_MS: Final = 86_400_000


def monday_of(utc_ms: int, words: Words) -> int:
    """When the local week of a moment begins."""
    at = datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(words.zone)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=at.weekday())
    return int(day.timestamp() * 1000)


def now(duty: DutyNow, words: Words) -> Drawn:
    """Who is on duty, level by level, and what is wrong."""
    last = duty.last_handover
    return {
        "levels": [
            {
                "level": row.level.value,
                "label": words.say(f"duty.level{row.level.value}"),
                "people": [person.name or person.username for person in row.people],
                "until": words.minute(row.until_utc_ms),
            }
            for row in duty.levels
        ],
        "warnings": [words.name(one) for one in duty.warnings],
        "handover": None
        if last is None
        else {
            "by": last.by,
            "to": last.to,
            "text": last.text,
            "at": words.day_and_time(last.utc_ms)[:16],
            "open": last.open_alerts,
        },
    }


def week(found: DutyWeek, roster: RosterView | None, now_ms: int, words: Words) -> list[Drawn]:
    """The days of a week, each with its stretches and its gaps."""
    names = _names(roster)
    start = datetime.fromtimestamp(found.start_utc_ms / 1000, UTC).astimezone(words.zone)
    days = []
    for number in range(7):
        first = start + timedelta(days=number)
        begin = int(first.timestamp() * 1000)
        end = int((first + timedelta(days=1)).timestamp() * 1000)
        days.append(
            {
                "id": f"{first:%Y-%m-%d}",
                "label": f"{words.say(f'duty.weekday{number}')} {first:%m-%d}",
                "today": begin <= now_ms < end,
                "rows": [row for _, row in sorted(_rows(found, begin, end, names, words), key=_at)],
            }
        )
    return days


def _rows(
    found: DutyWeek, begin: int, end: int, names: Mapping[str, str], words: Words
) -> list[tuple[int, Drawn]]:
    """Stretches that begin on a day, and its gaps, each with its beginning."""
    rows = [
        (int(span.start_utc_ms), _span(span, names, words))
        for span in found.spans
        if begin <= span.start_utc_ms < end
    ]
    rows += [
        (max(int(gap.start_utc_ms), begin), _gap(gap, begin, end, words))
        for gap in found.gaps
        if gap.start_utc_ms < end and gap.end_utc_ms > begin
    ]
    return rows


def _at(row: tuple[int, Drawn]) -> int:
    return row[0]


def _names(roster: RosterView | None) -> Mapping[str, str]:
    people = roster.roster.people if roster is not None else ()
    return {person.username: person.name or person.username for person in people}


def _span(span: DutySpan, names: Mapping[str, str], words: Words) -> Drawn:
    return {
        "level": words.say(f"duty.level{span.level.value}"),
        "time": f"{words.minute(span.start_utc_ms)}\N{EN DASH}{words.minute(span.end_utc_ms)}",
        "people": [names.get(name, name) for name in span.people],
        "exception": span.exception,
        "gap": False,
    }


def _gap(gap: DutyGap, begin: int, end: int, words: Words) -> Drawn:
    first, last = max(gap.start_utc_ms, begin), min(gap.end_utc_ms, end)
    shown = "24:00" if last == end else words.minute(last)
    return {
        "level": words.say(f"duty.level{gap.level.value}"),
        "time": f"{words.minute(first)}\N{EN DASH}{shown}",
        "people": [],
        "exception": False,
        "gap": True,
    }


def escalation(settings: EscalationSettings, words: Words) -> Drawn:
    """The rules as sentences."""
    rows: list[Drawn] = [
        {
            "severity": severity.value,
            "label": words.say(f"severity.{severity.value}"),
            "levels": [
                {"label": words.say(f"duty.level{number + 1}"), "when": _after(minutes, words)}
                for number, minutes in enumerate(settings.of(severity).after_min)
            ],
            "repeat": _repeat(settings.of(severity), words),
            "resolve": f"{settings.of(severity).resolve_min} {words.say('duty.min')}"
            if settings.of(severity).resolve_min
            else "\N{EN DASH}",
        }
        for severity in reversed(Severity)
    ]
    quiet = [
        f"{row.start}\N{EN DASH}{row.end}: "
        + ", ".join(words.say(f"severity.{one.value}") for one in row.severities)
        for row in settings.quiet
    ]
    return {"rows": rows, "quiet": quiet}


def _after(minutes: int, words: Words) -> str:
    if minutes == 0:
        return words.say("duty.at_once")
    return f"{minutes} {words.say('duty.after')}"


def _repeat(rule: EscalationRule, words: Words) -> str:
    if not rule.after_min or not rule.repeats_max:
        return ""
    return (
        f"{words.say('duty.repeat')} {rule.repeat_min} {words.say('duty.min')}, "
        f"{rule.repeats_max} {words.say('duty.times')}"
    )


def channels(rows: Iterable[ChannelView], words: Words) -> list[Drawn]:
    """Channels without their secrets."""
    return [
        {
            **row.model_dump(mode="json"),
            "levels_label": ", ".join(
                words.say(f"duty.level{level.value}") for level in row.levels
            ),
        }
        for row in rows
    ]


def log(rows: Iterable[NoticeView], words: Words) -> list[Drawn]:
    """Notices with what became of each delivery."""
    return [
        {
            "id": row.id,
            "text": words.name(row.text),
            "at": words.day_and_time(row.created_utc_ms)[:19],
            "level": words.say(f"duty.level{row.level.value}") if row.level else row.to,
            "nobody": row.nobody,
            "deliveries": [_delivery(one, words) for one in row.deliveries],
        }
        for row in rows
    ]


def _delivery(row: DeliveryRow, words: Words) -> Drawn:
    return {
        "number": row.number,
        "channel": row.channel_id,
        "recipient": row.recipient,
        "state": row.state.value,
        "state_label": words.say(f"duty.{row.state.value}"),
        "tries": row.tries,
        "error": row.error if row.state is not DeliveryState.DELIVERED else "",
        "at": words.at(row.delivered_utc_ms or row.next_utc_ms),
    }
