"""Calls, texts, talk, emergency entry, listening."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "outside_act",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("room_id", sa.String(80), nullable=False),
        sa.Column("session_id", sa.String(80)),
        sa.Column("begun_utc_ms", _WIDE, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("outside_act_open", "outside_act", ["ended", "begun_utc_ms"])
    op.create_index("outside_act_session", "outside_act", ["session_id", "begun_utc_ms"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("outside_act")
