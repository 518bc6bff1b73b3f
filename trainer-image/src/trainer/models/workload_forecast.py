"""Workload forecast: how many cases a unit will open on each of the next fourteen days."""

from trainer.models.base import LiveTable, ModelDefinition, Population
from trainer.tasks import FORECAST
from trainer.windows import Windows

MODEL = ModelDefinition(
    name="workload_forecast",
    task=FORECAST,
    table="unit_workload",
    id_column="unit_id",
    date_column="day",
    label_column="cases",
    outcome_column="outcome_at",
    live=LiveTable(table="unit_workload_live", id_column="unit_id", key="unitId"),
    population=Population(table="unit_workload", noun="days of units"),
    hidden_layers=(64, 32),
    windows=Windows(horizon=14),
)
