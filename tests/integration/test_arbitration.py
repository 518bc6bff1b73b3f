"""Which reason to retrain wins, which gives way, and what people read when nothing is done."""

import re
from typing import Any

import pytest

from tests.cluster.local.cluster import LocalCluster
from tests.integration.account import Account
from tests.integration.stage import Stage
from tests.integration.test_command_line import Kubectl
from tests.stand_ins.fake_trainer import HANGS, FakeTrainer, trains
from tests.stand_ins.live_figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGED = {"name": "paged", "alert": {"matchLabels": {"alertname": "ModelDrift"}}}
URGENT = {"name": "urgent", "priority": 80, "alert": {"matchLabels": {"alertname": "Outage"}}}


def trigger_status(stage: Stage, name: str) -> dict[str, Any]:
    """Return a trigger's entry in the policy's status, empty before there is one."""
    return next((dict(one) for one in stage.policy_status().get("triggers") or () if one["name"] == name), {})


async def test_a_run_that_waits_gives_way_to_a_higher_priority_and_no_two_train_at_once(stage: Stage) -> None:
    await stage.given_a_champion(triggers=[PAGED, URGENT])
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    assert await stage.when_paged("a1") == 200
    await stage.then_run_is_in("churn-2", "Training")
    assert await stage.when_paged("a2") == 200
    await stage.then_run_is_in("churn-3", "Pending", "TrainingSlotTaken")
    assert await stage.when_paged("b1", alertname="Outage") == 200
    ended = await stage.then_run_ends("churn-3", "Superseded", "HigherPriority")
    assert ended["status"]["message"] == "gives way to churn-4 of priority 80, which trains on the same data"
    assert not ended["status"].get("frozen")
    winner = await stage.then_run_is_in("churn-4", "Pending", "TrainingSlotTaken")
    assert (winner["spec"]["trigger"], [one["fingerprint"] for one in winner["spec"]["evidence"]]) == ("urgent", ["b1"])
    assert not stage.jobs_of("churn-3")
    assert not stage.jobs_of("churn-4")


async def test_the_fifth_run_of_a_day_is_refused_and_everybody_reads_the_same_reason(
    stage: Stage, account: Account, control_plane: LocalCluster
) -> None:
    await stage.given_a_champion(triggers=[PAGED], triggerPolicy={"cooldown": "0s", "maxRunsPerDay": 1}, rollout={"stepWeights": []})
    assert await stage.when_paged("a1") == 200
    await stage.then_run_ends("churn-2", "Succeeded")
    assert await stage.when_paged("a2") == 200
    await stage.then(lambda: trigger_status(stage, "paged").get("state") == "Refused", "the trigger is refused")
    told = trigger_status(stage, "paged")
    assert (told["reason"], stage.seen.one("modelretrainruns", "churn-3")) == ("MaxRunsPerDay", None)
    assert "1 runs within 24 hours, triggerPolicy.maxRunsPerDay is 1; until " in told["message"]
    described = account.kubectl("describe", "mrp", "churn", f"--namespace={stage.namespace}")
    assert re.search(r"Reason: +MaxRunsPerDay", described)
    assert await stage.operator.metric("retrainer_trigger_refusals_total", namespace=stage.namespace, reason="MaxRunsPerDay") == 1
    assert re.search(r"Normal +MaxRunsPerDay .* trigger paged: accuracy fell below 0.7; 1 runs within 24 hours", described)
    await stage.then_metric(1, "retrainer_trigger_state", trigger="paged", state="Refused", reason="MaxRunsPerDay")
    assert f"MaxRunsPerDay: {told['message']}" in await Kubectl(control_plane)(stage, "explain", "churn")


SHOCK = {"name": "shock", "alert": {"matchLabels": {"severity": "emergency"}}, "emergency": {"maxWeight": 40}, "data": {"holdout": "7d"}}


async def test_an_emergency_takes_a_canarys_slot_and_a_persons_emergency_ends_its_watch(stage: Stage) -> None:
    champion = await stage.given_a_champion(triggers=[PAGED, SHOCK], rollout={"stepWeights": [20, 50]}, triggerPolicy={"cooldown": "6h"})
    stage.figures.of = lambda version: None
    await stage.when_a_person_starts("by-hand")
    await stage.then_run_is_in("by-hand", "Canary", "Step1")
    assert await stage.when_paged("e1", severity="emergency") == 200

    aborted = await stage.then_run_ends("by-hand", "Aborted", "Emergency")
    reason = f"alertname=ModelDrift, namespace={stage.namespace}, severity=emergency"
    assert aborted["status"]["message"] == f"gives way to the emergency churn-2 ({reason}); its rollout was in Canary"
    await stage.then_serves(champion)
    step = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    assert step["spec"]["emergency"] == {"reason": reason, "maxWeight": 40}
    assert step["status"]["analysis"]["weight"] == 40
    assert stage.kubelet.requests[-1]["data"]["holdout"] == "7d"
    stage.figures.of = lambda version: Figures()
    watched = await stage.then_run_is_in("churn-2", "Watching")
    assert [entry["reason"] for entry in watched["status"]["timeline"]].count("Step1") == 1

    await stage.when_a_person_starts("strike", emergency={"reason": "a strike was called", "maxWeight": 50})
    cut = await stage.then_run_ends("churn-2", "Succeeded", "CutShort")
    assert cut["status"]["message"].endswith("its watch ends for the emergency strike, whose candidate is ready")
    await stage.then_run_is_in("strike", "Watching")


async def test_a_dry_policy_reports_every_trigger_and_acts_on_none(stage: Stage) -> None:
    await stage.given_a_champion(triggers=[PAGED, SHOCK])
    await stage.when_changed(dryRun=True)
    assert await stage.when_paged("e1", severity="emergency") == 200
    await stage.then(lambda: [trigger_status(stage, name).get("reason") for name in ("paged", "shock")] == ["DryRun"] * 2, "both are told")
    assert [run["metadata"]["name"] for run in stage.seen.all("modelretrainruns")] == ["churn-1"]


async def test_runs_that_cure_nothing_open_the_circuit_until_a_person_resumes_the_policy(stage: Stage) -> None:
    await stage.given_a_champion(triggers=[PAGED, SHOCK])
    stage.kubelet.play(trainer=FakeTrainer(train=trains(accuracy=0.1)))
    for number, fingerprint in ((2, "a1"), (3, "a2")):
        assert await stage.when_paged(fingerprint) == 200
        run = await stage.then_run_ends(f"churn-{number}", "GateRejected", "Regression")
        assert run["status"]["cured"] == "False"
    told = await stage.then_condition("CircuitOpen", "True", "UncuredRuns")
    assert "churn-3, churn-2 cured nothing" in told["message"]
    assert await stage.when_paged("e1", severity="emergency") == 200
    await stage.then(lambda: trigger_status(stage, "shock").get("reason") == "CircuitOpen", "an emergency is refused as well")
    assert stage.seen.one("modelretrainruns", "churn-4") is None
    await stage.when_told(resume="churn-3")
    await stage.then_condition("CircuitOpen", "False", "Closed")
    started = await stage.then_run_is_in("churn-4", "Finished")
    assert started["spec"]["emergency"]["maxWeight"] == 40


async def test_a_freeze_window_holds_what_is_trained_until_it_is_taken_away(stage: Stage) -> None:
    champion = await stage.given_a_champion()
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.when_a_person_starts("by-hand")
    await stage.then_run_is_in("by-hand", "Training")
    await stage.when_changed(triggerPolicy={"freezeWindows": [{"cron": "* * * * *", "duration": "1d"}]})
    assert await stage.when_paged("a1") == 200
    await stage.then(lambda: trigger_status(stage, "paged").get("reason") == "FreezeWindow", "the trigger is told")
    stage.kubelet.play(trainer=FakeTrainer())
    await stage.then_run_is_in("by-hand", "Gating", "FreezeWindow")
    await stage.then_serves(champion)
    await stage.when_changed(triggerPolicy={"freezeWindows": []})
    await stage.then_run_ends("by-hand", "Succeeded", "Promoted")
