"""Makes a network's logits honest probabilities."""

import numpy as np
from numpy.typing import NDArray

from trainer.tasks.base import Calibration

Floats = NDArray[np.float64]

_ITERATIONS = 50
_TOLERANCE = 1e-8
# A prior of slope 1 and intercept 0 worth a few rows: on a hundred validation rows that happen to be separable, the
# likelihood alone would ask for an infinite slope.
_PRIOR_PRECISION = 4.0
_IDENTITY = np.array([1.0, 0.0])
_MIN_SLOPE = 0.05


def platt_scaling(logits: Floats, labels: Floats, weights: Floats) -> Calibration:
    """Return the slope and intercept that make 1 ÷ (1 + exp(−(slope · z + intercept))) most likely (Platt 1999).

    Weighted rows; a Gaussian prior around the identity; by Newton's method with step halving. The slope stays
    positive, so that calibration never turns the order of predictions around.
    """
    design = np.column_stack([logits, np.ones_like(logits)])
    scaled = weights * (len(weights) / weights.sum())
    parameters = _IDENTITY.copy()
    loss = _loss(parameters, design, labels, scaled)
    for _ in range(_ITERATIONS):
        step = _newton_step(parameters, design, labels, scaled)
        # Far from the optimum, where the sigmoid is flat, a whole step overshoots.
        while (next_loss := _loss(parameters + step, design, labels, scaled)) > loss and np.abs(
            step
        ).max() > _TOLERANCE:
            step /= 2
        if np.abs(step).max() <= _TOLERANCE:
            break
        parameters, loss = parameters + step, next_loss
    return Calibration(slope=max(float(parameters[0]), _MIN_SLOPE), intercept=float(parameters[1]))


def _newton_step(parameters: Floats, design: Floats, labels: Floats, weights: Floats) -> Floats:
    probabilities = 0.5 * (1 + np.tanh(0.5 * (design @ parameters)))
    gradient = design.T @ (weights * (labels - probabilities)) - _PRIOR_PRECISION * (parameters - _IDENTITY)
    curvature = (design.T * (weights * probabilities * (1 - probabilities))) @ design + _PRIOR_PRECISION * np.eye(2)
    step: Floats = np.linalg.solve(curvature, gradient)
    return step


def _loss(parameters: Floats, design: Floats, labels: Floats, weights: Floats) -> float:
    scores = design @ parameters
    likelihood = weights @ (np.logaddexp(0, scores) - labels * scores)
    return float(likelihood + 0.5 * _PRIOR_PRECISION * ((parameters - _IDENTITY) ** 2).sum())
