"""The first tables: journal, outputs, alerts, sessions, deliveries, duties, cursors, accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    wide = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "journal",
        sa.Column("seq", wide, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("utc_ms", wide, nullable=False),
        sa.Column("mono_ms", wide, nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
    )
    op.create_table(
        "output",
        sa.Column("seq", wide, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("performed", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("output_open", "output", ["performed", "seq"])
    op.create_table(
        "alert",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("number", wide, nullable=False, unique=True),
        sa.Column("rule", sa.String(80), nullable=False),
        sa.Column("room_id", sa.String(80), nullable=False),
        sa.Column("session_id", sa.String(80)),
        sa.Column("condition", sa.String(16), nullable=False),
        sa.Column("handling", sa.String(16), nullable=False),
        sa.Column("raised_utc_ms", wide, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("alert_open", "alert", ["ended", "number"])
    op.create_index("alert_session", "alert", ["session_id", "number"])
    op.create_index("alert_room", "alert", ["room_id", "number"])
    op.create_table(
        "session",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("room_id", sa.String(80), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("scheduled_utc_ms", wide, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("session_open", "session", ["ended", "scheduled_utc_ms"])
    op.create_table(
        "delivery",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("room_id", sa.String(80), nullable=False),
        sa.Column("session_id", sa.String(80)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ordered_utc_ms", wide, nullable=False),
        sa.Column("idempotency_key", sa.String(80), unique=True),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("delivery_open", "delivery", ["ended", "ordered_utc_ms"])
    op.create_index("delivery_session", "delivery", ["session_id"])
    op.create_table(
        "duty",
        sa.Column("robot_id", sa.String(80), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "inbox_cursor",
        sa.Column("stream", sa.String(80), primary_key=True),
        sa.Column("epoch", sa.String(16), primary_key=True),
        sa.Column("seq", wide, nullable=False),
    )
    op.create_table(
        "account",
        sa.Column("username", sa.String(64), primary_key=True),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("room_id", sa.String(80)),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("locked_until_utc_ms", wide),
    )
    op.create_table(
        "token",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("expires_utc_ms", wide, nullable=False),
    )
    op.create_index("token_expiry", "token", ["expires_utc_ms"])


def downgrade() -> None:
    """Drop everything."""
    op.drop_table("token")
    op.drop_table("account")
    op.drop_table("inbox_cursor")
    op.drop_table("duty")
    op.drop_table("delivery")
    op.drop_table("session")
    op.drop_table("alert")
    op.drop_table("output")
    op.drop_table("journal")
