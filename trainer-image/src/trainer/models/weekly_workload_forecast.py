"""Weekly workload forecast: the workload forecast by the week, for each of the next four."""

from dataclasses import replace

from trainer.models.base import LiveTable, Population
from trainer.models.workload_forecast import MODEL as DAILY
from trainer.windows import Windows

MODEL = replace(
    DAILY,
    name="weekly_workload_forecast",
    table="unit_workload_weeks",
    date_column="week",
    live=LiveTable(table="unit_workload_weeks_live", id_column="unit_id", key="unitId"),
    population=Population(table="unit_workload_weeks", noun="weeks of units"),
    windows=Windows.of_weeks(horizon=4),
)
