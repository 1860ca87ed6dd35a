"""Stores and reads the lines of sessions' records."""

import json
from collections.abc import Iterable, Iterator
from typing import Final

from sqlalchemy import Connection, RowMapping, insert, select

from contracts.api import Sentence
from contracts.api.record import RecordKind, RecordLine
from contracts.units import UtcMs
from controller.core.outputs import FileRecord
from controller.store import schema

ROWS_AT_ONCE: Final = 2_000  # of a walk through all lines


def file(connection: Connection, lines: Iterable[FileRecord]) -> None:
    """Append lines in their order."""
    rows = [
        {
            "session_id": line.session_id,
            "room_id": line.room_id,
            "utc_ms": line.utc_ms,
            "kind": line.record_kind.value,
            "by": line.by,
            "subject": line.subject,
            "text_zh": line.text.zh,
            "text_en": line.text.en,
            "data": json.dumps(dict(line.data), ensure_ascii=False, sort_keys=True),
        }
        for line in lines
    ]
    if rows:
        connection.execute(insert(schema.SESSION_RECORD), rows)


def of_session(
    connection: Connection, session_id: str, *, after: int, limit: int
) -> tuple[RecordLine, ...]:
    """Lines of a session behind a number, oldest first."""
    table = schema.SESSION_RECORD
    query = (
        select(table)
        .where(table.c.session_id == session_id, table.c.number > after)
        .order_by(table.c.number)
        .limit(limit)
    )
    return tuple(_line(row) for row in connection.execute(query).mappings())


def of_room(
    connection: Connection, room_id: str, *, since: UtcMs, until: UtcMs, limit: int
) -> tuple[RecordLine, ...]:
    """Lines of a room in an interval, oldest first."""
    table = schema.SESSION_RECORD
    query = (
        select(table)
        .where(table.c.room_id == room_id, table.c.utc_ms >= since, table.c.utc_ms <= until)
        .order_by(table.c.number)
        .limit(limit)
    )
    return tuple(_line(row) for row in connection.execute(query).mappings())


def newest(connection: Connection, *, limit: int) -> tuple[RecordLine, ...]:
    """The last lines that were filed, oldest first."""
    table = schema.SESSION_RECORD
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    return tuple(_line(row) for row in reversed(connection.execute(query).mappings().all()))


def every(connection: Connection) -> Iterator[RecordLine]:
    """All lines, oldest first."""
    query = select(schema.SESSION_RECORD).order_by(schema.SESSION_RECORD.c.number)
    options = {"yield_per": ROWS_AT_ONCE}
    for row in connection.execute(query, execution_options=options).mappings():
        yield _line(row)


def _line(row: RowMapping) -> RecordLine:
    return RecordLine(
        number=row["number"],
        session_id=row["session_id"],
        room_id=row["room_id"],
        utc_ms=row["utc_ms"],
        kind=RecordKind(row["kind"]),
        by=row["by"],
        text=Sentence(zh=row["text_zh"], en=row["text_en"]),
        subject=row["subject"],
        data=json.loads(row["data"]),
    )
