from datetime import timedelta

import pytest

from retrainer.core.observation import RunSeen
from retrainer.core.phases import Phase
from retrainer.core.run import advance
from retrainer.core.run.pending import frozen_of, version_of
from tests.builders import CHAMPION, NOW, a_neighbourhood, a_policy, a_run, seen


def test_a_run_takes_the_free_training_slot_and_freezes_what_it_uses() -> None:
    policy = a_policy(training={"image": "trainer:2"}, generation=9)
    run = a_run()
    step = advance(run, seen(policy, run))
    frozen = frozen_of(step.status)
    assert step.status.phase is Phase.VALIDATING
    assert (frozen.policy_generation, frozen.champion) == (9, CHAMPION)
    assert (frozen.training, frozen.gate, frozen.rollout) == (policy.spec.training, policy.spec.gate, policy.spec.rollout)
    assert step.effects == ()


def test_a_runs_own_values_win_over_the_policys_and_the_rest_stays() -> None:
    run = a_run(spec={"hyperparameters": {"epochs": 7}, "data": {"holdout": "7d"}})
    training = frozen_of(advance(run, seen(a_policy(), run)).status).training
    assert training.hyperparameters["epochs"] == 7
    assert training.hyperparameters["batchSize"] == 64
    assert (training.data.holdout, training.data.window) == ("7d", "365d")


def test_a_persons_run_makes_a_version_named_after_its_uid() -> None:
    run = a_run(name="try-it", by_operator=False, spec={"version": None})
    assert version_of(run) == f"{run.identity.created:%Y%m%d-%H%M%S}-uid-o"
    assert advance(run, seen(a_policy(), run)).status.version == version_of(run)


def test_a_run_of_a_suspended_policy_starts_nothing() -> None:
    run = a_run()
    step = advance(run, seen(a_policy(suspend=True), run))
    assert (step.status.phase, step.status.reason, step.effects) == (Phase.PENDING, "Suspended", ())


def test_a_run_of_a_policy_that_is_not_accepted_waits_for_the_same_reason() -> None:
    run = a_run()
    step = advance(run, seen(a_policy(), run, surroundings=a_neighbourhood(older_same_target="other")))
    assert (step.status.phase, step.status.reason) == (Phase.PENDING, "TargetTaken")


@pytest.mark.parametrize("phase", [Phase.VALIDATING, Phase.QUEUED, Phase.TRAINING, Phase.GATING])
def test_a_run_waits_while_another_trains(phase: Phase) -> None:
    run, other = a_run(), a_run(phase, number=56)
    step = advance(run, seen(a_policy(), other, run))
    assert (step.status.phase, step.status.reason) == (Phase.PENDING, "TrainingSlotTaken")
    assert "churn-risk-56" in step.status.message


@pytest.mark.parametrize("phase", [Phase.AWAITING_APPROVAL, Phase.CANARY, Phase.WATCHING, Phase.FINISHED])
def test_a_run_may_train_while_another_is_rolled_out_or_watched(phase: Phase) -> None:
    run, other = a_run(), a_run(phase, number=56)
    assert advance(run, seen(a_policy(), other, run)).status.phase is Phase.VALIDATING


def test_of_two_waiting_runs_the_older_goes_first_whatever_their_names_say() -> None:
    older = a_run(name="z", created=NOW - timedelta(hours=2), by_operator=False)
    younger = a_run(name="a", created=NOW - timedelta(hours=1), by_operator=False)
    world = seen(a_policy(), younger, older)
    assert advance(older, world).status.phase is Phase.VALIDATING
    assert advance(younger, world).status.reason == "TrainingSlotTaken"


def test_two_runs_of_the_same_second_do_not_wait_for_each_other() -> None:
    runs: list[RunSeen] = [a_run(name=name, created=NOW, by_operator=False) for name in ("b", "a")]
    world = seen(a_policy(), *runs)
    assert [advance(run, world).status.phase for run in runs] == [Phase.PENDING, Phase.VALIDATING]


def test_a_run_that_is_deleted_holds_nobody_up() -> None:
    leaving, run = a_run(number=56, deleting=True), a_run()
    assert advance(run, seen(a_policy(), leaving, run)).status.phase is Phase.VALIDATING
