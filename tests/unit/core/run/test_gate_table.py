"""The gate's table, row by row and with both settings of `onFailure`: what is known of the champion, what is met, and what follows."""

from typing import Final

import pytest

from retrainer.api.v1alpha1.rollout import Gate
from retrainer.api.v1alpha1.run_status import Result
from retrainer.core.run import advance
from retrainer.core.run.gate import Ruling, judge
from tests.builders import CHAMPION, Part, a_policy, a_result, a_run, seen

FLOOR, IMPROVEMENT = 0.85, 0.02
NOT_COMPARABLE: Final = {
    "adopted": ("adopted", ""),
    "artifact gone": (CHAMPION, "the champion's artifact is gone"),
    "a column it needs is gone": (CHAMPION, "column union_tenure_years is gone"),
}

COMPARABLE: Final = {
    # floors met
    "floors met, better": (0.90, 0.86, "Pass", "Better"),
    "floors met, equal": (0.86, 0.86, "Pass", "Better"),
    "floors met, regression": (0.86, 0.90, "onFailure", "Regression"),
    # missed by both, candidate better by at least minImprovement
    "missed by both, much better": (0.84, 0.80, "Ask", "BothBelowFloor"),
    "missed by both, better by exactly minImprovement": (0.82, 0.80, "Ask", "BothBelowFloor"),
    # any other miss, or regression
    "missed by both, a little better": (0.81, 0.80, "onFailure", "BelowFloor"),
    "missed by both, equal": (0.80, 0.80, "onFailure", "BelowFloor"),
    "missed by both, worse": (0.79, 0.80, "onFailure", "Regression"),
    "missed by the candidate alone": (0.84, 0.86, "onFailure", "Regression"),
}


def gate(on_failure: str, max_regression: float | None = 0.0) -> Gate:
    metric = {"name": "accuracy", "min": FLOOR} | ({} if max_regression is None else {"maxRegression": max_regression})
    return Gate.model_validate({"metrics": [metric], "minImprovement": IMPROVEMENT, "onFailure": on_failure})


def ruled(what: str, on_failure: str) -> Ruling:
    if what == "onFailure":
        return Ruling.ASK if on_failure == "RequireApproval" else Ruling.REJECT
    return Ruling(what)


def result(candidate: float, champion: float | None = None, why: str = "") -> Result:
    return Result.model_validate(a_result(candidate=candidate, champion=champion, champion_not_comparable=why))


@pytest.fixture(params=["Reject", "RequireApproval"])
def on_failure(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("accuracy", "what", "reason"), [(0.85, "Pass", "NoChampion"), (0.84, "onFailure", "BelowFloor")])
def test_no_champion_yet(accuracy: float, what: str, reason: str, on_failure: str) -> None:
    found = judge(gate(on_failure), result(accuracy), None)
    assert (found.ruling, found.reason) == (ruled(what, on_failure), reason)


@pytest.mark.parametrize(("candidate", "champion", "what", "reason"), COMPARABLE.values(), ids=COMPARABLE)
def test_a_comparable_champion(candidate: float, champion: float, what: str, reason: str, on_failure: str) -> None:
    found = judge(gate(on_failure), result(candidate, champion), CHAMPION)
    assert (found.ruling, found.reason) == (ruled(what, on_failure), reason)


def test_a_miss_of_the_candidate_alone_is_no_regression_where_one_is_allowed(on_failure: str) -> None:
    found = judge(gate(on_failure, max_regression=0.05), result(0.84, 0.86), CHAMPION)
    assert (found.ruling, found.reason) == (ruled("onFailure", on_failure), "BelowFloor")


@pytest.mark.parametrize(("accuracy", "what", "reason"), [(0.85, "Ask", "ChampionNotComparable"), (0.84, "onFailure", "BelowFloor")])
@pytest.mark.parametrize(("champion", "why"), NOT_COMPARABLE.values(), ids=NOT_COMPARABLE)
def test_a_champion_that_cannot_be_compared(champion: str, why: str, accuracy: float, what: str, reason: str, on_failure: str) -> None:
    found = judge(gate(on_failure), result(accuracy, None, why), champion)
    assert (found.ruling, found.reason) == (ruled(what, on_failure), reason)


def test_a_champion_that_was_not_measured_without_a_reason_is_the_trainers_fault(on_failure: str) -> None:
    found = judge(gate(on_failure), result(0.95), CHAMPION)
    assert (found.ruling, found.reason) == (Ruling.REJECT, "ChampionNotMeasured")


@pytest.mark.parametrize(("candidate", "champion", "what", "reason"), COMPARABLE.values(), ids=COMPARABLE)
def test_an_emergency_passes_by_the_same_table(candidate: float, champion: float, what: str, reason: str) -> None:
    def phase(**spec: Part) -> Part:
        policy = a_policy(gate={"metrics": [{"name": "accuracy", "min": FLOOR, "max_regression": 0.0}]})
        run = a_run("Gating", policy=policy, spec=spec, result=a_result(candidate=candidate, champion=champion))
        status = advance(run, seen(policy, run)).status
        return status.phase, status.outcome, status.reason

    assert phase(emergency={"reason": "fire", "max_weight": 50}) == phase()
