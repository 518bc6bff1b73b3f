"""Whether recent values may come from the distribution a version was trained on, by the counts in the reference's bins.

A population stability index says how far apart two distributions are, not whether chance alone explains it. These tests
say that. Both need no more than a histogram, so that no training row is kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Below an expected count of five the chi-squared distribution is no approximation any more (Cochran 1954).
SMALLEST_EXPECTED = 5.0


@dataclass(frozen=True, slots=True)
class TwoSample:
    """A test's name, its statistic, and how often chance alone would give one as large: `p_value`, 0 to 1."""

    test: str
    statistic: float
    p_value: float


def kolmogorov_smirnov(shares: Sequence[float], rows: float, counts: Sequence[int]) -> TwoSample:
    """Return the two-sample test of ordered bins: the largest gap of the two distribution functions.

    `shares` are those of `rows` reference rows, `counts` the recent ones, of which there is at least one. The functions
    are compared at the bins' edges only. So the true gap may be larger and never smaller: the test errs to the side of
    no drift, and holds for discrete values as well. The p-value is the asymptotic one, with Stephens's correction for
    small samples (Journal of the Royal Statistical Society B 32, 1970).
    """
    recent = sum(counts)
    gap = expected = observed = 0.0
    for share, count in zip(shares, counts, strict=True):
        expected, observed = expected + share, observed + count / recent
        gap = max(gap, abs(expected - observed))
    size = math.sqrt(rows * recent / (rows + recent))
    return TwoSample("ks", gap, _kolmogorov_tail((size + 0.12 + 0.11 / size) * gap))


def chi_squared(shares: Sequence[float], rows: float, counts: Sequence[int]) -> TwoSample | None:
    """Return the test of homogeneity of bins without an order, or None if fewer than two of them have enough rows.

    Bins with less than five expected rows on either side are taken together: categories have no neighbours to join.
    """
    pairs = _pooled([(share * rows, float(count)) for share, count in zip(shares, counts, strict=True)])
    if len(pairs) < 2:  # noqa: PLR2004 - one bin cannot differ
        return None
    totals = [sum(column) for column in zip(*pairs, strict=True)]
    everything = sum(totals)
    statistic = 0.0
    for pair in pairs:
        for observed, total in zip(pair, totals, strict=True):
            expected = sum(pair) * total / everything
            statistic += (observed - expected) ** 2 / expected
    return TwoSample("chi2", statistic, chi_squared_tail(statistic, len(pairs) - 1))


def _pooled(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    totals = [sum(column) for column in zip(*pairs, strict=True)]
    # A bin is judged by its smaller side, whose share of the bin is that of all rows.
    needed = SMALLEST_EXPECTED * sum(totals) / max(min(totals), 1e-9)
    by_size = sorted(pairs, key=sum)
    rest = (0.0, 0.0)
    while by_size and (sum(by_size[0]) < needed or 0 < sum(rest) < needed):
        small = by_size.pop(0)
        rest = (rest[0] + small[0], rest[1] + small[1])
    return [*by_size, rest] if sum(rest) >= needed else by_size


def _kolmogorov_tail(distance: float) -> float:
    """Return P(K > distance) = 2 Σ (−1)ᵏ⁻¹ exp(−2 k² distance²)."""
    if distance < 0.2:  # noqa: PLR2004 - the series converges slowly there, and is 1 to twelve digits
        return 1.0
    terms = ((1 if k % 2 else -1) * math.exp(-2 * (k * distance) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """Return P(χ² > statistic) for whole degrees of freedom, a finite sum (Abramowitz and Stegun 26.4.4 and 26.4.5)."""
    half = statistic / 2
    if degrees % 2:
        tail, term, step = math.erfc(math.sqrt(half)), math.exp(-half) * math.sqrt(half) / math.gamma(1.5), 1.5
    else:
        tail, term, step = 0.0, math.exp(-half), 1.0
    for _ in range(degrees // 2):
        tail += term
        term *= half / step
        step += 1.0
    return min(1.0, tail)
