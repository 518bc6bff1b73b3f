"""Lets the planner know how few hours and latency bins there are, so that a report groups by hash and in parallel."""

from alembic import op

revision = "0005"
down_revision = "0004"

# The expressions of `trainer.report.figures`. Without these the planner takes each row to be a group of its own and
# sorts ten million of them on disk. They are filled in by the next ANALYZE.
_STATEMENTS = (
    "create statistics ml_predictions_hour on (date_trunc('hour', predicted_at, 'UTC')) from ml_predictions",
    """
    create statistics ml_predictions_latency on (round(100 * ln(greatest(response_time_ms, 1e-6)))) from ml_predictions
    """,
)


def upgrade() -> None:
    """Create the statistics."""
    for statement in _STATEMENTS:
        op.execute(statement)
