"""AwaitingApproval in both of its places: after the gate, and after the canary at the weight of its last step."""

from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.core.actions import ScaleVersion, SendTraffic
from retrainer.core.decide import decide
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from tests.builders import CANDIDATE, CHAMPION, NOW, TEMPLATE, Part, a_policy, a_run, a_service, an_analysis, answers, seen

GOOD = {CANDIDATE: (0.0, 500.0), CHAMPION: (0.0, 500.0)}
BAD = {CANDIDATE: (50.0, 500.0), CHAMPION: (0.0, 500.0)}
ALWAYS = {"approval": {"required": "Always"}}


def after_canary(**run: Part) -> RunSeen:
    """Return a run that waits for the approval of its promotion, at its last step's weight."""
    known: Part = {
        "policy": a_policy(rollout=ALWAYS), "reason": "RolloutApproval", "template": TEMPLATE, "template_generation": 5,
        "analysis": an_analysis(1, 50, last_at=NOW),
    }  # fmt: skip
    return a_run(Phase.AWAITING_APPROVAL, **(known | run))


def world_of(run: RunSeen, figures: Part = None, ready: int = 3, **policy: Part) -> Observation:
    said = answers(run, ErrorRate=figures) if figures is not None else {}
    backends = {CHAMPION: 3, CANDIDATE: ready}
    return seen(a_policy(**policy), run, service=a_service(shared=True), backends=backends, answers=said)


@pytest.mark.parametrize(
    ("required", "emergency", "phase"),
    [
        ("Never", None, Phase.PROMOTING),
        ("Never", {"reason": "fire", "max_weight": 50}, Phase.PROMOTING),
        ("OnEmergency", None, Phase.PROMOTING),
        ("OnEmergency", {"reason": "fire", "max_weight": 50}, Phase.AWAITING_APPROVAL),
        ("Always", None, Phase.AWAITING_APPROVAL),
    ],
)
def test_a_canary_that_passed_is_promoted_or_waits_as_the_policy_says(required: str, emergency: Part, phase: Phase) -> None:
    policy = a_policy(rollout={"approval": {"required": required}})
    run = a_run(Phase.CANARY, policy=policy, spec={"emergency": emergency}, analysis=an_analysis(1, 50, passed=4))
    step = advance(run, world_of(run, GOOD))
    assert (step.status.phase, step.effects) == (phase, ())


@pytest.mark.parametrize("champion", [CHAMPION, None])
def test_a_candidate_without_a_canary_waits_after_its_smoke_test(champion: str | None) -> None:
    run = a_run(Phase.SMOKE_TESTING, policy=a_policy(rollout=ALWAYS | {"step_weights": []}), champion=champion)
    service = a_service(champion or "", claimed_by="uid-of-churn-risk")
    step = advance(run, seen(a_policy(), run, service=service, backends={CANDIDATE: 3}))
    assert (step.status.phase, step.status.reason) == (Phase.AWAITING_APPROVAL, "RolloutApproval")
    assert step.status.message.endswith(f"approve with: kubectl annotate mrr churn-risk-57 retrainer.dev/approve={CANDIDATE}")


def test_promote_skips_the_analysis_and_not_the_approval() -> None:
    run = a_run(Phase.CANARY, policy=a_policy(rollout=ALWAYS), analysis=an_analysis(), promote=CANDIDATE)
    decision = decide(world_of(run))
    assert decision.runs[run.name].phase is Phase.AWAITING_APPROVAL
    assert [(one.verb, one.reason) for one in decision.runs[run.name].commands] == [("promote", "Taken")]


def test_the_weight_stays_while_it_waits() -> None:
    run = after_canary()
    decision = decide(world_of(run))
    assert (decision.runs[run.name].phase, decision.runs[run.name].analysis) == (Phase.AWAITING_APPROVAL, run.status.analysis)
    assert decision.effects == ()
    assert decision.policy.traffic is not None
    assert decision.policy.traffic.candidate_weight == 50
    assert decision.policy.candidate is not None
    assert decision.requeue_after == 60


def test_an_approval_promotes() -> None:
    run = after_canary(approve=CANDIDATE)
    decision = decide(world_of(run))
    assert (decision.runs[run.name].phase, decision.runs[run.name].reason) == (Phase.PROMOTING, "Approved")


@pytest.mark.parametrize("stale", ["true", CHAMPION])
def test_a_stale_approval_does_nothing(stale: str) -> None:
    run = after_canary(approve=stale)
    assert advance(run, world_of(run)).status.phase is Phase.AWAITING_APPROVAL


def test_an_approval_that_the_gate_used_does_not_promote_and_the_sentence_says_how() -> None:
    used = [{"verb": "approve", "value": CANDIDATE, "at": NOW, "reason": "Taken"}]
    run = after_canary(approve=CANDIDATE, commands=used)
    assert advance(run, world_of(run)).status.phase is Phase.AWAITING_APPROVAL
    again = replace(run, approve=f"{CANDIDATE}@promotion")
    assert advance(again, world_of(again)).status.phase is Phase.PROMOTING
    asks = a_run(Phase.CANARY, policy=a_policy(rollout=ALWAYS), analysis=an_analysis(1, 50, passed=4), commands=used)
    assert advance(asks, world_of(asks, GOOD)).status.message.endswith(f"approve={CANDIDATE}@promotion --overwrite")


@pytest.mark.parametrize(("policy", "reason"), [({"suspend": True}, "Suspended"), ({"commands": {"pause": "1"}}, "Paused")])
def test_an_approved_candidate_of_a_policy_that_is_held_back_keeps_its_weight(policy: Part, reason: str) -> None:
    run = after_canary(approve=CANDIDATE)
    decision = decide(world_of(run, **policy))
    assert (decision.runs[run.name].phase, decision.runs[run.name].reason) == (Phase.AWAITING_APPROVAL, reason)
    assert decision.effects == ()


def test_the_analysis_goes_on_and_a_candidate_may_still_fail() -> None:
    due = after_canary(analysis=an_analysis(1, 50, passed=5))
    good = advance(due, world_of(due, GOOD))
    assert good.status.analysis is not None
    assert (good.status.phase, good.status.analysis.passed, good.effects) == (Phase.AWAITING_APPROVAL, 6, ())
    bad = advance(due, world_of(due, BAD))
    assert (bad.status.outcome, bad.status.reason) == (Outcome.ROLLED_BACK, "AnalysisFailed")
    assert bad.effects == (SendTraffic(CHAMPION, ""), ScaleVersion(CANDIDATE, 0))


def test_a_candidate_that_loses_its_last_pod_meanwhile_is_taken_back() -> None:
    run = after_canary()
    step = advance(run, world_of(run, ready=0))
    assert (step.status.reason, step.effects[0]) == ("CandidateNotReady", SendTraffic(CHAMPION, ""))


def test_nobody_approving_the_promotion_rolls_back() -> None:
    run = after_canary(phase_since=NOW - timedelta(hours=24))
    step = advance(run, world_of(run))
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "ApprovalTimedOut")
    assert step.effects == (SendTraffic(CHAMPION, ""), ScaleVersion(CANDIDATE, 0))


def test_nobody_approving_after_the_gate_rejects() -> None:
    run = a_run(Phase.AWAITING_APPROVAL, reason="BothBelowFloor", phase_since=NOW - timedelta(hours=24))
    step = advance(run, seen(a_policy(), run))
    assert (step.status.outcome, step.status.reason) == (Outcome.GATE_REJECTED, "ApprovalTimedOut")
    early = a_run(Phase.AWAITING_APPROVAL, reason="BothBelowFloor")
    assert advance(early, seen(a_policy(), early)).after == 23 * 3600


def test_a_redeployment_asks_nobody() -> None:
    asked = {"version": CANDIDATE, "redeploy": {}}
    run = a_run(Phase.SMOKE_TESTING, policy=a_policy(rollout=ALWAYS), spec=asked)
    assert advance(run, seen(a_policy(), run, backends={CHAMPION: 3, CANDIDATE: 3})).status.phase is Phase.PROMOTING
