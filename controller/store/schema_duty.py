"""Holds the tables of the duty roster, and of notices with their deliveries."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from controller.store.schema import METADATA

_WIDE: Final = BigInteger().with_variant(Integer, "sqlite")
_ID: Final = String(80)
_NOTICE_ID: Final = String(120)

DUTY_ROSTER: Final = Table(
    "duty_roster",
    METADATA,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("changed_by", String(64), nullable=False),
    Column("changed_utc_ms", _WIDE, nullable=False),
)
"""Every revision; the highest counts."""

ESCALATION: Final = Table(
    "duty_escalation",
    METADATA,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("changed_by", String(64), nullable=False),
    Column("changed_utc_ms", _WIDE, nullable=False),
)
"""Every revision of the rules of escalation; the highest counts, none: the controller's file."""

HANDOVER: Final = Table(
    "handover",
    METADATA,
    Column("number", _WIDE, primary_key=True, autoincrement=True),
    Column("utc_ms", _WIDE, nullable=False),
    Column("by", String(64), nullable=False),
    Column("to", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("open_alerts", Integer, nullable=False),
)

NOTICE: Final = Table(
    "notice",
    METADATA,
    Column("number", _WIDE, primary_key=True, autoincrement=True),
    Column("id", _NOTICE_ID, nullable=False, unique=True),
    Column("reason", String(16), nullable=False),
    Column("level", Integer),
    Column("to", String(64), nullable=False),
    Column("alert_id", _ID, nullable=False),
    Column("alert_number", _WIDE),
    Column("code", String(80), nullable=False),
    Column("room_id", _ID),
    Column("severity", String(16), nullable=False),
    Column("more", Integer, nullable=False),
    Column("created_utc_ms", _WIDE, nullable=False),
    Column("text_zh", Text, nullable=False),
    Column("text_en", Text, nullable=False),
    Index("notice_alert", "alert_id"),
)

NOTICE_DELIVERY: Final = Table(
    "notice_delivery",
    METADATA,
    Column("number", _WIDE, primary_key=True, autoincrement=True),
    Column("notice_id", _NOTICE_ID, nullable=False),
    Column("channel_id", _ID, nullable=False),
    Column("recipient", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_utc_ms", _WIDE),
    Column("delivered_utc_ms", _WIDE),
    Column("error", String(200), nullable=False),
    UniqueConstraint("notice_id", "channel_id", "recipient", name="notice_delivery_once"),
    Index("notice_delivery_due", "state", "next_utc_ms"),
)
"""The outbox: what waits is tried when ``next_utc_ms`` has come."""

NOTICE_ATTEMPT: Final = Table(
    "notice_attempt",
    METADATA,
    Column("number", _WIDE, primary_key=True, autoincrement=True),
    Column("delivery", _WIDE, nullable=False),
    Column("utc_ms", _WIDE, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("error", String(200), nullable=False),
    Index("notice_attempt_delivery", "delivery"),
)
