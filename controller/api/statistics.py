"""Routes of statistics: figures of an interval as JSON and as CSV."""

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response

from contracts.api import BASE, Disposition, Sentence
from contracts.api.statistics import DAYS_MAX, Statistics
from contracts.units import ID_PATTERN, UtcMs
from controller.api.context import Caller, Context, ContextNeeded, Needs
from controller.api.http_rules import problem_responses
from controller.api.problems import ProblemError
from controller.auth.scopes import Scope
from controller.core.figures import NOT_JUDGED, statistics

router = APIRouter(prefix=f"{BASE}/statistics", tags=["statistics"])

DAY_MS: Final = 86_400_000
DAYS_DEFAULT: Final = 30
UTC_MAX_MS: Final = 4_102_444_800_000  # the year 2100
CSV_COLUMNS: Final = (*(row.value for row in Disposition), NOT_JUDGED)

FromQuery = Annotated[
    int | None,
    Query(alias="from", ge=0, le=UTC_MAX_MS, description="UTC milliseconds; 30 days before `to`."),
]
ToQuery = Annotated[
    int | None, Query(alias="to", ge=0, le=UTC_MAX_MS, description="Excluded; left out: now.")
]
RoomQuery = Annotated[str | None, Query(alias="room", pattern=ID_PATTERN)]


async def _figures(
    context: Context, caller: Caller, begin: int | None, end: int | None, room: str | None
) -> Statistics:
    until = UtcMs(end if end is not None else context.clock.utc_ms())
    since = UtcMs(begin if begin is not None else max(until - DAYS_DEFAULT * DAY_MS, 0))
    if not since < until or until - since > DAYS_MAX * DAY_MS:
        text = Sentence(
            zh=f"from 必须早于 to，且相差不超过 {DAYS_MAX} 天。",
            en=f"from must lie before to, by {DAYS_MAX} days at the most.",
        )
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, text)
    grants = caller.user.grants
    rooms = grants.rooms
    if room is not None:
        rooms = (room,) if caller.sees_room(room) else ()
    zone = ZoneInfo(context.state().plan.site.config.time_zone)

    def count() -> Statistics:
        facts = context.finding.figures.facts(since, until, rooms=rooms, sectors=grants.sectors)
        days = tuple(_days(since, until, zone))
        return statistics(facts, since, until, lambda utc_ms: _day(utc_ms, zone), days)

    return await asyncio.to_thread(count)


def _date(utc_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(zone).date()


def _day(utc_ms: int, zone: ZoneInfo) -> str:
    return _date(utc_ms, zone).isoformat()


def _days(since: int, until: int, zone: ZoneInfo) -> Iterator[str]:
    """The days of a zone that an interval touches."""
    day, last = _date(since, zone), _date(until - 1, zone)
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


@router.get("", responses=problem_responses(503))
async def get_statistics(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.STATISTICS))],
    begin: FromQuery = None,
    end: ToQuery = None,
    room: RoomQuery = None,
) -> Statistics:
    """Figures of an interval: alerts by rule, room and day, times, sessions, recordings.

    Days are those of the site's time zone. An account that sees some rooms or sectors alone gets
    the figures of those.
    """
    return await _figures(context, caller, begin, end, room)


@router.get(
    ".csv",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **problem_responses(503),
    },
)
async def get_statistics_csv(
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.STATISTICS))],
    begin: FromQuery = None,
    end: ToQuery = None,
    room: RoomQuery = None,
) -> Response:
    """The same figures as one CSV table in UTF-8 with a byte order mark, for spreadsheets."""
    figures = await _figures(context, caller, begin, end, room)
    name = f"statistics-{figures.from_utc_ms}-{figures.to_utc_ms}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response("\N{BYTE ORDER MARK}" + _csv(figures), media_type="text/csv", headers=headers)


def _csv(figures: Statistics) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(("table", "key", "count", *CSV_COLUMNS, "judged", "false_low", "false_high"))
    for rule in figures.rules:
        said = [rule.by_disposition.get(name, 0) for name in CSV_COLUMNS]
        count = rule.told + rule.shadowed
        share = (rule.judged, rule.false_share_low, rule.false_share_high)
        table.writerow(("rule", rule.rule, count, *said, *share))
    for room in figures.rooms:
        said = [room.by_disposition.get(name, 0) for name in CSV_COLUMNS]
        table.writerow(("room", room.key, room.count, *said))
    for day in figures.days:
        said = [day.by_disposition.get(name, 0) for name in CSV_COLUMNS]
        table.writerow(("day", day.day, day.count, *said))
    table.writerow(())
    table.writerow(("track", "room", "recorded_ms", "gap_ms", "gaps", "share"))
    for row in figures.availability:
        facts = (row.recorded_ms, row.gap_ms, row.gaps, row.share)
        table.writerow((row.track_id, row.room_id, *facts))
    return out.getvalue()
