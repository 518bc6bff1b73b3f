"""The figures of a binary classifier, in numpy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ECE_BINS = 10


def binary_metrics(probabilities: Floats, labels: Floats, predicted: NDArray[np.bool_]) -> dict[str, float]:
    """Return accuracy, auc, ece, brier, precision, recall and baseline_accuracy.

    All [rows]: probabilities, labels of 0 and 1, and whether each was called positive.
    `baseline_accuracy` is that of always answering the more frequent outcome; `precision` is 0 where nothing was
    called positive.
    """
    actual = labels == 1
    hits = float((predicted & actual).sum())
    return {
        "accuracy": float((predicted == actual).mean()),
        "auc": area_under_curve(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels),
        "brier": float(((probabilities - labels) ** 2).mean()),
        "precision": hits / max(1.0, float(predicted.sum())),
        "recall": hits / max(1.0, float(actual.sum())),
        "baseline_accuracy": float(max(actual.mean(), 1 - actual.mean())),
    }


def area_under_curve(scores: Floats, labels: Floats) -> float:
    """Return the area under the ROC curve by ranks (Mann–Whitney), ties counted half; 0.5 with one outcome only."""
    positives = float((labels == 1).sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last_ranks = np.cumsum(counts)
    mean_ranks = last_ranks - (counts - 1) / 2
    rank_sum = float(mean_ranks[inverse][labels == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def expected_calibration_error(probabilities: Floats, labels: Floats) -> float:
    """Return the mean gap of stated and observed frequency over ten bins of equal width (Naeini et al. 2015)."""
    bins = np.minimum((probabilities * _ECE_BINS).astype(int), _ECE_BINS - 1)
    stated = np.bincount(bins, weights=probabilities, minlength=_ECE_BINS)
    observed = np.bincount(bins, weights=labels, minlength=_ECE_BINS)
    return float(np.abs(stated - observed).sum() / len(labels))
