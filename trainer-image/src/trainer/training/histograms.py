"""The reference of a version: weighted histograms of what it was trained on and of what it answers to that."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.artifact import Feature, Histogram, Reference
from trainer.dataset.reading import Dataset, Floats
from trainer.models.base import FeatureKind
from trainer.weighting import weighted_quantile

_DECILES = tuple(share / 10 for share in range(1, 10))


def reference_of(dataset: Dataset, features: Sequence[Feature], predictions: Floats, weights: Floats) -> Reference:
    """Return histograms of the features and of the shipped model's predictions, rows weighted as in training.

    Weighted, because what a version knows best is the recent past: with equal weights, a drift that it has just
    learnt would look like one that it does not know.
    """
    return Reference(
        rows=float(weights.sum() ** 2 / (weights**2).sum()),
        features={feature.name: _histogram(feature, dataset.columns[feature.name], weights) for feature in features},
        prediction=_numeric(predictions, weights, _prediction_edges(predictions, weights)),
    )


def _prediction_edges(predictions: Floats, weights: Floats) -> tuple[float, ...]:
    """Return tenths for probabilities, whose range is known; deciles for all else."""
    if predictions.min() >= 0 and predictions.max() <= 1:
        return _DECILES
    return tuple(sorted({weighted_quantile(predictions, weights, share) for share in _DECILES}))


def _histogram(feature: Feature, values: NDArray[Any], weights: Floats) -> Histogram:
    match feature.kind:
        case FeatureKind.CATEGORICAL:
            return _categorical(values, weights, feature.categories)
        case FeatureKind.BOOLEAN:
            named = np.array([None if value != value else str(value == 1).lower() for value in values], object)  # noqa: PLR0124
            return _categorical(named, weights, ("false", "true"))
        case FeatureKind.NUMERIC:
            present = ~np.isnan(values)
            deciles = {weighted_quantile(values[present], weights[present], share) for share in _DECILES}
            # A bin is closed on the left, so the smallest value as an edge would leave the first bin empty.
            edges = tuple(sorted(deciles - {float(values[present].min())}))
            return _numeric(values, weights, edges)


def _numeric(values: Floats, weights: Floats, edges: Sequence[float]) -> Histogram:
    present = ~np.isnan(values)
    bins = np.searchsorted(np.array(edges), values[present], side="right")
    sums = np.bincount(bins, weights=weights[present], minlength=len(edges) + 1)
    return Histogram(_shares(sums), _share_missing(present, weights), edges=tuple(edges))


def _categorical(values: NDArray[Any], weights: Floats, categories: Sequence[str]) -> Histogram:
    present = np.array([value is not None for value in values], dtype=np.bool_)
    bin_of = {category: index for index, category in enumerate(categories)}
    bins = np.array([bin_of.get(value, len(categories)) for value in values[present]], dtype=np.intp)
    sums = np.bincount(bins, weights=weights[present], minlength=len(categories) + 1)
    return Histogram(_shares(sums), _share_missing(present, weights), categories=tuple(categories))


def _shares(sums: NDArray[Any]) -> tuple[float, ...]:
    return tuple((sums / max(sums.sum(), 1e-300)).tolist())


def _share_missing(present: NDArray[np.bool_], weights: Floats) -> float:
    return min(1.0, max(0.0, 1.0 - float(weights[present].sum() / weights.sum())))
