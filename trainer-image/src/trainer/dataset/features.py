"""Fits how each feature is encoded, on the training part only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.artifact.manifest import MAX_CATEGORIES, Feature
from trainer.dataset.reading import Dataset, Floats
from trainer.models.base import FeatureKind
from trainer.weighting import weighted_quantile

# A mark for missing values is an input of its own; it needs rows enough to learn what being missing means.
_MIN_MARKED_ROWS = 20
_MIN_MARKED_RATIO = 0.01


@dataclass(frozen=True, slots=True)
class FittedFeatures:
    """The features as they are encoded, and a sentence for each column that is left out."""

    features: tuple[Feature, ...]
    warnings: tuple[str, ...]


def fit_features(training: Dataset, weights: Floats, kinds: Mapping[str, FeatureKind]) -> FittedFeatures:
    """Return the encoding of each feature, its statistics weighted like the rows.

    A column that cannot teach anything is left out: one that is empty or constant in the training part, or one with
    more categories than an input each makes sense for.
    """
    features, warnings = [], []
    for name, kind in kinds.items():
        values = training.columns[name]
        objection = _objection(values, kind)
        if objection is not None:
            warnings.append(f"{name} is not used: {objection}")
        elif kind is FeatureKind.CATEGORICAL:
            categories = tuple(sorted({value for value in values if value is not None}))
            marks = _marks_missing(np.array([value is None for value in values]))
            features.append(Feature(name=name, kind=kind, categories=categories, marks_missing=marks))
        else:
            features.append(_scaled_feature(name, kind, values, weights))
    return FittedFeatures(tuple(features), tuple(warnings))


def _objection(values: NDArray[Any], kind: FeatureKind) -> str | None:
    present = {value for value in values if value is not None} if kind is FeatureKind.CATEGORICAL else _present(values)
    distinct = len(present) if isinstance(present, set) else len(np.unique(present))
    if distinct == 0:
        return "it has no value in the training part"
    if distinct == 1:
        return "it has only one value in the training part"
    if kind is FeatureKind.CATEGORICAL and distinct > MAX_CATEGORIES:
        return f"{distinct} different texts are more than {MAX_CATEGORIES}"
    return None


def _present(values: NDArray[Any]) -> Floats:
    present: Floats = values[~np.isnan(values)]
    return present


def _scaled_feature(name: str, kind: FeatureKind, values: Floats, weights: Floats) -> Feature:
    missing = np.isnan(values)
    present, present_weights = values[~missing], weights[~missing]
    mean = float(np.average(present, weights=present_weights))
    deviation = float(np.sqrt(np.average((present - mean) ** 2, weights=present_weights)))
    return Feature(
        name=name,
        kind=kind,
        fill=weighted_quantile(present, present_weights, 0.5),
        mean=mean,
        # Varied once, but hardly in the rows that count: unscaled it is harmless, divided by nearly zero it is not.
        scale=deviation if deviation > 1e-6 * max(1.0, abs(mean)) else 1.0,
        marks_missing=_marks_missing(missing),
    )


def _marks_missing(missing: NDArray[np.bool_]) -> bool:
    return bool(missing.sum() >= _MIN_MARKED_ROWS and missing.mean() >= _MIN_MARKED_RATIO)
