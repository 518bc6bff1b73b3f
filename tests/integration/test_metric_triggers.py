"""Metric and schema triggers against a real API server: what live figures start, what they do not, and what people are told."""

import pytest

from tests.integration.stage import Stage, Theatre
from tests.integration.team import POLICY, Manifest
from tests.stand_ins.fake_trainer import FakeTrainer, trains
from tests.stand_ins.live_figures import FakePrometheus, Figures

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
    watched = {"watch": {"duration": "5s"}}
    champion = await stage.given_a_champion(triggers=[{"name": "accuracy", "metric": ACCURACY}], rollout=watched)
    await then_trigger(stage, "Armed", "WithinBounds")
    await stage.then_condition("DriftDetected", "False", "NoDrift")
    await stage.then_condition("MetricsAvailable", "True", "Answered")

    stage.figures.of = lambda version: Figures(correct=600 if version == champion else 900)

    pending = await then_trigger(stage, "Pending", "Pending")
    run = await stage.then_run_is_in(f"{POLICY}-2", "Finished")
    [evidence] = run["spec"]["evidence"]
    assert (evidence["value"], evidence["threshold"], evidence["samples"]) == (0.6, 0.7, 1000)
    assert (run["spec"]["trigger"], run["spec"]["reason"], evidence["startsAt"]) == ("accuracy", "ThresholdCrossed", pending["episode"])
    assert (run["status"]["outcome"], run["status"]["reason"], run["status"]["cured"]) == ("Succeeded", "Watched", "True")
    await then_trigger(stage, "Armed", "WithinBounds")
    assert await stage.operator.metric("retrainer_trigger_value", namespace=stage.namespace, trigger="accuracy") == 0.9
    assert stage.seen.one("modelretrainruns", f"{POLICY}-3") is None


async def test_a_drop_counts_from_the_versions_own_baseline_which_moves_with_promotion_and_comes_back_with_rollback(stage: Stage) -> None:
    dropping = {"name": "drop", "metric": {"preset": "Accuracy", "maxDrop": 0.05, "window": "1h", "minSamples": 200}}
    stage.figures.of = lambda _: Figures(correct=99, outcomes=100)
    champion = await stage.given_a_champion(triggers=[dropping], rollout={"watch": {"duration": "1h"}})
    await then_trigger(stage, "Unknown", "WaitingForBaseline", "drop")
    stage.figures.of = lambda version: Figures(correct=900 if version == champion else 950)
    await then_trigger(stage, "Armed", "WithinBounds", "drop")
    [taken] = stage.policy_status()["champion"]["baseline"]
    assert (taken["trigger"], taken["value"], taken["samples"]) == ("drop", 0.9, 1000)

    await stage.when_a_person_starts("better")
    await stage.then_run_is_in("better", "Watching")
    own = await stage.then(lambda: baseline_other_than(stage, taken), "the new champion has a baseline of its own")
    assert (own["value"], stage.policy_status()["previous"]["baseline"]) == (0.95, [taken])

    stage.figures.of = lambda version: Figures(correct=840 if version == champion else 950, errors=500)
    await stage.then_run_ends("better", "RolledBack")
    stage.figures.of = lambda _: Figures(correct=840)
    run = await stage.then_run_is_in(f"{POLICY}-2", "Watching")
    [evidence] = run["spec"]["evidence"]
    assert (evidence["value"], round(evidence["threshold"], 9)) == (0.84, 0.85)
    assert run["spec"]["message"].startswith("Accuracy is 0.84, below 0.85")


async def test_a_version_that_is_brought_back_counts_from_the_baseline_it_had(stage: Stage) -> None:
    dropping = {"name": "drop", "metric": {"preset": "Accuracy", "maxDrop": 0.05, "window": "1h", "minSamples": 200}}
    first = await stage.given_a_champion(triggers=[dropping])
    taken = await then_baseline(stage, first)
    assert taken["value"] == 0.9
    for name, correct in (("better", 950), ("best", 970)):
        stage.figures.of = lambda version, correct=correct: Figures(correct=900 if version == first else correct)
        await stage.when_a_person_starts(name)
        run = await stage.then_run_ends(name, "Succeeded")
        assert (await then_baseline(stage, run["status"]["version"]))["value"] == correct / 1000
    assert first not in {stage.policy_status()[role]["version"] for role in ("champion", "previous")}, "its role has forgotten it"

    stage.figures.of = lambda _: Figures(correct=860)  # 11 points below the best, 4 below the first
    await stage.when_told(pause="the drop of the best is nobody's business here", rollback=f"{first}@1")
    await stage.then_serves(first)

    assert await then_baseline(stage, first) == taken
    await then_trigger(stage, "Armed", "WithinBounds", "drop")
    stage.figures.of = lambda _: Figures(correct=840)
    refused = await then_trigger(stage, "Refused", "Paused", "drop")
    assert (refused["value"], round(refused["threshold"], 9)) == (0.84, 0.85)


async def then_baseline(stage: Stage, version: str) -> Manifest:
    """Return the baseline of a version once it is the champion and has one."""

    def fact() -> Manifest | None:
        champion = stage.policy_status().get("champion") or {}
        return next(iter(champion.get("baseline") or ()), None) if champion.get("version") == version else None

    found: Manifest = await stage.then(fact, f"{version} has a baseline, not {stage.policy_status().get('champion')}")
    return found


def baseline_other_than(stage: Stage, taken: Manifest) -> Manifest | None:
    """Return the champion's baseline once it is another."""
    baseline = (stage.policy_status().get("champion") or {}).get("baseline") or [taken]
    return baseline[0] if baseline[0] != taken else None


async def test_a_changed_column_starts_one_run_and_says_whether_the_champion_accepts_the_table(stage: Stage) -> None:
    champion = await stage.given_a_champion(triggers=[{"name": "columns", "schema": {}}])
    await then_trigger(stage, "Armed", "SchemaUnchanged", "columns")
    stage.kubelet.play(trainer=FakeTrainer(train=trains(accuracy=0.1)))  # the gate rejects it, so the champion stays
    changed = (("member_age", "missing"), ("shift_percentage", "added"))

    stage.figures.of = lambda _: Figures(columns=changed, accepted=False)

    run = await stage.then_run_ends(f"{POLICY}-2", "GateRejected")
    assert (run["spec"]["trigger"], run["spec"]["reason"]) == ("columns", "SchemaChanged")
    told = f"member_age is missing, shift_percentage is new; {champion} no longer accepts the training table"
    assert run["spec"]["message"] == told
    condition = await stage.then_condition("DriftDetected", "True", "SchemaChanged")
    assert told in condition["message"]
    await stage.then_metric(2, "retrainer_trigger_value", trigger="columns")
    stage.figures.of = lambda _: Figures()
    await then_trigger(stage, "Armed", "SchemaUnchanged", "columns")
    stage.figures.of = lambda _: Figures(columns=changed, accepted=False)
    await then_trigger(stage, "Armed", "AlreadyHandled", "columns")
    assert stage.seen.one("modelretrainruns", f"{POLICY}-3") is None


async def test_a_query_is_asked_where_it_is_allowed_and_refused_with_a_word_where_not(stage: Stage, theatre: Theatre) -> None:
    assert isinstance(theatre.prometheus, FakePrometheus)
    theatre.prometheus.others = lambda promql: [5.0] if promql == "sum(backlog)" else []
    own = [{"name": "own", "metric": {"query": "sum(backlog)", "max": 3}}]
    await stage.given_a_champion(triggers=own)
    refused = await then_trigger(stage, "Refused", "QueryNotAllowed", "own")
    assert "ask the administrator for allowQueries" in refused["message"]

    await stage.when_changed(metricsSource="open")

    run = await stage.then_run_is_in(f"{POLICY}-2", "Finished")
    [evidence] = run["spec"]["evidence"]
    assert (evidence["value"], evidence["threshold"], "samples" in evidence) == (5, 3, False)
    assert trigger(stage, "own")["state"] == "Started", "a query tells no versions apart: its episode goes on"
    theatre.prometheus.others = lambda _: [2.0, 2.0]
    await then_trigger(stage, "Unknown", "Ambiguous", "own")
    theatre.prometheus.others = lambda _: []
    await then_trigger(stage, "Unknown", "Empty", "own")
    theatre.prometheus.others = lambda _: [2.0]
    await then_trigger(stage, "Armed", "WithinBounds", "own")


async def test_a_model_nobody_exports_has_no_series_and_starts_nothing(stage: Stage) -> None:
    stage.figures.of = lambda _: None
    await stage.given_a_champion(triggers=[{"name": "accuracy", "metric": ACCURACY}])
    await then_trigger(stage, "Unknown", "NoSeries")
    condition = await stage.then_condition("MetricsAvailable", "False", "NoSeries")
    assert "see whether its servers and its monitor are scraped" in condition["message"]
    await stage.then_condition("DriftDetected", "Unknown", "NoSeries")
    stage.figures.of = lambda _: Figures(correct=10, outcomes=100)
    await then_trigger(stage, "Unknown", "TooFewSamples")
    await stage.then_condition("MetricsAvailable", "True", "Answered")
    assert stage.seen.one("modelretrainruns", f"{POLICY}-2") is None


async def test_an_episode_survives_a_restart_and_starts_no_second_run(stage: Stage) -> None:
    await stage.given_a_champion(triggers=[{"name": "accuracy", "metric": ACCURACY | {"for": "0s"}}])
    stage.kubelet.play(trainer=FakeTrainer(train=trains(accuracy=0.1)))
    stage.figures.of = lambda _: Figures(correct=600)
    await stage.then_run_ends(f"{POLICY}-2", "GateRejected")
    before = await then_trigger(stage, "Started", "ThresholdCrossed")
    stage.operator.kill()
    await stage.operator.start()
    await stage.then_metric(0.6, "retrainer_trigger_value", trigger="accuracy")
    await stage.when_annotated(f"{POLICY}-2", looked="at")  # a round of this policy, after the evaluation
    await stage.then_metric(1, "retrainer_trigger_state", trigger="accuracy", state="Started")
    assert trigger(stage) == before
    assert stage.seen.one("modelretrainruns", f"{POLICY}-3") is None
