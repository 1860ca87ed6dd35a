"""The record of a session: what happened, line by line."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "session_record",
        sa.Column("number", _WIDE, primary_key=True, autoincrement=True),
        sa.Column("session_id", sa.String(80)),
        sa.Column("room_id", sa.String(80), nullable=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("text_zh", sa.Text, nullable=False),
        sa.Column("text_en", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_index("session_record_session", "session_record", ["session_id", "number"])
    op.create_index("session_record_room", "session_record", ["room_id", "utc_ms"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("session_record")
