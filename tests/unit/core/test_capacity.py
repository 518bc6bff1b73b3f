"""A cluster that cannot hold two versions at full size: stories of whole rollouts in one with room for no pod more than are asked for."""

import json
from dataclasses import dataclass, replace

import pytest
from typing_extensions import override

from retrainer.core import naming
from retrainer.core.actions import Decision
from retrainer.core.alert import Alert
from retrainer.core.measurement import Answer, Question
from retrainer.core.phases import Outcome
from tests.builders import a_policy, a_result, alerting, vector
from tests.simulation import Simulation

FULL = 4
ROLLOUT = {"step_weights": [25, 50], "iterations": 1, "min_samples": 10, "watch": {"duration": "10m"}}


@dataclass
class Seen:
    """What was the case after a round: ready pods by version, and who shared the traffic."""

    ready: dict[str, int]
    champion: str
    shared: bool


class FullCluster(Simulation):
    """Room for `FULL` serving pods and no more; a pod that has no room is not there."""

    def __init__(self, rollout: dict[str, object]) -> None:
        serving = {"replicas": FULL, "capacity": "Replace"}
        super().__init__(a_policy(triggers=[alerting()], trigger_policy={"cooldown": "1m"}, rollout=rollout, serving=serving))
        self.books: list[Seen] = []

    @override
    def control(self) -> None:
        super().control()
        serving = [name for name, pod in self.pods.items() if pod.component == "serve"]
        for name in serving[FULL:]:
            del self.pods[name]

    @override
    def round(self) -> Decision:
        decision = super().round()
        if self.service is not None and self.service.champion:
            versions = {one.version for one in self.deployments.values()}
            shared = naming.VERSION not in self.service.selector
            self.books.append(Seen({one: self.ready(one) for one in versions}, self.service.champion, shared))
        return decision


def errors(world: Simulation, count: float) -> None:
    def answer(question: Question) -> Answer:
        value = count if "errors_total" in question.promql else 500
        return vector({one.version: value for one in world.deployments.values()}, world.now)

    world.prometheus = answer


def trained(world: Simulation, number: int, champion: float | None = None) -> str:
    """Let a run's two Jobs succeed, and return the version they make."""
    name = f"churn-risk-{number}"
    world.settle()
    world.finish(naming.validation_job(name, 1), 0)
    world.settle()
    version = world.runs[name].status.version or ""
    world.finish(naming.training_job(name, 1), 0, json.dumps(a_result(version=version, candidate=0.9, champion=champion)))
    world.settle()
    return version


def a_rollout(rollout: dict[str, object] | None = None) -> tuple[FullCluster, str, str]:
    """Return a world in which a second version is being rolled out, and both versions."""
    world = FullCluster(rollout or ROLLOUT)
    errors(world, 0)
    first = trained(world, 1)
    assert world.ready(first) == FULL, "a first version takes nothing from anybody"
    world.books.clear()
    world.pass_time(120)
    world.alerts = (Alert("f1", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now),)
    return world, first, trained(world, 2, champion=0.85)


def go_on(world: Simulation, minutes: int) -> None:
    for _ in range(minutes):
        world.pass_time(60)
        world.settle()


def carried(seen: Seen) -> int:
    """Return how many ready pods carry the traffic."""
    return sum(seen.ready.values()) if seen.shared else seen.ready[seen.champion]


@pytest.mark.parametrize("weights", [[25, 50], [10], [50, 75, 99], []])
def test_a_promotion_never_leaves_the_traffic_with_less_than_all_pods_but_one(weights: list[int]) -> None:
    world, first, second = a_rollout(ROLLOUT | {"step_weights": weights})
    go_on(world, 6)
    assert min(carried(one) for one in world.books) >= FULL - 1
    assert max(sum(one.ready.values()) for one in world.books) <= FULL
    assert (world.ready(second), world.ready(first)) == (FULL - 1, 1), "one pod of the version before stays warm for the watch"
    go_on(world, 10)
    assert world.runs["churn-risk-2"].status.outcome is Outcome.SUCCEEDED
    assert (world.ready(second), world.ready(first)) == (FULL, 0)


def test_steps_are_shares_of_all_the_pods_there_are() -> None:
    world, first, second = a_rollout(ROLLOUT | {"iterations": 3})
    assert (world.ready(first), world.ready(second)) == (3, 1)
    go_on(world, 4)
    assert (world.ready(first), world.ready(second)) == (2, 2)


def test_a_failed_canary_gives_the_champion_its_pods_back() -> None:
    world, first, second = a_rollout()
    errors(world, 100)
    go_on(world, 2)
    assert world.runs["churn-risk-2"].status.outcome is Outcome.ROLLED_BACK
    assert (world.ready(first), world.ready(second)) == (FULL, 0)


def test_a_regression_in_the_watch_returns_to_the_pod_that_stayed_warm_and_then_to_full_size() -> None:
    world, first, second = a_rollout()
    go_on(world, 4)
    assert world.service is not None
    assert world.service.champion == second
    errors(world, 100)
    go_on(world, 2)
    assert world.runs["churn-risk-2"].status.reason == "RegressionInWatch"
    assert (world.service.champion, world.ready(first), world.ready(second)) == (first, FULL, 0)


def test_a_version_that_is_deployed_again_takes_its_room_from_what_serves() -> None:
    world, first, second = a_rollout()
    go_on(world, 16)
    assert (world.ready(first), world.ready(second)) == (0, FULL)
    world.books.clear()
    world.policy = replace(world.policy, rollback=f"{first}@1")
    go_on(world, 6)
    assert world.runs["churn-risk-3"].status.reason == "Redeployed"
    assert (world.ready(first), world.ready(second)) == (FULL, 0)
    assert min(carried(one) for one in world.books) >= FULL - 1
    assert max(sum(one.ready.values()) for one in world.books) <= FULL
