import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrainer.api.v1alpha1.rollout import RolloutMetric
from retrainer.core.measurement import Counts, Measurement, NoData, NoDataReason, Series, Value, Vector
from retrainer.core.presets import PRESETS, measurement, questions
from retrainer.core.verdict import ALPHA, Judgement, Verdict, judge, overall, regression_bounds
from tests.builders import CANDIDATE, CHAMPION, NOW, UNREACHABLE, Part, vector

ALPHA_OF_95_PERCENT_TWO_SIDED = 0.025


def compared(candidate: Measurement, champion: Measurement | None, *, looks: int = 1, preset: str = "ErrorRate", **more: Part) -> Verdict:
    metric = {"preset": preset, "compare_to": "Champion", "max_regression": 0.02} | more
    return judge(RolloutMetric.model_validate(metric), candidate, champion, 100, looks).verdict


@pytest.mark.parametrize(
    ("one", "other", "lower", "upper"),
    [  # Newcombe, Statistics in Medicine 17 (1998) 873-890, Table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_the_bounds_are_those_of_the_paper(one: tuple[int, int], other: tuple[int, int], lower: float, upper: float) -> None:
    bounds = regression_bounds(Counts(*one), Counts(*other), ALPHA_OF_95_PERCENT_TWO_SIDED, higher_is_better=False)
    assert bounds == pytest.approx((lower, upper), abs=6e-5)
    turned = regression_bounds(Counts(*other), Counts(*one), ALPHA_OF_95_PERCENT_TWO_SIDED, higher_is_better=True)
    assert turned == pytest.approx(bounds)


@given(st.integers(1, 2000), st.integers(1, 2000), st.data())
def test_the_bounds_enclose_the_difference_and_widen_with_more_looks(n: int, m: int, data: st.DataObject) -> None:
    candidate, champion = Counts(data.draw(st.integers(0, n)), n), Counts(data.draw(st.integers(0, m)), m)
    lower, upper = regression_bounds(candidate, champion, ALPHA, higher_is_better=False)
    wide_lower, wide_upper = regression_bounds(candidate, champion, ALPHA / 5, higher_is_better=False)
    hair = 1e-9
    assert wide_lower - hair <= lower <= candidate.ratio - champion.ratio + hair
    assert candidate.ratio - champion.ratio - hair <= upper <= wide_upper + hair


@pytest.mark.parametrize(("rate", "margin"), [(0.05, 0.05), (0.8, 0.05)])
def test_a_candidate_that_is_worse_by_the_margin_passes_in_no_more_than_one_case_of_twenty(rate: float, margin: float) -> None:
    dice = random.Random(7)
    wrongly = 0
    for _ in range(400):
        worse, better = (sum(dice.random() < p for _ in range(250)) for p in (rate + margin, rate))
        _, upper = regression_bounds(Counts(worse, 250), Counts(better, 250), ALPHA, higher_is_better=False)
        wrongly += upper < margin
    assert wrongly / 400 < 0.05 + 0.025  # two standard errors of 400 throws


def test_increase_may_extrapolate_beyond_the_total() -> None:
    lower, upper = regression_bounds(Counts(100.4, 100.0), Counts(0.0, 100.0), ALPHA, higher_is_better=False)
    assert 0.9 < lower < upper


@pytest.mark.parametrize(
    ("candidate", "champion", "verdict"),
    [
        ((10, 5000), (10, 5000), Verdict.PASS),
        ((500, 5000), (10, 5000), Verdict.FAIL),
        ((10, 200), (8, 200), Verdict.INCONCLUSIVE),
        ((0, 99), (50, 5000), Verdict.INCONCLUSIVE),
        ((0, 5000), (1, 2), Verdict.PASS),
        ((150, 5000), (0, 2), Verdict.INCONCLUSIVE),
    ],
)
def test_inferiority_is_excluded_or_shown_or_neither(candidate: tuple[int, int], champion: tuple[int, int], verdict: Verdict) -> None:
    assert compared(Counts(*candidate), Counts(*champion)) is verdict


def test_more_looks_ask_for_more_evidence() -> None:
    close = Counts(20, 600), Counts(20, 600)
    assert (compared(*close, looks=1), compared(*close, looks=100)) == (Verdict.PASS, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("preset", "better", "worse"),
    [
        ("Accuracy", Counts(900, 1000), Counts(100, 1000)),
        ("ErrorRate", Counts(100, 1000), Counts(900, 1000)),
        ("Confidence", Value(0.9, 1000), Value(0.1, 1000)),
        ("Latency", Value(0.1, 1000), Value(0.9, 1000)),
    ],
)
def test_every_preset_knows_which_way_is_up(preset: str, better: Measurement, worse: Measurement) -> None:
    assert (compared(better, worse, preset=preset), compared(worse, better, preset=preset)) == (Verdict.PASS, Verdict.FAIL)


def test_the_direction_of_a_preset_is_its_contracts() -> None:
    assert {name for name, preset in PRESETS.items() if preset.higher_is_better} == {"Accuracy", "Confidence"}
    assert {name for name, preset in PRESETS.items() if preset.is_ratio} == {"Accuracy", "ErrorRate"}
    assert {name for name, preset in PRESETS.items() if preset.best != int(preset.higher_is_better)} == set()


@pytest.mark.parametrize(
    ("bound", "errors", "verdict"),
    [
        ({"max": 0.01}, 10, Verdict.PASS),
        ({"max": 0.01}, 11, Verdict.FAIL),
        ({"min": 0.5}, 500, Verdict.PASS),
        ({"min": 0.5}, 499, Verdict.FAIL),
    ],
)
def test_an_absolute_bound_is_compared_as_it_is(bound: dict[str, float], errors: int, verdict: Verdict) -> None:
    metric = RolloutMetric.model_validate({"preset": "ErrorRate"} | bound)
    assert judge(metric, Counts(errors, 1000), None, 100, 1).verdict is verdict


def test_a_figure_over_its_bound_fails_though_the_champion_is_no_better() -> None:
    assert compared(Counts(500, 1000), Counts(900, 1000), max=0.01) is Verdict.FAIL


@pytest.mark.parametrize("champion", [UNREACHABLE, NoData(NoDataReason.EMPTY, "")])
def test_no_data_is_no_verdict_on_either_side(champion: NoData) -> None:
    assert compared(champion, Counts(1, 1000)) is Verdict.NO_DATA
    assert compared(Counts(1, 1000), champion) is Verdict.NO_DATA


def judgement(verdict: Verdict) -> Judgement:
    return Judgement(verdict, verdict.value)


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_one_failure_fails_all_and_a_pass_is_unanimous(verdicts: list[Verdict]) -> None:
    said = overall([judgement(verdict) for verdict in verdicts]).verdict
    assert (said is Verdict.FAIL) == (Verdict.FAIL in verdicts)
    assert (said is Verdict.PASS) == (set(verdicts) == {Verdict.PASS})


@pytest.mark.parametrize("preset", PRESETS)
def test_a_query_is_of_one_namespace_and_model_whatever_their_names(preset: str) -> None:
    for question in questions(PRESETS[preset], "default", 'a"} or vector(1) #', "m\\", 60):
        assert question.promql.count('namespace="a\\"} or vector(1) #"') == question.promql.count("retrainer_")
        assert 'model_type="m\\\\"' in question.promql
        assert "{{" not in question.promql


@pytest.mark.parametrize(
    ("figure", "samples"),
    [
        (vector({CHAMPION: 1}), vector({CANDIDATE: 200})),
        (vector({CANDIDATE: 1}), vector({CHAMPION: 200})),
        (vector({CANDIDATE: 0}), vector({CANDIDATE: 0})),
        (vector({}), vector({CANDIDATE: 200})),
        (UNREACHABLE, vector({CANDIDATE: 200})),
        (vector({CANDIDATE: 1}), UNREACHABLE),
    ],
)
def test_a_missing_series_is_no_data_and_not_zero(figure: Part, samples: Part) -> None:
    assert isinstance(measurement(PRESETS["ErrorRate"], CANDIDATE, figure, samples), NoData)


def test_a_forecasters_accuracy_is_no_ratio_of_counts_and_is_taken_as_it_is() -> None:
    figure = Vector((Series({"model_version": CANDIDATE, "of": "1 - WAPE"}, 0.87),), NOW)
    assert measurement(PRESETS["Accuracy"], CANDIDATE, figure, vector({CANDIDATE: 200})) == Value(0.87, 200, "1 - WAPE")


def test_each_version_is_read_from_the_same_answer() -> None:
    answer = vector({CANDIDATE: 0.005, CHAMPION: 7}), vector({CANDIDATE: 200, CHAMPION: 900})
    assert measurement(PRESETS["ErrorRate"], CANDIDATE, *answer) == Counts(1, 200)
    assert measurement(PRESETS["Latency"], CHAMPION, *answer) == Value(7, 900)
