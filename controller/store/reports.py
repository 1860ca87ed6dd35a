"""Stores head counts and the signed versions of witness reports."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from contracts.api.report import HeadCountPoint, ReportVersion
from contracts.units import UtcMs
from controller.core.outputs import FileCount
from controller.store.schema_reports import HEAD_COUNT, WITNESS_REPORT


def file_counts(connection: Connection, rows: Iterable[FileCount]) -> None:
    """Append head counts in their order."""
    values = [
        {
            "session_id": row.session_id,
            "room_id": row.room_id,
            "utc_ms": row.utc_ms,
            "people": row.people,
        }
        for row in rows
    ]
    if values:
        connection.execute(insert(HEAD_COUNT), values)


def head_counts(connection: Connection, session_id: str, limit: int) -> tuple[HeadCountPoint, ...]:
    """The curve of a session, oldest first."""
    table = HEAD_COUNT
    query = (
        select(table.c.utc_ms, table.c.people)
        .where(table.c.session_id == session_id)
        .order_by(table.c.number)
        .limit(limit)
    )
    return tuple(
        HeadCountPoint(utc_ms=UtcMs(utc_ms), people=people)
        for utc_ms, people in connection.execute(query)
    )


def versions(connection: Connection, session_id: str) -> tuple[tuple[ReportVersion, str], ...]:
    """The signed versions of a session's report with their statements, oldest first."""
    table = WITNESS_REPORT
    query = (
        select(table.c.body, table.c.statement)
        .where(table.c.session_id == session_id)
        .order_by(table.c.version)
    )
    return tuple(
        (ReportVersion.model_validate_json(body), statement)
        for body, statement in connection.execute(query)
    )


def add_version(connection: Connection, version: ReportVersion, statement: str) -> None:
    """File a version; a second one of the same number is refused by the primary key."""
    connection.execute(
        insert(WITNESS_REPORT),
        {
            "session_id": version.session_id,
            "version": version.version,
            "made_utc_ms": version.made_utc_ms,
            "statement": statement,
            "body": version.model_dump_json(),
        },
    )
