"""The index on recent predictions carries what reports and counters sum, so that they need not read the wide rows."""

from alembic import op

revision = "0004"
down_revision = "0003"

# Concurrently: servers go on logging while ten million rows are indexed. That takes no transaction, so a pod may be
# killed between any two statements; the next one begins with what is left of the index, half built or whole. It waits
# for every transaction that is older, however long those take.
_STATEMENTS = (
    "set lock_timeout = 0",
    "drop index concurrently if exists ml_predictions_recent_new",
    # A row with its features is some 390 bytes, of which sums need 50. Measured with 10 million rows: docs/monitor.md.
    """
    create index concurrently ml_predictions_recent_new on ml_predictions (model_type, predicted_at)
    include (model_version, user_id, confidence_score, response_time_ms, predicted_label)
    """,
    "drop index concurrently if exists ml_predictions_recent",
    "alter index ml_predictions_recent_new rename to ml_predictions_recent",
    "reset lock_timeout",
)


def upgrade() -> None:
    """Replace the index by one of the same name."""
    with op.get_context().autocommit_block():
        for statement in _STATEMENTS:
            op.execute(statement)
