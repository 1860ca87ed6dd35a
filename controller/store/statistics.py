"""Reads the facts that statistics count, an interval at a time."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, Select, and_, case, func, select

from contracts.api import DeliveryState
from contracts.api.statistics import ALERTS_COUNTED_MAX, AVAILABILITY_MAX_MS
from contracts.units import UtcMs
from controller.core.alerts import AlertRecord
from controller.core.deliveries import Delivery
from controller.core.figures import AlertFact, DeliveryFact, Facts, SessionFact, TrackFact
from controller.core.sessions import Session
from controller.store import schema

_ALERT: Final = TypeAdapter(AlertRecord)
_SESSION: Final = TypeAdapter(Session)
_DELIVERY: Final = TypeAdapter(Delivery)

ROWS_MAX: Final = 50_000  # sessions or deliveries: ten years of a large centre

T = TypeVar("T")


class Reading(Protocol):
    """Lends a connection for reading; blocks."""

    def read(self, work: Callable[[Connection], T]) -> T: ...


class StatisticsStore:
    """Facts of an interval, of the rooms that the asking account may see; methods block."""

    def __init__(self, database: Reading) -> None:
        self._database = database

    def facts(
        self,
        since: UtcMs,
        until: UtcMs,
        *,
        rooms: Sequence[str] | None = None,
        sectors: Sequence[str] | None = None,
    ) -> Facts:
        """Everything that began in ``since <= t < until``."""

        def work(connection: Connection) -> Facts:
            sessions = _sessions(connection, since, until, rooms, sectors)
            alerts = _alerts(connection, since, until, rooms)
            if sectors is not None:
                ids = {row.id for row in sessions}
                alerts = [row for row in alerts if row.alert.session_id in ids]
            return Facts(
                alerts=[_alert_fact(row) for row in alerts[:ALERTS_COUNTED_MAX]],
                sessions=[
                    SessionFact(row.room_id, row.state, row.sealed_utc_ms, row.released_utc_ms)
                    for row in sessions
                ],
                deliveries=[]
                if sectors is not None
                else _deliveries(connection, since, until, rooms),
                tracks=[]
                if sectors is not None
                else _tracks(connection, recordings_since(since, until), until, rooms),
                more=len(alerts) > ALERTS_COUNTED_MAX,
            )

        return self._database.read(work)


def recordings_since(since: UtcMs, until: UtcMs) -> UtcMs:
    """Where recordings are counted from: segments are too many for a year at once."""
    return UtcMs(max(since, until - AVAILABILITY_MAX_MS))


def _bodies(  # noqa: PLR0917  # what, when, where, how many
    connection: Connection,
    table: Any,  # noqa: ANN401  # a Table; its columns are looked up by name
    time: str,
    since: UtcMs,
    until: UtcMs,
    rooms: Sequence[str] | None,
    limit: int,
) -> Sequence[str]:
    query: Select[Any] = select(table.c.body).where(table.c[time] >= since, table.c[time] < until)
    if rooms is not None:
        query = query.where(table.c.room_id.in_(rooms))
    return connection.execute(query.order_by(table.c[time]).limit(limit)).scalars().all()


def _alerts(
    connection: Connection, since: UtcMs, until: UtcMs, rooms: Sequence[str] | None
) -> list[AlertRecord]:
    bodies = _bodies(
        connection, schema.ALERT, "raised_utc_ms", since, until, rooms, ALERTS_COUNTED_MAX + 1
    )
    return [_ALERT.validate_json(body) for body in bodies]


def _alert_fact(row: AlertRecord) -> AlertFact:
    return AlertFact(
        row.alert.rule,
        row.alert.room_id,
        row.shadow,
        row.disposition,
        row.alert.raised_utc_ms,
        row.acknowledged_utc_ms,
        row.resolved_utc_ms,
    )


def _sessions(
    connection: Connection,
    since: UtcMs,
    until: UtcMs,
    rooms: Sequence[str] | None,
    sectors: Sequence[str] | None,
) -> list[Session]:
    bodies = _bodies(connection, schema.SESSION, "scheduled_utc_ms", since, until, rooms, ROWS_MAX)
    found = [_SESSION.validate_json(body) for body in bodies]
    return [row for row in found if sectors is None or row.sector.value in sectors]


def _deliveries(
    connection: Connection, since: UtcMs, until: UtcMs, rooms: Sequence[str] | None
) -> list[DeliveryFact]:
    bodies = _bodies(connection, schema.DELIVERY, "ordered_utc_ms", since, until, rooms, ROWS_MAX)
    rows = [_DELIVERY.validate_json(body) for body in bodies]
    return [DeliveryFact(row.state.value, row.ordered_utc_ms, _collected(row)) for row in rows]


def _collected(row: Delivery) -> UtcMs | None:
    legs = (leg.started_utc_ms for leg in row.legs if leg.name is DeliveryState.COLLECTED)
    return next(legs, None)


def _tracks(
    connection: Connection, since: UtcMs, until: UtcMs, rooms: Sequence[str] | None
) -> list[TrackFact]:
    table = schema.ENTRY
    gap = table.c.entry_kind == "gap"
    query = (
        select(
            table.c.room_id,
            table.c.track_id,
            func.sum(case((gap, 0), else_=table.c.duration_ms)).label("recorded_ms"),
            func.sum(case((gap, table.c.duration_ms), else_=0)).label("gap_ms"),
            func.sum(case((gap, 1), else_=0)).label("gaps"),
        )
        .where(
            and_(
                table.c.entry_kind.in_(("segment", "gap")),
                table.c.start_utc_ms >= since,
                table.c.start_utc_ms < until,
            )
        )
        .group_by(table.c.room_id, table.c.track_id)
    )
    if rooms is not None:
        query = query.where(table.c.room_id.in_(rooms))
    return [
        TrackFact(
            row.room_id,
            row.track_id,
            int(row.recorded_ms or 0),
            int(row.gap_ms or 0),
            int(row.gaps),
        )
        for row in connection.execute(query)
    ]
