"""Splits rows in time, never at random, and says how much each counts."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.reading import Dataset, Floats
from trainer.errors import DataRejected

# The newest part of the training rows decides when to stop; measured by weight, so that a short half-life, chosen for
# a fresh drift, does not spend all drifted rows on validation.
_VALIDATION_SHARE = 0.15
_MIN_VALIDATION_ROWS = 60
_MIN_FITTED_ROWS = 100
_MIN_HOLDOUT_ROWS = 30


@dataclass(frozen=True, slots=True)
class Split:
    """Masks over the rows of a dataset: fitted, then validation, then holdout in time; a day is in one part only."""

    fitted: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    holdout: NDArray[np.bool_]
    first_validation_day: date
    first_holdout_day: date

    @property
    def training(self) -> NDArray[np.bool_]:
        """All rows before the hold-out."""
        return self.fitted | self.validation


def temporal_split(dataset: Dataset, *, last: date, holdout: timedelta, half_life: timedelta) -> Split:
    """Return the split whose hold-out is the newest span of rows up to `last`.

    DataRejected (InsufficientRows, SingleOutcome) if a part is too small to say anything or knows only one outcome.
    """
    first_holdout_day = last - holdout + timedelta(days=1)
    held_out = dataset.days >= np.datetime64(first_holdout_day)
    weights = np.where(held_out, 0.0, recency_weights(dataset.days, first_holdout_day, half_life))
    validation = _newest_share(dataset.days, weights)
    first_validation_day = dataset.days[validation].min().astype(date) if validation.any() else first_holdout_day
    split = Split(~held_out & ~validation, validation, held_out, first_validation_day, first_holdout_day)
    _require_enough(dataset, split)
    return split


def recency_weights(days: NDArray[np.datetime64], present: date, half_life: timedelta) -> Floats:
    """Return 0.5 ** (age ÷ half-life) for each row, its age counted from the day `present`."""
    ages = (np.datetime64(present) - days).astype(np.float64)
    weights: Floats = 0.5 ** (ages / (half_life / timedelta(days=1)))
    return weights


def _newest_share(days: NDArray[np.datetime64], weights: Floats) -> NDArray[np.bool_]:
    """Return the mask of the newest whole days that hold the validation share of the weight, and rows enough."""
    wanted = _VALIDATION_SHARE * weights.sum()
    mask = np.zeros(len(days), dtype=np.bool_)
    for day in np.unique(days[weights > 0])[::-1]:
        if weights[mask].sum() >= wanted and mask.sum() >= _MIN_VALIDATION_ROWS:
            break
        mask |= (days == day) & (weights > 0)
    return mask


def _require_enough(dataset: Dataset, split: Split) -> None:
    parts = (
        ("training", split.fitted, _MIN_FITTED_ROWS),
        ("validation", split.validation, _MIN_VALIDATION_ROWS),
        ("hold-out", split.holdout, _MIN_HOLDOUT_ROWS),
    )
    for name, mask, minimum in parts:
        count = int(mask.sum())
        if count < minimum:
            raise DataRejected("InsufficientRows", f"{count} rows in the {name} part, at least {minimum} are needed")
        if len(np.unique(dataset.labels[mask])) == 1:
            raise DataRejected("SingleOutcome", f"all {count} rows in the {name} part have the same outcome")
