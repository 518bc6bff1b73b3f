from dataclasses import replace

import pytest

from retrainer.core.actions import DeleteJob, HandBack, RemoveVersion, SendTraffic
from retrainer.core.observation import DeploymentSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.sweeping import Orphans, ended, is_vacating, sweep
from tests.builders import CANDIDATE, CHAMPION, NOW, PREVIOUS, Part, a_deployment, a_job, a_run, a_service, an_identity, pods_of

FOUND = {"app": "churn-risk"}


def adopted_service(champion: str = CHAMPION, **seen: Part) -> Part:
    return a_service(champion, made_by_us=False, recorded_selector=FOUND, hands_back=True, **seen)


def handed_back() -> Part:
    return replace(a_service("", claimed_by="", policy=""), selector=FOUND)


def template(replicas: int, ready: int) -> dict[str, DeploymentSeen]:
    return {"churn-risk-api": DeploymentSeen(an_identity("churn-risk-api"), generation=1, replicas=replicas, ready=ready)}


def test_a_deleted_policy_leaves_its_champion_and_its_predecessor_and_takes_a_candidate_back_selector_first() -> None:
    deployments = tuple(a_deployment(version) for version in (CHAMPION, PREVIOUS, CANDIDATE))
    service = a_service(previous=PREVIOUS, shared=True)
    effects = sweep(Orphans(service, deployments))
    assert effects == (SendTraffic(CHAMPION, PREVIOUS), RemoveVersion(deployments[2].identity))


def test_a_deleted_policy_without_a_canary_moves_nothing() -> None:
    assert sweep(Orphans(a_service(), (a_deployment(CHAMPION),))) == ()
    assert sweep(Orphans(None, (a_deployment(CHAMPION),))) == ()


def test_a_deleted_policy_that_never_served_leaves_nothing() -> None:
    first = a_deployment(CANDIDATE)
    assert sweep(Orphans(a_service(""), (first,))) == (RemoveVersion(first.identity),)


def test_a_service_is_handed_back_once_the_champion_is_alone() -> None:
    service = adopted_service(previous=PREVIOUS)
    champion, previous = a_deployment(CHAMPION), a_deployment(PREVIOUS, 0)
    assert sweep(Orphans(service, (champion, previous))) == (RemoveVersion(previous.identity),)
    assert sweep(Orphans(service, (champion,), pods=pods_of(PREVIOUS, 1))) == ()
    alone = Orphans(service, (champion,), pods=pods_of(CHAMPION, 3))
    assert sweep(alone) == (HandBack(),)
    assert is_vacating(alone), "nothing wakes a policy that is gone: it looks again by itself"


@pytest.mark.parametrize("kept", [{"hands_back": False}, {"recorded_selector": {}}])
def test_a_service_that_is_to_be_kept_or_was_never_somebody_elses_is_not_handed_back(kept: Part) -> None:
    assert sweep(Orphans(replace(adopted_service(), **kept), (a_deployment(CHAMPION),))) == ()


@pytest.mark.parametrize(("replicas", "ready", "goes"), [(0, 0, False), (3, 2, False), (3, 3, True)])
def test_the_last_version_serves_until_the_deployment_it_was_built_from_does(replicas: int, ready: int, *, goes: bool) -> None:
    champion = a_deployment(CHAMPION)
    left = Orphans(handed_back(), (champion,), templates=template(replicas, ready))
    assert is_vacating(left)
    assert sweep(left) == ((RemoveVersion(champion.identity),) if goes else ())
    assert not is_vacating(Orphans(handed_back(), ()))


def test_what_a_person_started_ends_with_its_policy_and_trains_no_longer() -> None:
    mine, operators = a_run(Phase.TRAINING, by_operator=False), a_run(Phase.TRAINING, number=58)
    waiting, over = a_run(number=59, by_operator=False), a_run(Phase.FINISHED, number=60, by_operator=False, outcome="Succeeded")
    jobs = tuple(a_job(f"{run.name}-train-1", run.name) for run in (mine, operators))
    left = Orphans(a_service(), (a_deployment(CHAMPION),), runs=(mine, operators, waiting, over), jobs=jobs)
    assert sweep(left) == (DeleteJob(jobs[0].identity),)
    [(run, status)] = ended(left, NOW)
    assert run == mine
    assert (status.phase, status.outcome, status.reason) == (Phase.FINISHED, Outcome.ABORTED, "PolicyDeleted")
