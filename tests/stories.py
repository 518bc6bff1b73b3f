"""Whole stories over a small world: a policy, its first version, a second run, and what Prometheus says meanwhile."""

import json

from retrainer.core import naming
from retrainer.core.alert import Alert
from retrainer.core.measurement import Answer, Question
from retrainer.core.phases import Outcome, Phase
from tests.builders import Part, a_policy, a_result, alerting, vector
from tests.simulation import Prometheus, Simulation

ROLLOUT = {"step_weights": [10, 50], "iterations": 1, "min_samples": 10, "watch": {"duration": "10m"}}


def a_simulation(*, rollout: Part = None, **spec: Part) -> Simulation:
    """Return a world with a policy whose runs are quick; keyword arguments are further fields of its spec."""
    known = {"triggers": [alerting()], "trigger_policy": {"cooldown": "1m"}, "run_history_limit": 2} | spec
    return Simulation(a_policy(rollout=ROLLOUT | (rollout or {}), **known))


def saying(world: Simulation, errors: float, total: float = 500) -> Prometheus:
    """Return a Prometheus that tells of every version so many errors among so many predictions."""

    def answer(question: Question) -> Answer:
        value = errors / total if "errors_total" in question.promql else total
        return vector({one.version: value for one in world.deployments.values()}, world.now)

    return answer


def the_run(number: int) -> str:
    return f"churn-risk-{number}"


def train(world: Simulation, number: int, accuracy: float = 0.9, champion: float | None = None) -> None:
    """Let a run's two Jobs succeed."""
    name = the_run(number)
    world.settle()
    world.finish(naming.validation_job(name, 1), 0)
    world.settle()
    version = world.runs[name].status.version or ""
    result = a_result(version=version, candidate=accuracy, champion=champion)
    world.finish(naming.training_job(name, 1), 0, json.dumps(result))
    world.settle()


def first_version(**spec: Part) -> Simulation:
    """Return a world in which a first version serves."""
    world = a_simulation(**spec)
    train(world, 1)
    return world


def a_second_run(world: Simulation) -> None:
    """Let an alert start a run, and let it train without trouble."""
    world.pass_time(120)
    world.alerts = (Alert("f1", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now),)
    train(world, 2, champion=0.85)


def go_on(world: Simulation, minutes: int) -> None:
    """Let minutes pass, each with as many rounds as it takes to come to rest."""
    for _ in range(minutes):
        world.pass_time(60)
        world.settle()


def phase(world: Simulation, number: int) -> Phase:
    return world.runs[the_run(number)].status.phase


def outcome(world: Simulation, number: int) -> tuple[Outcome | None, str]:
    status = world.runs[the_run(number)].status
    return status.outcome, status.reason


def champion(world: Simulation) -> str:
    """Return who serves, as what carries the traffic says it."""
    carrier = world.observation().carrier
    assert carrier is not None
    return carrier.champion


def version(world: Simulation, number: int) -> str:
    return world.runs[the_run(number)].status.version or ""
