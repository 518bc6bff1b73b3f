"""What `status`, `explain` and `history` print."""

import io
from collections.abc import Callable
from datetime import timedelta

from rich.console import Console, RenderableType

from retrainer.cli.explain import explanation, sentence
from retrainer.cli.history import history, story
from retrainer.cli.status import overview, picture
from retrainer.cli.words import ago, span
from retrainer.core.decide import decide
from retrainer.core.observation import Observation, PolicySeen
from retrainer.core.phases import Phase
from tests.builders import CANDIDATE, CHAMPION, NOW, Part, a_policy, a_run, a_service, alerting, an_alert, an_analysis, seen


def printed(shown: RenderableType) -> str:
    console = Console(width=240, file=io.StringIO(), record=True, color_system=None)
    console.print(shown)
    return console.export_text()


def decided(world: Observation) -> PolicySeen:
    """Return the policy with the status the operator would write."""
    return PolicySeen(world.policy.identity, world.policy.generation, world.policy.spec, decide(world).policy)


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.lstrip().startswith(start))


def test_the_overview_has_a_line_for_each_policy() -> None:
    text = printed(overview([decided(seen(a_policy())), decided(seen(a_policy("workload"), service=None))], NOW))
    assert line_of(text, "members    churn-risk").split()[2:5] == ["True", "Accepted", CHAMPION]
    assert "NoVersionYet" in line_of(text, "members    workload")


def test_a_canary_is_shown_with_its_share_its_steps_and_what_it_waits_for() -> None:
    run = a_run(Phase.CANARY, analysis=an_analysis(step=1, weight=50, passed=2), reason="Step2", message="step 2 at 50 %, 2 of 5 good")
    world = seen(a_policy(), run, service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 3})
    text = printed(picture(decided(world), [run], NOW))
    assert line_of(text, "candidate").split()[1:] == [CANDIDATE, "50", "%", "50", "%", "3", "0s"]
    assert "✔ SmokeTesting ● Canary ○ Promoting ○ Watching" in text
    assert "steps 10 % → [50 %]; 2 of 5 good, 0 failed, every 60 s" in text


def test_why_nothing_is_done_is_said_trigger_by_trigger() -> None:
    monthly = {"name": "monthly", "schedule": {"cron": "0 3 1 * *"}}
    policy = a_policy(triggers=[alerting(), monthly], created=NOW - timedelta(days=10))
    ended = a_run(Phase.FINISHED, number=56, outcome="RolledBack", completed_at=NOW - timedelta(minutes=5), champion=CHAMPION)
    world = seen(policy, ended, alerts=(an_alert(),))
    text = printed(explanation(decided(world), [ended], NOW))
    assert text.splitlines()[0].startswith("churn-risk starts nothing, though paged asked for a run")
    assert "CoolingDown" in line_of(text, "paged")
    assert "NotDue: the next slot starts at 2026-12-01 03:0" in line_of(text, "monthly")


SENTENCES: dict[str, tuple[Callable[[], Observation], str]] = {
    "idle": (lambda: seen(a_policy()), "churn-risk starts nothing: no trigger asks for a run"),
    "suspended": (lambda: seen(a_policy(suspend=True)), "churn-risk starts nothing: it is suspended (spec.suspend)"),
    "not accepted": (lambda: seen(a_policy(), template=None), "churn-risk starts nothing: DeploymentNotFound"),
}


def test_in_one_sentence() -> None:
    for world, expected in SENTENCES.values():
        assert sentence(decided(world()), []).startswith(expected)
    assert sentence(a_policy(), []).startswith("the operator has not looked at churn-risk yet")
    run = a_run(Phase.AWAITING_APPROVAL, reason="BothBelowFloor", message="both miss")
    assert sentence(decided(seen(a_policy(), run)), [run]) == "churn-risk-57 is in AwaitingApproval: BothBelowFloor, both miss"
    assert "kubectl retrain approve churn-risk-57" in printed(explanation(decided(seen(a_policy(), run)), [run], NOW))


def test_the_history_says_how_each_run_ended_and_why() -> None:
    def ended(number: int, outcome: str, **status: Part) -> Part:
        return a_run(Phase.FINISHED, number=number, outcome=outcome, completed_at=NOW, reason="Because", **status)

    text = printed(history([ended(55, "Succeeded"), ended(56, "RolledBack", message="worse")], NOW))
    rows = [line for line in text.splitlines()[1:] if line.strip()]
    assert [row.split()[0] for row in rows] == ["churn-risk-56", "churn-risk-55"]
    assert "RolledBack" in rows[0]
    assert "Because: worse" in rows[0]


def test_a_runs_story_has_its_whole_timeline_and_both_sides_figures() -> None:
    timeline = [
        {"at": NOW - timedelta(minutes=3), "phase": "Training", "reason": "Training", "message": "training"},
        {"at": NOW - timedelta(minutes=1), "phase": "Gating", "reason": "Trained", "message": "is trained"},
    ]
    text = printed(story(a_run(Phase.GATING, timeline=timeline), NOW))
    assert "2m" in line_of(text, "2026-11-23 11:57:00")
    assert "60s" in line_of(text, "2026-11-23 11:59:00")
    assert line_of(text, "accuracy").split() == ["accuracy", "0.9", "0.8"]


def test_lengths_of_time_are_worded_as_kubectl_does() -> None:
    assert [span(timedelta(seconds=s)) for s in (-1, 0, 119, 120, 7199, 7200, 86400)] == ["0s", "0s", "119s", "2m", "119m", "2h", "1d"]
    assert ago(None, NOW) == "–"
