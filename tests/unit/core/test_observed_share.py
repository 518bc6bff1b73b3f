"""The candidate's share of the requests, as the servers count them."""

import pytest

from retrainer.core.judging import questions_due
from retrainer.core.measurement import NoData, NoDataReason, Series, Vector
from retrainer.core.observation import Observation
from retrainer.core.observed_share import observed_share, share_question
from retrainer.core.phases import Phase
from tests.builders import CANDIDATE, CHAMPION, NOW, Part, a_policy, a_run, an_analysis, seen

LATENCY = {"metrics": [{"preset": "Latency", "max": 0.1}]}


def a_round(requests: dict[str, float] | None, phase: Phase = Phase.CANARY, **analysis: Part) -> Observation:
    """Return what a round sees whose question was answered so; None for one that did not ask."""
    policy = a_policy(rollout=LATENCY)
    run = a_run(phase, policy=policy, analysis=an_analysis(**analysis))
    assert run.status.analysis is not None
    asked = share_question(policy, run, run.status.analysis, NOW)
    series = tuple(Series({"model_version": version}, total) for version, total in (requests or {}).items())
    told = Vector(series, NOW) if requests else NoData(NoDataReason.EMPTY, "nobody called")
    return seen(policy, run, answers={} if asked is None or requests is None else {asked: told})


@pytest.mark.parametrize(
    ("requests", "share"),
    [
        ({CHAMPION: 300.0, CANDIDATE: 100.0}, 0.25),
        ({CHAMPION: 300.0}, 0.0),
        ({CANDIDATE: 10.0}, 1.0),
        ({CHAMPION: 0.0, CANDIDATE: 0.0}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_share_is_of_the_requests_of_all_versions(requests: dict[str, float] | None, share: float | None) -> None:
    assert observed_share(a_round(requests)) == share


def test_it_is_asked_at_each_analysis_whatever_the_rollout_measures() -> None:
    round_ = a_round({CHAMPION: 1.0})
    run = round_.runs[0]
    assert run.status.analysis is not None
    assert share_question(round_.policy, run, run.status.analysis, NOW) in questions_due(round_.policy, [run], NOW)


def test_a_shadow_and_a_watch_have_none() -> None:
    assert observed_share(a_round({CHAMPION: 1.0}, weight=0, mirrored=True)) is None
    assert observed_share(a_round({CHAMPION: 1.0}, Phase.WATCHING)) is None
