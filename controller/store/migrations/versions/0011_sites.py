"""Other sites: what was received from them, what waits for them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ID = sa.String(80)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "joint_session",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("made_utc_ms", _WIDE, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("joint_session_open", "joint_session", ["ended", "made_utc_ms"])
    op.create_table(
        "site_log",
        sa.Column("site", _ID, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "site_sent",
        sa.Column("peer", _ID, primary_key=True),
        sa.Column("seq", _WIDE, primary_key=True, autoincrement=False),
        sa.Column("joint_id", _ID, nullable=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_table(
        "site_heard",
        sa.Column("peer", _ID, primary_key=True),
        sa.Column("seq", _WIDE, primary_key=True, autoincrement=False),
        sa.Column("joint_id", _ID, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", _ID, nullable=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("here_utc_ms", _WIDE, nullable=False),
        sa.Column("received_utc_ms", _WIDE, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_index("site_heard_joint", "site_heard", ["joint_id", "kind", "here_utc_ms"])
    op.create_table(
        "site_refused",
        sa.Column("number", _WIDE, primary_key=True, autoincrement=True),
        sa.Column("peer", _ID, nullable=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("reason_zh", sa.Text, nullable=False),
        sa.Column("reason_en", sa.Text, nullable=False),
        sa.Column("sample", sa.Text, nullable=False),
    )
    op.create_table(
        "site_document",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("joint_id", _ID, nullable=False),
        sa.Column("site", _ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("site_document_joint", "site_document", ["joint_id", "kind", "utc_ms"])


def downgrade() -> None:
    """Drop them."""
    for name in (
        "site_document",
        "site_refused",
        "site_heard",
        "site_sent",
        "site_log",
        "joint_session",
    ):
        op.drop_table(name)
