"""Decides who is on duty at a moment, and when nobody is: a weekly plan, and days that differ.

Times of shifts are local, so a shift keeps its clock time over a change of the clocks; a shift
whose end is not after its start ends on the next day.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts.api.duty import DutyGap, DutyLevel, DutyPerson, DutySpan, RosterBody
from contracts.units import UtcMs
from controller.core.escalation import minutes_of

SPAN_DAYS_MAX: Final = 62  # two months at once: what a page of a roster shows


def spans(
    roster: RosterBody, start: UtcMs, end: UtcMs, zone: ZoneInfo, level: DutyLevel | None = None
) -> tuple[DutySpan, ...]:
    """All stretches of duty that touch ``start`` to ``end``, by their beginning."""
    found = [
        span
        for day in _days(start, end, zone)
        for span in _of_day(roster, day, zone)
        if span.end_utc_ms > start and span.start_utc_ms < end
        if level is None or span.level is level
    ]
    return tuple(sorted(found, key=lambda one: (one.start_utc_ms, one.level, one.end_utc_ms)))


def on_duty(
    roster: RosterBody, utc_ms: UtcMs, zone: ZoneInfo, level: DutyLevel
) -> tuple[DutyPerson, ...]:
    """Who is on duty at this level at this moment, each once.

    A level without any shift is on call: everybody of it.
    """
    if not has_shifts(roster, level):
        return tuple(person for person in roster.people if person.level is level)
    names = {
        name
        for span in spans(roster, utc_ms, UtcMs(utc_ms + 1), zone, level)
        for name in span.people
    }
    return tuple(person for person in roster.people if person.username in names)


def until(roster: RosterBody, utc_ms: UtcMs, zone: ZoneInfo, level: DutyLevel) -> UtcMs | None:
    """When the first of those on duty at this level leaves; None: nobody is, or all are on call."""
    ends = [span.end_utc_ms for span in spans(roster, utc_ms, UtcMs(utc_ms + 1), zone, level)]
    return min(ends, default=None)


def has_shifts(roster: RosterBody, level: DutyLevel) -> bool:
    """Whether this level works in shifts at all."""
    return any(row.level is level for row in roster.weekly) or any(
        row.level is level for row in roster.exceptions
    )


def gaps(
    roster: RosterBody, start: UtcMs, end: UtcMs, zone: ZoneInfo, level: DutyLevel
) -> tuple[DutyGap, ...]:
    """Stretches in which nobody is on duty, of a level that has shifts. A closed day is none."""
    if not has_shifts(roster, level):
        return ()
    covered = [
        (span.start_utc_ms, span.end_utc_ms)
        for span in spans(roster, start, end, zone, level)
        if span.people
    ]
    covered += _closed(roster, start, end, zone, level)
    found, at = [], start
    for begin, finish in sorted(covered):
        if begin > at:
            found.append(DutyGap(level=level, start_utc_ms=at, end_utc_ms=begin))
        at = max(at, finish)
    if at < end:
        found.append(DutyGap(level=level, start_utc_ms=at, end_utc_ms=end))
    return tuple(found)


def _closed(
    roster: RosterBody, start: UtcMs, end: UtcMs, zone: ZoneInfo, level: DutyLevel
) -> list[tuple[UtcMs, UtcMs]]:
    return [
        (_utc(day, 0, zone), _utc(day + timedelta(days=1), 0, zone))
        for day in _days(start, end, zone)
        for one in roster.exceptions
        if one.level is level and one.date == day.isoformat() and not one.shifts
    ]


def _of_day(roster: RosterBody, day: date, zone: ZoneInfo) -> Iterator[DutySpan]:
    """The stretches that begin on this local day."""
    differs = {row.level: row for row in roster.exceptions if row.date == day.isoformat()}
    for level, row in differs.items():
        for shift in row.shifts:
            yield _span(day, shift.start, shift.end, level, shift.people, zone, exception=True)
    for weekly in roster.weekly:
        if weekly.level not in differs and day.weekday() in weekly.weekdays:
            yield _span(
                day, weekly.start, weekly.end, weekly.level, weekly.people, zone, exception=False
            )


def _span(
    day: date,
    start: str,
    end: str,
    level: DutyLevel,
    people: Iterable[str],
    zone: ZoneInfo,
    *,
    exception: bool,
) -> DutySpan:
    begins, ends = minutes_of(start), minutes_of(end)
    last = day if ends > begins else day + timedelta(days=1)
    return DutySpan(
        level=level,
        start_utc_ms=_utc(day, begins, zone),
        end_utc_ms=_utc(last, ends, zone),
        people=tuple(people),
        exception=exception,
    )


def _days(start: UtcMs, end: UtcMs, zone: ZoneInfo) -> Iterator[date]:
    """Local days whose shifts can touch the interval: from the day before, for the night's."""
    first = _local(start, zone).date() - timedelta(days=1)
    last = _local(end, zone).date()
    for number in range(min((last - first).days, SPAN_DAYS_MAX) + 1):
        yield first + timedelta(days=number)


def _local(utc_ms: UtcMs, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(zone)


def _utc(day: date, minute: int, zone: ZoneInfo) -> UtcMs:
    at = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
    return UtcMs(int(at.timestamp() * 1000))
