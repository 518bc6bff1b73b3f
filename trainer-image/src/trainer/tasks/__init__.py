"""What kinds of answers models give: each kind is one module that knows how to learn it, state it and judge it."""

from trainer.tasks.base import Answer, Task
from trainer.tasks.binary import BINARY, Prediction
from trainer.tasks.forecast import FORECAST, Forecast

TASKS: dict[str, Task] = {task.name: task for task in (BINARY, FORECAST)}

__all__ = ["BINARY", "FORECAST", "TASKS", "Answer", "Forecast", "Prediction", "Task"]
