"""After a rollback the Service is heard once more; whatever it says, nothing waits for it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.core.decide import decide
from retrainer.core.observation import Observation, ProbeSeen, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.run import advance
from retrainer.core.run.return_check import question
from tests.builders import CANDIDATE, CHAMPION, NOW, Part, a_policy, a_route, a_run, a_service, an_analysis, answers, by_route, seen

SMOKE = {"smoke_test": {"path": "/predict", "body": "{}"}}
BAD = {CANDIDATE: (50.0, 500.0), CHAMPION: (0.0, 500.0)}


def rolled_back(rollout: Part = None, **world: Part) -> tuple[RunSeen, Observation]:
    """Return a run whose canary has just failed, and the world after it."""
    policy = a_policy(status={"champion": {"version": CHAMPION}}, rollout=SMOKE if rollout is None else rollout)
    run = a_run(Phase.CANARY, policy=policy, analysis=an_analysis())
    canary = seen(policy, run, service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1}, answers=answers(run, ErrorRate=BAD))
    ended = replace(run, status=advance(run, canary).status)
    known: dict[str, Part] = {"service": a_service(cluster_ip="10.96.0.9")} | world
    return ended, seen(policy, ended, **known)


def told(probe: ProbeSeen | None, *, after_s: float = 1, **world: Part) -> tuple[str, str]:
    """Return the check's reason after a probe, and the timeline's latest."""
    run, later = rolled_back(**world)
    status = advance(run, replace(later, service_probe=probe, now=NOW + timedelta(seconds=after_s))).status
    assert status.return_check is not None
    assert (status.phase, status.outcome, status.reason) == (Phase.FINISHED, "RolledBack", "AnalysisFailed")
    return status.return_check.reason, status.timeline[-1].reason


def test_the_service_is_asked_what_the_candidate_was_asked() -> None:
    run, later = rolled_back()
    url, test, version = question(run, later) or ("", None, "")
    assert (url, version) == ("http://10.96.0.9:80/predict", CHAMPION)
    assert test is not None
    assert test.body == "{}"


@pytest.mark.parametrize(
    ("address", "host"), [("None", "churn-risk.members.svc"), ("", "churn-risk.members.svc"), ("fd00::9", "[fd00::9]")]
)
def test_a_service_without_an_address_is_asked_by_its_name(address: str, host: str) -> None:
    asked = question(*rolled_back(service=a_service(cluster_ip=address)))
    assert asked is not None
    assert asked[0] == f"http://{host}:80/predict"


def test_behind_a_route_the_versions_own_service_is_asked() -> None:
    run, later = rolled_back()
    by_gateway = replace(
        later, policy=a_policy(**by_route(), rollout=SMOKE), service=None, route=a_route(), addressed={CHAMPION: "10.96.0.8"}
    )
    url, _, version = question(run, by_gateway) or ("", None, "")
    assert (url, version) == ("http://10.96.0.8:80/predict", CHAMPION)
    assert question(run, replace(by_gateway, addressed={})) is None
    heard = advance(run, replace(by_gateway, service_probe=ProbeSeen(200, "HTTP 200", named=True))).status
    assert heard.timeline[-1].message == f"the Service behind the route answers 200, and with {CHAMPION}"


def test_an_answer_that_names_the_version_proves_the_return() -> None:
    assert told(ProbeSeen(200, "HTTP 200", named=True)) == ("Verified", "ReturnVerified")


@pytest.mark.parametrize("probe", [None, ProbeSeen(0, "refused"), ProbeSeen(503, "HTTP 503"), ProbeSeen(200, "HTTP 200")])
def test_any_other_answer_is_asked_again_for_a_while(probe: ProbeSeen | None) -> None:
    assert told(probe) == ("Pending", "AnalysisFailed")


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (None, "NotVerified"),
        (ProbeSeen(0, "refused"), "NotVerified"),
        (ProbeSeen(503, "HTTP 503", named=True), "NotVerified"),
        (ProbeSeen(200, "HTTP 200"), "VersionNotNamed"),
    ],
)
def test_what_was_never_heard_is_recorded(probe: ProbeSeen | None, reason: str) -> None:
    assert told(probe, after_s=31) == (reason, f"Return{reason}")


def test_another_champion_ends_the_question() -> None:
    assert told(None, service=a_service(CANDIDATE)) == ("Superseded", "ReturnSuperseded")


def test_without_a_smoke_test_nothing_is_asked() -> None:
    run, later = rolled_back(rollout={})
    assert run.status.return_check is None
    assert advance(run, later).after is None


def test_what_was_heard_is_announced_once_and_changes_no_outcome() -> None:
    run, later = rolled_back()
    heard = replace(later, service_probe=ProbeSeen(200, "HTTP 200", named=True))
    first = decide(heard)
    again = decide(replace(heard, runs=(replace(run, status=first.runs[run.name]),)))
    assert [(one.on_run, one.reason) for one in first.announcements] == [(True, "ReturnVerified"), (False, "ReturnVerified")]
    assert again.announcements == ()
    assert again.runs[run.name] == first.runs[run.name]


def test_a_check_that_waits_is_asked_again_in_a_second() -> None:
    run, later = rolled_back()
    assert advance(run, later).after == 0
    assert advance(run, replace(later, service_probe=ProbeSeen(0, "refused"))).after == 1
    assert advance(run, replace(later, service=None)).after == 1
