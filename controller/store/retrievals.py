"""Stores retrievals, each as JSON beside what is searched."""

from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, func, insert, select, update

from contracts.api.retrieval import RetrievalState
from controller.core.retrievals import Retrieval
from controller.store.schema_reports import RETRIEVAL

_BODY: Final = TypeAdapter(Retrieval)


def add(connection: Connection, row: Retrieval) -> None:
    """A new one; its number must be free."""
    connection.execute(insert(RETRIEVAL), _values(row))


def put(connection: Connection, row: Retrieval) -> None:
    """The row as it is now."""
    connection.execute(update(RETRIEVAL).where(RETRIEVAL.c.id == row.id), _values(row))


def next_number(connection: Connection) -> int:
    """The number of the next one."""
    highest = connection.execute(select(func.max(RETRIEVAL.c.number))).scalar()
    return 1 if highest is None else int(highest) + 1


def find(connection: Connection, retrieval_id: str) -> Retrieval | None:
    """One; None when there is none."""
    query = select(RETRIEVAL.c.body).where(RETRIEVAL.c.id == retrieval_id)
    body = connection.execute(query).scalar()
    return None if body is None else _BODY.validate_json(body)


def by_key(connection: Connection, key: str) -> Retrieval | None:
    """The one that was asked for with this idempotency key."""
    query = select(RETRIEVAL.c.body).where(RETRIEVAL.c.idempotency_key == key)
    body = connection.execute(query).scalar()
    return None if body is None else _BODY.validate_json(body)


def page(
    connection: Connection, *, before: int | None, limit: int, asked_by: str | None
) -> tuple[Retrieval, ...]:
    """Newest first."""
    query = select(RETRIEVAL.c.body).order_by(RETRIEVAL.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(RETRIEVAL.c.number < before)
    if asked_by is not None:
        query = query.where(RETRIEVAL.c.asked_by == asked_by)
    return tuple(_BODY.validate_json(body) for body in connection.execute(query).scalars())


def in_states(
    connection: Connection, states: tuple[RetrievalState, ...], limit: int
) -> tuple[Retrieval, ...]:
    """Those in one of these states, oldest first."""
    query = (
        select(RETRIEVAL.c.body)
        .where(RETRIEVAL.c.state.in_([state.value for state in states]))
        .order_by(RETRIEVAL.c.number)
        .limit(limit)
    )
    return tuple(_BODY.validate_json(body) for body in connection.execute(query).scalars())


def _values(row: Retrieval) -> dict[str, Any]:
    return {
        "id": row.id,
        "number": row.number,
        "state": row.state.value,
        "asked_by": row.asked_by,
        "idempotency_key": row.idempotency_key,
        "body": _BODY.dump_json(row).decode(),
    }
