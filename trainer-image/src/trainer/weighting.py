"""Statistics of weighted values."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """Return the smallest value such that the values up to it hold that share of the weight."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    index = int(np.searchsorted(cumulated, share * cumulated[-1]))
    return float(values[order[min(index, len(values) - 1)]])
