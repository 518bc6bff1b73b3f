"""Makes rows of forecasts out of daily series: one for each target day and each origin that it is told from."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.reading import Dataset, Floats
from trainer.windows import LEVEL, Windows

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Grid:
    """Series by day without gaps: values [series, days], NaN for none; and the row of the table behind each, or −1."""

    values: Floats
    rows: NDArray[np.intp]
    first_day: np.datetime64


def rows_of_series(daily: Dataset, ids: NDArray[Any], windows: Windows, first_target: date) -> Dataset:
    """Return the rows whose target is `first_target` or later, oldest target first.

    A row has the derived columns, and the table's columns as they were for its target day.
    """
    grid = _grid(daily, ids)
    origins = np.arange(grid.values.shape[1] - 1)
    derived = windows.derive(grid.values, origins, grid.first_day)
    targets = np.minimum(origins[:, None] + np.arange(1, windows.horizon + 1), grid.values.shape[1] - 1)
    is_beyond = origins[:, None] + np.arange(1, windows.horizon + 1) > targets
    rows = grid.rows[:, targets]
    days = grid.first_day + targets * _DAY
    wanted = (rows >= 0) & ~np.isnan(derived[LEVEL]) & ~is_beyond & (days >= np.datetime64(first_target))
    chosen = rows[wanted]
    order = np.argsort(daily.days[chosen], kind="stable")
    behind = chosen[order]
    columns = {name: values[wanted][order] for name, values in derived.items()}
    columns |= {name: values[behind] for name, values in daily.columns.items() if name not in derived}
    return Dataset(daily.days[behind], daily.labels[behind], columns)


def _grid(daily: Dataset, ids: NDArray[Any]) -> Grid:
    names, series = np.unique(ids, return_inverse=True)
    first_day = daily.days[0]
    days = ((daily.days - first_day) / _DAY).astype(np.intp)
    values = np.full((len(names), int(days[-1]) + 1), np.nan)
    rows = np.full(values.shape, -1, dtype=np.intp)
    values[series, days] = daily.labels
    rows[series, days] = np.arange(len(daily))
    return Grid(values, rows, first_day)
