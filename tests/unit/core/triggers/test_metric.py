"""What a rule makes of measurements over time. A step is a minute; a figure is a number, or the reason why there is none."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec
from retrainer.api.v1alpha1.baseline import Baseline
from retrainer.api.v1alpha1.policy_status import VersionStatus
from retrainer.core.arbitration import arbitrate
from retrainer.core.drift import baseline_of, with_baselines
from retrainer.core.measurement import Counts, Measurement, NoData, NoDataReason, Value
from retrainer.core.triggers.evaluation import REASONS, Evaluation, Memory
from retrainer.core.triggers.metric import Rule, evaluate, rule_of
from tests.builders import CHAMPION, NOW, Part, a_policy, a_run, seen

Step = float | NoDataReason
SILENT = NoDataReason.UNREACHABLE


def a_rule(*, reset_margin: float = 0.1, **metric: Part) -> Rule:
    return rule_of(a_policy(triggers=[a_trigger(**metric)]).spec.triggers[0], reset_margin)


def a_trigger(name: str = "accuracy", **metric: Part) -> dict[str, Any]:
    return {"name": name, "metric": {"preset": "Accuracy", "min": 0.7, "min_samples": 100} | metric}


def measured(step: Step, samples: float = 1000) -> Measurement:
    return NoData(step, "in a test") if isinstance(step, NoDataReason) else Counts(step * samples, samples)


def history(rule: Rule, steps: Iterable[Step], *, baseline: float | None = None, before: Evaluation | None = None) -> list[Evaluation]:
    """Return what each step comes to, a minute apart."""
    found = []
    for minute, step in enumerate(steps):
        before = evaluate(rule, measured(step), CHAMPION, baseline, before, NOW + timedelta(minutes=minute))
        found.append(before)
    return found


def reasons(rule: Rule, *steps: Step, **known: Part) -> list[str]:
    return [one.reason for one in history(rule, steps, **known)]


def fired(found: Sequence[Evaluation]) -> int:
    """Return how many episodes fired."""
    return len({one.memory.episode for one in found if one.memory.firing})


def test_a_figure_at_its_bound_is_within_it() -> None:
    assert reasons(a_rule(), 0.7) == ["WithinBounds"]
    assert reasons(a_rule(), 0.6999) == ["ThresholdCrossed"]
    assert reasons(a_rule(preset="ErrorRate", min=None, max=0.01), 0.01, 0.011) == ["WithinBounds", "ThresholdCrossed"]


def test_it_fires_once_the_bound_has_been_passed_for_so_long() -> None:
    assert reasons(a_rule(for_="2m"), 0.6, 0.6, 0.6, 0.6) == ["Pending", "Pending", "ThresholdCrossed", "ThresholdCrossed"]


def test_a_recovery_before_that_begins_it_anew() -> None:
    assert reasons(a_rule(for_="2m"), 0.6, 0.6, 0.8, 0.6, 0.6)[2:] == ["WithinBounds", "Pending", "Pending"]


def test_silence_neither_advances_nor_resets_what_is_pending() -> None:
    found = history(a_rule(for_="3m"), [0.6, 0.6, SILENT, SILENT, 0.6, 0.6, 0.6])
    assert [one.reason for one in found] == ["Pending", "Pending", "Pending", "Unreachable", "Pending", "Pending", "ThresholdCrossed"]
    assert {one.memory.episode for one in found} == {NOW}


def test_silence_for_as_long_as_it_must_last_resets_it() -> None:
    found = history(a_rule(for_="2m"), [0.6, 0.6, SILENT, SILENT, SILENT, 0.6, 0.6, 0.6])
    assert [one.reason for one in found[4:]] == ["Unreachable", "Pending", "Pending", "ThresholdCrossed"]
    assert found[-1].memory.episode == NOW + timedelta(minutes=5)


def test_one_answer_that_fails_to_come_is_no_news() -> None:
    before, silent, again = history(a_rule(), [0.8, SILENT, 0.8])
    assert not silent.is_news_after(before)
    assert not again.is_news_after(silent)
    assert (silent.live_value, again.live_value) == (None, 0.8)


def test_silence_is_no_recovery_of_what_fires() -> None:
    found = history(a_rule(), [0.6, *[SILENT] * 100, 0.6])
    assert (fired(found), {one.memory.episode for one in found}) == (1, {NOW})
    assert [one.asks for one in found] == [True, *[False] * 100, True]


@pytest.mark.parametrize(
    ("metric", "baseline", "inside", "outside"),
    [
        ({"min": 0.7}, None, 0.771, 0.769),
        ({"min": 0.95}, None, 0.976, 0.974),  # a tenth of 0.95 would be beyond 1
        ({"preset": "ErrorRate", "min": None, "max": 0.1}, None, 0.089, 0.091),
        ({"min": None, "max_drop": 0.05}, 0.9, 0.8551, 0.8549),
        ({"preset": "ErrorRate", "min": None, "max_rise": 0.05}, 0.1, 0.144, 0.146),
    ],
)
def test_an_episode_ends_beyond_the_reset_margin(metric: dict[str, Any], baseline: float | None, inside: float, outside: float) -> None:
    rule = a_rule(**metric)
    worst = 0.0 if rule.is_floor else 0.99
    assert reasons(rule, worst, outside, baseline=baseline)[-1] == "ThresholdCrossed"
    assert reasons(rule, worst, inside, baseline=baseline)[-1] == "WithinBounds"


def test_a_figure_back_within_its_bound_but_not_by_the_margin_does_not_begin_to_fire() -> None:
    found = history(a_rule(for_="2m"), [0.69, 0.71, 0.71, 0.71, 0.69])
    assert [one.memory.firing for one in found] == [False, False, False, False, True]
    assert found[-1].memory.proof is not None
    assert found[-1].memory.proof.value == pytest.approx(0.69)


def test_too_few_samples_say_so_and_fire_nothing() -> None:
    found = evaluate(a_rule(), measured(0.1, 99), CHAMPION, None, None, NOW)
    assert (found.reason, found.memory.firing) == ("TooFewSamples", False)
    assert "99 of 100 samples" in found.message


def test_a_drop_is_counted_from_the_champions_first_samples_and_waits_for_them() -> None:
    rule = a_rule(min=None, max_drop=0.05)
    few = evaluate(rule, measured(0.9, 99), CHAMPION, None, None, NOW)
    enough = evaluate(rule, measured(0.9, 100), CHAMPION, None, few, NOW)
    assert [(one.reason, one.takes_baseline) for one in (few, enough)] == [("WaitingForBaseline", False), ("WaitingForBaseline", True)]
    assert reasons(rule, 0.86, 0.84, baseline=0.9, before=enough) == ["WithinBounds", "ThresholdCrossed"]


def test_another_champion_begins_anew() -> None:
    before = history(a_rule(), [0.6])[-1]
    after = evaluate(a_rule(for_="5m"), measured(0.6), "another", None, before, NOW + timedelta(hours=1))
    assert (after.reason, after.memory.episode, after.memory.version) == ("Pending", NOW + timedelta(hours=1), "another")


def test_a_query_that_tells_no_versions_apart_goes_on_firing_under_another_champion() -> None:
    rule = a_rule(preset=None, min_samples=None, query="x")
    before = evaluate(rule, Value(0.6, 0), CHAMPION, None, None, NOW)
    after = evaluate(rule, Value(0.6, 0), "another", None, before, NOW + timedelta(hours=1))
    assert (after.memory.episode, after.memory.version) == (NOW, "another")
    assert after.figure is not None
    assert after.figure.samples is None


figures = st.one_of(st.floats(0, 1), st.sampled_from(NoDataReason))
durations = st.sampled_from(["0s", "1m", "3m", "10m"])


@given(st.lists(figures, max_size=60), durations)
def test_every_evaluation_has_exactly_one_reason(steps: list[Step], duration: str) -> None:
    for one in history(a_rule(for_=duration), steps):
        assert one.reason in REASONS
        assert one.message


@given(st.lists(figures, min_size=1, max_size=60), durations)
def test_no_data_never_fires(steps: list[Step], duration: str) -> None:
    found = history(a_rule(for_=duration), steps)
    for before, after, step in zip([None, *found[:-1]], found, steps, strict=True):
        if isinstance(step, NoDataReason):
            assert not after.asks
            assert not after.memory.firing or (before is not None and before.memory.firing)


@given(st.lists(st.sampled_from(NoDataReason), min_size=1, max_size=60), durations)
def test_nothing_but_silence_begins_nothing(steps: list[Step], duration: str) -> None:
    assert all(one.memory.episode is None for one in history(a_rule(for_=duration), steps))


@given(st.lists(st.floats(0.70 * 0.99, 0.70 * 1.01), min_size=1, max_size=120), durations)
def test_flapping_within_the_reset_margin_fires_at_most_once(steps: list[Step], duration: str) -> None:
    found = history(a_rule(for_=duration), steps)
    long_enough = any(one.memory.held_s >= rule_for(duration) and step < 0.7 for one, step in zip(found, steps, strict=True))
    assert fired(found) == long_enough


def rule_for(duration: str) -> float:
    return a_rule(for_=duration).for_s


# What arbitration makes of it.


def found_of(policy: Part, found: Evaluation) -> Part:
    return arbitrate(seen(policy, evaluations={"accuracy": found}))


def a_watching_policy(**status: Part) -> Part:
    champion = {"version": CHAMPION, "since": NOW - timedelta(days=30)}
    return a_policy(triggers=[a_trigger()], status={"champion": champion} | status)


def on_record(policy: Part, arbitration: Part) -> Part:
    return replace(policy, status=policy.status.model_copy(update={"triggers": arbitration.triggers}))


def test_an_episode_is_on_record_before_it_starts_a_run() -> None:
    policy, found = a_watching_policy(), history(a_rule(), [0.6])[-1]
    first = found_of(policy, found)
    assert first.start is None
    assert [(one.state, one.reason, one.episode) for one in first.triggers] == [("Firing", "ThresholdCrossed", NOW)]
    assert first.look_again_in == 0
    second = found_of(on_record(policy, first), found)
    [evidence] = second.start.spec.evidence
    assert (evidence.value, evidence.threshold, evidence.samples) == (pytest.approx(0.6), 0.7, 1000)
    [status] = second.triggers
    assert (status.state, status.episode, status.last_slot, status.value) == ("Started", NOW, NOW, pytest.approx(0.6))


def test_an_episode_that_has_had_its_run_starts_no_other_though_the_run_is_pruned() -> None:
    policy, found = a_watching_policy(), history(a_rule(), [0.6])[-1]
    first = on_record(policy, found_of(policy, found))
    second = found_of(first, found)
    run = a_run(spec={"evidence": [item.model_dump() for item in second.start.spec.evidence]})
    assert arbitrate(seen(first, run, evaluations={"accuracy": found})).start is None
    pruned = on_record(policy, second)
    later = history(a_rule(), [0.6, 0.6, 0.6])[-1]
    assert found_of(pruned, later).start is None
    assert found_of(pruned, later).triggers == second.triggers


def test_what_speaks_of_another_champion_is_not_told() -> None:
    found = replace(history(a_rule(), [0.6])[-1], memory=Memory("another", NOW, firing=True))
    assert [(one.state, one.reason) for one in found_of(a_watching_policy(), found).triggers] == [("Unknown", "NotAskedYet")]


def test_after_a_restart_a_trigger_keeps_its_entry_until_prometheus_has_been_asked() -> None:
    policy, found = a_watching_policy(), history(a_rule(), [0.8])[-1]
    known = on_record(policy, found_of(policy, found))
    assert arbitrate(seen(known)).triggers == known.status.triggers


# The champion's baseline.


def champion(*baseline: Baseline) -> VersionStatus:
    return VersionStatus(version=CHAMPION, baseline=baseline)


def dropping(**metric: Part) -> Part:
    return a_policy(triggers=[a_trigger(min=None, max_drop=0.05, **metric)])


def test_a_baseline_is_taken_once_and_of_one_figure() -> None:
    policy = dropping()
    taken = evaluate(rule_of(policy.spec.triggers[0], 0.1), measured(0.9), CHAMPION, None, None, NOW)
    first = with_baselines(champion(), seen(policy, evaluations={"accuracy": taken}))
    assert first is not None
    [baseline] = first.baseline
    assert (baseline.value, baseline.samples, baseline.to - baseline.from_) == (pytest.approx(0.9), 1000, timedelta(days=1))
    again = replace(taken, figure=replace(taken.figure, value=0.5)) if taken.figure else taken
    assert with_baselines(first, seen(policy, evaluations={"accuracy": again})) == first
    rule, other = (rule_of(one.spec.triggers[0], 0.1) for one in (policy, dropping(window="7d")))
    assert (baseline_of(first, rule), baseline_of(first, other)) == (pytest.approx(0.9), None)


def test_a_baseline_of_a_trigger_that_is_gone_goes_too() -> None:
    old = Baseline(trigger="gone", figure="Accuracy over 60 s", value=0.9, samples=100, from_=NOW, to=NOW)
    kept = with_baselines(champion(old), seen(dropping()))
    assert kept is not None
    assert kept.baseline == ()


def test_a_spec_with_a_metric_comes_back_from_the_wire_as_it_was() -> None:
    spec = a_policy(triggers=[a_trigger(for_="5m"), {"name": "columns", "schema": {}}]).spec
    assert spec.wire()["triggers"][0]["metric"]["for"] == "5m"
    assert ModelRetrainPolicySpec.model_validate(spec.wire()) == spec
