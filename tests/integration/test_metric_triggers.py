"""Metric and schema triggers against a real API server: what live figures start, what they do not, and what people are told."""

import pytest

from tests.integration.stage import Stage
from tests.integration.team import POLICY, Manifest
from tests.stand_ins.live_figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCURACY: Manifest = {"preset": "Accuracy", "min": 0.7, "window": "1h", "minSamples": 200, "for": "2s"}


def trigger(stage: Stage, name: str = "accuracy") -> Manifest:
    """Return a trigger's status as it is."""
    return next((one for one in stage.policy_status().get("triggers") or () if one["name"] == name), {})


async def then_trigger(stage: Stage, state: str, reason: str, name: str = "accuracy") -> Manifest:
    """Return a trigger's status once it is in that state for that reason."""

    def fact() -> Manifest | None:
        found = trigger(stage, name)
        return found if (found.get("state"), found.get("reason")) == (state, reason) else None

    found: Manifest = await stage.then(fact, f"trigger {name} is {state}/{reason}, not {trigger(stage, name)}")
    return found


async def test_a_figure_below_its_floor_for_long_enough_starts_one_run_that_holds_the_figure(stage: Stage) -> None:
    champion = await stage.given_a_champion(triggers=[{"name": "accuracy", "metric": ACCURACY}])
    await then_trigger(stage, "Armed", "WithinBounds")
    await stage.then_condition("DriftDetected", "False", "NoDrift")
    await stage.then_condition("MetricsAvailable", "True", "Answered")

    stage.figures.of = lambda version: Figures(correct=600 if version == champion else 900)

    pending = await then_trigger(stage, "Pending", "Pending")
    run = await stage.then_run_is_in(f"{POLICY}-2", "Finished")
    [evidence] = run["spec"]["evidence"]
    assert (evidence["value"], evidence["threshold"], evidence["samples"]) == (0.6, 0.7, 1000)
    assert (run["spec"]["trigger"], run["spec"]["reason"], evidence["startsAt"]) == ("accuracy", "ThresholdCrossed", pending["episode"])
    assert run["status"]["outcome"] == "Succeeded"
    await then_trigger(stage, "Armed", "WithinBounds")
    assert await stage.operator.metric("retrainer_trigger_value", namespace=stage.namespace, trigger="accuracy") == 0.9
    assert stage.seen.one("modelretrainruns", f"{POLICY}-3") is None
