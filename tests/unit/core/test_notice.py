"""Who is told of what, and what is theirs to do."""

import pytest

from retrainer.core.acceptance import problem, serving_problem
from retrainer.core.actions import Announcement, Severity
from retrainer.core.decide import decide
from retrainer.core.notice import notices
from tests.builders import a_neighbourhood, a_policy, a_run, an_identity, seen

ALL = [{"notifier": "team-a"}, {"notifier": "on-call", "min_severity": "Warning"}]
POLICY = a_policy(notifications=ALL)


def told(reason: str, *, severity: Severity = Severity.NORMAL, on_run: bool = False) -> list[tuple[str, str, bool]]:
    about = an_identity("churn-2" if on_run else "churn")
    announcement = Announcement(about, on_run, severity, reason, "churn-2: so it is", "churn-2")
    return [(one.notifier, one.command, one.is_urgent) for one in notices(seen(POLICY), (announcement,))]


def test_a_transition_is_for_those_who_want_them_all() -> None:
    assert told("Training") == [("team-a", "", False)]


@pytest.mark.parametrize("reason", ["RolledBack", "GateRejected", "TrainingFailed"])
def test_what_goes_wrong_is_for_everybody(reason: str) -> None:
    assert told(reason, severity=Severity.WARNING) == [("team-a", "", True), ("on-call", "", True)]


def test_what_waits_for_a_person_is_for_everybody_and_says_how() -> None:
    command = "kubectl retrain --namespace members approve churn-2"
    assert told("AwaitingApproval") == [("team-a", command, True), ("on-call", command, True)]


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("Canary", "abort churn-2"),
        ("Watching", "rollback churn-risk"),
        ("Succeeded", "rollback churn-risk"),
        ("CircuitOpen", "resume churn-risk"),
    ],
)
def test_the_command_is_the_one_that_would_help(reason: str, command: str) -> None:
    assert told(reason)[0][1] == f"kubectl retrain --namespace members {command}"


def test_what_is_announced_about_a_run_is_said_once() -> None:
    assert told("SmokeTestPassed", on_run=True) == []


def test_every_phase_of_a_run_is_told_with_its_run() -> None:
    observed = seen(POLICY, a_run(policy=POLICY))
    found = notices(observed, decide(observed).announcements)
    assert [(one.notifier, one.reason, one.run) for one in found] == [("team-a", "Validating", "churn-risk-57")]


def test_nobody_is_told_by_a_policy_that_names_nobody() -> None:
    observed = seen(a_policy(), a_run())
    assert notices(observed, decide(observed).announcements) == []


def test_a_notifier_that_nobody_named_is_told_at_once_and_holds_nothing_that_serves() -> None:
    observed = seen(POLICY, surroundings=a_neighbourhood(POLICY, unknown_notifiers=("on-call",)))
    found = problem(observed)
    assert found is not None
    assert found.reason == "NotifierUnknown"
    assert "'on-call'" in found.message
    assert serving_problem(observed) is None
