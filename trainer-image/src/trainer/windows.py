"""What the past of a series says of its days to come: the features of forecasts, shared by training and serving.

A row is one target day seen from an earlier origin, `step` days before it. Everything is computed from values on or
before the origin, so a row cannot know what it is to tell. Values are relative to the series' recent level: a network
then serves small series and large ones, and a series that grows stays where the network has seen it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

LEVEL = "level"
TYPICAL = "typical"
NAIVE = "naive"
STEP = "step"
WEEKDAY = "weekday"

_WEEKDAYS = np.array(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], dtype=object)
_WEEK = 7
_LEVEL_DAYS = 28
_FEWEST_LEVEL_DAYS = 14
_SEASONS = 6
# 52 weeks: the same weekday, about the same time of the year.
_YEAR = 364
_LOWEST_LEVEL = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Daily series, each day told up to `horizon` days ahead."""

    horizon: int

    # How many days before the first target a series is read, so that the oldest row knows the year before.
    context = _YEAR + 2 * _LEVEL_DAYS
    numeric = (STEP, NAIVE, TYPICAL, "last_week", "last_month", "last_year", "spread", "size")
    categorical = (WEEKDAY,)

    @property
    def names(self) -> frozenset[str]:
        """All derived columns; a table's columns of these names are never features."""
        return frozenset({LEVEL, *self.numeric, *self.categorical})

    def derive(self, history: Floats, origins: NDArray[np.intp], first_day: np.datetime64) -> dict[str, NDArray[Any]]:
        """Return the derived columns, each [series, origins, horizon], of series [series, days] with NaN for gaps.

        `origins` are indices of days; a row's target is 1 to `horizon` days after its origin. NaN where the past does
        not say, also in `level` for an origin with less than two weeks of values in its four.
        """
        steps = np.arange(1, self.horizon + 1)
        target = origins[:, None] + steps
        mean = _RollingMean(history)
        level = mean(origins, _LEVEL_DAYS, _FEWEST_LEVEL_DAYS)
        level = np.where(np.isnan(level), np.nan, np.maximum(level, _LOWEST_LEVEL))
        same = _at(history, target[..., None] - _WEEK * (-(-steps // _WEEK)[:, None] + np.arange(_SEASONS)))
        relative = level[..., None]
        year_ago = _positive(mean(origins - _YEAR, _LEVEL_DAYS))[..., None]
        columns = {
            LEVEL: relative,
            STEP: steps.astype(np.float64),
            NAIVE: same[..., 0] / relative,
            TYPICAL: _median(same) / relative,
            "last_week": (mean(origins, _WEEK) / level)[..., None],
            "last_month": (mean(origins - _LEVEL_DAYS, _LEVEL_DAYS) / level)[..., None],
            "last_year": mean(target - _YEAR + _WEEK // 2, _WEEK) / year_ago,
            "spread": (_deviation(same) / relative),
            "size": np.log(relative),
            WEEKDAY: _WEEKDAYS[((first_day + target).astype("datetime64[D]").astype(np.int64) + 3) % _WEEK],
        }
        columns[TYPICAL] = np.where(np.isnan(columns[TYPICAL]), 1.0, columns[TYPICAL])
        shape = (len(history), *target.shape)
        return {name: np.broadcast_to(values, shape) for name, values in columns.items()}


class _RollingMean:
    """Means over the days that end with a day, of those that have a value."""

    def __init__(self, history: Floats) -> None:
        start = np.zeros((len(history), 1))
        known = ~np.isnan(history)
        self._sums = np.hstack([start, np.cumsum(np.where(known, history, 0.0), axis=1)])
        self._counts = np.hstack([start, np.cumsum(known, axis=1)])
        self._last = history.shape[1]

    def __call__(self, last: NDArray[np.intp], days: int, fewest: int = 1) -> Floats:
        """Return [series, *last.shape]; NaN where fewer than `fewest` days have a value."""
        high = np.clip(last + 1, 0, self._last)
        low = np.clip(last + 1 - days, 0, self._last)
        counts = self._counts[:, high] - self._counts[:, low]
        sums = self._sums[:, high] - self._sums[:, low]
        means: Floats = np.where(counts >= fewest, sums / np.maximum(counts, 1), np.nan)
        return means


def _at(history: Floats, days: NDArray[np.intp]) -> Floats:
    values: Floats = history[:, np.clip(days, 0, history.shape[1] - 1)]
    return np.where((days >= 0) & (days < history.shape[1]), values, np.nan)


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


def _median(values: Floats) -> Floats:
    """Return the median of the last axis without gaps; NaN where there is nothing else (numpy would warn)."""
    present = np.sort(values, axis=-1)
    count = (~np.isnan(values)).sum(axis=-1)
    low, high = np.maximum(0, (count - 1) // 2), count // 2
    middle = [np.take_along_axis(present, each[..., None], axis=-1)[..., 0] for each in (low, high)]
    return np.where(count > 0, (middle[0] + middle[1]) / 2, np.nan)


def _deviation(values: Floats) -> Floats:
    count = np.maximum(1, (~np.isnan(values)).sum(axis=-1))
    mean = np.nansum(values, axis=-1) / count
    squares: Floats = np.nansum((values - mean[..., None]) ** 2, axis=-1) / count
    return np.sqrt(squares)
