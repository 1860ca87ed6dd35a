"""Holds the tables: a journal of inputs, and entities with what is searched beside their JSON."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

METADATA: Final = MetaData()

# SQLite numbers rows by INTEGER only; PostgreSQL's is 32 bits wide, so the wide type has a variant.
_WIDE: Final = BigInteger().with_variant(Integer, "sqlite")
_ID: Final = String(80)  # our longest id has 64 characters

JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("seq", _WIDE, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("payload", Text, nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("mono_ms", _WIDE, nullable=False),
    Column("boot_id", String(64), nullable=False),
)

OUTPUT: Final = Table(
    "output",
    METADATA,
    Column("seq", _WIDE, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("payload", Text, nullable=False),
    Column("performed", Boolean, nullable=False, server_default=false()),
    Index("output_open", "performed", "seq"),
)

ALERT: Final = Table(
    "alert",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("number", _WIDE, nullable=False, unique=True),
    Column("rule", String(80), nullable=False),
    Column("room_id", _ID, nullable=False),
    Column("session_id", _ID),
    Column("condition", String(16), nullable=False),
    Column("handling", String(16), nullable=False),
    Column("raised_utc_ms", _WIDE, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("shadow", Boolean, nullable=False, server_default=false()),
    Column("disposition", String(16)),
    Column("severity", String(16), nullable=False, server_default=""),
    Column("owner", String(64)),
    Index("alert_open", "ended", "number"),
    Index("alert_session", "session_id", "number"),
    Index("alert_room", "room_id", "number"),
    Index("alert_rule", "rule", "shadow", "disposition"),
    Index("alert_shadow", "shadow", "number"),
    Index("alert_severity", "severity", "number"),
    Index("alert_raised", "raised_utc_ms"),
)

SESSION: Final = Table(
    "session",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("room_id", _ID, nullable=False),
    Column("state", String(16), nullable=False),
    Column("scheduled_utc_ms", _WIDE, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("sector", String(16), nullable=False, server_default="other"),
    Column("idempotency_key", String(80)),
    Index("session_open", "ended", "scheduled_utc_ms"),
    Index("session_key", "idempotency_key", unique=True),
    Index("session_time", "scheduled_utc_ms", "id"),
)

DELIVERY: Final = Table(
    "delivery",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("room_id", _ID, nullable=False),
    Column("session_id", _ID),
    Column("state", String(16), nullable=False),
    Column("ordered_utc_ms", _WIDE, nullable=False),
    Column("idempotency_key", String(80), unique=True),
    Column("ended", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Index("delivery_open", "ended", "ordered_utc_ms"),
    Index("delivery_session", "session_id"),
)

DUTY: Final = Table(
    "duty",
    METADATA,
    Column("robot_id", _ID, primary_key=True),
    Column("body", Text, nullable=False),
)

INBOX_CURSOR: Final = Table(
    "inbox_cursor",
    METADATA,
    Column("stream", _ID, primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("seq", _WIDE, nullable=False),
)

ACCOUNT: Final = Table(
    "account",
    METADATA,
    Column("username", String(64), primary_key=True),
    Column("roles", Text, nullable=False),
    Column("room_id", _ID),
    Column("password_hash", Text, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("locked_until_utc_ms", _WIDE),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("grants", Text, nullable=False, server_default="{}"),
    Column("must_change", Boolean, nullable=False, server_default=false()),
    Column("totp", Text),
    Column("totp_offered", Text),
    Column("totp_step", _WIDE, nullable=False, server_default="0"),
    Column("recovery", Text, nullable=False, server_default="[]"),
    Column("past_hashes", Text, nullable=False, server_default="[]"),
    Column("external", String(300), nullable=False, server_default=""),
    Column("made_utc_ms", _WIDE),
    Column("made_by", _ID, nullable=False, server_default=""),
    Column("password_utc_ms", _WIDE),
    Column("login_utc_ms", _WIDE),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("account_external", "external"),
)

TOKEN: Final = Table(
    "token",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("username", String(64), nullable=False),
    Column("expires_utc_ms", _WIDE, nullable=False),
    Column("id", _ID, nullable=False, server_default=""),
    Column("kind", String(16), nullable=False, server_default="login"),
    Column("name", _ID, nullable=False, server_default=""),
    Column("scopes", Text),
    Column("made_utc_ms", _WIDE, nullable=False, server_default="0"),
    Column("used_utc_ms", _WIDE, nullable=False, server_default="0"),
    Column("address", _ID, nullable=False, server_default=""),
    Column("agent", String(200), nullable=False, server_default=""),
    Index("token_expiry", "expires_utc_ms"),
    Index("token_owner", "username", "kind"),
)
"""Log-ins, API tokens and one-time links, all as digests."""

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("seq", _WIDE, primary_key=True, autoincrement=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("by", _ID, nullable=False),
    Column("what", String(160), nullable=False),
    Column("subject", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("line", Text, nullable=False),
    Index("audit_time", "utc_ms"),
    Index("audit_by", "by", "seq"),
    Index("audit_what", "what", "seq"),
)
"""The audit log: each line names the hash of the one before; only its oldest end is ever cut."""

AUDIT_HEAD: Final = Table(
    "audit_head",
    METADATA,
    Column("head", _WIDE, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
)

BREAK_GLASS: Final = Table(
    "break_glass",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("asked_utc_ms", _WIDE, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("body", Text, nullable=False),
)

CHAIN: Final = Table(
    "chain",
    METADATA,
    Column("node_id", _ID, primary_key=True),
    Column("track_id", _ID, primary_key=True),
    Column("body", Text, nullable=False),
)

ENTRY: Final = Table(
    "entry",
    METADATA,
    Column("node_id", _ID, primary_key=True),
    Column("track_id", _ID, primary_key=True),
    Column("life", Integer, primary_key=True, autoincrement=False),
    Column("sequence", _WIDE, primary_key=True, autoincrement=False),
    Column("room_id", _ID, nullable=False),
    Column("entry_kind", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("key", String(40), nullable=False),
    Column("recorded_utc_ms", _WIDE, nullable=False),
    Column("received_utc_ms", _WIDE, nullable=False),
    Column("start_utc_ms", _WIDE),
    Column("duration_ms", _WIDE),
    Column("bytes", _WIDE),
    Column("media_sha256", String(64)),
    Column("reason", String(40)),
    Column("detail", String(200), nullable=False, server_default=""),
    Column("ended", Boolean),
    Column("session_id", _ID),
    Column("line", Text, nullable=False),
    Column("witness", Text, nullable=False),
    Index("entry_hash", "sha256"),
    Index("entry_time", "track_id", "entry_kind", "start_utc_ms"),
    Index("entry_session", "session_id"),
    Index("entry_kind_time", "entry_kind", "start_utc_ms"),
    Index("entry_room_time", "room_id", "entry_kind", "start_utc_ms"),
)
"""A second copy of every manifest, each line with its countersignature; never changed."""

SESSION_RECORD: Final = Table(
    "session_record",
    METADATA,
    Column("number", _WIDE, primary_key=True, autoincrement=True),
    Column("session_id", _ID),
    Column("room_id", _ID, nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("by", String(80), nullable=False),
    Column("subject", _ID, nullable=False),
    Column("text_zh", Text, nullable=False),
    Column("text_en", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("session_record_session", "session_id", "number"),
    Index("session_record_room", "room_id", "utc_ms"),
)
"""What happened in a session, line by line; never changed."""

REFUSED_LINE: Final = Table(
    "refused_line",
    METADATA,
    Column("node_id", _ID, primary_key=True),
    Column("track_id", _ID, primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("room_id", _ID, nullable=False),
    Column("sequence", _WIDE),
    Column("fault", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("received_utc_ms", _WIDE, nullable=False),
    Column("line", Text, nullable=False),
)

NODE_KEY: Final = Table(
    "node_key",
    METADATA,
    Column("node_id", _ID, primary_key=True),
    Column("body", Text, nullable=False),
)

ROOT: Final = Table(
    "root",
    METADATA,
    Column("number", _WIDE, primary_key=True, autoincrement=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("root", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("line", Text, nullable=False),
    Column("leaves", Text, nullable=False),
)
"""The controller's own log of hourly roots, each naming the hash of the one before it."""
