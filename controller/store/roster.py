"""Stores and reads sessions for lists, participants' encrypted names, and rooms' sweeps."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    insert,
    or_,
    select,
)

from controller.core.sessions import Session
from controller.core.sweeps import RoomCare
from controller.ports import SessionFilter
from controller.store import schema
from controller.store.answers import ReadingWriting

_ID: Final = String(80)
_SESSION: Final = TypeAdapter(Session)
_CARE: Final = TypeAdapter(RoomCare)

SESSION_ROOM: Final = Table(
    "session_room",
    schema.METADATA,
    Column("session_id", _ID, primary_key=True),
    Column("room_id", _ID, primary_key=True),
    Index("session_room_room", "room_id", "session_id"),
)
"""The rooms of each session: an area seal has several."""

PARTICIPANT_NAME: Final = Table(
    "participant_name",
    schema.METADATA,
    Column("session_id", _ID, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""Names, encrypted with the key of the controller's data folder; nothing else holds them."""

ROOM_CARE: Final = Table(
    "room_care",
    schema.METADATA,
    Column("room_id", _ID, primary_key=True),
    Column("body", Text, nullable=False),
)


def session_row(session: Session) -> dict[str, Any]:
    """A session as its table holds it."""
    return {
        "id": session.id,
        "room_id": session.room_id,
        "state": session.state.value,
        "scheduled_utc_ms": session.scheduled_utc_ms,
        "ended": session.ended,
        "sector": session.sector.value,
        "idempotency_key": session.idempotency_key,
        "body": _SESSION.dump_json(session).decode(),
    }


def file_rooms(connection: Connection, session: Session) -> None:
    """Keep which rooms a session has."""
    table = SESSION_ROOM
    known = set(
        connection.execute(
            select(table.c.room_id).where(table.c.session_id == session.id)
        ).scalars()
    )
    wanted = set(session.rooms)
    for room in known - wanted:
        connection.execute(
            delete(table).where(table.c.session_id == session.id, table.c.room_id == room)
        )
    rows = [{"session_id": session.id, "room_id": room} for room in sorted(wanted - known)]
    if rows:
        connection.execute(insert(table), rows)


def care_row(care: RoomCare) -> dict[str, Any]:
    """A room's sweep as its table holds it."""
    return {"room_id": care.room_id, "body": _CARE.dump_json(care).decode()}


def care(connection: Connection) -> Mapping[str, RoomCare]:
    """How each room was last swept."""
    rows = connection.execute(select(ROOM_CARE.c.body)).scalars()
    found = [_CARE.validate_json(body) for body in rows]
    return {row.room_id: row for row in found}


def page(connection: Connection, wanted: SessionFilter, *, limit: int) -> tuple[Session, ...]:
    """Sessions by their start, latest first, behind ``wanted.before``."""
    table = schema.SESSION
    query = _filtered(select(table.c.body), wanted)
    order = (table.c.scheduled_utc_ms.desc(), table.c.id.desc())
    rows = connection.execute(query.order_by(*order).limit(limit)).scalars()
    return tuple(_SESSION.validate_json(body) for body in rows)


def _filtered(query: Select[Any], wanted: SessionFilter) -> Select[Any]:
    table = schema.SESSION
    if wanted.before is not None:
        utc_ms, session_id = wanted.before
        same = and_(table.c.scheduled_utc_ms == utc_ms, table.c.id < session_id)
        query = query.where(or_(table.c.scheduled_utc_ms < utc_ms, same))
    if wanted.states:
        query = query.where(table.c.state.in_([row.value for row in wanted.states]))
    if wanted.from_utc_ms is not None:
        query = query.where(table.c.scheduled_utc_ms >= wanted.from_utc_ms)
    if wanted.to_utc_ms is not None:
        query = query.where(table.c.scheduled_utc_ms < wanted.to_utc_ms)
    if wanted.sectors is not None:
        query = query.where(table.c.sector.in_([row.value for row in wanted.sectors]))
    for rooms in (wanted.rooms, wanted.seen_rooms):
        if rooms is not None:
            of_rooms = select(SESSION_ROOM.c.session_id).where(SESSION_ROOM.c.room_id.in_(rooms))
            query = query.where(table.c.id.in_(of_rooms))
    return query


def by_key(connection: Connection, key: str) -> Session | None:
    """The session that was made with this idempotency key."""
    table = schema.SESSION
    body = connection.execute(select(table.c.body).where(table.c.idempotency_key == key)).scalar()
    return None if body is None else _SESSION.validate_json(body)


# --- names --------------------------------------------------------------------------------------


def put_names(connection: Connection, session_id: str, names: Mapping[int, bytes]) -> None:
    """Keep these encrypted names; one of the same number is replaced."""
    drop_names(connection, session_id, names)
    rows = [
        {"session_id": session_id, "number": number, "sealed": sealed}
        for number, sealed in names.items()
    ]
    if rows:
        connection.execute(insert(PARTICIPANT_NAME), rows)


def keep_names_of(connection: Connection, session_id: str, numbers: Iterable[int]) -> None:
    """Forget the names of all others of a session."""
    table = PARTICIPANT_NAME
    connection.execute(
        delete(table).where(table.c.session_id == session_id, table.c.number.not_in(list(numbers)))
    )


def drop_names(connection: Connection, session_id: str, numbers: Iterable[int]) -> None:
    """Forget these names."""
    table = PARTICIPANT_NAME
    connection.execute(
        delete(table).where(table.c.session_id == session_id, table.c.number.in_(list(numbers)))
    )


def names(connection: Connection, session_id: str) -> Mapping[int, bytes]:
    """The encrypted names of a session, by participant."""
    table = PARTICIPANT_NAME
    query = select(table.c.number, table.c.sealed).where(table.c.session_id == session_id)
    return {row.number: bytes(row.sealed) for row in connection.execute(query)}


class NameStore:
    """See ``controller.auth.names.NameStore``."""

    def __init__(self, database: ReadingWriting) -> None:
        self._database = database

    def put(self, session_id: str, sealed: Mapping[int, bytes], keep: Iterable[int] | None) -> None:
        """Keep encrypted names; ``keep``: and forget those of all others."""
        kept = None if keep is None else tuple(keep)

        def work(connection: Connection) -> None:
            if kept is not None:
                keep_names_of(connection, session_id, kept)
            put_names(connection, session_id, sealed)

        self._database.write(work)

    def drop(self, session_id: str, numbers: Iterable[int]) -> None:
        """Forget the names of these participants."""
        gone = tuple(numbers)
        self._database.write(lambda connection: drop_names(connection, session_id, gone))

    def read(self, session_id: str) -> Mapping[int, bytes]:
        """The encrypted names of a session, by participant."""
        return self._database.read(lambda connection: names(connection, session_id))
