"""Accounts, second factors, API tokens, the audit log."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ID = sa.String(80)


def _account() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("grants", sa.Text, nullable=False, server_default="{}"),
        sa.Column("must_change", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("totp", sa.Text),
        sa.Column("totp_offered", sa.Text),
        sa.Column("totp_step", _WIDE, nullable=False, server_default="0"),
        sa.Column("recovery", sa.Text, nullable=False, server_default="[]"),
        sa.Column("past_hashes", sa.Text, nullable=False, server_default="[]"),
        sa.Column("external", sa.String(300), nullable=False, server_default=""),
        sa.Column("made_utc_ms", _WIDE),
        sa.Column("made_by", _ID, nullable=False, server_default=""),
        sa.Column("password_utc_ms", _WIDE),
        sa.Column("login_utc_ms", _WIDE),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    )


def _token() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", _ID, nullable=False, server_default=""),
        sa.Column("kind", sa.String(16), nullable=False, server_default="login"),
        sa.Column("name", _ID, nullable=False, server_default=""),
        sa.Column("scopes", sa.Text),
        sa.Column("made_utc_ms", _WIDE, nullable=False, server_default="0"),
        sa.Column("used_utc_ms", _WIDE, nullable=False, server_default="0"),
        sa.Column("address", _ID, nullable=False, server_default=""),
        sa.Column("agent", sa.String(200), nullable=False, server_default=""),
    )


def upgrade() -> None:
    """Add the columns, make the tables. Whoever is logged in logs in again."""
    op.execute("DELETE FROM token")
    for column in _account():
        op.add_column("account", column)
    for column in _token():
        op.add_column("token", column)
    op.create_index("token_owner", "token", ["username", "kind"])
    op.create_index("account_external", "account", ["external"])
    op.create_table(
        "audit",
        sa.Column("seq", _WIDE, primary_key=True, autoincrement=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
        sa.Column("by", _ID, nullable=False),
        sa.Column("what", sa.String(160), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_index("audit_time", "audit", ["utc_ms"])
    op.create_index("audit_by", "audit", ["by", "seq"])
    op.create_index("audit_what", "audit", ["what", "seq"])
    op.create_table(
        "audit_head",
        sa.Column("head", _WIDE, primary_key=True, autoincrement=False),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_table(
        "break_glass",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("asked_utc_ms", _WIDE, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("break_glass", "audit_head", "audit"):
        op.drop_table(table)
    op.drop_index("account_external", "account")
    op.drop_index("token_owner", "token")
    for column in _token():
        op.drop_column("token", column.name)
    for column in _account():
        op.drop_column("account", column.name)
