"""Alembic runs this file for `trainer.migrations.migrate`, which hands it a connection that holds the lock."""

from alembic import context

connection = context.config.attributes["connection"]
# A transaction a revision: each is there whole or not at all, but for the parts that cannot run in one (0004).
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
