"""What people say to a run or a policy by annotation, and what comes of it."""

import pytest

from tests.integration.account import Account
from tests.integration.stage import Stage
from tests.stand_ins.live_figures import Figures

SHARE = "retrainer_candidate_observed_share_ratio"

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def given_a_canary_without_data(stage: Stage) -> tuple[str, str]:
    """Have a run that holds its weight; return the champion's and the candidate's version."""
    champion = await stage.given_a_champion(rollout={"stepWeights": [20, 50]})
    stage.figures.of = lambda version: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    return champion, run["status"]["version"]


async def test_promote_skips_the_rest_of_the_analysis_and_a_stale_one_says_why_it_does_nothing(stage: Stage, account: Account) -> None:
    champion, candidate = await given_a_canary_without_data(stage)
    await stage.when_annotated("churn-2", promote=champion)
    await stage.then(lambda: stage.command("promote", "churn-2") == (champion, "Stale"), "the stale command is told")
    assert not stage.serves_alone(candidate)
    await stage.when_annotated("churn-2", promote=candidate)
    run = await stage.then_run_ends("churn-2", "Succeeded", "Promoted")
    assert "PromotedByHand" in [entry["reason"] for entry in run["status"]["timeline"]]
    assert stage.command("promote", "churn-2") == (candidate, "Taken")
    await stage.then_serves(candidate)
    described = account.kubectl("describe", "mrr", "churn-2", f"--namespace={stage.namespace}")
    assert f"promote {champion}: it names {champion}, and this run makes {candidate}: nothing is done" in described


async def test_a_paused_canary_keeps_its_weight_until_it_is_resumed_also_after_a_restart(stage: Stage) -> None:
    _, candidate = await given_a_canary_without_data(stage)
    await stage.when_told(pause="lunch")
    await stage.then_condition("Ready", "True", "Paused")
    stage.figures.of = lambda version: Figures()
    held = await stage.then_run_is_in("churn-2", "Canary", "Paused")
    assert held["status"]["analysis"]["weight"] == 20
    await stage.then_metric(0.5, SHARE)
    stage.operator.kill()
    await stage.operator.start()
    await stage.when_told(resume="after lunch")
    run = await stage.then_run_ends("churn-2", "Succeeded", "Promoted")
    assert run["status"]["version"] == candidate
    assert (stage.command("pause"), stage.command("resume")) == (("lunch", "Resumed"), ("after lunch", "Taken"))
    await stage.then_condition("Ready", "True", "Accepted")
    await stage.then_metric(0, SHARE)


async def test_a_paused_canary_is_still_rolled_back(stage: Stage) -> None:
    champion, _ = await given_a_canary_without_data(stage)
    await stage.when_told(pause="lunch")
    await stage.then(lambda: stage.command("pause") == ("lunch", "Paused"), "the pause is heard")
    stage.figures.of = lambda version: Figures(errors=0 if version == champion else 500)
    await stage.then_run_ends("churn-2", "RolledBack", "AnalysisFailed")
    await stage.then_serves(champion)


async def test_a_promotion_waits_for_its_approval_at_the_weight_of_its_canary(stage: Stage) -> None:
    champion = await stage.given_a_champion(rollout={"stepWeights": [20]})
    await stage.given_a_policy(rollout={"stepWeights": [20], "approval": {"required": "Always"}})
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "AwaitingApproval", "RolloutApproval")
    candidate = run["status"]["version"]
    assert run["status"]["message"].endswith(f"approve with: kubectl annotate mrr churn-2 retrainer.dev/approve={candidate}")
    await stage.then_condition("AwaitingApproval", "True", "RolloutApproval")
    assert not stage.serves_alone(champion)
    assert stage.policy_status()["traffic"]["candidateWeight"] == 20
    await stage.when_annotated("churn-2", approve=candidate)
    await stage.then_run_ends("churn-2", "Succeeded", "Promoted")
    await stage.then_serves(candidate)


async def test_a_promotion_that_nobody_approves_is_rolled_back(stage: Stage) -> None:
    champion = await stage.given_a_champion(rollout={"stepWeights": [20]})
    await stage.given_a_policy(rollout={"stepWeights": [20], "approval": {"required": "Always", "timeout": "1s"}})
    await stage.when_paged()
    run = await stage.then_run_ends("churn-2", "RolledBack", "ApprovalTimedOut")
    assert run["status"]["message"] == f"nobody approved {run['status']['version']} within 1s"
    await stage.then_serves(champion)
