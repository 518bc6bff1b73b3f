"""Freeze windows, the circuit breaker, and what is known of a cure."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from retrainer.core.arbitration import Arbitration, arbitrate
from retrainer.core.commands import policy_commands
from retrainer.core.cure import with_cure
from retrainer.core.decide import decide
from retrainer.core.housekeeping import tidy
from retrainer.core.limits import limit
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.triggers.evaluation import Evaluation, Figure, Memory
from tests.builders import CANDIDATE, CHAMPION, NOW, Part, a_policy, a_run, alerting, an_alert, kinds, seen

SHOCK = {"reason": "a strike was called", "max_weight": 40}
TRIGGERS = [alerting(), alerting("shock", alert={"match_labels": {"severity": "emergency"}}, emergency={"max_weight": 40})]


def frozen_policy(*windows: dict[str, str]) -> PolicySeen:
    return a_policy(triggers=TRIGGERS, trigger_policy={"freeze_windows": list(windows)})


AT_ELEVEN = {"cron": "0 11 * * *", "duration": "2h"}


def paged(policy: PolicySeen, *runs: RunSeen, **world: Part) -> Arbitration:
    return arbitrate(seen(policy, *runs, alerts=(an_alert(),), **world))


def test_an_open_freeze_window_lets_nothing_start_and_says_until_when() -> None:
    arbitration = paged(frozen_policy(AT_ELEVEN))
    assert (arbitration.start, arbitration.triggers[0].reason, arbitration.look_again_in) == (None, "FreezeWindow", 3600)
    assert arbitration.triggers[0].message == "it drifts; the freeze window '0 11 * * *' is open until 2026-11-23 13:00:00 UTC"


@pytest.mark.parametrize(
    ("window", "starts"),
    [
        ({"cron": "0 11 * * *", "duration": "1h"}, True),  # it closes as the clock strikes
        ({"cron": "0 12 * * *", "duration": "1h"}, False),  # it opens as the clock strikes
        ({"cron": "0 12 * * *", "duration": "1h", "time_zone": "Europe/Berlin"}, True),  # an hour ago
        ({"cron": "0 13 * * *", "duration": "1h", "time_zone": "Europe/Berlin"}, False),
        ({"cron": "0 0 20 11 *", "duration": "1w"}, False),
    ],
)
def test_a_window_is_open_from_its_slot_for_its_duration(window: dict[str, str], *, starts: bool) -> None:
    assert (paged(frozen_policy(window)).start is not None) is starts


def test_of_several_open_windows_the_last_to_close_counts() -> None:
    found = limit(seen(frozen_policy(AT_ELEVEN, {"cron": "30 11 * * *", "duration": "6h"})), emergency=False)
    assert found is not None
    assert found.until == NOW + timedelta(hours=5.5)


def test_a_window_that_never_opens_is_refused_and_says_which() -> None:
    policy = frozen_policy(AT_ELEVEN, {"cron": "0 0 31 2 *", "duration": "1h"})
    arbitration = paged(policy)
    assert arbitration.triggers[0].reason == "FreezeWindowInvalid"
    assert "correct spec.triggerPolicy.freezeWindows[1]" in arbitration.triggers[0].message


def test_a_waiting_run_does_not_begin_in_a_window_whoever_made_it_but_an_emergency_and_a_dry_run_do() -> None:
    for run, reason in (
        (a_run(by_operator=False), "FreezeWindow"),
        (a_run(spec={"trigger": "initial"}), "FreezeWindow"),
        (a_run(spec={"emergency": SHOCK}), "Validating"),
        (a_run(by_operator=False, spec={"dry_run": True}), "Validating"),
    ):
        assert advance(run, seen(frozen_policy(AT_ELEVEN), run)).status.reason == reason


def test_a_candidate_is_not_deployed_in_a_window_and_a_rollout_under_way_goes_on() -> None:
    run = a_run(Phase.GATING)
    step = advance(run, seen(frozen_policy(AT_ELEVEN), run))
    assert (step.status.phase, step.status.reason, step.after) == (Phase.GATING, "FreezeWindow", 3600)
    urgent = a_run(Phase.GATING, spec={"emergency": SHOCK})
    assert advance(urgent, seen(frozen_policy(AT_ELEVEN), urgent)).status.phase is Phase.DEPLOYING


def ended(number: int, outcome: str = "RolledBack", cured: str | None = "False", *, hours_ago: float = 20, **more: Part) -> RunSeen:
    at = NOW - timedelta(hours=hours_ago) + timedelta(minutes=number)
    known: dict[str, Any] = {"spec": {"trigger": "paged"}, "created": at - timedelta(hours=1)} | more
    return a_run(Phase.FINISHED, number=number, outcome=outcome, completed_at=at, cured=cured, **known)


def opens(*runs: RunSeen, policy: PolicySeen | None = None) -> bool:
    found = limit(seen(policy or a_policy(triggers=TRIGGERS), *runs), emergency=True)
    return found is not None and found.reason == "CircuitOpen"


def test_two_runs_in_a_row_that_cured_nothing_open_the_circuit_for_emergencies_too() -> None:
    runs = ended(1), ended(2)
    arbitration = arbitrate(seen(a_policy(triggers=TRIGGERS), *runs, alerts=(an_alert(severity="emergency"),)))
    assert (arbitration.start, arbitration.triggers[1].reason) == (None, "CircuitOpen")
    assert arbitration.triggers[1].message.endswith(
        "churn-risk-2, churn-risk-1 cured nothing: look into it, "
        "then kubectl annotate mrp churn-risk retrainer.dev/resume=churn-risk-2 --overwrite"
    )
    assert not opens(ended(1))


@pytest.mark.parametrize(
    ("between", "still_opens"),
    [
        (ended(2, "Succeeded", "True"), False),
        (ended(2, "Succeeded", None), False),
        (ended(2, "Succeeded", "Unknown"), True),
        (ended(2, "Aborted", None), True),
        (ended(2, "Superseded", None), True),
        (ended(2, "Succeeded", "True", by_operator=False), True),
        (ended(2, "Succeeded", None, spec={"trigger": "initial"}), True),
    ],
    ids=["cured", "a schedule's success", "unknown", "aborted", "gave way", "a person's", "first version"],
)
def test_a_cure_ends_the_row_and_what_says_nothing_neither_counts_nor_ends_it(between: RunSeen, *, still_opens: bool) -> None:
    assert opens(ended(1), between, ended(3)) is still_opens


def test_what_no_trigger_started_opens_no_circuit() -> None:
    assert not opens(ended(1, by_operator=False), ended(2, by_operator=False), ended(3, spec={"trigger": "initial"}))


def resumed(value: str = "churn-risk-2", **status: Part) -> PolicySeen:
    return replace(a_policy(triggers=TRIGGERS, status=status), resume=value)


def test_a_person_closes_the_circuit_by_resuming_the_policy_and_two_more_open_it_again() -> None:
    runs = ended(1), ended(2)
    [command] = policy_commands(seen(resumed(), *runs))
    assert (command.reason, command.message) == ("Taken", "the policy goes on")
    assert not opens(*runs, policy=resumed())
    closed = resumed(commands=[{"verb": "resume", "value": "churn-risk-2", "at": NOW - timedelta(hours=19), "reason": "Taken"}])
    assert not opens(*runs, ended(3, hours_ago=1), policy=closed)
    assert opens(*runs, ended(3, hours_ago=1), ended(4, hours_ago=1), policy=closed)


@pytest.mark.parametrize("run", [a_run(by_operator=False), a_run(spec={"emergency": SHOCK}), a_run(spec={"trigger": "initial"})])
def test_nobody_spends_a_gpu_while_the_circuit_is_open(run: RunSeen) -> None:
    world = seen(a_policy(triggers=TRIGGERS), ended(1), ended(2), run)
    assert advance(run, world).status.reason == "CircuitOpen"
    rollout = a_run(Phase.CANARY, number=58)
    assert advance(rollout, seen(a_policy(triggers=TRIGGERS), ended(1), ended(2), run, rollout)).status.reason != "Emergency"


def test_a_data_check_and_a_first_version_that_nobody_asked_for() -> None:
    dry = a_run(by_operator=False, spec={"dry_run": True})
    assert advance(dry, seen(a_policy(triggers=TRIGGERS), ended(1), ended(2), dry)).status.reason == "Validating"
    assert arbitrate(seen(a_policy(triggers=TRIGGERS, generation=9), ended(1), ended(2), service=None)).start is None


def test_an_open_circuit_is_a_condition_and_one_warning() -> None:
    world = seen(a_policy(triggers=TRIGGERS), ended(1), ended(2))
    decision = decide(world)
    told = next(one for one in decision.policy.conditions if one.type == "CircuitOpen")
    assert (told.status, told.reason) == ("True", "UncuredRuns")
    warned = [one for one in decision.announcements if one.reason == "CircuitOpen"]
    assert [(one.on_run, str(one.severity)) for one in warned] == [(False, "Warning")]
    again = a_policy(triggers=TRIGGERS, status=decision.policy.model_dump())
    assert not [one for one in decide(seen(again, ended(1), ended(2))).announcements if one.reason == "CircuitOpen"]


def test_runs_that_the_circuit_counts_outlive_the_history_limit() -> None:
    runs = [ended(number, hours_ago=400) for number in (1, 2, 3)]
    younger = ended(4, "Superseded", None, hours_ago=300)
    policy = a_policy(triggers=TRIGGERS, run_history_limit=1)
    deleted = [effect for effect in tidy(seen(policy, *runs, younger), traffic_moves=False) if "DeleteRun" in kinds([effect])]
    assert [effect.run.name for effect in deleted] == ["churn-risk-1"]  # type: ignore[union-attr]


def cured(outcome: str, reason: str, *alerts: Part, evidence: Part = None, trigger: str = "paged", **world: Part) -> str | None:
    said = evidence if evidence is not None else [{"trigger": trigger, "fingerprint": "f1", "starts_at": NOW - timedelta(days=1)}]
    run = a_run(Phase.WATCHING, spec={"trigger": trigger, "evidence": said})
    over = {"phase": Phase.FINISHED, "outcome": Outcome(outcome), "reason": reason, "completed_at": NOW}
    accuracy = {"name": "accuracy", "metric": {"preset": "Accuracy", "min": 0.8}}
    drop = {"name": "drop", "metric": {"preset": "Accuracy", "max_drop": 0.05}}
    policy = a_policy(triggers=[*TRIGGERS, accuracy, drop, {"name": "monthly", "schedule": {"cron": "0 3 1 * *"}}])
    return with_cure(run, run.status.model_copy(update=over), seen(policy, run, alerts=alerts, **world)).cured


@pytest.mark.parametrize("outcome", ["TrainingFailed", "DataRejected", "GateRejected", "RolledBack"])
def test_a_run_that_came_to_nothing_cured_nothing(outcome: str) -> None:
    assert cured(outcome, "Whatever") == "False"
    assert cured(outcome, "Whatever", evidence=[], trigger="monthly") == "False"


@pytest.mark.parametrize(
    ("alerts", "answer"),
    [
        ([an_alert()], "False"),
        ([an_alert(firing=False)], "True"),
        ([an_alert(heard_s_ago=9 * 3600)], "True"),
        ([], "Unknown"),
    ],
    ids=["still fires", "resolved", "no longer repeated", "not heard of since a restart"],
)
def test_an_alert_is_cured_when_it_fires_no_more_at_the_end_of_the_watch(alerts: list[Part], answer: str) -> None:
    assert cured("Succeeded", "Watched", *alerts) == answer
    assert cured("Succeeded", "Unobserved", *alerts) == answer
    assert cured("Succeeded", "CutShort", *alerts) == "Unknown"


def test_one_alert_of_several_that_still_fires_is_enough() -> None:
    several = [{"trigger": "paged", "fingerprint": name, "starts_at": NOW} for name in ("f1", "f2", "f3")]
    assert cured("Succeeded", "Watched", an_alert("f1", firing=False), an_alert("f2"), evidence=several) == "False"
    assert cured("Succeeded", "Watched", an_alert("f1", firing=False), evidence=several) == "Unknown"


def test_there_is_nothing_to_cure_for_a_schedule_or_in_a_run_that_ended_without_training() -> None:
    assert cured("Succeeded", "Watched", evidence=[{"trigger": "monthly", "starts_at": NOW}], trigger="monthly") is None
    assert cured("Aborted", "Aborted", an_alert()) is None
    assert cured("Superseded", "Emergency", an_alert()) is None


@pytest.mark.parametrize(
    ("reason", "version", "answer"),
    [
        ("WithinBounds", CANDIDATE, "True"),
        ("ThresholdCrossed", CANDIDATE, "False"),
        ("TooFewSamples", CANDIDATE, "Unknown"),
        ("Pending", CANDIDATE, "Unknown"),
        ("ThresholdCrossed", CHAMPION, "Unknown"),
    ],
)
def test_a_figure_is_cured_when_it_is_within_its_bound_on_samples_enough_of_the_new_version(reason: str, version: str, answer: str) -> None:
    evaluations = {"accuracy": Evaluation(reason, "", Memory(version))}
    said = [{"trigger": "accuracy", "starts_at": NOW}]
    assert cured("Succeeded", "Watched", evidence=said, trigger="accuracy", evaluations=evaluations) == answer


@pytest.mark.parametrize(
    ("reason", "value", "answer"),
    [
        ("WithinBounds", 0.81, "False"),  # of its own baseline, which is as low
        ("WithinBounds", 0.83, "True"),
        ("WaitingForBaseline", 0.83, "True"),
        ("TooFewSamples", None, "Unknown"),
    ],
)
def test_a_drop_is_cured_when_the_figure_is_back_within_the_bound_that_it_had_passed(reason: str, value: float | None, answer: str) -> None:
    figure = Figure(value, None, 500) if value is not None else None
    evaluations = {"drop": Evaluation(reason, "", Memory(CANDIDATE), figure)}
    said = [{"trigger": "drop", "starts_at": NOW, "value": 0.8, "threshold": 0.82}]
    assert cured("Succeeded", "Watched", evidence=said, trigger="drop", evaluations=evaluations) == answer
