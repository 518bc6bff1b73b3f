"""Fifty policies with nothing to do but to be judged every second: the operator writes nothing, marks nothing, and reads no Secret.

Then all of them are paged at once, and the operator is killed while it answers.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from http import HTTPStatus

import pytest
import pytest_asyncio

from tests.integration import team
from tests.integration.audit import summary
from tests.integration.stage import Stage, Theatre
from tests.stand_ins.fake_trainer import HANGS, FakeTrainer

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLICIES = 50
EPISODES = 6
WATCHED_S = 20.0
ROUNDS_EACH = POLICIES / 2
"""What a policy takes until it is idle, some twelve, is far fewer than there are policies, whose Services and Deployments come at the same
time. How many events a round gathers is the machine's affair."""
_MONTHLY = {"name": "monthly", "schedule": {"cron": "0 3 1 * *"}}
_ACCURATE = {"name": "accurate", "metric": {"preset": "Accuracy", "min": 0.7}}


async def given_an_idle_policy(stage: Stage, number: int) -> None:
    """Have a policy that took over a Service whose champion serves: one that a deleted policy left behind."""
    name = f"model-{number}"
    serving = {"deploymentRef": {"name": f"{name}-api"}, "replicas": 1, "service": {"name": name}}
    left = team.service(stage.namespace, name, **{"retrainer.dev/serves": name, "retrainer.dev/version": "v1"})
    left["metadata"] |= {
        "labels": {"retrainer.dev/policy": name, "retrainer.dev/policy-uid": "of-a-policy-that-is-gone"},
        "annotations": {"retrainer.dev/champion": "v1", "retrainer.dev/made-by-operator": "true"},
    }
    await stage.api.create("deployments", team.deployment(stage.namespace, f"{name}-api"))
    await stage.api.apply("services", left, manager="retrainer")
    paged = {"name": "paged", "alert": {"matchLabels": {"alertname": "ModelDrift", "model": name}}}
    await stage.given_a_policy(name, serving=serving, triggers=[_MONTHLY, paged, _ACCURATE])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(theatre: Theatre) -> AsyncIterator[Stage]:
    """Give the stage on which all of them are idle."""
    async with theatre.stage() as stage:
        await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
        await asyncio.gather(*(given_an_idle_policy(stage, number) for number in range(POLICIES)))
        for number in range(POLICIES):
            await stage.then_condition("Ready", "True", "Accepted", f"model-{number}")
        yield stage


async def test_idle_policies_cost_no_write_and_no_growth(stage: Stage, record_testsuite_property: Callable[[str, object], None]) -> None:
    await until_all_is_written(stage)

    before, memory, rounds = len(await stage.audit.writes()), stage.operator.resident_bytes(), await rounds_of(stage)
    await asyncio.sleep(WATCHED_S)  # nothing is to happen: there is no condition to wait for
    after, grown = await stage.audit.writes(), stage.operator.resident_bytes() - memory

    assert rounds <= ROUNDS_EACH * POLICIES, "a policy that comes is nobody else's business"
    assert [summary(one) for one in after[before:]] == []
    assert grown < 4 * 1024 * 1024
    record_testsuite_property("resident_mib", round(memory / 2**20, 1))
    record_testsuite_property("grown_kib_a_minute", round(grown / 1024 * 60 / WATCHED_S))
    record_testsuite_property("rounds_each", round(rounds / POLICIES, 1))
    record_testsuite_property("rounds", await rounds_of(stage) - rounds)
    for policy in stage.seen.all("modelretrainpolicies"):
        assert not policy["metadata"].get("finalizers")
        assert not policy["metadata"].get("annotations")
    asked = await stage.audit.requests()
    assert not [summary(one) for one in asked if one.get("objectRef", {}).get("resource") == "secrets"]
    here = await stage.audit.requests(stage.namespace)
    assert not [summary(one) for one in here if one["responseStatus"]["code"] == 403], "the chart's rights suffice"


async def until_all_is_written(stage: Stage) -> None:
    """Return when the operator has written nothing for as long as its queue needs to come to rest."""
    written = -1
    while written != (written := len(await stage.audit.writes())):  # noqa: ASYNC110 - the log sets no event
        await asyncio.sleep(3)


async def rounds_of(stage: Stage) -> float:
    """Return how many rounds the operator has had."""
    return await stage.operator.metric("retrainer_operator_reconcile_seconds_count")


async def test_a_storm_of_alerts_over_a_kill_loses_none_that_was_accepted_and_doubles_none(stage: Stage) -> None:
    stage.kubelet.play(trainer=FakeTrainer(validate=HANGS))
    told = [(f"model-{number}", f"{number:04}{episode}") for episode in range(EPISODES) for number in range(POLICIES)]
    began, turns, accepted = datetime.now(UTC), asyncio.Semaphore(30), Counter[int]()

    async def tell(model: str, fingerprint: str) -> None:
        """Post an alert as Alertmanager does: again and again, until it is accepted."""
        answer = 0
        while answer != HTTPStatus.OK:
            async with turns:
                answer = await stage.when_paged(fingerprint, began, model=model)
            accepted[answer] += 1
            await asyncio.sleep(0 if answer == HTTPStatus.OK else 0.1)

    telling = asyncio.gather(*(tell(model, fingerprint) for model, fingerprint in told))
    while accepted[HTTPStatus.OK] < len(told) / 3:  # noqa: ASYNC110 - a counter
        await asyncio.sleep(0.01)
    before = accepted[HTTPStatus.OK]
    stage.operator.kill()
    await stage.operator.start()
    await telling

    assert before < len(told), "it was killed in the middle"
    assert accepted.total() > len(told), "some were told again"
    found = await stage.then(lambda: (seen := carried(stage)).total() == len(told) and seen, "every alert is in a run")
    assert found == Counter(dict.fromkeys(told, 1))


def carried(stage: Stage) -> Counter[tuple[str, str]]:
    """Return how many runs carry each alert of each policy."""
    found: Counter[tuple[str, str]] = Counter()
    for run in stage.seen.all("modelretrainruns"):
        evidence = [*run["spec"].get("evidence", ()), *(run.get("status") or {}).get("evidence", ())]
        found.update((run["spec"]["policyRef"]["name"], item["fingerprint"]) for item in evidence)
    return found
