"""What the past of a series says of its days to come: the features of forecasts, shared by training and serving.

A series has a value for each period, a day or a week. A row is one target period seen from an earlier origin, `step`
periods before it. Everything is computed from values on or before the origin, so a row cannot know what it is to tell.
Values are relative to the series' recent level: a network then serves small series and large ones, and a series that
grows stays where the network has seen it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

LEVEL = "level"
TYPICAL = "typical"
NAIVE = "naive"
STEP = "step"
WEEKDAY = "weekday"
MONTH = "month"

_WEEKDAYS = np.array(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], dtype=object)
_MONTHS = np.array(
    [
        *("january", "february", "march", "april", "may", "june"),
        *("july", "august", "september", "october", "november", "december"),
    ],
    dtype=object,
)
_WEEK = 7
_ALIKE = 6
_LOWEST_LEVEL = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Series by the day or by the week, each period told up to `horizon` ahead. All but `days` are counted in periods.

    A period of `days` goes by its first day. What is naive of it is the newest known one whole `season`s before; what
    is typical is the median of the newest six that are whole multiples of `alike` before it, and where that is no
    season, `carries_season` moves it as the year before moved. The `level` is a mean of the newest periods, at least
    `fewest` of them known; `recent` is a shorter one. The `year` is whole weeks.
    """

    horizon: int
    days: int = 1
    season: int = 7
    alike: int = 7
    level: int = 28
    fewest: int = 14
    recent: int = 7
    year: int = 364
    carries_season: bool = False

    numeric = (STEP, NAIVE, TYPICAL, "recently", "before", "last_year", "spread", "size")

    def __post_init__(self) -> None:
        # What is said of last year would be of days that are to be told.
        if self.horizon + self.recent // 2 > self.year:
            raise ValueError(f"a horizon of {self.horizon} {self.noun} is beyond last year's")

    @classmethod
    def of_weeks(cls, horizon: int) -> Self:
        """Return those of series by the week: naive is the same week of the year before."""
        lengths = {"season": 52, "alike": 1, "level": 8, "fewest": 4, "recent": 3, "year": 52}
        return cls(horizon=horizon, days=_WEEK, carries_season=True, **lengths)

    @property
    def period(self) -> np.timedelta64:
        """The time from a period to the next."""
        return np.timedelta64(self.days, "D")

    @property
    def noun(self) -> str:
        """What people call more than one period."""
        return "days" if self.days == 1 else "weeks"

    @property
    def context(self) -> timedelta:
        """How long before the first target a series is read, so that the oldest row knows the year before."""
        return timedelta(days=self.days * (self.year + 2 * self.level))

    @property
    def categorical(self) -> tuple[str, ...]:
        """What the calendar says of a target: a day's weekday, a week's month."""
        return (WEEKDAY,) if self.days == 1 else (MONTH,)

    @property
    def names(self) -> frozenset[str]:
        """All derived columns; a table's columns of these names are never features."""
        return frozenset({LEVEL, *self.numeric, *self.categorical})

    def derive(self, history: Floats, origins: NDArray[np.intp], first_day: np.datetime64) -> dict[str, NDArray[Any]]:
        """Return the derived columns, each [series, origins, horizon], of series [series, periods] with NaN for gaps.

        `origins` are indices of periods; a row's target is 1 to `horizon` periods after its origin. NaN where the past
        does not say, also in `level` for an origin with less than `fewest` values.
        """
        steps = np.arange(1, self.horizon + 1)
        target = origins[:, None] + steps
        mean = _RollingMean(history)
        level = mean(origins, self.level, self.fewest)
        level = np.where(np.isnan(level), np.nan, np.maximum(level, _LOWEST_LEVEL))
        same = _at(history, target[..., None] - self.alike * (-(-steps // self.alike)[:, None] + np.arange(_ALIKE)))
        naive = _at(history, target - self.season * -(-steps // self.season))
        relative = level[..., None]
        year_ago = _positive(mean(origins - self.year, self.level))[..., None]
        last_year = mean(target - self.year + self.recent // 2, self.recent) / year_ago
        columns = {
            LEVEL: relative,
            STEP: steps.astype(np.float64),
            NAIVE: naive / relative,
            TYPICAL: _median(same) / relative,
            "recently": (mean(origins, self.recent) / level)[..., None],
            "before": (mean(origins - self.level, self.level) / level)[..., None],
            "last_year": last_year,
            "spread": (_deviation(same) / relative),
            "size": np.log(relative),
            **self._calendar((first_day + target * self.period).astype("datetime64[D]")),
        }
        columns[TYPICAL] = np.where(np.isnan(columns[TYPICAL]), 1.0, columns[TYPICAL])
        if self.carries_season:
            columns[TYPICAL] = columns[TYPICAL] * np.where(np.isnan(last_year), 1.0, last_year)
        shape = (len(history), *target.shape)
        return {name: np.broadcast_to(values, shape) for name, values in columns.items()}

    def _calendar(self, targets: Days) -> dict[str, NDArray[Any]]:
        if self.days == 1:
            return {WEEKDAY: _WEEKDAYS[(targets.astype(np.int64) + 3) % _WEEK]}
        return {MONTH: _MONTHS[targets.astype("datetime64[M]").astype(np.int64) % len(_MONTHS)]}


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
