"""Alerts in work: duty roster, notices and their delivery log."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ROWS = 1_000  # of alerts read at once while their severity is told beside them


def upgrade() -> None:
    """Make the tables, and tell each alert's severity and owner in columns."""
    op.add_column("alert", sa.Column("severity", sa.String(16), nullable=False, server_default=""))
    op.add_column("alert", sa.Column("owner", sa.String(64)))
    op.create_index("alert_severity", "alert", ["severity", "number"])
    op.create_index("alert_raised", "alert", ["raised_utc_ms"])
    _backfill()
    op.create_table(
        "duty_roster",
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
        sa.Column("changed_utc_ms", _WIDE, nullable=False),
    )
    op.create_table(
        "handover",
        sa.Column("number", _WIDE, primary_key=True, autoincrement=True),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("to", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("open_alerts", sa.Integer, nullable=False),
    )
    _notices()


def _backfill() -> None:
    connection = op.get_bind()
    table = sa.table("alert", sa.column("number"), sa.column("body"), sa.column("severity"))
    last = 0
    while True:
        query = (
            sa.select(table.c.number, table.c.body)
            .where(table.c.number > last)
            .order_by(table.c.number)
            .limit(_ROWS)
        )
        rows = connection.execute(query).all()
        if not rows:
            return
        for number, body in rows:
            severity = json.loads(body)["alert"]["severity"]
            change = sa.update(table).where(table.c.number == number)
            connection.execute(change.values(severity=severity))
            last = number


def _notices() -> None:
    op.create_table(
        "notice",
        sa.Column("number", _WIDE, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(120), nullable=False, unique=True),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("level", sa.Integer),
        sa.Column("to", sa.String(64), nullable=False),
        sa.Column("alert_id", sa.String(80), nullable=False),
        sa.Column("alert_number", _WIDE),
        sa.Column("code", sa.String(80), nullable=False),
        sa.Column("room_id", sa.String(80)),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("more", sa.Integer, nullable=False),
        sa.Column("created_utc_ms", _WIDE, nullable=False),
        sa.Column("text_zh", sa.Text, nullable=False),
        sa.Column("text_en", sa.Text, nullable=False),
    )
    op.create_index("notice_alert", "notice", ["alert_id"])
    op.create_table(
        "notice_delivery",
        sa.Column("number", _WIDE, primary_key=True, autoincrement=True),
        sa.Column("notice_id", sa.String(120), nullable=False),
        sa.Column("channel_id", sa.String(80), nullable=False),
        sa.Column("recipient", sa.String(64), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_utc_ms", _WIDE),
        sa.Column("delivered_utc_ms", _WIDE),
        sa.Column("error", sa.String(200), nullable=False),
        sa.UniqueConstraint("notice_id", "channel_id", "recipient", name="notice_delivery_once"),
    )
    op.create_index("notice_delivery_due", "notice_delivery", ["state", "next_utc_ms"])
    op.create_table(
        "notice_attempt",
        sa.Column("number", _WIDE, primary_key=True, autoincrement=True),
        sa.Column("delivery", _WIDE, nullable=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("error", sa.String(200), nullable=False),
    )
    op.create_index("notice_attempt_delivery", "notice_attempt", ["delivery"])


def downgrade() -> None:
    """Drop them."""
    for name in ("notice_attempt", "notice_delivery", "notice", "handover", "duty_roster"):
        op.drop_table(name)
    op.drop_index("alert_raised", "alert")
    op.drop_index("alert_severity", "alert")
    op.drop_column("alert", "owner")
    op.drop_column("alert", "severity")
