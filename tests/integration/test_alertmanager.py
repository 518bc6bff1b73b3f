"""A pair of real Alertmanagers: what they tell twice, again, or all at once is one run's evidence, or refused and told why."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.alertmanager import AlertmanagerPair, Way
from tests.integration.stage import Stage, Theatre

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, slots=True)
class Pair:
    alertmanagers: AlertmanagerPair
    way: Way


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(theatre: Theatre, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Give a pair that tells the operator of the theatre."""
    way = Way(theatre.operator.webhook_url)
    alertmanagers = AlertmanagerPair(tmp_path_factory.mktemp("alertmanager"), await way.start())
    try:
        await alertmanagers.start()
        yield Pair(alertmanagers, way)
    finally:
        await alertmanagers.stop()
        await way.stop()


def drift(stage: Stage, **labels: str) -> dict[str, str]:
    return {"alertname": "ModelDrift", "namespace": stage.namespace} | labels


def evidence(stage: Stage) -> dict[str, Sequence[str]]:
    """Return the fingerprints that each run carries."""
    found = {}
    for run in stage.seen.all("modelretrainruns"):
        items: list[dict[str, Any]] = [*run["spec"].get("evidence", ()), *(run.get("status") or {}).get("evidence", ())]
        found[run["metadata"]["name"]] = [item["fingerprint"] for item in items]
    return found


async def told_more(pair: Pair, times: int) -> None:
    """Return once so much more has been told and heard, and each instance has told something."""
    before = pair.way.told.total()
    async with asyncio.timeout(45):
        while len({instance for instance, _ in pair.way.told}) < 2 or pair.way.told.total() < before + times:  # noqa: ASYNC110 - a counter
            await asyncio.sleep(0.1)


async def test_an_alert_that_is_told_by_both_refused_ten_times_and_repeated_past_its_jobs_end_is_one_run(stage: Stage, pair: Pair) -> None:
    await stage.given_a_champion(training={"backoffLimit": 0, "retention": "1s"})
    pair.way.refusals = 10
    began = datetime.now(UTC)
    await pair.alertmanagers.fire([drift(stage)], began)
    run = await stage.then_run_ends("churn-2", "Succeeded", within=90)
    assert (pair.way.refusals, pair.way.answers[503]) == (0, 10)
    assert len(run["spec"]["evidence"]) == 1

    await stage.then(lambda: not stage.jobs_of("churn-2"), "its Job has gone by its TTL")
    await told_more(pair, 3)
    assert [run["metadata"]["name"] for run in stage.seen.all("modelretrainruns")] == ["churn-1", "churn-2"]
    assert next(one for one in stage.policy_status()["triggers"])["reason"] == "AlertFiring"

    await pair.alertmanagers.resolve([drift(stage)], began)
    await stage.then(lambda: stage.policy_status()["triggers"][0]["reason"] == "NotFiring", "it is resolved")
    await pair.alertmanagers.fire([drift(stage)], datetime.now(UTC))
    await stage.then_run_is_in("churn-3", "Validating", within=60)
    episodes = [item["startsAt"] for run in stage.seen.all("modelretrainruns") for item in run["spec"].get("evidence", ())]
    assert len(set(episodes)) == 2, "the same alert firing anew is another episode"


async def test_a_storm_ends_in_few_runs_each_episode_in_one_or_refused_and_told_why(stage: Stage, pair: Pair) -> None:
    await stage.given_a_champion()
    storm = [drift(stage, pod=f"api-{number}") for number in range(300)]
    await pair.alertmanagers.fire(storm, datetime.now(UTC))
    await stage.then_run_ends("churn-2", "Succeeded", within=90)
    await told_more(pair, 600)
    await stage.then(lambda: not any(run["status"].get("phase") != "Finished" for run in stage.seen.all("modelretrainruns")), "at rest")
    carried = Counter(fingerprint for fingerprints in evidence(stage).values() for fingerprint in fingerprints)
    assert set(carried.values()) == {1}, "no episode is two runs' evidence"
    assert 32 <= len(carried) < 300
    trained = [name for name in evidence(stage) if stage.jobs_of(name)]
    assert trained == ["churn-1", "churn-2"], "one training answers the storm"
    [told] = stage.policy_status()["triggers"]
    assert (told["state"], told["reason"]) == ("Refused", "EvidencePredatesChampion"), "so is all that no run carries"
    refused = await stage.operator.metric("retrainer_trigger_refusals_total", namespace=stage.namespace, reason="EvidencePredatesChampion")
    assert refused >= 1
