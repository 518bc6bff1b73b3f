"""What one analysis asks and concludes: presets and queries, with effect and without, in the canary and in the watch."""

from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.core.judging import metrics_of, questions_due
from retrainer.core.measurement import NoData, NoDataReason, Question, Series, Vector
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.observed_share import share_question
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.step import Step
from tests.builders import (
    CANDIDATE,
    CHAMPION,
    NOW,
    UNREACHABLE,
    Part,
    a_neighbourhood,
    a_policy,
    a_run,
    a_service,
    an_analysis,
    answers,
    seen,
)

GOOD = {CANDIDATE: (0.0, 500.0), CHAMPION: (0.0, 500.0)}
BAD = {CANDIDATE: (50.0, 500.0), CHAMPION: (0.0, 500.0)}
THIN = {CANDIDATE: (0.0, 5.0), CHAMPION: (0.0, 500.0)}
ERRORS = {"preset": "ErrorRate", "max": 0.01}
COMPARED = {"preset": "Accuracy", "compare_to": "Champion", "max_regression": 0.05}
QUERY = {"query": 'cost{v="{{ candidate }}"}[{{window}}] / cost{v="{{champion}}"}', "max": 1.2}
ASKED = Question("default", f'cost{{v="{CANDIDATE}"}}[300s] / cost{{v="{CHAMPION}"}}')


def a_canary(*metrics: Part, **status: Part) -> RunSeen:
    status.setdefault("analysis", an_analysis())
    return a_run(Phase.CANARY, policy=a_policy(rollout={"metrics": list(metrics)}), **status)


def canary(run: RunSeen, said: Part) -> Step:
    known: Part = {"service": a_service(shared=True), "backends": {CHAMPION: 3, CANDIDATE: 1}}
    return advance(run, seen(a_policy(), run, answers=said, **known))


def one(value: float, series: int = 1) -> Vector:
    return Vector(tuple(Series({"n": str(n)}, value) for n in range(series)), NOW)


@pytest.mark.parametrize(
    ("figures", "reason", "counters"),
    [
        (GOOD, "Step1", (1, 0, 0, 0)),
        (BAD, "Step1", (0, 1, 0, 0)),
        (THIN, "Inconclusive", (0, 0, 1, 0)),
        ({}, "NoData", (0, 0, 0, 1)),
    ],
)
def test_successful_failed_inconclusive_and_without_data_are_kept_apart(figures: Part, reason: str, counters: Part) -> None:
    policy = a_policy(rollout={"metrics": [ERRORS], "failure_limit": 3})
    run = a_run(Phase.CANARY, policy=policy, analysis=an_analysis(), timeline=[{"at": NOW, "phase": "Canary", "reason": "Step1"}])
    step = canary(run, answers(run, ErrorRate=figures))
    analysis = step.status.analysis
    assert analysis is not None
    assert (step.status.phase, step.status.reason, step.status.timeline[-1].reason) == (Phase.CANARY, reason, reason)
    assert (analysis.passed, analysis.failed, analysis.inconclusive, analysis.no_data) == counters


def test_a_dry_run_metric_is_judged_and_shown_without_effect() -> None:
    run = a_canary(ERRORS, COMPARED | {"dry_run": True})
    accuracy = {CANDIDATE: (100.0, 500.0), CHAMPION: (480.0, 500.0)}
    step = canary(run, answers(run, ErrorRate=GOOD, Accuracy=accuracy))
    assert step.status.analysis is not None
    assert (step.status.outcome, step.status.analysis.verdict, step.status.analysis.passed) == (None, "Pass", 1)
    assert step.status.analysis.dry_run.startswith("Fail: Accuracy 0.200 against the champion's 0.960")


def test_a_dry_run_metric_without_data_holds_nothing_up() -> None:
    run = a_canary(ERRORS, COMPARED | {"dry_run": True})
    step = canary(run, answers(run, ErrorRate=GOOD))
    assert step.status.analysis is not None
    assert (step.status.reason, step.status.analysis.dry_run[:7]) == ("Step1", "NoData:")


def test_a_query_is_asked_with_versions_and_window_in_their_places() -> None:
    run = a_canary(QUERY)
    assert run.status.analysis is not None
    assert questions_due(a_policy(), [run], NOW) == {ASKED, share_question(a_policy(), run, run.status.analysis, NOW)}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (one(1.1), "Pass"),
        (one(1.3), "Fail"),
        (one(1.1, series=2), "NoData"),
        (Vector((), NOW, ({},)), "NoData"),
        (NoData(NoDataReason.EMPTY, "no series"), "NoData"),
        (UNREACHABLE, "NoData"),
    ],
)
def test_a_query_is_held_to_its_bound_and_never_judged_without_one_figure(answer: Part, verdict: str) -> None:
    step = canary(a_canary(QUERY), {ASKED: answer})
    assert step.status.analysis is not None
    assert step.status.analysis.verdict == verdict


def test_a_policy_whose_queries_are_not_allowed_is_not_accepted() -> None:
    policy = a_policy(rollout={"metrics": [QUERY]})
    run = a_run(Phase.PENDING, policy=policy)
    step = advance(run, seen(policy, run, surroundings=a_neighbourhood(queries_allowed=False)))
    assert (step.status.phase, step.status.reason) == (Phase.PENDING, "QueriesNotAllowed")


def a_watch(*metrics: Part, **status: Part) -> RunSeen:
    policy = a_policy(rollout={"metrics": list(metrics), "failure_limit": 0})
    return a_run(Phase.WATCHING, policy=policy, analysis=an_analysis(0, 0), **status)


def watched(run: RunSeen, said: Part, **parts: Part) -> Observation:
    known: Part = {"service": a_service(CANDIDATE, previous=CHAMPION), "backends": {CANDIDATE: 3, CHAMPION: 3}} | parts
    return seen(a_policy(), run, answers=said, **known)


REFERENCE = [{"preset": "Accuracy", "figure": 450.0, "samples": 500.0}]


@pytest.mark.parametrize(("correct", "outcome"), [(450.0, None), (300.0, Outcome.ROLLED_BACK)])
def test_the_watch_compares_with_the_champion_as_the_canary_last_knew_it(correct: float, outcome: Outcome | None) -> None:
    run = a_watch(COMPARED, reference=REFERENCE)
    step = advance(run, watched(run, answers(run, Accuracy={CANDIDATE: (correct, 500.0)})))
    assert step.status.outcome is outcome
    assert step.status.analysis is not None
    assert "against the champion's 0.900" in step.status.analysis.message


def test_the_canary_remembers_the_champions_figures_at_each_analysis() -> None:
    run = a_canary(COMPARED, ERRORS)
    accuracy = {CANDIDATE: (450.0, 500.0), CHAMPION: (440.0, 500.0)}
    step = canary(run, answers(run, ErrorRate=GOOD, Accuracy=accuracy))
    assert [(known.preset, known.figure, known.samples) for known in step.status.reference] == [("Accuracy", 440.0, 500.0)]
    lost = replace(run, status=step.status.model_copy(update={"analysis": run.status.analysis}))
    assert canary(lost, answers(lost, ErrorRate=GOOD)).status.reference == step.status.reference


def test_a_forecasters_accuracy_is_remembered_as_the_figure_that_it_is() -> None:
    run = a_canary(COMPARED)
    said = answers(run, Accuracy={CANDIDATE: (450.0, 500.0), CHAMPION: (440.0, 500.0)})
    figure = next(asked for asked in said if "label_replace" in asked.promql)
    values = {CANDIDATE: 0.9, CHAMPION: 0.88}
    said[figure] = Vector(tuple(Series({"model_version": one, "of": "1 - WAPE"}, value) for one, value in values.items()), NOW)
    [known] = canary(run, said).status.reference
    assert (known.figure, known.samples, known.is_counted) == (0.88, 500.0, False)
    watch = a_watch(COMPARED, reference=[known.model_dump()])
    step = advance(watch, watched(watch, answers(watch, Accuracy={CANDIDATE: (450.0, 500.0)})))
    assert step.status.analysis is not None
    assert "against the champion's 0.880" in step.status.analysis.message


def test_a_watch_without_a_canary_before_it_compares_with_nobody() -> None:
    assert metrics_of(a_watch(COMPARED, ERRORS, QUERY)) == metrics_of(a_watch(ERRORS))
    alone = {"query": "errors{{ candidate }}", "max": 1.0}
    assert [metric.query for metric in metrics_of(a_watch(COMPARED, alone))] == ["errors{{ candidate }}"]


@pytest.mark.parametrize("metrics", [[ERRORS], [COMPARED]])
def test_a_watch_without_data_never_rolls_back_and_ends_unobserved(metrics: Part) -> None:
    run = a_watch(*metrics, reference=REFERENCE)
    step = advance(run, watched(run, answers(run)))
    assert (step.status.phase, step.effects[:1]) == (Phase.WATCHING, step.effects)
    late = replace(run, status=step.status.model_copy(update={"promoted_at": NOW - timedelta(hours=24)}))
    ended = advance(late, watched(late, {}))
    assert (ended.status.outcome, ended.status.reason) == (Outcome.SUCCEEDED, "Unobserved")


def test_a_watch_in_which_nothing_judges_with_effect_was_not_good_and_ends_unobserved() -> None:
    run = a_watch(COMPARED, ERRORS | {"dry_run": True})
    step = advance(run, watched(run, answers(run, ErrorRate={CANDIDATE: (0.0, 500.0)})))
    assert step.status.analysis is not None
    assert (step.status.analysis.passed, step.status.analysis.inconclusive) == (0, 1)
    assert step.status.analysis.dry_run.startswith("Pass: ErrorRate 0.000")
