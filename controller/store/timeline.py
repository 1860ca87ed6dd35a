"""Reads what the tracks of a room recorded over an interval, joined to few stretches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, select

from contracts.api.search import GapSpan, Span
from contracts.units import UtcMs
from controller.core.sessions import Session
from controller.store import schema
from controller.store.search import SEGMENT_MAX_MS

JOIN_MS: Final = 1_500  # two segments of one stream: the next begins with the next key frame
ROWS_MAX: Final = 20_000  # of one track: two days of segments of ten seconds
GAPS_MAX: Final = 2_000
GAP_PIECE_MAX_MS: Final = 86_400_000  # a long gap is told in pieces, none longer than a day

T = TypeVar("T")

_SESSION: Final = TypeAdapter(Session)


class Reading(Protocol):
    """Lends a connection for reading; blocks."""

    def read(self, work: Callable[[Connection], T]) -> T: ...


@dataclass(frozen=True, slots=True)
class Cover:
    """What one track recorded, and where it did not."""

    recorded: tuple[Span, ...]
    gaps: tuple[GapSpan, ...]


class TimelineStore:
    """Reads covers; methods block."""

    def __init__(self, database: Reading) -> None:
        self._database = database

    def covers(self, tracks: Sequence[str], since: UtcMs, until: UtcMs) -> dict[str, Cover]:
        """Each track's cover, cut to the interval."""

        def work(connection: Connection) -> dict[str, Cover]:
            return {
                track: Cover(
                    _recorded(connection, track, since, until),
                    _gaps(connection, track, since, until),
                )
                for track in tracks
            }

        return self._database.read(work)

    def sessions(self, room_id: str, *, limit: int) -> tuple[Session, ...]:
        """The newest sessions that were scheduled in a room."""
        table = schema.SESSION
        query = (
            select(table.c.body)
            .where(table.c.room_id == room_id)
            .order_by(table.c.scheduled_utc_ms.desc())
            .limit(limit)
        )

        def work(connection: Connection) -> tuple[Session, ...]:
            bodies = connection.execute(query).scalars()
            return tuple(_SESSION.validate_json(body) for body in bodies)

        return self._database.read(work)


def _recorded(connection: Connection, track: str, since: UtcMs, until: UtcMs) -> tuple[Span, ...]:
    table = schema.ENTRY
    query = (
        select(table.c.start_utc_ms, table.c.duration_ms)
        .where(
            table.c.track_id == track,
            table.c.entry_kind == "segment",
            # A lower bound for the index: without it fifteen years are read to show a day.
            table.c.start_utc_ms >= since - SEGMENT_MAX_MS,
            table.c.start_utc_ms < until,
        )
        .order_by(table.c.start_utc_ms)
        .limit(ROWS_MAX)
    )
    spans: list[list[int]] = []
    for start, duration in connection.execute(query):
        end = start + duration
        if end <= since:
            continue
        if spans and start - spans[-1][1] <= JOIN_MS:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([start, end])
    return tuple(
        Span(from_utc_ms=UtcMs(max(start, since)), to_utc_ms=UtcMs(min(end, until)))
        for start, end in spans
    )


def _gaps(connection: Connection, track: str, since: UtcMs, until: UtcMs) -> tuple[GapSpan, ...]:
    table = schema.ENTRY
    query = (
        select(
            table.c.start_utc_ms,
            table.c.duration_ms,
            table.c.reason,
            table.c.detail,
            table.c.ended,
        )
        .where(
            table.c.track_id == track,
            table.c.entry_kind == "gap",
            table.c.start_utc_ms >= since - GAP_PIECE_MAX_MS,
            table.c.start_utc_ms < until,
        )
        .order_by(table.c.start_utc_ms)
        .limit(GAPS_MAX)
    )
    found: list[GapSpan] = []
    for row in connection.execute(query):
        begin, end = row.start_utc_ms, row.start_utc_ms + row.duration_ms
        if end <= since and row.ended:
            continue
        gap = GapSpan(
            from_utc_ms=UtcMs(max(begin, since)),
            to_utc_ms=UtcMs(max(min(end, until), since)),
            reason=row.reason or "unknown",
            detail=row.detail,
            ended=bool(row.ended),
        )
        last = found[-1] if found else None
        if (
            last
            and not last.ended
            and last.reason == gap.reason
            and begin <= last.to_utc_ms + JOIN_MS
        ):
            found[-1] = gap.model_copy(update={"from_utc_ms": last.from_utc_ms})
        else:
            found.append(gap)
    return tuple(found)
