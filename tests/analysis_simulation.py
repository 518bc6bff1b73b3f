"""Rollouts by chance: how often the analysis promotes a candidate that is too bad, and rolls back one that is good enough.

Outcomes are drawn, nothing else is made up: `core/verdict.py` judges each look on the counts since the step began, and looks are counted
as the canary counts them. Seeded, so that a figure can be printed twice.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import comb

from retrainer.api.v1alpha1.rollout import Rollout
from retrainer.core.measurement import Counts
from retrainer.core.verdict import Verdict, judge


@dataclass(frozen=True, slots=True)
class Trial:
    """A true accuracy on both sides, how many outcomes each side gets between two looks, and when a step is given up."""

    champion: float
    worse_by: float
    candidate_outcomes: int
    champion_outcomes: int
    most_looks: int = 500


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of all rollouts, and the looks that half of the decided ones took at most."""

    promoted: float
    rolled_back: float
    held: float
    median_looks: int


def rates(rollout: Rollout, trial: Trial, rollouts: int, seed: int) -> Rates:
    """Return what becomes of so many rollouts of the first metric through all steps."""
    chance = random.Random(seed)
    ends = [_rollout(rollout, trial, chance) for _ in range(rollouts)]
    decided = sorted(looks for verdict, looks in ends if verdict is not Verdict.INCONCLUSIVE)
    share = {verdict: sum(1 for end, _ in ends if end is verdict) / rollouts for verdict in Verdict}
    median = decided[len(decided) // 2] if decided else 0
    return Rates(share[Verdict.PASS], share[Verdict.FAIL], share[Verdict.INCONCLUSIVE], median)


def _rollout(rollout: Rollout, trial: Trial, chance: random.Random) -> tuple[Verdict, int]:
    """Return how one rollout ended, and after how many looks; Inconclusive where a step was given up."""
    looks = 0
    for _ in rollout.step_weights:
        passed = failed = 0
        for verdict in _looks(rollout, trial, chance):
            looks += 1
            passed, failed = passed + (verdict is Verdict.PASS), failed + (verdict is Verdict.FAIL)
            if failed > rollout.failure_limit:
                return Verdict.FAIL, looks
            if passed >= rollout.iterations and verdict is Verdict.PASS:
                break
        else:
            return Verdict.INCONCLUSIVE, looks
    return Verdict.PASS, looks


def _looks(rollout: Rollout, trial: Trial, chance: random.Random) -> Iterator[Verdict]:
    """Yield what each look of a step says, on all outcomes since it began."""
    [metric] = rollout.metrics
    right, total, right_before, total_before = 0, 0, 0, 0
    for _ in range(trial.most_looks):
        right += _drawn(trial.candidate_outcomes, trial.champion - trial.worse_by, chance)
        right_before += _drawn(trial.champion_outcomes, trial.champion, chance)
        total, total_before = total + trial.candidate_outcomes, total_before + trial.champion_outcomes
        sides = Counts(right, total), Counts(right_before, total_before)
        yield judge(metric, *sides, rollout.min_samples, rollout.iterations).verdict


def _drawn(outcomes: int, accuracy: float, chance: random.Random) -> int:
    """Return how many of so many outcomes are right."""
    return chance.choices(range(outcomes + 1), cum_weights=_chances(outcomes, round(accuracy, 6)))[0]


@cache
def _chances(outcomes: int, accuracy: float) -> tuple[float, ...]:
    """Return the binomial distribution function."""
    terms = (comb(outcomes, k) * accuracy**k * (1 - accuracy) ** (outcomes - k) for k in range(outcomes + 1))
    return tuple(accumulate(terms))
