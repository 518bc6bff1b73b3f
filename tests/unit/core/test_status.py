from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.api.v1alpha1 import Condition, ModelRetrainPolicyStatus
from retrainer.core.decide import decide
from retrainer.core.observation import Observation, PolicySeen
from retrainer.core.phases import Phase
from retrainer.core.status import condition
from tests.builders import (
    CANDIDATE,
    CHAMPION,
    NOW,
    PREVIOUS,
    Part,
    a_neighbourhood,
    a_policy,
    a_run,
    a_service,
    a_template,
    an_analysis,
    seen,
)


def status_of(world: Observation) -> ModelRetrainPolicyStatus:
    return decide(world).policy


def of_type(status: ModelRetrainPolicyStatus, kind: str) -> Condition:
    return next(entry for entry in status.conditions if entry.type == kind)


def ready(policy: PolicySeen | None = None, *runs: Part, **world: Part) -> tuple[str, str]:
    entry = of_type(status_of(seen(policy, *runs, **world)), "Ready")
    return entry.status, entry.reason


def test_a_champion_serves_since_its_promotion_though_a_later_round_writes_it() -> None:
    run = a_run(Phase.WATCHING, promoted_at=NOW - timedelta(seconds=40))
    told = status_of(seen(a_policy(), run, service=a_service(CANDIDATE, previous=CHAMPION)))
    assert told.champion is not None
    assert told.champion.since == NOW - timedelta(seconds=40)


def test_a_champion_that_comes_back_serves_since_it_came_back() -> None:
    run = a_run(Phase.FINISHED, version=CHAMPION, promoted_at=NOW - timedelta(days=9))
    bad = {"version": CANDIDATE, "since": NOW - timedelta(hours=1)}
    told = status_of(seen(a_policy(status={"champion": bad}), run, service=a_service(CHAMPION, previous=CANDIDATE)))
    assert told.champion is not None
    assert told.champion.since == NOW


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    first = condition((), "Ready", True, "Accepted", "m", 1, NOW)
    later = NOW + timedelta(hours=1)
    assert condition((first,), "Ready", True, "ChampionRolls", "other", 2, later).last_transition_time == NOW
    assert condition((first,), "Ready", False, "Accepted", "m", 1, later).last_transition_time == later
    assert condition((first,), "Serving", True, "Accepted", "m", 1, later).last_transition_time == later
    assert condition((), "DataQuality", None, "NotLookedAt", "", 1, NOW).status == "Unknown"


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        ({}, ("True", "Accepted")),
        ({"service": a_service("")}, ("True", "NoVersionYet")),
        ({"backends": {}}, ("False", "ChampionNotReady")),
        ({"template": a_template(replicas=2)}, ("True", "TemplateStillRunning")),
        ({"surroundings": a_neighbourhood(older_same_type="o")}, ("False", "ModelTypeTaken")),
        ({"surroundings": a_neighbourhood(older_same_target="o")}, ("False", "TargetTaken")),
        ({"surroundings": a_neighbourhood(metrics_source_known=False)}, ("False", "MetricsSourceUnknown")),
        ({"surroundings": a_neighbourhood(volume_access=())}, ("False", "VolumeClaimNotFound")),
        ({"surroundings": a_neighbourhood(volume_access=("ReadWriteOnce",))}, ("False", "ArtifactsNotShared")),
        ({"surroundings": a_neighbourhood(volume_access=("ReadWriteMany",))}, ("True", "Accepted")),
        ({"surroundings": a_neighbourhood(foreign_services=("old",))}, ("False", "ForeignServiceSelectsPods")),
        ({"template": None}, ("False", "DeploymentNotFound")),
        ({"template": a_template(pod={"spec": {"containers": [{"name": "web"}]}})}, ("False", "ContainerNotFound")),
        ({"service": a_service("", claimed_by="", selector={"app": "x"})}, ("False", "SelectorOwnedByOther")),
        ({"service": a_service("", claimed_by="")}, ("True", "NoVersionYet")),
    ],
)
def test_ready_says_accepted_and_healthy_or_the_first_thing_in_the_way(world: dict[str, Part], expected: tuple[str, str]) -> None:
    assert ready(**world) == expected


def test_a_volume_that_one_node_mounts_is_accepted_where_the_policy_says_so() -> None:
    policy = a_policy(artifacts={"single_node": True})
    assert ready(policy, surroundings=a_neighbourhood(volume_access=("ReadWriteOnce",))) == ("True", "Accepted")


def test_a_policy_is_ready_while_its_first_version_trains() -> None:
    status = status_of(seen(a_policy(), a_run(Phase.TRAINING, champion=None), service=a_service("")))
    assert (of_type(status, "Ready").status, of_type(status, "Reconciling").status) == ("True", "True")
    assert (status.training_run, status.champion) == ("churn-risk-57", None)


def test_roles_are_told_with_their_run_and_digest_from_when_they_were_taken() -> None:
    run = a_run(Phase.CANARY, analysis=an_analysis())
    status = status_of(seen(a_policy(), run, service=a_service(shared=True, previous=PREVIOUS), backends={CHAMPION: 3, CANDIDATE: 1}))
    assert status.champion is not None
    assert status.candidate is not None
    assert status.previous is not None
    assert (status.champion.version, status.candidate.version, status.previous.version) == (CHAMPION, CANDIDATE, PREVIOUS)
    assert (status.candidate.run, status.candidate.digest, status.champion.since) == ("churn-risk-57", "sha256:9f2c", NOW)


def test_a_version_keeps_its_time_and_digest_in_its_role_and_its_digest_into_the_next() -> None:
    known = {"version": CHAMPION, "digest": "sha256:1", "since": NOW - timedelta(days=9)}
    kept = status_of(seen(a_policy(status={"champion": known})))
    assert kept.champion is not None
    assert (kept.champion.since, kept.champion.digest) == (NOW - timedelta(days=9), "sha256:1")
    run = a_run(Phase.WATCHING)
    turned = status_of(seen(a_policy(status={"champion": known}), run, service=a_service(CANDIDATE, previous=CHAMPION),
                            backends={CANDIDATE: 3, CHAMPION: 3}))  # fmt: skip
    assert turned.previous is not None
    assert turned.champion is not None
    assert (turned.previous.digest, turned.previous.since, turned.champion.since) == ("sha256:1", NOW, run.status.promoted_at)


@pytest.mark.parametrize(
    ("phase", "shared", "weights"), [(Phase.CANARY, True, (10, 25)), (Phase.CANARY, False, (0, 0)), (Phase.WATCHING, False, (0, 0))]
)
def test_weights_are_told_while_traffic_is_shared(phase: Phase, *, shared: bool, weights: tuple[int, int]) -> None:
    serving = CANDIDATE if phase is Phase.WATCHING else CHAMPION
    run = a_run(phase, analysis=an_analysis(last_at=NOW))
    traffic = status_of(seen(a_policy(), run, service=a_service(serving, shared=shared), backends={CHAMPION: 3, CANDIDATE: 1})).traffic
    assert traffic is not None
    assert (traffic.candidate_weight, traffic.effective_weight) == weights


def test_rejected_data_is_a_condition_with_the_trainers_own_words() -> None:
    run = a_run(Phase.VALIDATING, reason="InsufficientRows", message="84 members", recheck_at=NOW + timedelta(hours=1))
    entry = of_type(status_of(seen(a_policy(), run)), "DataQuality")
    assert (entry.status, entry.reason, entry.message) == ("False", "InsufficientRows", "84 members")


def data_quality_of(*runs: Part, **known: Part) -> tuple[str, str]:
    entry = of_type(status_of(seen(a_policy(status=known), *runs)), "DataQuality")
    return entry.status, entry.reason


def test_data_is_as_good_as_the_latest_look_at_it_found() -> None:
    good = a_run(Phase.FINISHED, number=51, outcome="Succeeded", reason="Promoted", completed_at=NOW)
    assert data_quality_of() == ("Unknown", "NotLookedAt")
    assert data_quality_of(a_run(Phase.VALIDATING)) == ("Unknown", "NotLookedAt"), "a first look tells nothing before its end"
    assert data_quality_of(a_run(Phase.QUEUED)) == ("True", "ChecksPassed"), "nothing has been trained before either"
    assert data_quality_of(good, a_run(Phase.VALIDATING)) == ("True", "ChecksPassed")
    rejected = a_run(Phase.FINISHED, outcome="DataRejected", reason="LabelLeak", completed_at=NOW)
    assert data_quality_of(good, rejected) == ("False", "LabelLeak"), "though an earlier training was content"
    assert data_quality_of(good, rejected, a_run(Phase.TRAINING, number=58)) == ("True", "ChecksPassed")
    failed = a_run(Phase.FINISHED, outcome="TrainingFailed", reason="ValidationFailed", completed_at=NOW, result=None)
    assert data_quality_of(good, failed) == ("True", "ChecksPassed"), "what could not look has nothing to say"


def test_rejected_data_stays_rejected_while_it_is_looked_at_again() -> None:
    good = a_run(Phase.FINISHED, number=51, outcome="Succeeded", reason="Promoted", completed_at=NOW)
    looks_again = a_run(Phase.VALIDATING, reason="Validating", validations=2)
    entry = {"type": "DataQuality", "status": "False", "reason": "InsufficientRows", "last_transition_time": NOW, "observed_generation": 4}
    assert data_quality_of(good, looks_again, conditions=[entry]) == ("False", "InsufficientRows")
    assert data_quality_of(good, looks_again) == ("True", "ChecksPassed"), "where a node had refused the first look"


def test_what_waits_for_a_person_is_a_condition() -> None:
    run = a_run(Phase.AWAITING_APPROVAL, reason="BothBelowFloor", message="m" * 512)
    entry = of_type(status_of(seen(a_policy(), run)), "AwaitingApproval")
    assert (entry.status, entry.reason, len(entry.message)) == ("True", "BothBelowFloor", 512)


def test_the_latest_outcome_is_remembered_when_its_run_is_gone() -> None:
    known = {"run": "churn-risk-9", "outcome": "RolledBack", "reason": "AnalysisFailed", "at": NOW}
    status = status_of(seen(a_policy(status={"last_outcome": known, "last_run_number": 9, "last_trigger": "paged"})))
    assert status.last_outcome is not None
    assert (status.last_outcome.run, status.last_run_number, status.last_trigger) == ("churn-risk-9", 9, "paged")


@pytest.mark.parametrize("phase", Phase)
def test_a_second_look_at_the_same_world_changes_no_status_of_the_policy(phase: Phase) -> None:
    run = a_run(phase, analysis=an_analysis(last_at=NOW), reason="Same", completed_at=NOW, recheck_at=None)
    first = status_of(seen(a_policy(), run))
    policy = a_policy(status=first.model_dump())
    assert policy.status == first
    assert status_of(seen(policy, run)) == first


def test_a_baseline_goes_where_its_version_goes() -> None:
    mine = {"trigger": "drop", "figure": "Accuracy over 60 s", "value": 0.9, "samples": 100, "from": NOW, "to": NOW}
    old = {"version": CHAMPION, "since": NOW - timedelta(days=20), "baseline": [mine]}
    drop = {"name": "drop", "metric": {"preset": "Accuracy", "max_drop": 0.05, "window": "60s"}}
    promoted = a_run(Phase.WATCHING)
    serving = a_service(CANDIDATE, previous=CHAMPION)
    policy = a_policy(triggers=[drop], status={"champion": old})
    made_it = a_run(Phase.FINISHED, number=51, version=CHAMPION)
    after = status_of(seen(policy, made_it, promoted, service=serving))
    assert after.champion is not None
    assert after.previous is not None
    assert (after.champion.baseline, [one.value for one in after.previous.baseline]) == ((), [0.9])
    back = status_of(seen(replace(policy, status=after), made_it, promoted))
    assert back.champion is not None
    assert back.champion.baseline == after.previous.baseline


def test_a_version_that_had_lost_its_place_comes_back_with_its_baseline() -> None:
    mine = {"trigger": "drop", "figure": "Accuracy over 60 s", "value": 0.9, "samples": 100, "from": NOW, "to": NOW}
    drop = {"name": "drop", "metric": {"preset": "Accuracy", "max_drop": 0.05, "window": "60s"}}
    old = {"version": CHAMPION, "since": NOW - timedelta(days=20), "baseline": [mine]}
    policy, made_it = a_policy(triggers=[drop], status={"champion": old}), a_run(Phase.FINISHED, number=51, version=CHAMPION)
    serving = decide(seen(policy, made_it))
    on_record = replace(made_it, status=serving.runs[made_it.name])
    assert [one.value for one in on_record.status.baseline] == [0.9]
    assert decide(seen(replace(policy, status=serving.policy), on_record)).runs[made_it.name] == on_record.status, "once"

    later = replace(policy, status=a_policy(status={"champion": {"version": CANDIDATE, "since": NOW}}).status)
    back = decide(seen(later, on_record)).policy.champion

    assert back is not None
    assert (back.version, [one.value for one in back.baseline]) == (CHAMPION, [0.9])
