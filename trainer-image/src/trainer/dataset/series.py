"""Makes rows of forecasts out of series: one for each target period and each origin that it is told from."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.reading import Dataset, Floats
from trainer.errors import DataRejected
from trainer.windows import LEVEL, Windows


@dataclass(frozen=True, slots=True)
class Grid:
    """Series without gaps: values [series, periods], NaN for none; and the row of the table behind each, or −1."""

    values: Floats
    rows: NDArray[np.intp]
    first_day: np.datetime64


def rows_of_series(table: Dataset, ids: NDArray[Any], windows: Windows, first_target: date) -> Dataset:
    """Return the rows whose target is `first_target` or later, oldest target first.

    A row has the derived columns, and the table's columns as they were for its target period. DataRejected
    (UnevenPeriods) if periods of the table are not all as long as the windows'.
    """
    grid = _grid(table, ids, windows)
    origins = np.arange(grid.values.shape[1] - 1)
    derived = windows.derive(grid.values, origins, grid.first_day)
    targets = np.minimum(origins[:, None] + np.arange(1, windows.horizon + 1), grid.values.shape[1] - 1)
    is_beyond = origins[:, None] + np.arange(1, windows.horizon + 1) > targets
    rows = grid.rows[:, targets]
    days = grid.first_day + targets * windows.period
    wanted = (rows >= 0) & ~np.isnan(derived[LEVEL]) & ~is_beyond & (days >= np.datetime64(first_target))
    chosen = rows[wanted]
    order = np.argsort(table.days[chosen], kind="stable")
    behind = chosen[order]
    columns = {name: values[wanted][order] for name, values in derived.items()}
    columns |= {name: values[behind] for name, values in table.columns.items() if name not in derived}
    return Dataset(table.days[behind], table.labels[behind], columns)


def _grid(table: Dataset, ids: NDArray[Any], windows: Windows) -> Grid:
    names, series = np.unique(ids, return_inverse=True)
    first_day = table.days[0]
    since, beside = np.divmod(table.days - first_day, windows.period)
    if beside.any():
        odd = table.days[beside.astype(bool)][0]
        raise DataRejected("UnevenPeriods", f"{odd} is no whole number of {windows.noun} after {first_day}")
    periods = since.astype(np.intp)
    values = np.full((len(names), int(periods[-1]) + 1), np.nan)
    rows = np.full(values.shape, -1, dtype=np.intp)
    values[series, periods] = table.labels
    rows[series, periods] = np.arange(len(table))
    return Grid(values, rows, first_day)
