"""Holds the tables of remote evaluation: joint sessions, both logs of each peer, documents."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from controller.store.schema import METADATA

_WIDE: Final = BigInteger().with_variant(Integer, "sqlite")
_ID: Final = String(80)

JOINT: Final = Table(
    "joint_session",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("made_utc_ms", _WIDE, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Index("joint_session_open", "ended", "made_utc_ms"),
)

LOG: Final = Table(
    "site_log",
    METADATA,
    Column("site", _ID, primary_key=True),
    Column("body", Text, nullable=False),
)

SENT: Final = Table(
    "site_sent",
    METADATA,
    Column("peer", _ID, primary_key=True),
    Column("seq", _WIDE, primary_key=True, autoincrement=False),
    Column("joint_id", _ID, nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("line", Text, nullable=False),
)
"""Our log for each peer; append only."""

HEARD: Final = Table(
    "site_heard",
    METADATA,
    Column("peer", _ID, primary_key=True),
    Column("seq", _WIDE, primary_key=True, autoincrement=False),
    Column("joint_id", _ID, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", _ID, nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("here_utc_ms", _WIDE, nullable=False),
    Column("received_utc_ms", _WIDE, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("line", Text, nullable=False),
    Index("site_heard_joint", "joint_id", "kind", "here_utc_ms"),
)
"""Each peer's log to us, line by line as signed; ``here_utc_ms`` is its time by our clock."""

REFUSED: Final = Table(
    "site_refused",
    METADATA,
    Column("number", _WIDE, primary_key=True, autoincrement=True),
    Column("peer", _ID, nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("reason_zh", Text, nullable=False),
    Column("reason_en", Text, nullable=False),
    Column("sample", Text, nullable=False),
)

DOCUMENT: Final = Table(
    "site_document",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("joint_id", _ID, nullable=False),
    Column("site", _ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("body", Text, nullable=False),
    Index("site_document_joint", "joint_id", "kind", "utc_ms"),
)
"""Hand-over lists and receipts, ours and peers', by the hash of their exact bytes."""
