"""Sessions: what lists search by, rooms of an area seal, encrypted names, rooms' sweeps."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add columns and tables, and fill them from what each session says of itself."""
    op.add_column(
        "session", sa.Column("sector", sa.String(16), nullable=False, server_default="other")
    )
    op.add_column("session", sa.Column("idempotency_key", sa.String(80)))
    op.create_index("session_key", "session", ["idempotency_key"], unique=True)
    op.create_index("session_time", "session", ["scheduled_utc_ms", "id"])
    op.create_table(
        "session_room",
        sa.Column("session_id", sa.String(80), primary_key=True),
        sa.Column("room_id", sa.String(80), primary_key=True),
    )
    op.create_index("session_room_room", "session_room", ["room_id", "session_id"])
    op.create_table(
        "participant_name",
        sa.Column("session_id", sa.String(80), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "room_care",
        sa.Column("room_id", sa.String(80), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, room_id, body FROM session")).all()
    for row in rows:
        sector = str(json.loads(row.body).get("sector", "other"))
        connection.execute(
            sa.text("UPDATE session SET sector = :sector WHERE id = :id"),
            {"sector": sector, "id": row.id},
        )
        connection.execute(
            sa.text("INSERT INTO session_room (session_id, room_id) VALUES (:id, :room)"),
            {"id": row.id, "room": row.room_id},
        )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("room_care")
    op.drop_table("participant_name")
    op.drop_index("session_room_room", "session_room")
    op.drop_table("session_room")
    op.drop_index("session_time", "session")
    op.drop_index("session_key", "session")
    op.drop_column("session", "idempotency_key")
    op.drop_column("session", "sector")
