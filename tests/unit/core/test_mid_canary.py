"""What arrives in mid-canary means one thing each: the column "rollout" of the table in core/phases.py, as stories."""

from dataclasses import replace

import pytest

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec
from retrainer.core.alert import Alert
from retrainer.core.phases import Event, Outcome, Phase, Reaction, reaction
from tests.builders import a_template
from tests.simulation import Simulation
from tests.unit.core.test_decide import a_second_run, champion, first_version, go_on, outcome, phase, saying, version


@pytest.fixture
def world() -> Simulation:
    """Have a canary at its first step that is neither good nor bad yet."""
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 0, total=3)
    go_on(world, 1)
    assert phase(world, 2) is Phase.CANARY
    return world


def test_a_second_trigger_waits_as_one_further_run_and_touches_nothing(world: Simulation) -> None:
    assert reaction(Event.TRIGGER, Phase.CANARY) is Reaction.WAITS
    before, service = world.runs["churn-risk-2"].status, world.service
    world.pass_time(1)
    fresh = Alert("f2", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now)
    world.alerts = (*world.alerts, fresh)
    world.settle()
    assert set(world.runs) == {"churn-risk-1", "churn-risk-2", "churn-risk-3"}
    assert (world.runs["churn-risk-2"].status, world.service) == (before, service)


def test_an_edited_policy_acts_on_the_next_run(world: Simulation) -> None:
    assert reaction(Event.POLICY_EDITED, Phase.CANARY) is Reaction.NEXT_RUN
    frozen = world.runs["churn-risk-2"].status.frozen
    wire = world.policy.spec.wire()
    wire["rollout"] |= {"stepWeights": [99], "minSamples": 1, "iterations": 9}
    spec = ModelRetrainPolicySpec.model_validate(wire)
    world.policy = replace(world.policy, spec=spec, generation=world.policy.generation + 1)
    go_on(world, 1)
    status = world.runs["churn-risk-2"].status
    assert status.frozen == frozen
    assert status.analysis is not None
    assert (status.phase, status.reason, status.analysis.weight) == (Phase.CANARY, "Inconclusive", 10)


def test_an_edited_template_reaches_neither_side_until_the_run_has_ended(world: Simulation) -> None:
    assert reaction(Event.TEMPLATE_EDITED, Phase.CANARY) is Reaction.AFTER_RUN
    world.template = a_template(9)
    go_on(world, 1)
    assert {one.template_generation for one in world.deployments.values()} == {5}
    world.prometheus = saying(world, 100)
    go_on(world, 1)
    assert outcome(world, 2) == (Outcome.ROLLED_BACK, "AnalysisFailed")
    serving = next(one for one in world.deployments.values() if one.version == champion(world))
    assert (serving.version, serving.template_generation) == (version(world, 1), 9)
