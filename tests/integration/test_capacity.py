"""A rollout where there is room for one version only."""

import pytest

from tests.integration.stage import Stage
from tests.stand_ins.api import Manifest
from tests.stand_ins.live_figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")

FULL = 4
VERSION = "retrainer.dev/version"
SERVING = {"deploymentRef": {"name": "churn-api"}, "replicas": FULL, "capacity": "Replace"}


async def given_a_full_cluster(stage: Stage) -> str:
    """Have a champion that fills the cluster."""
    service = {"name": "churn", "targetPort": stage.models.port}
    rollout = {"stepWeights": [25, 50], "watch": {"duration": "3s"}}
    return await stage.given_a_champion(serving=SERVING | {"service": service}, rollout=rollout)


def books_of(stage: Stage) -> list[tuple[int, int]]:
    """Return pods asked for and pods that can answer requests, as they are at every change from now on."""
    books: list[tuple[int, int]] = []

    def look(resource: str, manifest: Manifest) -> None:
        if resource not in {"deployments", "pods", "services"}:
            return
        asked = sum(one["spec"]["replicas"] for one in stage.seen.all("deployments", component="serve"))
        selector = stage.service()["spec"]["selector"]
        reached = [pod for pod in stage.seen.all("pods") if selector.items() <= pod["metadata"]["labels"].items() and is_ready(pod)]
        books.append((asked, len(reached)))

    stage.seen.listen(look)
    return books


def is_ready(pod: Manifest) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions) and "deletionTimestamp" not in pod["metadata"]


async def test_a_candidate_takes_its_pods_from_the_champion_one_by_one(stage: Stage) -> None:
    champion = await given_a_full_cluster(stage)
    books = books_of(stage)
    await stage.when_paged()
    run = await stage.then_run_ends("churn-2", "Succeeded", "Watched")
    told = [entry["message"] for entry in run["status"]["timeline"] if entry["reason"] in {"Step1", "Step2"}]
    assert told == ["step 1 of 2: asked 25 %, effective 25 % by ready pods", "step 2 of 2: asked 50 %, effective 50 % by ready pods"]
    version = run["status"]["version"]
    await stage.then(lambda: (len(stage.pods_of(version)), len(stage.pods_of(champion))) == (FULL, 0), "it has all pods at last")
    # Two Deployments are two writes: the candidate asks for its pod, and in the next round the champion gives one.
    assert max(asked for asked, _ in books) <= FULL + 1
    assert min(reached for _, reached in books) >= FULL - 2


async def test_a_champion_gets_back_what_it_gave(stage: Stage) -> None:
    champion = await given_a_full_cluster(stage)
    stage.figures.of = lambda version: Figures(errors=0 if version == champion else 500)
    await stage.when_paged()
    await stage.then_run_ends("churn-2", "RolledBack", "AnalysisFailed")
    await stage.then(lambda: len(stage.pods_of(champion)) == FULL, "the champion is at full size")
    await stage.then_serves(champion)
