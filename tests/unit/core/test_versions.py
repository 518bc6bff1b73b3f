"""Which versions are kept, and what became of each."""

from dataclasses import replace
from datetime import timedelta

from retrainer.api.v1alpha1.policy_status import VersionOutcome
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.versions import kept_versions
from tests.builders import CANDIDATE, CHAMPION, NOW, PREVIOUS, Part, a_policy, a_run, a_service, kept, seen

OLD = [f"2026090{day}-030000-{day}" for day in range(1, 9)]


def versions(world: Observation, **after: Part) -> dict[str, str]:
    """Return the kept versions with their outcomes, the latest first; `after` are changes of the one run's status in this round."""
    runs = {run.name: run.status.model_copy(update=after) for run in world.runs}
    return {one.version: one.outcome.value for one in kept_versions(world, runs)}


def a_finished(outcome: str, version: str, number: int, **status: Part) -> RunSeen:
    return a_run(Phase.FINISHED, number=number, outcome=outcome, completed_at=NOW, version=version, **status)


def test_as_many_that_served_are_kept_as_the_limit_says_beside_the_protected() -> None:
    policy = a_policy(status=kept(CHAMPION, PREVIOUS, *reversed(OLD)), version_history_limit=2)
    found = versions(seen(policy, service=a_service(previous=PREVIOUS)))
    assert found == {CHAMPION: "Serves", PREVIOUS: "Served", OLD[7]: "Served", OLD[6]: "Served"}


def test_the_pinned_version_and_an_adopted_one_are_kept_however_old() -> None:
    status = kept(CHAMPION, *reversed(OLD), "adopted")
    policy = a_policy(status=status, version_history_limit=0, serving={"pinned_version": OLD[0]})
    assert versions(seen(policy)) == {CHAMPION: "Serves", OLD[0]: "Served", "adopted": "Served"}


def test_a_version_under_way_is_protected_from_the_moment_it_has_a_name() -> None:
    run = a_run(Phase.VALIDATING)
    assert versions(seen(a_policy(), run)) == {CANDIDATE: "UnderWay", CHAMPION: "Serves"}


def test_a_version_that_is_promoted_serves_since_its_promotion_and_the_one_before_has_served() -> None:
    at = NOW - timedelta(seconds=3)
    run = a_run(Phase.PROMOTING)
    world = seen(a_policy(status=kept(CHAMPION)), run, service=a_service(CANDIDATE, previous=CHAMPION))
    found = {one.version: one for one in kept_versions(world, {run.name: run.status.model_copy(update={"promoted_at": at})})}
    assert (found[CANDIDATE].outcome, found[CANDIDATE].since, found[CANDIDATE].digest) == (VersionOutcome.SERVES, at, "sha256:9f2c")
    assert (found[CHAMPION].outcome, found[CHAMPION].since) == (VersionOutcome.SERVED, NOW)


def test_of_those_that_never_served_the_last_is_kept() -> None:
    status = kept(CHAMPION, OLD[0])
    status["versions"][1]["outcome"] = "Rejected"
    run = a_run(Phase.CANARY)
    ended = {"phase": Phase.FINISHED, "outcome": "RolledBack", "completed_at": NOW}
    assert versions(seen(a_policy(status=status), run), **ended) == {CANDIDATE: "Rejected", CHAMPION: "Serves"}


def test_a_training_that_made_nothing_leaves_nothing() -> None:
    run = a_run(Phase.TRAINING)
    ended = {"phase": Phase.FINISHED, "outcome": "TrainingFailed", "completed_at": NOW}
    assert versions(seen(a_policy(status=kept(CHAMPION)), run), **ended) == {CHAMPION: "Serves"}


def test_a_version_that_was_let_go_does_not_come_back_though_its_run_is_on_record() -> None:
    old = a_finished("Succeeded", OLD[0], 1, promoted_at=NOW - timedelta(days=80))
    assert versions(seen(a_policy(status=kept(CHAMPION)), old)) == {CHAMPION: "Serves"}


def test_a_policy_that_lost_its_status_keeps_what_its_runs_tell_of() -> None:
    served = a_finished("Succeeded", PREVIOUS, 50, promoted_at=NOW - timedelta(days=40))
    rejected = a_finished("RolledBack", OLD[1], 2)
    assert versions(seen(a_policy(), served, rejected)) == {CHAMPION: "Serves", OLD[1]: "Rejected", PREVIOUS: "Served"}


def test_a_version_that_comes_back_serves_since_now_and_its_failed_return_changes_nothing() -> None:
    run = a_run(Phase.PROMOTING, number=58, spec={"version": PREVIOUS, "redeploy": {}}, version=PREVIOUS, result=None)
    policy = a_policy(status=kept(CHAMPION, PREVIOUS))
    back = seen(policy, run, service=a_service(PREVIOUS, previous=CHAMPION))
    assert {one.version: (one.outcome, one.since) for one in kept_versions(back, {run.name: run.status})} == {
        PREVIOUS: (VersionOutcome.SERVES, NOW),
        CHAMPION: (VersionOutcome.SERVED, NOW),
    }
    failed = {"phase": Phase.FINISHED, "outcome": "RolledBack", "completed_at": NOW}
    assert versions(seen(policy, run), **failed) == {CHAMPION: "Serves", PREVIOUS: "Served"}


def test_what_is_known_stays_as_it_is() -> None:
    policy = a_policy(status=kept(CHAMPION, PREVIOUS))
    first = kept_versions(seen(policy), {})
    status = policy.status.model_copy(update={"versions": first})
    later = replace(seen(replace(policy, status=status)), now=NOW + timedelta(hours=1))
    assert kept_versions(later, {}) == first
