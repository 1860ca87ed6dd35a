"""Search in alerts and recordings; answers by idempotency key.

The index is filled when the database is opened: ``controller.store.search.keep_up``.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# An index over the rows' own terms: no text twice, no positions, no column sizes. Triggers keep it
# in step within the transaction that changes a row.
_SQLITE = (
    """CREATE VIRTUAL TABLE search_terms USING fts5(
        terms, content='search_item', content_rowid='place', detail='none', columnsize=0,
        tokenize="ascii tokenchars ':_-.'")""",
    """CREATE TRIGGER search_item_added AFTER INSERT ON search_item BEGIN
        INSERT INTO search_terms(rowid, terms) VALUES (new.place, new.terms); END""",
    """CREATE TRIGGER search_item_gone AFTER DELETE ON search_item BEGIN
        INSERT INTO search_terms(search_terms, rowid, terms)
        VALUES ('delete', old.place, old.terms); END""",
    """CREATE TRIGGER search_item_changed AFTER UPDATE OF terms ON search_item
        WHEN old.terms <> new.terms BEGIN
        INSERT INTO search_terms(search_terms, rowid, terms)
        VALUES ('delete', old.place, old.terms);
        INSERT INTO search_terms(rowid, terms) VALUES (new.place, new.terms); END""",
)


def upgrade() -> None:
    """Make the tables and the indexes."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "search_item",
        sa.Column("place", _WIDE, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("ref", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("more", sa.Text, nullable=False),
        sa.Column("terms", TSVECTOR() if postgresql else sa.Text(), nullable=False),
    )
    op.create_index("search_item_ref", "search_item", ["kind", "ref"], unique=True)
    if postgresql:
        # Without a list of what waits: a reader would have to go through all of it.
        op.execute(
            "CREATE INDEX search_item_terms ON search_item USING gin (terms) "
            "WITH (fastupdate = off)"
        )
        op.execute("ALTER TABLE search_item ALTER COLUMN terms SET STATISTICS 1000")
    else:
        for statement in _SQLITE:
            op.get_bind().exec_driver_sql(statement)
    op.create_table(
        "search_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("terms_version", sa.Integer, nullable=False),
    )
    op.create_table(
        "answered",
        sa.Column("username", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("request", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("utc_ms", _WIDE, nullable=False),
    )
    op.create_index("answered_time", "answered", ["utc_ms"])
    # Segments are found where they are, by time alone or by room or track and time.
    op.create_index("entry_kind_time", "entry", ["entry_kind", "start_utc_ms"])
    op.create_index("entry_room_time", "entry", ["room_id", "entry_kind", "start_utc_ms"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("entry_room_time", "entry")
    op.drop_index("entry_kind_time", "entry")
    op.drop_table("answered")
    op.drop_table("search_state")
    if op.get_bind().dialect.name != "postgresql":
        for name in ("added", "gone", "changed"):
            op.execute(f"DROP TRIGGER search_item_{name}")
        op.execute("DROP TABLE search_terms")
    op.drop_table("search_item")
