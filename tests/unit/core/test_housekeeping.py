from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.api.v1alpha1.policy_status import HandledAlert
from retrainer.core.actions import (
    ClaimService,
    DeleteJob,
    DeleteRun,
    DeployVersion,
    Effect,
    EnsureChores,
    EnsureMonitor,
    ExpireJob,
    RemoveChore,
    RemoveVersion,
    ScaleVersion,
    SendTraffic,
)
from retrainer.core.housekeeping import handled_alerts, tidy
from retrainer.core.observation import RunSeen
from retrainer.core.phases import Phase
from tests.builders import (
    CANDIDATE,
    CHAMPION,
    NOW,
    PREVIOUS,
    TEMPLATE,
    Part,
    a_deployment,
    a_job,
    a_neighbourhood,
    a_pod,
    a_policy,
    a_run,
    a_service,
    a_template,
    an_identity,
    seen,
)


def tidied(*runs: RunSeen, policy: Part = None, **world: Part) -> tuple[Effect, ...]:
    return tidy(seen(policy, *runs, **world), traffic_moves=False)


def test_a_policy_in_order_asks_for_nothing() -> None:
    assert tidied() == ()


def test_a_report_is_made_as_the_policy_asks_and_taken_away_when_it_no_longer_does() -> None:
    assert tidied(surroundings=a_neighbourhood(chores_are_current=False)) == (EnsureChores(),)
    chore = an_identity("churn-risk-report")
    assert tidied(surroundings=a_neighbourhood(unwanted_chores=(chore,))) == (RemoveChore(chore),)


def test_a_policy_that_is_not_accepted_gets_no_report_and_loses_the_one_it_no_longer_asks_for() -> None:
    chore = an_identity("churn-risk-report")
    world = a_neighbourhood(chores_are_current=False, unwanted_chores=(chore,), older_same_target="other")
    effects = tidied(surroundings=world)
    assert RemoveChore(chore) in effects
    assert EnsureChores() not in effects


def test_a_monitor_that_is_not_as_it_should_be_is_applied() -> None:
    [effect] = tidied(surroundings=a_neighbourhood(monitor_is_current=False))
    assert isinstance(effect, EnsureMonitor)
    assert (effect.secret, effect.key) == ("platform-db", "url")


@pytest.mark.parametrize("service", [None, a_service("", claimed_by="")])
def test_the_service_is_claimed(service: Part) -> None:
    assert tidied(service=service) == (ClaimService(),)


def test_a_service_that_was_deleted_gets_its_champion_back_in_the_write_that_claims_it() -> None:
    policy = a_policy(status={"champion": {"version": CHAMPION}})
    assert tidied(policy=policy, service=None, backends={CHAMPION: 3}) == (SendTraffic(CHAMPION, ""),)


def test_a_policy_that_is_not_accepted_touches_nothing_of_the_one_that_is() -> None:
    theirs = a_service(CHAMPION, claimed_by="uid-of-other", policy="other")
    world = {"surroundings": a_neighbourhood(monitor_is_current=False, older_same_target="other"), "service": theirs, "backends": {}}
    assert tidied(**world) == ()


def test_the_champion_of_anothers_service_is_not_ours() -> None:
    theirs = a_service(CHAMPION, previous=PREVIOUS, claimed_by="uid-of-other", policy="other")
    world = seen(a_policy(), service=theirs, surroundings=a_neighbourhood(older_same_target="other"))
    assert (world.champion, world.previous) == (None, None)


def test_a_candidate_without_a_run_is_swept_selector_first() -> None:
    effects = tidied(service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1})
    assert effects == (SendTraffic(CHAMPION, ""), ScaleVersion(CANDIDATE, 0))


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.PROMOTING])
def test_a_live_canary_is_left_alone(phase: Phase) -> None:
    assert tidied(a_run(phase), service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1}) == ()


def test_leftovers_are_scaled_away_and_removed_once_no_pod_is_left() -> None:
    assert tidied(backends={CHAMPION: 3, CANDIDATE: 2}) == (ScaleVersion(CANDIDATE, 0),)
    terminating = a_pod(CANDIDATE, deleting=True)
    assert tidied(backends={CHAMPION: 3, CANDIDATE: 0}, pods=(terminating,)) == ()
    empty = a_deployment(CANDIDATE, 0)
    assert tidied(backends={CHAMPION: 3}, deployments=[empty]) == (RemoveVersion(empty.identity),)


def test_the_previous_version_stays_warm_while_the_new_one_is_watched_and_cold_after() -> None:
    world = {"service": a_service(CANDIDATE, previous=CHAMPION), "backends": {CANDIDATE: 3, CHAMPION: 3}}
    assert tidied(a_run(Phase.WATCHING), **world) == ()
    assert tidied(a_run(Phase.FINISHED, outcome="Succeeded"), **world) == (ScaleVersion(CHAMPION, 0),)
    cold = world | {"backends": {CANDIDATE: 3, CHAMPION: 0}}
    assert tidied(a_run(Phase.FINISHED, outcome="Succeeded"), **cold) == ()


def test_edited_replicas_act_on_the_champion_at_once() -> None:
    for phase in (Phase.TRAINING, Phase.CANARY, Phase.WATCHING):
        world = {"service": a_service(shared=phase is Phase.CANARY)}
        run = a_run(phase, number=58)
        assert ScaleVersion(CHAMPION, 5) in tidied(run, policy=a_policy(serving={"replicas": 5}), backends={CHAMPION: 3}, **world)


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.TRAINING, Phase.GATING])
def test_an_edited_template_rolls_the_champion_at_once(phase: Phase) -> None:
    assert tidied(a_run(phase), template=a_template(6)) == (DeployVersion(CHAMPION, 3, TEMPLATE, 6),)


@pytest.mark.parametrize("phase", [Phase.AWAITING_APPROVAL, Phase.DEPLOYING, Phase.CANARY, Phase.PROMOTING])
def test_an_edited_template_waits_for_the_end_of_a_rollout_that_measures_against_it(phase: Phase) -> None:
    assert tidied(a_run(phase), template=a_template(6), service=a_service(shared=phase in {Phase.CANARY, Phase.PROMOTING})) == ()


def test_a_watched_champion_rolls_and_its_predecessor_keeps_its_template() -> None:
    world = {"service": a_service(CANDIDATE, previous=CHAMPION), "backends": {CANDIDATE: 3, CHAMPION: 3}, "template": a_template(6)}
    assert tidied(a_run(Phase.WATCHING), **world) == (DeployVersion(CANDIDATE, 3, TEMPLATE, 6),)


def test_a_champions_deployment_that_was_deleted_is_made_again() -> None:
    assert tidied(backends={}) == (DeployVersion(CHAMPION, 3, TEMPLATE, 5),)


@pytest.mark.parametrize(
    ("phase", "job", "expires"),
    [
        (Phase.TRAINING, {"complete": True}, False),
        (Phase.GATING, {"complete": True}, True),
        (Phase.GATING, {"complete": True, "ttl": 60}, False),
        (Phase.GATING, {"complete": True, "deleting": True}, False),
        (Phase.FINISHED, {"failed": ("BackoffLimitExceeded", "")}, True),
        (Phase.QUEUED, {"failed": ("BackoffLimitExceeded", "")}, False),
    ],
)
def test_a_job_expires_only_when_its_result_is_on_record(phase: Phase, job: dict[str, Part], *, expires: bool) -> None:
    done = a_job("churn-risk-57-train-1", **job)
    assert (ExpireJob(done.identity, 86400) in tidied(a_run(phase), jobs=[done])) is expires


def test_of_rejected_data_every_look_but_the_latest_expires() -> None:
    looks = [a_job(f"churn-risk-57-validate-{number}", failed=("PodFailurePolicy", "")) for number in (1, 2, 3)]
    run = a_run(Phase.VALIDATING, validations=3, recheck_at=NOW + timedelta(hours=1))
    assert tidied(run, jobs=looks) == tuple(ExpireJob(one.identity, 86400) for one in looks[:2])


def test_a_job_that_outlived_its_run_is_deleted_and_one_without_a_run_is_left_to_its_owner() -> None:
    mine, orphan = a_job("churn-risk-57-train-1"), a_job("gone-train-1", "gone")
    assert tidied(a_run(Phase.FINISHED), jobs=[mine, orphan]) == (DeleteJob(mine.identity),)


def old_run(number: int, *, episodes: int = 1, by_operator: bool = True) -> RunSeen:
    evidence = [{"trigger": "paged", "fingerprint": f"{number}-{n}", "starts_at": NOW} for n in range(episodes)]
    created = NOW - timedelta(days=100 - number)
    return a_run(Phase.FINISHED, number=number, created=created, by_operator=by_operator, outcome="TrainingFailed",
                 spec={"evidence": evidence[:32]}, evidence=evidence[32:])  # fmt: skip


def pruned(policy: Part, *runs: RunSeen) -> tuple[list[str], tuple[HandledAlert, ...]]:
    world = seen(policy, *runs)
    deleted = [effect.run.name for effect in tidy(world, traffic_moves=False) if isinstance(effect, DeleteRun)]
    return deleted, handled_alerts(world)


@pytest.mark.parametrize("numbers", [(9, 10), (10, 9)])
def test_of_two_runs_of_the_same_second_the_lower_number_is_pruned(numbers: tuple[int, int]) -> None:
    created, status = NOW - timedelta(days=9), {"handled_alerts": [{"fingerprint": f"{n}-0", "starts_at": NOW} for n in numbers]}
    runs = [replace(old_run(n), identity=replace(old_run(n).identity, created=created)) for n in numbers]
    assert pruned(a_policy(run_history_limit=1, status=status), *runs)[0] == ["churn-risk-9"]


def test_a_run_that_gave_way_before_it_made_a_version_is_pruned_like_any_other() -> None:
    status = {"handled_alerts": [{"fingerprint": "1-0", "starts_at": NOW}]}
    gave_way = replace(old_run(1), status=replace_status(old_run(1), version=None, frozen=None, outcome="Superseded"))
    assert pruned(a_policy(run_history_limit=1, status=status), gave_way, old_run(2))[0] == ["churn-risk-1"]


def replace_status(run: RunSeen, **changes: Part) -> Part:
    return run.status.model_copy(update=changes)


def test_a_runs_alerts_are_remembered_before_it_is_pruned() -> None:
    policy, runs = a_policy(run_history_limit=1), (old_run(1), old_run(2))
    deleted, handled = pruned(policy, *runs)
    assert (deleted, [item.fingerprint for item in handled]) == ([], ["1-0"])
    after = a_policy(run_history_limit=1, status={"handled_alerts": [item.model_dump() for item in handled]})
    assert pruned(after, *runs) == (["churn-risk-1"], handled)


@pytest.mark.parametrize(("ended_h_ago", "created_h_ago", "kept"), [(5, 48, True), (7, 48, False), (7, 23, True)])
def test_a_run_outlives_the_history_limit_while_the_cooldown_or_the_day_still_counts_it(
    ended_h_ago: float, created_h_ago: float, *, kept: bool
) -> None:
    created, ended = NOW - timedelta(hours=created_h_ago), NOW - timedelta(hours=ended_h_ago)
    run = a_run(Phase.FINISHED, number=1, created=created, outcome="RolledBack", completed_at=ended, spec={"trigger": "monthly"})
    younger = a_run(Phase.FINISHED, number=2, outcome="Aborted", completed_at=NOW)
    assert pruned(a_policy(run_history_limit=1), run, younger)[0] == ([] if kept else ["churn-risk-1"])


def test_a_run_without_alerts_is_pruned_at_once() -> None:
    assert pruned(a_policy(run_history_limit=1), old_run(1, episodes=0), old_run(2)) == (["churn-risk-1"], ())


def test_a_persons_run_a_live_one_and_the_champions_are_kept() -> None:
    serving = a_run(Phase.FINISHED, number=3, outcome="Succeeded", version=CHAMPION, created=NOW - timedelta(days=97))
    runs = old_run(1, by_operator=False), a_run(Phase.CANARY, number=2), serving, old_run(9, episodes=0), old_run(10, episodes=0)
    assert pruned(a_policy(run_history_limit=1), *runs)[0] == ["churn-risk-9"]


def test_a_run_outlives_the_history_limit_while_its_version_is_kept_and_has_a_baseline_on_record() -> None:
    baseline = {"trigger": "drop", "figure": "Accuracy over 60 s", "value": 0.9, "samples": 100, "from": NOW, "to": NOW}
    served = a_run(Phase.FINISHED, number=1, created=NOW - timedelta(days=99), outcome="Succeeded", baseline=[baseline])
    kept = {"versions": [{"version": served.status.version, "run": served.name, "since": NOW, "outcome": "Served"}]}
    younger = old_run(9, episodes=0), old_run(10, episodes=0)
    assert pruned(a_policy(run_history_limit=1, status=kept), served, *younger)[0] == ["churn-risk-9"]
    assert pruned(a_policy(run_history_limit=1), served, *younger)[0] == ["churn-risk-1"], "its version is gone"


@pytest.mark.parametrize("episodes", [20, 32, 64])
def test_a_history_of_many_alerts_is_pruned_in_the_end_and_memory_stays_bounded(episodes: int) -> None:
    runs = [old_run(number, episodes=episodes) for number in (1, 2, 3, 4)]
    handled: tuple[HandledAlert, ...] = ()
    for _ in range(6):
        status = {"handled_alerts": [item.model_dump() for item in handled]}
        deleted, handled = pruned(a_policy(run_history_limit=1, status=status), *runs)
        assert len(handled) <= 32
        runs = [run for run in runs if run.name not in deleted]
    assert [run.name for run in runs] == ["churn-risk-4"]


def test_an_episode_that_two_triggers_saw_is_remembered_once() -> None:
    both = [{"trigger": name, "fingerprint": "f", "starts_at": NOW} for name in ("one", "two")]
    run = a_run(Phase.FINISHED, number=1, created=NOW - timedelta(days=99), outcome="Aborted", spec={"evidence": both})
    assert len(pruned(a_policy(run_history_limit=1), run, old_run(9))[1]) == 1
