"""Whole stories, told by rounds over a small world."""

from dataclasses import replace

import pytest

from retrainer.core.alert import Alert
from retrainer.core.phases import Outcome, Phase
from tests.builders import a_run, a_template
from tests.stories import a_second_run, a_simulation, champion, first_version, go_on, outcome, phase, saying, version


def test_a_new_policy_trains_and_serves_its_first_version() -> None:
    world = first_version()
    assert outcome(world, 1) == (Outcome.SUCCEEDED, "Promoted")
    assert (champion(world), world.ready(champion(world))) == (version(world, 1), 3)
    assert world.policy.status.champion is not None
    assert world.policy.status.champion.run == "churn-risk-1"


def test_a_drift_ends_with_a_better_version_watched_and_the_old_one_cold() -> None:
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 0)
    assert phase(world, 2) is Phase.CANARY
    go_on(world, 3)
    assert (phase(world, 2), champion(world), world.ready(version(world, 1))) == (Phase.WATCHING, version(world, 2), 3)
    go_on(world, 10)
    assert outcome(world, 2) == (Outcome.SUCCEEDED, "Watched")
    assert (world.ready(version(world, 1)), world.ready(version(world, 2))) == (0, 3)


def test_a_bad_candidate_leaves_no_trace_but_its_record() -> None:
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 100)
    go_on(world, 2)
    assert outcome(world, 2) == (Outcome.ROLLED_BACK, "AnalysisFailed")
    assert champion(world) == version(world, 1)
    assert [one.version for one in world.deployments.values()] == [version(world, 1)]


def test_a_regression_in_the_watch_brings_the_previous_version_back() -> None:
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 0)
    go_on(world, 3)
    world.prometheus = saying(world, 100)
    go_on(world, 2)
    assert outcome(world, 2) == (Outcome.ROLLED_BACK, "RegressionInWatch")
    assert (champion(world), world.ready(version(world, 1)), world.ready(version(world, 2))) == (version(world, 1), 3, 0)


def test_a_template_edited_during_a_rollout_rolls_the_new_champion_after_it() -> None:
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 0)
    world.template = a_template(9)
    go_on(world, 1)
    assert {one.template_generation for one in world.deployments.values()} == {5}
    go_on(world, 2)
    now_serving = next(one for one in world.deployments.values() if one.version == champion(world))
    assert (now_serving.version, now_serving.template_generation) == (version(world, 2), 9)


def test_a_deleted_run_in_its_canary_gives_the_traffic_back_first() -> None:
    world = first_version()
    a_second_run(world)
    world.delete_run("churn-risk-2")
    world.performed.clear()
    world.round()
    assert [type(effect).__name__ for effect in world.performed[:2]] == ["SendTraffic", "ScaleVersion"]
    world.alerts = ()
    world.settle()
    assert [one.version for one in world.deployments.values()] == [version(world, 1)]


@pytest.mark.parametrize("number", [1, 2])
def test_one_episode_starts_one_run_however_often_it_is_heard(number: int) -> None:
    world = first_version()
    a_second_run(world)
    for _ in range(number):
        world.alerts = tuple(replace(alert, received_at=world.now) for alert in world.alerts)
        go_on(world, 2)
    assert set(world.runs) == {"churn-risk-1", "churn-risk-2"}


def test_a_round_without_a_change_writes_announces_and_does_nothing() -> None:
    world = first_version()
    before = world.policy.status, dict(world.runs)
    world.pass_time(3600)
    decision = world.round()
    assert (decision.effects, decision.announcements) == ((), ())
    assert (world.policy.status, dict(world.runs)) == before


def test_a_transition_is_announced_once_on_the_run_and_once_on_the_policy() -> None:
    world = a_simulation()
    world.round()
    decision = world.round()
    assert [(one.on_run, one.reason) for one in decision.announcements] == [(True, "Validating"), (False, "Validating")]


def test_what_arrives_while_an_aborted_run_leaves_is_not_lost_with_it() -> None:
    world = first_version()
    pending = a_run(Phase.PENDING, number=8, abort="churn-risk-8", created=world.now)
    world.runs["churn-risk-8"] = pending
    world.pass_time(120)
    world.alerts = (Alert("f1", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now),)
    world.settle()
    assert outcome(world, 8)[0] is Outcome.ABORTED
    assert any(run.spec.evidence for run in world.runs.values())


def test_evidence_joins_one_of_the_runs_that_wait() -> None:
    world = first_version()
    world.runs |= {name: a_run(Phase.PENDING, name=name, by_operator=False, created=world.now) for name in ("a", "b")}
    world.pass_time(120)
    world.alerts = (Alert("f1", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now),)
    world.settle()
    assert sorted(len(world.runs[name].status.evidence) for name in ("a", "b")) == [0, 1]
