"""What Argo CD's page would say of real objects, and what its actions do to them: the scripts are run by Lua 5.1, as Argo CD runs them."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from lupa.lua51 import LuaRuntime, lua_type

from tests.integration.stage import Stage
from tests.integration.team import Manifest
from tests.stand_ins.fake_trainer import FakeTrainer, trains

pytestmark = pytest.mark.asyncio(loop_scope="session")

_FILE: Final = Path(__file__).parents[2] / "docs/examples/argo-cd/argocd-cm.yaml"
SCRIPTS: Final[dict[str, str]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))["data"]


def run_lua(script: str, manifest: Manifest) -> Any:  # noqa: ANN401 - whatever the script returns
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(manifest, recursive=True)
    return plain(lua.execute(script))


def plain(value: Any) -> Any:  # noqa: ANN401 - any table
    return {key: plain(one) for key, one in value.items()} if lua_type(value) == "table" else value


def health(manifest: Manifest) -> tuple[str, str]:
    """Return Argo CD's word for an object, and the message beside it."""
    found = run_lua(SCRIPTS[f"resource.customizations.health.retrainer.dev_{manifest['kind']}"], manifest)
    return found["status"], found["message"]


def offered(manifest: Manifest) -> set[str]:
    """Return the actions that Argo CD offers for an object."""
    actions = yaml.safe_load(SCRIPTS[f"resource.customizations.actions.retrainer.dev_{manifest['kind']}"])
    found = run_lua(actions["discovery.lua"], manifest)
    assert found.keys() == {one["name"] for one in actions["definitions"]}
    return {name for name, one in found.items() if not one["disabled"]}


async def act(stage: Stage, resource: str, manifest: Manifest, name: str) -> None:
    """Do what an action does: what it changed of the object is patched."""
    actions = yaml.safe_load(SCRIPTS[f"resource.customizations.actions.retrainer.dev_{manifest['kind']}"])
    script = next(one["action.lua"] for one in actions["definitions"] if one["name"] == name)
    changed = run_lua(script, manifest)["metadata"]["annotations"]
    await stage.api.patch(resource, stage.namespace, manifest["metadata"]["name"], {"metadata": {"annotations": changed}})


def policy(stage: Stage) -> Manifest:
    found = stage.seen.one("modelretrainpolicies", "churn")
    assert found is not None
    return found


async def run_in(stage: Stage, phase: str, reason: str = "") -> Manifest:
    return await stage.then_run_is_in("churn-2", phase, reason)


async def test_a_run_is_approved_twice_and_taken_back_from_argo_cds_page(stage: Stage) -> None:
    gate = {"metrics": [{"name": "accuracy", "min": 0.85}], "onFailure": "RequireApproval"}
    champion = await stage.given_a_champion(gate=gate, rollout={"stepWeights": [], "watch": {"duration": "1h"}})
    await stage.when_changed(rollout={"approval": {"required": "Always"}})
    assert health(policy(stage)) == ("Healthy", f"Accepted: {champion} serves")
    assert offered(policy(stage)) == {"pause", "resume"}

    stage.kubelet.play(trainer=FakeTrainer(train=trains(accuracy=0.8)))
    await stage.when_paged()
    waits = await run_in(stage, "AwaitingApproval", "BelowFloor")
    assert health(waits)[0] == "Suspended"
    assert offered(waits) == {"approve", "abort"}
    await stage.then_condition("AwaitingApproval", "True", "BelowFloor")
    assert health(policy(stage))[0] == "Suspended"
    await act(stage, "modelretrainruns", waits, "approve")

    waits = await run_in(stage, "AwaitingApproval", "RolloutApproval")
    await act(stage, "modelretrainruns", waits, "approve")
    watched = await run_in(stage, "Watching")
    assert health(watched)[0] == "Progressing"
    await stage.then(lambda: "rollback" in offered(policy(stage)), "there is a version to go back to")
    await act(stage, "modelretrainpolicies", policy(stage), "rollback")
    ended = await stage.then_run_ends("churn-2", "RolledBack", "RollbackAsked")
    assert health(ended)[0] == "Degraded"
    assert offered(ended) == set()
    await stage.then_serves(champion)


async def test_a_pause_is_a_suspension_until_it_is_ended(stage: Stage) -> None:
    await stage.given_a_champion()
    await act(stage, "modelretrainpolicies", policy(stage), "pause")
    await stage.then(lambda: health(policy(stage))[0] == "Suspended", "it is paused")
    await act(stage, "modelretrainpolicies", policy(stage), "resume")
    await stage.then(lambda: health(policy(stage))[0] == "Healthy", "it goes on")


async def test_a_canary_is_ended_or_promoted_from_argo_cds_page(stage: Stage) -> None:
    champion = await stage.given_a_champion(rollout={"stepWeights": [20], "interval": "1h"})
    await stage.when_paged()
    canary = await run_in(stage, "Canary", "Step1")
    assert offered(canary) == {"promote", "abort"}
    await act(stage, "modelretrainruns", canary, "abort")
    assert health(await stage.then_run_ends("churn-2", "Aborted"))[0] == "Degraded"
    await stage.then_serves(champion)


async def test_the_health_of_a_policy_is_what_its_conditions_say(stage: Stage) -> None:
    await stage.given_a_platform()
    created = await stage.given_a_policy()
    assert health(created)[0] == "Progressing"
    await stage.then_run_ends("churn-1", "Succeeded")
    await stage.then_condition("Ready", "True", "Accepted")
    await stage.when_changed(metricsSource="nobodys")
    await stage.then_condition("Ready", "False", "MetricsSourceUnknown")
    status, message = health(policy(stage))
    assert status == "Degraded"
    assert message.startswith("MetricsSourceUnknown: ")
