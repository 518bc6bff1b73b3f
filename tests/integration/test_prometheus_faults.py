"""A real Prometheus behind a proxy that fails: people are told why there is no data, and nothing starts for want of it."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cluster.local.cluster import LocalCluster
from tests.integration.operator_process import OperatorProcess
from tests.integration.stage import Stage, Theatre, operated
from tests.integration.team import POLICY, Manifest
from tests.integration.test_metric_triggers import then_trigger, trigger
from tests.prometheus_server import running_prometheus
from tests.stand_ins.exporter import Exporter
from tests.stand_ins.fake_trainer import FakeTrainer, trains
from tests.stand_ins.faulty_proxy import Fault, FaultyProxy
from tests.stand_ins.live_figures import Figures
from tests.stand_ins.mirror import Mirror

pytestmark = pytest.mark.asyncio(loop_scope="session")

DRIFT = {"name": "drift", "metric": {"preset": "PredictionDrift", "max": 0.2, "window": "1h", "minSamples": 10}}
ACCURACY = {"name": "accuracy", "metric": {"preset": "Accuracy", "min": 0.7, "window": "5s", "minSamples": 10}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def exporter() -> AsyncIterator[Exporter]:
    exporter = Exporter()
    await exporter.start()
    yield exporter
    await exporter.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxy(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultyProxy]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), {exporter.target: {}}) as url:
        proxy = FaultyProxy(url)
        await proxy.start()
        yield proxy
        await proxy.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def theatre(
    control_plane: LocalCluster,
    operators_kubeconfig: Path,
    exporter: Exporter,
    proxy: FaultyProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Theatre]:
    """Give an operator that asks the real Prometheus through the proxy."""
    operator = OperatorProcess(operators_kubeconfig, proxy.url, tmp_path_factory.mktemp("operator"), query_timeout_s="1")
    async with operated(control_plane, exporter, operator) as theatre:
        yield theatre


async def test_every_fault_has_its_own_reason_and_none_starts_a_run(stage: Stage, proxy: FaultyProxy) -> None:
    await stage.given_a_champion(triggers=[ACCURACY])
    await then_trigger(stage, "Armed", "WithinBounds")
    stage.figures.of = lambda _: Figures(correct=100)  # were it heard, it would fire
    faults = {Fault.DOWN: "Unreachable", Fault.SLOW: "Timeout", Fault.WRONG: "Refused", Fault.PARTIAL: "Warning", Fault.OLD: "Stale"}
    async with Mirror(stage.api, stage.namespace, ("events",)) as told:
        for fault, reason in faults.items():
            proxy.have(fault)
            status = await then_trigger(stage, "Unknown", reason)
            condition = await stage.then_condition("MetricsAvailable", "False", reason)
            assert condition["message"] == f"accuracy: {status['message']}"
            await told.until(lambda reason=reason: of_reason(told, reason), f"an Event says {reason}")
            await stage.then_metric(1, "retrainer_trigger_state", trigger="accuracy", state="Unknown", reason=reason)
            await stage.then_metric(0, "retrainer_trigger_value", trigger="accuracy")
    assert stage.seen.one("modelretrainruns", f"{POLICY}-2") is None

    proxy.have(Fault.NONE)

    await stage.then_run_is_in(f"{POLICY}-2", "Finished")
    await stage.then_condition("MetricsAvailable", "True", "Answered")
    await stage.then_metric(0, "retrainer_trigger_state", trigger="accuracy", state="Unknown")


async def test_a_figure_that_is_no_number_is_no_data(stage: Stage) -> None:
    await stage.given_a_champion(triggers=[DRIFT])
    await then_trigger(stage, "Armed", "WithinBounds", "drift")
    stage.figures.of = lambda _: Figures(prediction_psi=math.nan)
    status = await then_trigger(stage, "Unknown", "NaN", "drift")
    assert "is no number" in status["message"]
    await stage.then_condition("MetricsAvailable", "False", "NaN")
    stage.figures.of = lambda _: Figures()
    await then_trigger(stage, "Armed", "WithinBounds", "drift")
    assert stage.seen.one("modelretrainruns", f"{POLICY}-2") is None


async def test_a_query_of_the_teams_own_judges_candidate_against_champion(stage: Stage) -> None:
    wrong, asked = (f'retrainer_prediction_{name}{{namespace="{stage.namespace}"' for name in ("errors_total", "confidence_count"))
    of_candidate, of_champion = ('model_version="{{ candidate }}"}[{{ window }}]', 'model_version="{{ champion }}"}[{{ window }}]')
    ratios = [f"sum(increase({wrong},{of})) / (sum(increase({asked},{of})) > 100)" for of in (of_candidate, of_champion)]
    judged = {"query": f"({ratios[0]}) - ({ratios[1]})", "max": 0.05}
    champion = await stage.given_a_champion(metricsSource="open", rollout={"stepWeights": [20], "interval": "3s", "metrics": [judged]})
    stage.figures.of = lambda version: Figures(errors=100 if version == champion else 300)
    await stage.when_a_person_starts("worse")
    run = await stage.then_run_ends("worse", "RolledBack")
    assert run["status"]["reason"] == "AnalysisFailed", run["status"]
    assert "0.2" in run["status"]["message"]

    stage.figures.of = lambda version: Figures(errors=100)
    await stage.when_a_person_starts("as-good")
    await stage.then_run_ends("as-good", "Succeeded")


async def test_a_figure_that_flaps_around_its_bound_at_every_scrape_starts_one_run(stage: Stage, exporter: Exporter) -> None:
    await stage.given_a_champion(triggers=[DRIFT])
    await then_trigger(stage, "Armed", "WithinBounds", "drift")
    stage.kubelet.play(trainer=FakeTrainer(train=trains(accuracy=0.1)))  # the gate rejects it, so the champion stays
    stage.figures.of = lambda _: Figures(prediction_psi=0.2 * (0.99 + 0.02 * (exporter.scrapes % 2)))
    async with Mirror(stage.api, stage.namespace, ("events",)) as told:
        await stage.then_run_ends(f"{POLICY}-2", "GateRejected")
        episode, cycles = trigger(stage, "drift")["episode"], await cycles_of(stage)

        await exporter.until_scraped(8)

        assert await cycles_of(stage) > cycles + 3
        assert trigger(stage, "drift")["episode"] == episode
        assert stage.seen.one("modelretrainruns", f"{POLICY}-3") is None
        await stage.then_condition("DriftDetected", "True", "ThresholdCrossed")
        assert len(of_reason(told, "ThresholdCrossed")) == 2, "on record, then started"


def of_reason(told: Mirror, reason: str) -> list[Manifest]:
    return [one for one in told.all("events") if one["reason"] == reason]


async def cycles_of(stage: Stage) -> float:
    return await stage.operator.metric("retrainer_operator_evaluation_seconds_count", lane="fleet")
