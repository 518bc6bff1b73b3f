"""Alembic runs this file for `trainer.migrations.migrate`, which hands it a connection that holds the lock."""

from alembic import context

connection = context.config.attributes["connection"]
# One transaction for all revisions: either the schema is whole or nothing happened.
context.configure(connection=connection, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
