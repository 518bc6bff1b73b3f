"""Finds features that know the outcome: what they teach would be worth nothing when the outcome is not known yet."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from trainer.dataset.reading import Dataset, Floats
from trainer.errors import DataRejected
from trainer.models.base import FeatureKind, ModelDefinition
from trainer.tasks import Task

_MIN_UNLABELLED_ROWS = 30
_ABSENT_RATIO = 0.05
_PRESENT_RATIO = 0.5
_MIN_ROWS_A_CATEGORY = 20


def require_features_of_their_day(
    connection: Connection, model: ModelDefinition, types: Mapping[str, str], kinds: Mapping[str, FeatureKind]
) -> None:
    """Raise DataRejected (LabelLeak) if a feature is dated after the day of its row, on which a prediction is made.

    A column `<feature>_at` of a date or time says when the feature's value became known; on the row's day is in time.
    """
    dated = [name for name in kinds if types.get(f"{name}_at", "").startswith(("date", "timestamp"))]
    if not dated:
        return
    late = SQL(", ").join(
        SQL("count(*) filter (where {}::date > {})").format(Identifier(f"{name}_at"), Identifier(model.date_column))
        for name in dated
    )
    counts = connection.execute(SQL("select {} from {}").format(late, Identifier(model.table))).fetchone()
    for name, count in zip(dated, counts or (), strict=False):
        if count:
            raise _leak(name, f"{name}_at is after the row's own day in {count} rows")


def require_no_leak(
    task: Task,
    dataset: Dataset,
    kinds: Mapping[str, FeatureKind],
    unlabelled_rows: int,
    unlabelled_present: Mapping[str, float],
) -> None:
    """Raise DataRejected (LabelLeak) if a feature alone tells the outcome, or is filled in only once it is known."""
    for name, kind in kinds.items():
        values = dataset.columns[name]
        missing = _missing(values)
        if unlabelled_rows >= _MIN_UNLABELLED_ROWS and unlabelled_present[name] < _ABSENT_RATIO:
            newest = dataset.days > dataset.days[-1] - np.timedelta64(30, "D")
            if 1 - missing[newest].mean() > _PRESENT_RATIO:
                raise _leak(name, "rows without an outcome have no value of it, as if it came with the outcome")
        known = separation(task, values, missing, dataset.labels, kind)
        if known >= task.leak:
            raise _leak(name, f"alone it tells the outcome, {known:.3f} of 1")


def separation(
    task: Task, values: NDArray[Any], missing: NDArray[np.bool_], labels: Floats, kind: FeatureKind
) -> float:
    """Return how well one column tells the outcome, by its values or by its gaps, as the task associates them."""
    best = task.association(missing.astype(np.float64), labels)
    present, known = values[~missing], labels[~missing]
    if len(np.unique(known)) < 2:  # noqa: PLR2004 - one outcome only: there is nothing to tell apart
        return best
    if kind is not FeatureKind.CATEGORICAL:
        return max(best, task.association(present.astype(np.float64), known))
    categories, codes = np.unique(present.astype(str), return_inverse=True)
    if len(present) < _MIN_ROWS_A_CATEGORY * len(categories):
        # With few rows a category, each tells its own rows' outcome by chance.
        return best
    means = np.bincount(codes, weights=known) / np.bincount(codes)
    return max(best, task.association(means[codes], known))


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype == object:
        return np.array([value is None for value in values], dtype=np.bool_)
    missing: NDArray[np.bool_] = np.isnan(values)
    return missing


def _leak(name: str, why: str) -> DataRejected:
    return DataRejected("LabelLeak", f"{name} must not be a feature: {why}; deny it in training.data.features")
