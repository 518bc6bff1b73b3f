from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.core.actions import LaunchJob
from retrainer.core.observation import Component, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.pending import frozen_of, version_of
from tests.builders import CHAMPION, NOW, Part, a_neighbourhood, a_policy, a_run, seen


def test_a_run_takes_the_free_training_slot_and_freezes_what_it_uses() -> None:
    policy = a_policy(training={"image": "trainer:2"}, generation=9)
    run = a_run()
    step = advance(run, seen(policy, run))
    frozen = frozen_of(step.status)
    assert step.status.phase is Phase.VALIDATING
    assert (frozen.policy_generation, frozen.champion) == (9, CHAMPION)
    assert (frozen.training, frozen.gate, frozen.rollout) == (policy.spec.training, policy.spec.gate, policy.spec.rollout)
    assert step.effects == (LaunchJob(replace(run, status=step.status), Component.VALIDATE, 1),)


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


@pytest.mark.parametrize("phase", [Phase.AWAITING_APPROVAL, Phase.DEPLOYING, Phase.CANARY, Phase.PROMOTING])
def test_a_run_waits_while_another_is_rolled_out_since_its_champion_is_about_to_change(phase: Phase) -> None:
    run, other = a_run(), a_run(phase, number=56)
    step = advance(run, seen(a_policy(), other, run))
    assert (step.status.phase, step.status.reason) == (Phase.PENDING, "RolloutInProgress")


@pytest.mark.parametrize("phase", [Phase.WATCHING, Phase.FINISHED])
def test_a_run_may_train_while_another_is_watched(phase: Phase) -> None:
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


@pytest.mark.parametrize(("mine", "others", "goes_first"), [(80, 50, True), (50, 80, False), (50, 50, False)])
def test_of_two_runs_that_people_started_the_higher_priority_goes_first_and_the_other_waits(
    mine: int, others: int, goes_first: bool
) -> None:
    older = a_run(name="z", created=NOW - timedelta(hours=2), by_operator=False, spec={"priority": others})
    run = a_run(name="a", created=NOW - timedelta(hours=1), by_operator=False, spec={"priority": mine})
    world = seen(a_policy(), older, run)
    phases = [advance(one, world).status.phase for one in (older, run)]
    assert phases == ([Phase.PENDING, Phase.VALIDATING] if goes_first else [Phase.VALIDATING, Phase.PENDING])


def test_a_run_that_a_trigger_started_gives_way_to_a_higher_priority_and_says_to_which() -> None:
    run, better = a_run(number=56, spec={"trigger": "paged"}), a_run(spec={"trigger": "urgent", "priority": 80})
    step = advance(run, seen(a_policy(), run, better))
    assert (step.status.outcome, step.status.reason) == (Outcome.SUPERSEDED, "HigherPriority")
    assert step.status.message == "gives way to churn-risk-57 of priority 80, which trains on the same data"


def test_nobody_gives_way_to_a_dry_run_since_it_trains_nothing() -> None:
    run = a_run(number=56, spec={"trigger": "paged"})
    dry = a_run(name="try-it", by_operator=False, spec={"priority": 100, "dry_run": True})
    assert advance(run, seen(a_policy(), run, dry)).status.phase is Phase.PENDING


def test_a_waiting_run_does_not_begin_before_the_cooldown_of_the_one_before_it_ends() -> None:
    before = a_run(Phase.FINISHED, number=56, outcome="Succeeded", completed_at=NOW, gated_at=NOW - timedelta(hours=1))
    run = a_run(spec={"trigger": "paged"})
    step = advance(run, seen(a_policy(), before, run))
    assert (step.status.phase, step.status.reason, step.after) == (Phase.PENDING, "CoolingDown", 5 * 3600)
    for free in (a_run(by_operator=False), a_run(spec={"trigger": "initial"})):
        assert advance(free, seen(a_policy(), before, free)).status.phase is Phase.VALIDATING


def alerted(started_s_ago: float, fingerprint: str | None = "f1") -> dict[str, Part]:
    return {"trigger": "paged", "fingerprint": fingerprint, "starts_at": NOW - timedelta(seconds=started_s_ago)}


@pytest.mark.parametrize(
    ("evidence", "outdated"),
    [([alerted(700)], True), ([alerted(700), alerted(500)], False), ([alerted(700), alerted(700, None)], False), ([], False)],
)
def test_a_run_whose_alerts_all_speak_of_an_earlier_champion_trains_nothing(evidence: list[Part], outdated: bool) -> None:
    policy = a_policy(status={"champion": {"version": CHAMPION, "since": NOW - timedelta(seconds=600)}})
    step = advance(run := a_run(spec={"trigger": "paged", "evidence": evidence}), seen(policy, run))
    ended = (Phase.FINISHED, "EvidencePredatesChampion") if outdated else (Phase.VALIDATING, "Validating")
    assert (step.status.phase, step.status.reason) == ended
