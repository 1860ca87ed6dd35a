"""Evidence: chains, their entries, refused lines, the nodes' keys, hourly roots."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    wide = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "chain",
        sa.Column("node_id", sa.String(80), primary_key=True),
        sa.Column("track_id", sa.String(80), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "entry",
        sa.Column("node_id", sa.String(80), primary_key=True),
        sa.Column("track_id", sa.String(80), primary_key=True),
        sa.Column("life", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", wide, primary_key=True, autoincrement=False),
        sa.Column("room_id", sa.String(80), nullable=False),
        sa.Column("entry_kind", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("recorded_utc_ms", wide, nullable=False),
        sa.Column("received_utc_ms", wide, nullable=False),
        sa.Column("start_utc_ms", wide),
        sa.Column("duration_ms", wide),
        sa.Column("bytes", wide),
        sa.Column("media_sha256", sa.String(64)),
        sa.Column("reason", sa.String(40)),
        sa.Column("detail", sa.String(200), nullable=False, server_default=""),
        sa.Column("ended", sa.Boolean),
        sa.Column("session_id", sa.String(80)),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("witness", sa.Text, nullable=False),
    )
    op.create_index("entry_hash", "entry", ["sha256"])
    op.create_index("entry_time", "entry", ["track_id", "entry_kind", "start_utc_ms"])
    op.create_index("entry_session", "entry", ["session_id"])
    op.create_table(
        "refused_line",
        sa.Column("node_id", sa.String(80), primary_key=True),
        sa.Column("track_id", sa.String(80), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("room_id", sa.String(80), nullable=False),
        sa.Column("sequence", wide),
        sa.Column("fault", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("received_utc_ms", wide, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_table(
        "node_key",
        sa.Column("node_id", sa.String(80), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "root",
        sa.Column("number", wide, primary_key=True, autoincrement=False),
        sa.Column("utc_ms", wide, nullable=False),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("leaves", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("root", "node_key", "refused_line", "entry", "chain"):
        op.drop_table(name)
