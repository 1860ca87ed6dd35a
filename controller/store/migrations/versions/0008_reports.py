"""Head counts, signed witness reports, retrievals."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ID = sa.String(80)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "head_count",
        sa.Column("number", _WIDE, primary_key=True, autoincrement=True),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("room_id", _ID, nullable=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("people", sa.Integer),
    )
    op.create_index("head_count_session", "head_count", ["session_id", "number"])
    op.create_table(
        "witness_report",
        sa.Column("session_id", _ID, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("made_utc_ms", _WIDE, nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "retrieval",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("number", _WIDE, nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(80), unique=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("retrieval_state", "retrieval", ["state", "number"])


def downgrade() -> None:
    """Drop them."""
    for table in ("retrieval", "witness_report", "head_count"):
        op.drop_table(table)
