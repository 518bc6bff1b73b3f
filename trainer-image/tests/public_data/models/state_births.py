"""How many children are born in a state on each of the next fourteen days: a further forecast, and all of it."""

from trainer.models.base import LiveTable, ModelDefinition, Population
from trainer.tasks import FORECAST
from trainer.windows import Windows

MODEL = ModelDefinition(
    name="state_births",
    task=FORECAST,
    table="state_births",
    id_column="state",
    date_column="day",
    label_column="births",
    outcome_column="known_on",
    live=LiveTable(table="state_births", id_column="state", key="stateId"),
    population=Population(table="state_births", noun="days of states"),
    hidden_layers=(64, 32),
    windows=Windows(horizon=14),
)
