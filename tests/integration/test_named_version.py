"""Versions that people name, pinned in Git or by a rollback command, against a real API server."""

from typing import Any

import pytest

from tests.integration import team
from tests.integration.audit import Entry
from tests.integration.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

VERSION = "retrainer.dev/version"
WATCHED = {"stepWeights": [], "watch": {"duration": "1h"}}


async def given_two_versions(stage: Stage, **changes: Any) -> tuple[str, str]:  # noqa: ANN401 - fields of the spec
    """Have a version that serves and one that served before it, by now without pods."""
    first = await stage.given_a_champion(**changes)
    await stage.when_paged()
    second = (await stage.then_run_ends("churn-2", "Succeeded"))["status"]["version"]
    await stage.then(lambda: not stage.pods_of(first), "the first version is cold")
    await stage.then(lambda: outcomes(stage) == {second: "Serves", first: "Served"}, "both versions are kept")
    return first, second


def outcomes(stage: Stage) -> dict[str, str]:
    return {one["version"]: one["outcome"] for one in stage.policy_status().get("versions") or ()}


def version_after(write: Entry) -> int:
    return int(write["responseObject"]["metadata"]["resourceVersion"])


async def test_a_rollback_command_brings_a_cold_version_back_by_its_smoke_test_alone(stage: Stage) -> None:
    first, second = await given_two_versions(stage)
    stage.figures.of = lambda version: None
    await stage.when_told(pause="nothing holds back a rollback", rollback=f"{first}@1")
    run = await stage.then_run_ends("churn-3", "Succeeded", "Redeployed")
    phases = [entry["phase"] for entry in run["status"]["timeline"]]
    assert list(dict.fromkeys(phases)) == ["Deploying", "SmokeTesting", "Promoting", "Finished"]
    await stage.then_serves(first)
    assert len(stage.pods_of(first)) == 2
    assert stage.models.asked[-1] == first
    assert stage.kubelet.trained == [first, second], "nothing was trained"
    assert stage.command("rollback") == (f"{first}@1", "Taken")
    await stage.then(lambda: not stage.pods_of(second), "the pods of what served before are gone")
    await stage.then(lambda: outcomes(stage) == {first: "Serves", second: "Served"}, "the versions tell who serves")
    assert stage.policy_status()["champion"]["version"] == first


async def test_a_rollback_to_what_is_not_kept_says_why(stage: Stage) -> None:
    first = await stage.given_a_champion()
    await stage.when_told(rollback="20200101-000000-1@1")
    await stage.then(lambda: stage.command("rollback") == ("20200101-000000-1@1", "NotKept"), "the refusal is told")
    told = next(one for one in stage.policy_status()["commands"] if one["verb"] == "rollback")
    assert told["message"] == f"20200101-000000-1 is not kept: {first} are"


async def test_the_warm_previous_returns_by_one_write_though_all_else_is_gone_and_the_operator_has_just_restarted(stage: Stage) -> None:
    first = await stage.given_a_champion(rollout=WATCHED)
    await stage.when_paged()
    watched = await stage.then_run_is_in("churn-2", "Watching")
    second = watched["status"]["version"]
    stage.operator.kill()
    stage.figures.of = lambda version: None
    stage.kubelet.complete.clear()
    await stage.api.delete("persistentvolumeclaims", stage.namespace, "models")
    await stage.api.delete("deployments", stage.namespace, "churn-api")
    await stage.api.delete("deployments", stage.namespace, f"churn-api-{second}")
    await stage.then(lambda: not stage.pods_of(second), "the pods of what serves are gone")
    before = int(stage.service()["metadata"]["resourceVersion"])
    await stage.when_told(rollback=f"{first}@1")
    await stage.operator.start()
    run = await stage.then_run_ends("churn-2", "RolledBack", "RollbackAsked")
    assert stage.serves_alone(first)
    [returned] = [one for one in await stage.audit.writes(stage.namespace, "services") if version_after(one) > before]
    assert returned["responseObject"]["spec"]["selector"][VERSION] == first
    assert run["status"]["returnCheck"]["version"] == first


async def test_a_pin_ends_a_canary_and_taking_it_away_lets_the_next_run_roll_out(stage: Stage) -> None:
    first, second = await given_two_versions(stage, rollout={"stepWeights": [20]})
    stage.figures.of = lambda version: None
    await stage.when_paged("5ef2")
    await stage.then_run_is_in("churn-3", "Canary", "Step1")
    await stage.when_changed(serving={"pinnedVersion": first})
    aborted = await stage.then_run_ends("churn-3", "Aborted", "Pinned")
    assert aborted["status"]["frozen"]["champion"] == second
    await stage.then_run_ends("churn-4", "Succeeded", "Redeployed")
    await stage.then_serves(first)
    await stage.when_paged("5ef3")
    await stage.then_run_is_in("churn-5", "Gating", "Pinned")
    await stage.when_changed(serving={"pinnedVersion": ""})
    await stage.then_run_is_in("churn-5", "Canary", "Step1")


async def test_a_new_policy_with_a_pin_serves_that_version_and_trains_none(stage: Stage) -> None:
    kept = "20261101-030000-51"
    await stage.given_a_platform()
    serving = team.policy(stage.namespace, port=stage.models.port)["spec"]["serving"]
    await stage.given_a_policy(serving=serving | {"pinnedVersion": kept})
    run = await stage.then_run_ends("churn-1", "Succeeded", "Redeployed")
    assert run["spec"]["trigger"] == "pin"
    await stage.then_serves(kept)
    await stage.then(lambda: outcomes(stage) == {kept: "Serves"}, "the version is on record")
    assert set(stage.models.asked) == {kept}, "its smoke test"
    assert (stage.kubelet.trained, stage.seen.all("jobs")) == ([], [])
