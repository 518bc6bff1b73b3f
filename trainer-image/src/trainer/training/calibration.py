"""Makes a network's logits honest probabilities."""

import numpy as np
from numpy.typing import NDArray

from trainer.artifact.manifest import Calibration

Floats = NDArray[np.float64]

_ITERATIONS = 50
_TOLERANCE = 1e-9
# A prior of slope 1 and intercept 0 worth a few rows: on a hundred validation rows that happen to be separable, the
# likelihood alone would ask for an infinite slope.
_PRIOR_PRECISION = 4.0


def platt_scaling(logits: Floats, labels: Floats, weights: Floats) -> Calibration:
    """Return the slope and intercept that make 1 ÷ (1 + exp(−(slope · z + intercept))) most likely (Platt 1999).

    Weighted rows; a Gaussian prior around the identity; by Newton's method. The slope stays positive, so that
    calibration never turns the order of predictions around.
    """
    design = np.column_stack([logits, np.ones_like(logits)])
    prior = np.array([1.0, 0.0])
    scaled = weights * (len(weights) / weights.sum())
    parameters = prior.copy()
    for _ in range(_ITERATIONS):
        probabilities = 0.5 * (1 + np.tanh(0.5 * (design @ parameters)))
        gradient = design.T @ (scaled * (labels - probabilities)) - _PRIOR_PRECISION * (parameters - prior)
        curvature = (design.T * (scaled * probabilities * (1 - probabilities))) @ design + _PRIOR_PRECISION * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        parameters += step
        if np.abs(step).max() < _TOLERANCE:
            break
    return Calibration(slope=max(float(parameters[0]), 0.05), intercept=float(parameters[1]))
