"""Measurements → Pass | Fail | Inconclusive | NoData. Shared by the canary and the watch.

An absolute bound is compared as it is. A comparison of two ratios of counters is a one-sided non-inferiority test: it passes when a
regression of `maxRegression` or more is excluded, fails when one is shown, and says nothing in between.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import NormalDist
from typing import Final

from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.rollout_metric import RolloutMetric
from retrainer.core.measurement import Counts, Measurement, NoData, Value
from retrainer.core.presets import PRESETS

ALPHA: Final = 0.05


class Verdict(StrEnum):
    """What a measurement says about a candidate."""

    PASS = "Pass"
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"
    NO_DATA = "NoData"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the figures it was concluded from, as a sentence."""

    verdict: Verdict
    message: str


def judge(metric: RolloutMetric, candidate: Measurement, champion: Measurement | None, min_samples: int, looks: int) -> Judgement:
    """Judge one metric; `champion` is None where there is nothing to compare with, `looks` the number of analyses α is divided by."""
    if isinstance(candidate, NoData):
        return Judgement(Verdict.NO_DATA, f"{told_of(metric)} of the candidate: {candidate.reason}, {candidate.message}")
    samples = candidate.total if isinstance(candidate, Counts) else candidate.samples
    if samples < min_samples:
        return Judgement(Verdict.INCONCLUSIVE, f"{told_of(metric)}: {samples:.0f} of {min_samples} samples")
    absolute = _absolute(metric, candidate)
    if absolute is not None and absolute.verdict is Verdict.FAIL:
        return absolute
    if metric.max_regression is None or champion is None:
        return absolute or Judgement(Verdict.PASS, f"{told_of(metric)} {figure(candidate):.3f}")
    if isinstance(champion, NoData):
        return Judgement(Verdict.NO_DATA, f"{told_of(metric)} of the champion: {champion.reason}, {champion.message}")
    return _comparison(metric, candidate, champion, metric.max_regression, ALPHA / looks)


def overall(judgements: list[Judgement]) -> Judgement:
    """Return the first failure; else the first that is not conclusive; else a pass that names every figure, of which there must be one."""
    if not judgements:
        return Judgement(Verdict.INCONCLUSIVE, "no metric judges here with effect")
    for verdict in (Verdict.FAIL, Verdict.NO_DATA, Verdict.INCONCLUSIVE):
        for judgement in judgements:
            if judgement.verdict is verdict:
                return judgement
    return Judgement(Verdict.PASS, "; ".join(judgement.message for judgement in judgements))


def told_of(metric: RolloutMetric) -> str:
    """Return what the metric is called in a sentence."""
    return metric.preset or f"query {cut(metric.query or '', 60)}"


def figure(measured: Counts | Value) -> float:
    """Return the figure in its preset's unit."""
    return measured.ratio if isinstance(measured, Counts) else measured.value


def regression_bounds(candidate: Counts, champion: Counts, alpha: float, *, higher_is_better: bool) -> tuple[float, float]:
    """Return lower and upper bound, each one-sided at `alpha`, of how much worse the candidate's ratio is than the champion's.

    Newcombe's hybrid score interval for the difference of two proportions (Statistics in Medicine 17, 1998, method 10), built on Wilson's
    score interval: it keeps its coverage at small counts and near 0 and 1, where error rates live.
    """
    z = NormalDist().inv_cdf(1 - alpha)
    worse, better = (champion, candidate) if higher_is_better else (candidate, champion)
    difference = worse.ratio - better.ratio
    worse_low, worse_high = _wilson(worse, z)
    better_low, better_high = _wilson(better, z)
    lower = difference - sqrt((worse.ratio - worse_low) ** 2 + (better_high - better.ratio) ** 2)
    upper = difference + sqrt((worse_high - worse.ratio) ** 2 + (better.ratio - better_low) ** 2)
    return lower, upper


def _wilson(counts: Counts, z: float) -> tuple[float, float]:
    n, p = counts.total, min(1.0, max(0.0, counts.ratio))
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def _absolute(metric: RolloutMetric, measured: Counts | Value) -> Judgement | None:
    value = figure(measured)
    if metric.min is not None:
        verdict = Verdict.PASS if value >= metric.min else Verdict.FAIL
        return Judgement(verdict, f"{told_of(metric)} {value:.3f}, at least {metric.min:g} is asked")
    if metric.max is not None:
        verdict = Verdict.PASS if value <= metric.max else Verdict.FAIL
        return Judgement(verdict, f"{told_of(metric)} {value:.3f}, at most {metric.max:g} is asked")
    return None


def _comparison(metric: RolloutMetric, candidate: Counts | Value, champion: Counts | Value, margin: float, alpha: float) -> Judgement:
    assert metric.preset is not None, "a query is not compared"
    higher_is_better = PRESETS[metric.preset].higher_is_better
    told = f"{metric.preset} {figure(candidate):.3f} against the champion's {figure(champion):.3f}"
    if isinstance(candidate, Counts) and isinstance(champion, Counts):
        lower, upper = regression_bounds(candidate, champion, alpha, higher_is_better=higher_is_better)
        told += f", regression between {lower:+.3f} and {upper:+.3f}, at most {margin:g} is allowed"
        if upper < margin:
            return Judgement(Verdict.PASS, told)
        return Judgement(Verdict.FAIL if lower > margin else Verdict.INCONCLUSIVE, told)
    worse_by = figure(champion) - figure(candidate) if higher_is_better else figure(candidate) - figure(champion)
    return Judgement(Verdict.PASS if worse_by <= margin else Verdict.FAIL, f"{told}, at most {margin:g} worse is allowed")
