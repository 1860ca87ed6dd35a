"""Stores and reads the menu and recurring orders, and finds meals for accounting."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter
from sqlalchemy import Column, Connection, String, Table, Text, select

from contracts.units import UtcMs
from controller.core.deliveries import Delivery
from controller.core.ordering import OrderingDoc
from controller.store.schema import DELIVERY, METADATA

ORDERING: Final = Table(
    "ordering",
    METADATA,
    Column("id", String(80), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("body", Text, nullable=False),
)

_DOCUMENT: Final[TypeAdapter[OrderingDoc]] = TypeAdapter(
    Annotated[OrderingDoc, Field(discriminator="kind")]
)
_DELIVERY: Final = TypeAdapter(Delivery)


def row_of(document: OrderingDoc) -> dict[str, Any]:
    """A document as its row."""
    body = _DOCUMENT.dump_json(document).decode()
    return {"id": document.id, "kind": document.kind, "body": body}


def load(connection: Connection) -> Mapping[str, OrderingDoc]:
    """Every document, by id."""
    bodies = connection.execute(select(ORDERING.c.body)).scalars()
    found = [_DOCUMENT.validate_json(body) for body in bodies]
    return {row.id: row for row in found}


def between(connection: Connection, since: UtcMs, until: UtcMs, limit: int) -> tuple[Delivery, ...]:
    """Deliveries that were ordered in an interval, oldest first."""
    ordered = DELIVERY.c.ordered_utc_ms
    query = (
        select(DELIVERY.c.body)
        .where(ordered >= since, ordered < until)
        .order_by(ordered)
        .limit(limit)
    )
    return tuple(_DELIVERY.validate_json(body) for body in connection.execute(query).scalars())
