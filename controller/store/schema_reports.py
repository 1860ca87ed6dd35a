"""Holds the tables of reports: head counts, signed versions of witness reports, retrievals."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from controller.store.schema import METADATA

_WIDE: Final = BigInteger().with_variant(Integer, "sqlite")
_ID: Final = String(80)

HEAD_COUNT: Final = Table(
    "head_count",
    METADATA,
    Column("number", _WIDE, primary_key=True, autoincrement=True),
    Column("session_id", _ID, nullable=False),
    Column("room_id", _ID, nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("people", Integer),
    Index("head_count_session", "session_id", "number"),
)
"""The curve of a session's head count: a line where it changed; ``people`` null: unknown."""

WITNESS_REPORT: Final = Table(
    "witness_report",
    METADATA,
    Column("session_id", _ID, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("made_utc_ms", _WIDE, nullable=False),
    Column("statement", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""Signed versions of witness reports; a row is never changed. The files lie under their hash."""

RETRIEVAL: Final = Table(
    "retrieval",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("number", _WIDE, nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("idempotency_key", String(80), unique=True),
    Column("body", Text, nullable=False),
    Index("retrieval_state", "state", "number"),
)
