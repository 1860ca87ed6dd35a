"""Stores and reads what was done to rooms from outside: one row an act, its kind beside it."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    select,
)

from controller.core.outside import OutsideAct
from controller.core.state import ENDED_KEPT
from controller.store.schema import METADATA

WIDE: Final = BigInteger().with_variant(Integer, "sqlite")

OUTSIDE_ACT: Final = Table(
    "outside_act",
    METADATA,
    Column("id", String(80), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("room_id", String(80), nullable=False),
    Column("session_id", String(80)),
    Column("begun_utc_ms", WIDE, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Index("outside_act_open", "ended", "begun_utc_ms"),
    Index("outside_act_session", "session_id", "begun_utc_ms"),
)

_ACT: Final[TypeAdapter[OutsideAct]] = TypeAdapter(
    Annotated[OutsideAct, Field(discriminator="kind")]
)

_BEGUN: Final[Mapping[str, str]] = {
    "call": "raised_utc_ms",
    "text": "sent_utc_ms",
    "talk": "asked_utc_ms",
    "entry": "asked_utc_ms",
    "listening": "began_utc_ms",
}


def row_of(act: OutsideAct) -> dict[str, Any]:
    """An act as its row."""
    return {
        "id": act.id,
        "kind": act.kind,
        "room_id": act.room_id,
        "session_id": act.session_id,
        "begun_utc_ms": getattr(act, _BEGUN[act.kind]),
        "ended": act.ended,
        "body": _ACT.dump_json(act).decode(),
    }


def load(connection: Connection) -> Mapping[str, OutsideAct]:
    """Every act that goes on, and the newest that are over; oldest first."""
    table = OUTSIDE_ACT
    order = table.c.begun_utc_ms
    going_on = select(table.c.body).where(~table.c.ended).order_by(order)
    over = select(table.c.body).where(table.c.ended).order_by(order.desc()).limit(ENDED_KEPT)
    bodies = [
        *reversed(connection.execute(over).scalars().all()),
        *connection.execute(going_on).scalars().all(),
    ]
    acts = [_ACT.validate_json(body) for body in bodies]
    return {act.id: act for act in acts}


def find(connection: Connection, act_id: str) -> OutsideAct | None:
    """One act that may have left memory."""
    query = select(OUTSIDE_ACT.c.body).where(OUTSIDE_ACT.c.id == act_id)
    body = connection.execute(query).scalar()
    return None if body is None else _ACT.validate_json(body)
