"""The cases of the platform's units, day by day: a trend, a week, a year, holidays, and chance.

A unit's expected cases are its size times factors of the calendar, times a mood that all units share for some days; the
number is drawn around that with more spread than Poisson's. A concept drift moves work from the week's beginning to its
end and makes more of it, as under a new shift plan; a covariate drift makes units grow. The mood is of the platform's
making, its campaigns: it is known ahead, and recorded once there is a column for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from dateutil.easter import easter
from numpy.typing import NDArray

from trainer.seed.parameters import Parameters

# Rows of days to come tell what is known ahead: longer than any forecast of these models reaches.
DAYS_AHEAD = 28
_WEEK = np.array([1.30, 1.15, 1.05, 1.0, 0.9, 0.45, 0.35])
_WEEK_AFTER_DRIFT = np.array([0.8, 0.85, 0.95, 1.15, 1.5, 0.75, 0.6])
_HOLIDAY, _DAY_AFTER, _DUES_RUN = 0.3, 1.2, 1.15
_DUES_DAYS = 3
_YEARLY_SWING = 0.15
_OVERDISPERSION = 0.006
_MOOD, _MOOD_MEMORY = 0.05, 0.8
_GROWTH_OF_DRIFT = 1.5
_CASES_A_MEMBER = 0.04


@dataclass(frozen=True, slots=True)
class UnitDay:
    """One day of all units: what is known ahead, by column, and the cases of each."""

    day: date
    known_ahead: Mapping[str, Sequence[Any]]
    cases: NDArray[np.int64]


def unit_days(parameters: Parameters) -> Iterator[UnitDay]:
    """Yield each day from the world's start to four weeks after its end; everything depends on the seed and the day."""
    generator = np.random.default_rng([parameters.seed, 2])
    size = np.exp(generator.normal(7.5, 0.5, parameters.units))
    growth = generator.normal(0.04, 0.08, parameters.units)
    taste = np.exp(generator.normal(0, 0.08, (parameters.units, 7)))
    mood = 0.0
    for index in range(parameters.days + DAYS_AHEAD):
        day = parameters.start + timedelta(days=index)
        chance = np.random.default_rng([parameters.seed, 3, index])
        mood = _MOOD_MEMORY * mood + _MOOD * np.sqrt(1 - _MOOD_MEMORY**2) * chance.standard_normal()
        grown = _GROWTH_OF_DRIFT if parameters.has_begun(parameters.covariate_drift_from, index) else 1.0
        members = np.round(size * (1 + growth) ** (index / 365) * grown).astype(np.int64)
        week = _WEEK_AFTER_DRIFT if parameters.has_begun(parameters.concept_drift_from, index) else _WEEK
        weekday = week[day.weekday()] * taste[:, day.weekday()]
        expected = _CASES_A_MEMBER * members * weekday * _calendar_factor(day) * np.exp(mood)
        scatter = chance.gamma(1 / _OVERDISPERSION, _OVERDISPERSION, parameters.units)
        cases = chance.poisson(expected * scatter)
        known: dict[str, list[Any]] = {
            "members": members.tolist(),
            "is_holiday": [is_holiday(day)] * parameters.units,
            "dues_run": [day.day <= _DUES_DAYS] * parameters.units,
        }
        if parameters.new_workload_column is not None:
            known[parameters.new_workload_column] = [round(mood, 4)] * parameters.units
        if parameters.missing_column in known and parameters.has_begun(parameters.missing_from, index):
            is_missing = chance.random(parameters.units) < parameters.missing_ratio
            column = known[parameters.missing_column]
            known[parameters.missing_column] = [
                None if gone else value for gone, value in zip(is_missing, column, strict=True)
            ]
        yield UnitDay(day, known, cases)


def is_holiday(day: date) -> bool:
    """Return whether the platform's country has a public holiday."""
    sunday = easter(day.year)
    movable = {sunday + timedelta(days=offset) for offset in (-2, 1, 39, 50)}
    return (day.month, day.day) in {(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)} or day in movable


def _calendar_factor(day: date) -> float:
    year = 1 + _YEARLY_SWING * float(np.cos(2 * np.pi * (day.timetuple().tm_yday - 30) / 365.25))
    holiday = _HOLIDAY if is_holiday(day) else _DAY_AFTER if is_holiday(day - timedelta(days=1)) else 1.0
    return year * holiday * (_DUES_RUN if day.day <= _DUES_DAYS else 1.0)
