"""Stores head counts and the signed versions of witness reports."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, Select, and_, exists, insert, select

from contracts.api import Disposition, SessionState
from contracts.api.report import HeadCountPoint, ReportVersion
from contracts.api.retrieval import RetrievalState
from contracts.units import UtcMs
from controller.core.alerts import AlertRecord
from controller.core.outputs import FileCount, Refused
from controller.core.retrievals import Retrieval
from controller.core.sessions import Session
from controller.store import retrievals
from controller.store.link import Link
from controller.store.schema import ALERT, SESSION
from controller.store.schema_reports import HEAD_COUNT, WITNESS_REPORT

IDS_AT_ONCE: Final = 500  # below every database's limit of parameters

_SESSION: Final = TypeAdapter(Session)
_ALERT: Final = TypeAdapter(AlertRecord)


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
    """The curve of a session over all its rooms, oldest first; unknown while one of them is."""
    table = HEAD_COUNT
    query = (
        select(table.c.room_id, table.c.utc_ms, table.c.people)
        .where(table.c.session_id == session_id)
        .order_by(table.c.number)
        .limit(limit)
    )
    rooms: dict[str, int | None] = {}
    curve: list[HeadCountPoint] = []
    for room_id, utc_ms, people in connection.execute(query):
        rooms[room_id] = people
        known = [one for one in rooms.values() if one is not None]
        total = sum(known) if len(known) == len(rooms) else None
        curve.append(HeadCountPoint(utc_ms=UtcMs(utc_ms), people=total))
    return tuple(curve)


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


class ReportStore:
    """Reports' and retrievals' side of the database. Methods block."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def head_counts(self, session_id: str, limit: int) -> tuple[HeadCountPoint, ...]:
        """The curve of a session, oldest first."""
        return self._link.read(lambda connection: head_counts(connection, session_id, limit))

    def versions(self, session_id: str) -> tuple[tuple[ReportVersion, str], ...]:
        """The signed versions of a session's report with their statements, oldest first."""
        return self._link.read(lambda connection: versions(connection, session_id))

    def add_version(self, version: ReportVersion, statement: str) -> None:
        """File a version."""
        self._link.write(lambda connection: add_version(connection, version, statement))

    def unreported(self, limit: int) -> tuple[str, ...]:
        """Released sessions without a version, newest first."""
        return self._link.read(partial(_texts, _unreported(limit)))

    def sessions_between(self, since: UtcMs, until: UtcMs, limit: int) -> tuple[Session, ...]:
        """Sessions that were scheduled to begin in an interval (its end excluded), oldest first."""
        query = (
            select(SESSION.c.body)
            .where(SESSION.c.scheduled_utc_ms >= since, SESSION.c.scheduled_utc_ms < until)
            .order_by(SESSION.c.scheduled_utc_ms, SESSION.c.id)
            .limit(limit)
        )
        bodies = self._link.read(partial(_texts, query))
        return tuple(_SESSION.validate_json(body) for body in bodies)

    def violations(self, session_ids: tuple[str, ...]) -> tuple[AlertRecord, ...]:
        """Alerts of these sessions that a person found to be violations, in their order."""
        found: list[AlertRecord] = []
        for place in range(0, len(session_ids), IDS_AT_ONCE):
            ids = session_ids[place : place + IDS_AT_ONCE]
            query = (
                select(ALERT.c.body)
                .where(
                    ALERT.c.session_id.in_(ids),
                    ALERT.c.disposition == Disposition.VIOLATION.value,
                    ~ALERT.c.shadow,
                )
                .order_by(ALERT.c.number)
            )
            bodies = self._link.read(partial(_texts, query))
            found += (_ALERT.validate_json(body) for body in bodies)
        return tuple(found)

    # --- retrievals -----------------------------------------------------------------------------

    def add_retrieval(self, make: Callable[[int], Retrieval]) -> Retrieval:
        """File what ``make`` gives for the next number, in one transaction."""

        def work(connection: Connection) -> Retrieval:
            row = make(retrievals.next_number(connection))
            retrievals.add(connection, row)
            return row

        return self._link.write(work)

    def change_retrieval(
        self, retrieval_id: str, change: Callable[[Retrieval], Retrieval | Refused]
    ) -> Retrieval | Refused | None:
        """Read, change and write one in one transaction; None: there is none."""

        def work(connection: Connection) -> Retrieval | Refused | None:
            row = retrievals.find(connection, retrieval_id)
            if row is None:
                return None
            after = change(row)
            if isinstance(after, Retrieval) and after != row:
                retrievals.put(connection, after)
            return after

        return self._link.write(work)

    def find_retrieval(self, retrieval_id: str) -> Retrieval | None:
        """One; None when there is none."""
        return self._link.read(lambda connection: retrievals.find(connection, retrieval_id))

    def retrieval_by_key(self, key: str) -> Retrieval | None:
        """The one that was asked for with this idempotency key."""
        return self._link.read(lambda connection: retrievals.by_key(connection, key))

    def retrievals(
        self, *, before: int | None, limit: int, asked_by: str | None = None
    ) -> tuple[Retrieval, ...]:
        """Newest first."""
        return self._link.read(
            lambda connection: retrievals.page(
                connection, before=before, limit=limit, asked_by=asked_by
            )
        )

    def retrievals_in(
        self, states: tuple[RetrievalState, ...], limit: int
    ) -> tuple[Retrieval, ...]:
        """Those in one of these states, oldest first."""
        return self._link.read(lambda connection: retrievals.in_states(connection, states, limit))


def _texts(query: Select[tuple[str]], connection: Connection) -> tuple[str, ...]:
    """The one column of a query."""
    return tuple(str(text) for (text,) in connection.execute(query))


def _unreported(limit: int) -> Select[tuple[str]]:
    filed = exists().where(WITNESS_REPORT.c.session_id == SESSION.c.id)
    over = SESSION.c.state.in_((SessionState.RELEASED.value, SessionState.ARCHIVED.value))
    return (
        select(SESSION.c.id)
        .where(and_(over, ~filed))
        .order_by(SESSION.c.scheduled_utc_ms.desc())
        .limit(limit)
    )
