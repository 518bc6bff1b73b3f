"""The whole loop: a policy's first version, an alert's run to its promotion, and a canary that fails; and what people see of it."""

import re
from datetime import datetime
from typing import Any

import pytest

from tests.integration.account import Account
from tests.integration.audit import asked_at
from tests.integration.stage import Stage
from tests.stand_ins.fake_trainer import UNSCHEDULABLE, FakeTrainer, trains
from tests.stand_ins.live_figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")

VERSION = "retrainer.dev/version"


def phases_of(run: dict[str, Any]) -> list[str]:
    """Return the phases of a run's timeline, each once for each time it was entered."""
    phases = [entry["phase"] for entry in run["status"]["timeline"]]
    return [phase for phase, before in zip(phases, ["", *phases], strict=False) if phase != before]


async def test_the_first_version_is_trained_and_serves_without_a_canary(stage: Stage) -> None:
    stage.kubelet.play(trainer=FakeTrainer(train=trains(after=0.5)))
    await stage.given_a_platform()
    await stage.given_a_policy()
    run = await stage.then_run_ends("churn-1", "Succeeded", "Promoted")
    assert phases_of(run) == [
        "Validating", "Queued", "Training", "Gating", "Deploying", "SmokeTesting", "Promoting", "Watching", "Finished",
    ]  # fmt: skip
    version = run["status"]["version"]
    await stage.then_serves(version)
    assert len(stage.pods_of(version)) == 2
    assert set(stage.models.asked) == {version}
    condition = await stage.then_condition("Ready", "True", "Accepted")
    assert condition["message"] == f"{version} serves"
    champion = stage.policy_status()["champion"]
    assert (champion["version"], champion["run"], champion["digest"]) == (version, "churn-1", run["status"]["result"]["digest"])


async def test_an_alert_starts_a_run_whose_pods_serve_from_the_first_step_to_the_promotion(stage: Stage) -> None:
    champion = await stage.given_a_champion()
    assert await stage.when_paged() == 200
    started = await stage.api.get("modelretrainruns", stage.namespace, "churn-2")
    assert started, "the webhook answers once the run exists"
    assert started["spec"]["trigger"] == "paged"

    first_step = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    version = first_step["status"]["version"]
    on_trial = stage.pods_of(version)
    assert len(on_trial) == 1, "a fifth of the traffic is one pod beside two"
    await stage.then(lambda: VERSION not in stage.service()["spec"]["selector"], "the Service selects both versions")
    await stage.then(lambda: (stage.policy_status().get("candidate") or {}).get("version") == version, "the policy names the candidate")

    run = await stage.then_run_ends("churn-2", "Succeeded", "Promoted")
    told = [entry["message"] for entry in run["status"]["timeline"] if entry["reason"] in {"Step1", "Step2"}]
    assert told == ["step 1 of 2: asked 20 %, effective 33 % by ready pods", "step 2 of 2: asked 50 %, effective 50 % by ready pods"]
    await stage.then_serves(version)
    assert on_trial < stage.pods_of(version), "a promotion restarts nothing"
    assert stage.service()["metadata"]["annotations"]["retrainer.dev/previous"] == champion
    request = stage.kubelet.requests[-1]
    assert request["champion"] == {"version": champion}
    assert (request["version"], request["run"]) == (version, "churn-2")


async def test_a_canary_that_fails_is_rolled_back_by_one_write_of_the_service(stage: Stage) -> None:
    champion = await stage.given_a_champion(rollout={"stepWeights": [20]})
    stage.figures.of = lambda version: Figures(errors=0 if version == champion else 500)
    await stage.when_paged()
    run = await stage.then_run_ends("churn-2", "RolledBack", "AnalysisFailed")
    assert run["status"]["message"] == "ErrorRate 0.500, at most 0.01 is asked"
    candidate = run["status"]["version"]

    traffic = await stage.audit.writes(stage.namespace, "services")
    shared, *after = [one for one in traffic if asked_at(one) >= began(run, "Canary")]
    assert VERSION not in shared["responseObject"]["spec"]["selector"]
    [returned] = after
    assert returned["responseObject"]["spec"]["selector"][VERSION] == champion
    verdict = datetime.fromisoformat(run["status"]["analysis"]["lastAt"])
    assert (asked_at(returned) - verdict).total_seconds() < 1

    await stage.then(lambda: not stage.pods_of(candidate), "the candidate's pods are gone")
    await stage.then(lambda: stage.seen.one("deployments", f"churn-api-{candidate}") is None, "the candidate's Deployment is gone")
    scaled = [one for one in await stage.audit.writes(stage.namespace, "deployments") if one["objectRef"]["name"].endswith(candidate)]
    down = next(one for one in scaled if one["verb"] == "patch" and one["responseObject"]["spec"]["replicas"] == 0)
    assert asked_at(down) > asked_at(returned), "the traffic leaves first"
    await stage.then_serves(champion)


async def test_a_candidate_that_fails_its_smoke_test_never_gets_traffic(stage: Stage) -> None:
    champion = await stage.given_a_champion()
    stage.models.says = lambda version: 200 if version == champion else 500
    before = stage.service()["metadata"]["resourceVersion"]
    await stage.when_paged()
    run = await stage.then_run_ends("churn-2", "RolledBack", "SmokeTestFailed")
    assert run["status"]["message"] == "the candidate answered 500 to /predict"
    assert stage.service()["metadata"]["resourceVersion"] == before


async def test_a_regression_in_the_watch_brings_the_warm_champion_back_by_one_write(stage: Stage) -> None:
    champion = await stage.given_a_champion(rollout={"stepWeights": [], "watch": {"duration": "1h"}})
    await stage.when_paged()
    promoted = await stage.then_run_is_in("churn-2", "Watching")
    version = promoted["status"]["version"]
    warm = await stage.then(lambda: stage.pods_of(champion), "the old champion stays warm")
    assert len(warm) == 2
    stage.figures.of = lambda asked: Figures(errors=500 if asked == version else 0)
    run = await stage.then_run_ends("churn-2", "RolledBack", "RegressionInWatch")
    traffic = [one for one in await stage.audit.writes(stage.namespace, "services") if asked_at(one) >= began(run, "Watching")]
    [returned] = traffic
    assert returned["responseObject"]["spec"]["selector"][VERSION] == champion
    await stage.then(lambda: stage.policy_status()["champion"]["version"] == champion, "the status says who serves")


def began(run: dict[str, Any], phase: str) -> datetime:
    """Return when a run entered a phase."""
    return next(datetime.fromisoformat(entry["at"]) for entry in run["status"]["timeline"] if entry["phase"] == phase)


async def test_kubectl_get_fills_every_column(stage: Stage, account: Account) -> None:
    monthly = {"name": "monthly", "schedule": {"cron": "0 3 1 * *"}}
    paged = {"name": "paged", "alert": {"matchLabels": {"alertname": "ModelDrift"}}}
    champion = await stage.given_a_champion(rollout={"stepWeights": [20]}, triggers=[monthly, paged])
    stage.figures.of = lambda version: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    await stage.then(lambda: stage.policy_status()["traffic"].get("candidateWeight"), "the policy shows the weight")
    shown = {kind: account.kubectl("get", kind, f"--namespace={stage.namespace}", "--output=wide") for kind in ("mrp", "mrr")}
    placeholders = {champion: "CHAMPION", run["status"]["version"]: "CANDIDATE", r"\b(\d+m)?\d+s\b": "AGE", r"\d{4}-\S+Z": "TIME"}
    assert table(shown["mrp"], placeholders) == [
        {
            "NAME": "churn", "READY": "True", "STATUS": "Accepted", "CHAMPION": "CHAMPION", "CANDIDATE": "CANDIDATE", "WEIGHT": "20",
            "LAST-TRIGGER": "paged", "AGE": "AGE", "NEXT": "TIME", "SCORE": "0.900", "MESSAGE": "CHAMPION serves",
        },
    ]  # fmt: skip
    assert table(shown["mrr"], placeholders) == [
        {
            "NAME": "churn-1", "POLICY": "churn", "TRIGGER": "initial", "PHASE": "Finished", "VERSION": "CHAMPION", "SCORE": "0.900",
            "OUTCOME": "Succeeded", "AGE": "AGE", "REASON": "Promoted",
            "MESSAGE": "CHAMPION serves; it is the first version, so nothing is watched",
        },
        {
            "NAME": "churn-2", "POLICY": "churn", "TRIGGER": "paged", "PHASE": "Canary", "VERSION": "CANDIDATE", "SCORE": "0.900",
            "OUTCOME": "", "AGE": "AGE", "REASON": "Step1",
            "MESSAGE": "step 1 of 1: asked 20 %, effective 33 % by ready pods",
        },
    ]  # fmt: skip


def table(shown: str, placeholders: dict[str, str]) -> list[dict[str, str]]:
    """Return the rows of kubectl's table by its headings, what differs from run to run replaced."""
    heading, *rows = shown.splitlines()
    columns = [(found.group(), found.start()) for found in re.finditer(r"\S+", heading)]
    ends = [start for _, start in columns[1:]] + [None]
    cells = [{name: row[start:end].strip() for (name, start), end in zip(columns, ends, strict=True)} for row in rows]
    for pattern, placeholder in placeholders.items():
        cells = [{name: re.sub(pattern, placeholder, cell) for name, cell in row.items()} for row in cells]
    return cells


async def test_kubectl_describe_says_why_a_run_waits(stage: Stage, account: Account) -> None:
    stage.kubelet.play(trainer=FakeTrainer(train=UNSCHEDULABLE))
    await stage.given_a_platform()
    await stage.given_a_policy()
    await stage.then_run_is_in("churn-1", "Queued", "Unschedulable")
    await stage.then_condition("Reconciling", "True", "RunUnderWay")
    run = account.kubectl("describe", "mrr", "churn-1", f"--namespace={stage.namespace}")
    assert re.search(r"Reason: +Unschedulable", run)
    assert re.search(r"Message: +0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", run)
    policy = account.kubectl("describe", "mrp", "churn", f"--namespace={stage.namespace}")
    assert re.search(r"Message: +churn-1 is in Queued", policy)
    assert re.search(r"Normal +Validating .* churn-1: the data is looked at before a GPU is asked for", policy)
