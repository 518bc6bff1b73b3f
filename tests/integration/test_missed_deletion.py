"""A deletion that a watch never tells: what is gone holds nobody up for longer than until the next look at everything."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cluster.local.cluster import LocalCluster
from tests.crash.gate import Gate
from tests.integration.operator_process import OperatorProcess
from tests.integration.stage import Stage, Theatre, operated
from tests.stand_ins.live_figures import FakePrometheus

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gate(operators_kubeconfig: Path) -> AsyncIterator[Gate]:
    gate = await Gate.before(operators_kubeconfig)
    yield gate
    await gate.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def theatre(
    control_plane: LocalCluster,
    operators_kubeconfig: Path,
    prometheus: FakePrometheus,
    gate: Gate,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Theatre]:
    """Give an operator that watches through the gate and looks at everything every few seconds."""
    home = tmp_path_factory.mktemp("operator")
    kubeconfig = gate.kubeconfig(operators_kubeconfig, home / "kubeconfig")
    operator = OperatorProcess(kubeconfig, prometheus.url, home, resync_interval_s="5")
    async with operated(control_plane, prometheus, operator) as theatre:
        yield theatre


async def test_a_policy_that_went_unseen_gives_its_model_free_and_its_candidate_is_taken_back(stage: Stage, gate: Gate) -> None:
    champion = await stage.given_a_champion()
    stage.figures.of = lambda _: None
    await stage.when_a_person_starts("by-hand")
    run = await stage.then_run_is_in("by-hand", "Canary", "Step1")
    candidate = run["status"]["version"]
    gate.loses = b'{"type":"DELETED"'
    await stage.api.delete("modelretrainpolicies", stage.namespace, "churn")
    serving = {"deploymentRef": {"name": "churn-api"}, "service": {"name": "other", "targetPort": stage.models.port}}
    await stage.given_a_policy("churn-anew", modelType="churn_risk", serving=serving)

    await stage.then(lambda: (stage.condition("Ready", "churn-anew") or {}).get("status") == "True", "the model is free")
    await stage.then_serves(champion)
    await stage.then(lambda: not stage.pods_of(candidate), "the candidate is taken back")
    assert "have gone without a word from their watch" in stage.operator.said(400)
