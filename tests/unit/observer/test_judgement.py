"""The observer's own analysis."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.observer.judgement import Figures, Samples, grown, judge
from tests.observer.prometheus import merged
from tests.observer.world import Metric
from tests.unit.observer.worlds import POLICY_FACT

GOOD = Figures(right=720, outcomes=800, errors=0, predictions=900)
BAD = Figures(right=480, outcomes=800, errors=0, predictions=900)


def test_a_candidate_that_is_as_good_on_many_samples_passes() -> None:
    many = Figures(right=18000, outcomes=20000, predictions=20000)
    assert judge(POLICY_FACT, many, many).passes


def test_a_worse_candidate_does_not_pass() -> None:
    verdict = judge(POLICY_FACT, BAD, GOOD)
    assert not verdict.passes
    assert "candidate 0.6000 of 800" in verdict.sentence


def test_a_better_candidate_passes_on_few_samples() -> None:
    assert judge(POLICY_FACT, replace(GOOD, right=190, outcomes=200), BAD).passes


def test_an_equal_candidate_on_few_samples_excludes_nothing() -> None:
    few = Figures(right=108, outcomes=120, predictions=120)
    assert not judge(POLICY_FACT, few, few).passes


def test_too_few_outcomes_pass_nothing() -> None:
    verdict = judge(POLICY_FACT, replace(GOOD, right=99, outcomes=99), BAD)
    assert not verdict.passes
    assert "100 samples are needed" in verdict.sentence


def test_errors_above_the_bound_do_not_pass_however_accurate() -> None:
    assert not judge(POLICY_FACT, replace(GOOD, errors=20), BAD).passes


def test_without_the_champions_figures_a_comparison_does_not_pass() -> None:
    assert not judge(POLICY_FACT, GOOD, Figures()).passes


def test_a_metric_that_the_observer_cannot_count_justifies_nothing() -> None:
    assert not judge(replace(POLICY_FACT, metrics=(Metric("Latency", max=0.1),)), GOOD, GOOD).passes


def test_the_regression_bound_agrees_with_newcombes_published_example() -> None:
    # Newcombe 1998, table II, example (a), method 10: 56/70 - 48/80, 95 % two-sided: 0.0524 to 0.3339.
    policy = replace(POLICY_FACT, min_samples=1, iterations=2, metrics=(Metric("Accuracy", max_regression=0.334),))
    candidate, champion = Figures(right=48, outcomes=80), Figures(right=56, outcomes=70)
    assert "worse by +0.0524 to +0.3339" in judge(policy, candidate, champion).sentence


def test_a_regression_that_is_shown_fails_and_one_that_is_only_not_excluded_does_not() -> None:
    assert judge(POLICY_FACT, BAD, GOOD).fails
    few = Figures(right=108, outcomes=120, predictions=120)
    assert not judge(POLICY_FACT, few, few).fails


def test_an_absolute_bound_that_is_broken_fails() -> None:
    assert judge(POLICY_FACT, replace(GOOD, errors=20), BAD).fails


@pytest.mark.parametrize(
    ("series", "growth"),
    [
        ([[(5.0, 40.0), (10.0, 50.0), (15.0, 70.0), (20.0, 90.0)]], 40.0),
        ([[(12.0, 7.0), (15.0, 9.0)]], 9.0),
        ([[(8.0, 50.0), (12.0, 60.0), (16.0, 4.0)]], 14.0),
        ([[(8.0, 50.0), (25.0, 99.0)]], 0.0),
        ([[(8.0, 1.0), (12.0, 2.0)], [(8.0, 1.0), (12.0, 5.0)]], 5.0),
        ([], 0.0),
    ],
    ids=["grows", "born inside", "restarts", "after the span", "two pods", "nothing"],
)
def test_growth_is_counted_from_raw_samples(series: Sequence[Samples], growth: float) -> None:
    assert grown(series, since=10.0, until=20.0) == growth


def test_a_restarted_monitor_counts_on_where_it_was() -> None:
    found = [
        ({"correct": "true", "instance": "a"}, [(5.0, 40.0), (10.0, 50.0)]),
        ({"correct": "true", "instance": "b"}, [(15.0, 60.0), (20.0, 70.0)]),
    ]
    assert grown(merged(found), since=10.0, until=20.0) == 20.0
