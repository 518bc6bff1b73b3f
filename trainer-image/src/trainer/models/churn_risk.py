"""Churn risk: whether a member will let the membership lapse at the next dues run."""

from trainer.models.base import LiveTable, ModelDefinition, Population
from trainer.tasks import BINARY

MODEL = ModelDefinition(
    name="churn_risk",
    task=BINARY,
    table="member_snapshots",
    id_column="member_id",
    date_column="as_of",
    label_column="churned",
    outcome_column="outcome_at",
    live=LiveTable(table="profiles", id_column="id", key="memberId", role_column="role", role="member"),
    population=Population(table="profiles", noun="members", role_column="role", role="member"),
    hidden_layers=(32, 16),
)
