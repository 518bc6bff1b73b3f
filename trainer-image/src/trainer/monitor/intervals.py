"""Accuracy as outcomes show it, with the interval in which the true one lies in 95 of 100 cases."""

import math
from dataclasses import dataclass

Z = 1.959964
"""The two-sided 95 % point of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A ratio, its 95 % interval and the number of outcomes behind it."""

    ratio: float
    low: float
    high: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastSums:
    """Sums over forecasts with outcomes: of errors e = |forecast − actual|, actuals a, and their products."""

    count: int
    errors: float
    actuals: float
    error_squares: float
    actual_squares: float
    error_actual: float


def of_labels(correct: int, samples: int) -> Accuracy | None:
    """Return the share that was right, with Wilson's score interval (JASA 22, 1927); None without an outcome.

    Unlike p ± z·√(p(1−p)/n), it keeps what it promises for few outcomes and for shares near 0 and 1.
    """
    if samples == 0:
        return None
    share, spread = correct / samples, Z * Z / samples
    centre = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / samples + spread / (4 * samples)) / (1 + spread)
    return Accuracy(share, max(0.0, centre - half), min(1.0, centre + half), samples)


def of_forecasts(sums: ForecastSums) -> Accuracy | None:
    """Return 1 − Σe ÷ Σa, with the interval of a ratio of two means (Cochran 1977, section 6.4).

    None with fewer than two outcomes, and where all actuals are zero and there is nothing to divide by.
    """
    if sums.count < 2 or sums.actuals <= 0:  # noqa: PLR2004 - one outcome has no spread
        return None
    ratio = sums.errors / sums.actuals
    squares = sums.error_squares - 2 * ratio * sums.error_actual + ratio * ratio * sums.actual_squares
    half = Z * math.sqrt(max(0.0, squares) * sums.count / (sums.count - 1)) / sums.actuals
    return Accuracy(1 - ratio, 1 - ratio - half, min(1.0, 1 - ratio + half), sums.count)
