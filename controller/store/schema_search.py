"""Holds the tables of search, and of answers that are given again to the same request."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from controller.store.schema import METADATA

_WIDE: Final = BigInteger().with_variant(Integer, "sqlite")
_ID: Final = String(80)

SEARCH_ITEM: Final = Table(
    "search_item",
    METADATA,
    # The time, shifted, and a number within the millisecond: its order is the order of time, and
    # in SQLite it is the row number of the inverted index, which answers in this order.
    Column("place", _WIDE, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("ref", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("more", Text, nullable=False),
    Column("terms", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
    Index("search_item_ref", "kind", "ref", unique=True),
    Index("search_item_terms", "terms", postgresql_using="gin").ddl_if(dialect="postgresql"),
)
"""What search finds, except segments: those are found in ``entry``."""

SEARCH_STATE: Final = Table(
    "search_state",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("terms_version", Integer, nullable=False),
)
"""One row: which version of the terms the index was built by."""

ANSWERED: Final = Table(
    "answered",
    METADATA,
    Column("username", String(64), primary_key=True),
    Column("key", String(80), primary_key=True),
    Column("request", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Index("answered_time", "utc_ms"),
)
"""Answers by ``Idempotency-Key``: the same request gets the same answer for a day."""
