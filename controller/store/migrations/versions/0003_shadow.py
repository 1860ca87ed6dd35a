"""Alerts: whether only a rule in shadow made it, and what it turned out to be."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was raised before shadow existed was told to people."""
    with op.batch_alter_table("alert") as table:
        table.add_column(sa.Column("shadow", sa.Boolean, nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("disposition", sa.String(16)))
        table.create_index("alert_rule", ["rule", "shadow", "disposition"])
        table.create_index("alert_shadow", ["shadow", "number"])


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("alert") as table:
        table.drop_index("alert_shadow")
        table.drop_index("alert_rule")
        table.drop_column("disposition")
        table.drop_column("shadow")
