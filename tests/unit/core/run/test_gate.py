from typing import Any

import pytest

from retrainer.api.v1alpha1.rollout import Gate
from retrainer.api.v1alpha1.run_status import Result
from retrainer.core import naming
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.gate import Judged, Ruling, judge
from retrainer.core.run.step import Step
from tests.builders import CANDIDATE, CHAMPION, TEMPLATE, Part, a_neighbourhood, a_policy, a_result, a_run, a_template, seen

FLOOR = {"name": "accuracy", "min": 0.8, "max_regression": 0.0}
LATENCY = {"name": "latency_p95_ms", "max": 100}


def judged(
    candidate: dict[str, float],
    champion: dict[str, float] | None,
    *metrics: dict[str, Any],
    serves: str | None = CHAMPION,
    why: str = "",
    **gate: Part,
) -> Judged:
    figures = {"candidate": candidate} | ({} if champion is None else {"champion": champion})
    result = Result.model_validate({"version": CANDIDATE, "metrics": figures, "champion_not_comparable": why})
    return judge(Gate.model_validate({"metrics": metrics or [FLOOR], **gate}), result, serves)


def ruled(judgement: Judged) -> tuple[Ruling, str]:
    return judgement.ruling, judgement.reason


@pytest.mark.parametrize(
    ("accuracy", "on_failure", "expected"),
    [
        (0.8, "Reject", (Ruling.PASS, "NoChampion")),
        (0.79, "Reject", (Ruling.REJECT, "BelowFloor")),
        (0.79, "RequireApproval", (Ruling.ASK, "BelowFloor")),
    ],
)
def test_without_a_champion_the_floors_decide(accuracy: float, on_failure: str, expected: tuple[Ruling, str]) -> None:
    assert ruled(judged({"accuracy": accuracy}, None, serves=None, on_failure=on_failure)) == expected


@pytest.mark.parametrize(("skill", "expected"), [(0.1, (Ruling.PASS, "NoChampion")), (-0.02, (Ruling.REJECT, "BelowFloor"))])
def test_a_version_that_does_not_beat_the_naive_forecast_is_named_and_rejected(skill: float, expected: tuple[Ruling, str]) -> None:
    skilled = {"name": "skill_vs_baseline", "min": 0.05}
    found = judged({"accuracy": 0.9, "baseline_accuracy": 0.9, "skill_vs_baseline": skill}, None, FLOOR, skilled, serves=None)
    assert ruled(found) == expected
    if found.ruling is Ruling.REJECT:
        assert "skill_vs_baseline" in found.message


@pytest.mark.parametrize(
    ("candidate", "champion", "expected"),
    [
        (0.85, 0.80, (Ruling.PASS, "Better")),
        (0.80, 0.80, (Ruling.PASS, "Better")),
        (0.84, 0.85, (Ruling.REJECT, "Regression")),
        (0.75, 0.70, (Ruling.ASK, "BothBelowFloor")),
        (0.72, 0.70, (Ruling.ASK, "BothBelowFloor")),
        (0.70, 0.68, (Ruling.ASK, "BothBelowFloor")),
        (0.71, 0.70, (Ruling.REJECT, "BelowFloor")),
        (0.69, 0.70, (Ruling.REJECT, "Regression")),
        (0.79, 0.81, (Ruling.REJECT, "Regression")),
    ],
)
def test_a_comparable_champion_is_compared(candidate: float, champion: float, expected: tuple[Ruling, str]) -> None:
    assert ruled(judged({"accuracy": candidate}, {"accuracy": champion})) == expected


def test_a_miss_that_only_the_candidate_has_is_no_case_of_both_below() -> None:
    figures = {"accuracy": 0.9, "latency_p95_ms": 120}, {"accuracy": 0.7, "latency_p95_ms": 90}
    assert ruled(judged(*figures, FLOOR, LATENCY)) == (Ruling.REJECT, "BelowFloor")


def test_a_figure_that_nobody_took_of_the_champion_is_not_a_miss_of_the_champion() -> None:
    figures = {"accuracy": 0.9, "latency_p95_ms": 120}, {"accuracy": 0.7}
    assert ruled(judged(*figures, FLOOR, LATENCY)) == (Ruling.REJECT, "BelowFloor")


def test_both_misses_may_be_of_a_metric_that_is_better_when_lower() -> None:
    figures = {"latency_p95_ms": 120.0}, {"latency_p95_ms": 150.0}
    assert ruled(judged(*figures, LATENCY, min_improvement=10)) == (Ruling.ASK, "BothBelowFloor")


@pytest.mark.parametrize(
    ("candidate", "champion", "ruling"),
    [(90, 80, Ruling.PASS), (90.1, 80, Ruling.REJECT), (70, 80, Ruling.PASS), (101, 100, Ruling.REJECT)],
)
def test_a_ceiling_says_that_lower_is_better(candidate: float, champion: float, ruling: Ruling) -> None:
    metric = LATENCY | {"max_regression": 10}
    assert judged({"latency_p95_ms": candidate}, {"latency_p95_ms": champion}, metric).ruling is ruling


@pytest.mark.parametrize(("candidate", "champion"), [(0.83, 0.85), (0.9, 0.92), (0.85, 0.87)])
def test_a_regression_of_exactly_what_is_allowed_is_allowed(candidate: float, champion: float) -> None:
    assert judged({"accuracy": candidate}, {"accuracy": champion}, FLOOR | {"max_regression": 0.02}).ruling is Ruling.PASS


@pytest.mark.parametrize("serves", [CHAMPION, naming.ADOPTED])
def test_a_champion_that_cannot_be_compared_needs_a_person(serves: str) -> None:
    assert ruled(judged({"accuracy": 0.9}, None, serves=serves, why="its artifact is gone")) == (Ruling.ASK, "ChampionNotComparable")
    assert ruled(judged({"accuracy": 0.7}, None, serves=serves, why="its artifact is gone")) == (Ruling.REJECT, "BelowFloor")


def test_what_was_adopted_has_no_artifact_and_needs_no_reason() -> None:
    assert ruled(judged({"accuracy": 0.9}, None, serves=naming.ADOPTED)) == (Ruling.ASK, "ChampionNotComparable")


@pytest.mark.parametrize("champion", [None, {}, {"auc": 0.9}])
def test_a_trainer_that_omits_the_champions_figure_without_a_reason_is_rejected(champion: dict[str, float] | None) -> None:
    judgement = judged({"accuracy": 0.9}, champion, on_failure="RequireApproval")
    assert ruled(judgement) == (Ruling.REJECT, "ChampionNotMeasured")


def test_no_figure_at_all_of_the_champion_is_an_omission_though_only_floors_are_asked_for() -> None:
    assert judged({"accuracy": 0.9}, {}, {"name": "accuracy", "min": 0.8}).reason == "ChampionNotMeasured"


def test_a_figure_the_gate_names_and_the_trainer_does_not_report_is_a_rejection() -> None:
    judgement = judged({"auc": 0.9}, {"accuracy": 0.8}, on_failure="RequireApproval")
    assert ruled(judgement) == (Ruling.REJECT, "FigureMissing")


def test_a_regression_may_be_put_before_a_person() -> None:
    assert ruled(judged({"accuracy": 0.84}, {"accuracy": 0.85}, on_failure="RequireApproval")) == (Ruling.ASK, "Regression")


def gated(*others: RunSeen, policy: PolicySeen | None = None, world: dict[str, Any] | None = None, **run: Part) -> Step:
    own = a_run(Phase.GATING, **run)
    return advance(own, seen(policy or a_policy(), *others, own, **(world or {})))


def test_a_candidate_that_passes_is_deployed_with_the_template_as_it_is_now() -> None:
    step = gated(world={"template": a_template(generation=8)})
    assert (step.status.phase, step.status.template, step.status.template_generation) == (Phase.DEPLOYING, TEMPLATE, 8)


def test_a_candidate_that_fails_ends_there() -> None:
    step = gated(result=a_result(candidate=0.5))
    assert (step.status.outcome, step.status.reason, step.effects) == (Outcome.GATE_REJECTED, "Regression", ())


def test_a_candidate_in_doubt_waits_for_a_person_who_is_told_what_to_type() -> None:
    step = gated(result=a_result(candidate=0.75, champion=0.7))
    assert (step.status.phase, step.status.reason) == (Phase.AWAITING_APPROVAL, "BothBelowFloor")
    assert f"retrainer.dev/approve={CANDIDATE}" in step.status.message


@pytest.mark.parametrize(("phase", "reason"), [(Phase.WATCHING, "WatchInProgress"), (Phase.CANARY, "RolloutInProgress")])
def test_a_candidate_waits_in_gating_while_another_has_the_serving_slot(phase: Phase, reason: str) -> None:
    step = gated(a_run(phase, number=56))
    assert (step.status.phase, step.status.reason) == (Phase.GATING, reason)


def test_a_rejection_does_not_wait_for_the_serving_slot() -> None:
    assert gated(a_run(Phase.WATCHING, number=56), result=a_result(candidate=0.5)).status.outcome is Outcome.GATE_REJECTED


def test_a_champion_that_changed_meanwhile_makes_the_comparison_worthless() -> None:
    step = gated(champion="20261015-030000-49")
    assert (step.status.outcome, step.status.reason) == (Outcome.GATE_REJECTED, "ChampionChanged")


def test_a_first_version_is_no_match_for_a_champion_that_came_meanwhile() -> None:
    assert gated(champion=None).status.reason == "ChampionChanged"


def test_a_suspended_policy_holds_the_candidate_at_the_gate() -> None:
    step = gated(policy=a_policy(suspend=True))
    assert (step.status.phase, step.status.reason) == (Phase.GATING, "Suspended")


def test_a_policy_that_is_not_accepted_any_more_deploys_nothing() -> None:
    step = gated(world={"surroundings": a_neighbourhood(foreign_services=("old-api",))})
    assert (step.status.phase, step.status.reason) == (Phase.GATING, "ForeignServiceSelectsPods")


def approved(policy: PolicySeen | None = None, **run: Part) -> Step:
    own = a_run(Phase.AWAITING_APPROVAL, reason="BothBelowFloor", message="m", template=None, template_generation=0, **run)
    return advance(own, seen(policy or a_policy(), own))


def test_an_approval_of_this_very_version_deploys_it() -> None:
    assert approved(approve=CANDIDATE).status.phase is Phase.DEPLOYING


@pytest.mark.parametrize("stale", ["", "true", CHAMPION, "20261123-030000-56", CANDIDATE + "0", "churn-risk-57"])
def test_an_approval_of_anything_else_does_nothing(stale: str) -> None:
    step = approved(approve=stale)
    assert (step.status.phase, step.status.reason, step.effects) == (Phase.AWAITING_APPROVAL, "BothBelowFloor", ())


def test_an_approved_candidate_of_a_suspended_policy_is_held() -> None:
    step = approved(a_policy(suspend=True), approve=CANDIDATE)
    assert (step.status.phase, step.status.reason) == (Phase.AWAITING_APPROVAL, "Suspended")
