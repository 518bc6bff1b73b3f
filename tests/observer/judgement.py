"""The observer's own analysis of a candidate: from samples of counters to a verdict, by no code of the operator's.

Figures are counted from raw samples instead of asked as `increase()`. A comparison of ratios with the champion is a one-sided
non-inferiority test at α ÷ iterations with Newcombe's hybrid score interval for the difference of two proportions
(R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from tests.observer.world import Metric, Policy

ALPHA = 0.05
Samples = Sequence[tuple[float, float]]
"""One series: pairs of Unix time and value, oldest first."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one version did in a span of time: outcomes and predictions, and how many of them were right or failed."""

    right: float = 0.0
    outcomes: float = 0.0
    errors: float = 0.0
    predictions: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an analysis passes or fails (or neither, where the evidence is too thin), and the figures that say so."""

    passes: bool
    sentence: str
    fails: bool = False


def grown(series: Sequence[Samples], since: float, until: float) -> float:
    """Return how much counters grew in (since, until], a fall being a restart from 0 and a birth inside the span a start from 0."""
    total = 0.0
    for samples in series:
        last = 0.0
        for at, value in samples:
            if at > until:
                break
            if at > since:
                total += value - last if value >= last else value
            last = value
    return total


def judge(policy: Policy, candidate: Figures, champion: Figures) -> Verdict:
    """Return whether every metric of `rollout.metrics` passes on enough samples, or any fails."""
    verdicts = []
    for metric in policy.metrics:
        if metric.preset not in _RATIOS:
            return Verdict(False, f"{metric.preset} is not a ratio that this observer counts")
        verdicts.append(_judge_metric(metric, policy, _RATIOS[metric.preset](candidate), _RATIOS[metric.preset](champion)))
    sentence = "; ".join(f"{metric.preset}: {one.sentence}" for metric, one in zip(policy.metrics, verdicts, strict=True))
    return Verdict(all(one.passes for one in verdicts), sentence, any(one.fails for one in verdicts))


@dataclass(frozen=True, slots=True)
class _Ratio:
    hits: float
    total: float
    higher_is_better: bool

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else math.nan


_RATIOS = {
    "Accuracy": lambda figures: _Ratio(figures.right, figures.outcomes, True),
    "ErrorRate": lambda figures: _Ratio(figures.errors, figures.predictions, False),
}


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter of the metrics contract; one exporter's series continue where they were when it restarts."""

    metric: str
    matcher: str = ""
    one_exporter: bool = False


COUNTERS: Mapping[str, Counter] = {
    "right": Counter("retrainer_outcomes_total", ', correct="true"', one_exporter=True),
    "outcomes": Counter("retrainer_outcomes_total", one_exporter=True),
    "errors": Counter("retrainer_prediction_errors_total"),
    "predictions": Counter("retrainer_predictions_total"),
}
"""What each field of `Figures` is counted from."""


def _judge_metric(metric: Metric, policy: Policy, candidate: _Ratio, champion: _Ratio) -> Verdict:
    sentence = f"candidate {candidate.value:.4f} of {candidate.total:.0f}"
    if candidate.total < policy.min_samples:
        return Verdict(False, f"{sentence}, {policy.min_samples} samples are needed")
    if metric.min is not None and candidate.value < metric.min:
        return Verdict(False, f"{sentence}, below {metric.min}", fails=True)
    if metric.max is not None and candidate.value > metric.max:
        return Verdict(False, f"{sentence}, above {metric.max}", fails=True)
    if metric.max_regression is None:
        return Verdict(True, sentence)
    if not champion.total:
        return Verdict(False, f"{sentence}, nothing of the champion to compare with")
    least, most = regression_bounds(candidate, champion, ALPHA / policy.iterations)
    sentence = f"{sentence}, champion {champion.value:.4f} of {champion.total:.0f}, worse by {least:+.4f} to {most:+.4f}"
    return Verdict(most <= metric.max_regression, sentence, fails=least > metric.max_regression)


def regression_bounds(candidate: _Ratio, champion: _Ratio, alpha: float) -> tuple[float, float]:
    """Return the confidence bounds, each at `alpha` one-sided, of how much worse the candidate's ratio is than the champion's."""
    better, worse = (candidate, champion) if candidate.higher_is_better else (champion, candidate)
    quantile = NormalDist().inv_cdf(1 - alpha)
    (better_low, better_high), (worse_low, worse_high) = _wilson(better, quantile), _wilson(worse, quantile)
    difference = worse.value - better.value
    least = difference - math.hypot(better_high - better.value, worse.value - worse_low)
    most = difference + math.hypot(better.value - better_low, worse_high - worse.value)
    return least, most


def _wilson(ratio: _Ratio, quantile: float) -> tuple[float, float]:
    square = quantile * quantile
    centre = (ratio.value + square / (2 * ratio.total)) / (1 + square / ratio.total)
    spread = ratio.value * (1 - ratio.value) / ratio.total + square / (4 * ratio.total**2)
    half = quantile / (1 + square / ratio.total) * math.sqrt(max(0.0, spread))
    return centre - half, centre + half
