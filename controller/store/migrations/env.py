"""Runs Alembic on the connection that the store hands over; there is no other way in."""

from alembic import context

from controller.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
