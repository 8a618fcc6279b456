"""Alembic's entry point; the connection is handed over by `connector.store.schema`."""

from alembic import context

from connector.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a column by copying the table.
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
