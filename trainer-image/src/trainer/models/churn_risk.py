"""Churn risk: whether a member will let the membership lapse at the next dues run."""

from trainer.models.base import LiveTable, ModelDefinition

MODEL = ModelDefinition(
    name="churn_risk",
    table="member_snapshots",
    id_column="member_id",
    date_column="as_of",
    label_column="churned",
    outcome_column="outcome_at",
    live=LiveTable(table="profiles", id_column="id", role_column="role", role="member", noun="members"),
    hidden_layers=(32, 16),
)
