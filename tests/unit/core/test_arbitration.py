from datetime import timedelta

import pytest

from retrainer.api.v1alpha1 import ModelRetrainRunSpec
from retrainer.core.alert import Alert
from retrainer.core.arbitration import Arbitration, arbitrate
from retrainer.core.observation import RunSeen
from retrainer.core.phases import Phase
from tests.builders import CHAMPION, NOW, Part, a_neighbourhood, a_policy, a_run, a_service, alerting, an_alert, seen

PAGED = [alerting()]


def arbitrated(*runs: RunSeen, policy: Part = None, alerts: Part = None, **world: Part) -> Arbitration:
    policy = policy or a_policy(triggers=PAGED)
    return arbitrate(seen(policy, *runs, alerts=(an_alert(),) if alerts is None else alerts, **world))


def told(arbitration: Arbitration) -> list[tuple[str, str]]:
    return [(status.state, status.reason) for status in arbitration.triggers]


def finished(outcome: str, *, ended_s_ago: float = 3600, number: int = 56, **more: Part) -> RunSeen:
    return a_run(Phase.FINISHED, number=number, outcome=outcome, completed_at=NOW - timedelta(seconds=ended_s_ago), **more)


def evidence(fingerprint: str = "f1", started_s_ago: float = 600) -> dict[str, Part]:
    return {"trigger": "paged", "fingerprint": fingerprint, "starts_at": NOW - timedelta(seconds=started_s_ago)}


def test_an_alert_that_fires_starts_a_run_with_its_evidence() -> None:
    arbitration = arbitrated(policy=a_policy(triggers=PAGED, status={"last_run_number": 57}, generation=4))
    assert arbitration.start is not None
    spec = arbitration.start.spec
    assert (arbitration.start.name, spec.version) == ("churn-risk-58", "20261123-120000-58")
    assert (spec.trigger, spec.reason, spec.policy_generation) == ("paged", "AlertFiring", 4)
    assert [item.fingerprint for item in spec.evidence] == ["f1"]
    assert told(arbitration) == [("Started", "AlertFiring")]


@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        (an_alert(firing=False), "NotFiring"),
        (an_alert(heard_s_ago=8 * 3600), "NotFiring"),
        (an_alert(alertname="Other"), "NotFiring"),
    ],
)
def test_an_alert_that_is_resolved_stale_or_anothers_starts_nothing(alert: Part, reason: str) -> None:
    arbitration = arbitrated(alerts=(alert,))
    assert (arbitration.start, told(arbitration)) == (None, [("Armed", reason)])


def test_all_labels_must_match() -> None:
    policy = a_policy(triggers=[{"name": "paged", "alert": {"match_labels": {"alertname": "ModelDrift", "severity": "page"}}}])
    assert arbitrated(policy=policy).start is None
    assert arbitrated(policy=policy, alerts=(an_alert(severity="page", more="x"),)).start is not None


def test_one_episode_starts_one_run() -> None:
    policy = a_policy(triggers=PAGED, status={"last_run_number": 57})
    arbitration = arbitrated(a_run(Phase.TRAINING, spec={"evidence": [evidence()]}), policy=policy)
    assert (arbitration.start, arbitration.joins) == (None, ())
    assert told(arbitration) == [("Armed", "AlreadyHandled")]


def test_a_run_that_the_status_does_not_know_yet_was_started_by_the_triggers_whose_evidence_it_carries() -> None:
    policy = a_policy(triggers=[alerting("paged"), alerting("other")], status={"last_run_number": 56})
    arbitration = arbitrated(a_run(spec={"evidence": [evidence()], "message": "a model drifts"}), policy=policy)
    assert arbitration.start is None
    assert told(arbitration) == [("Started", "AlertFiring"), ("Armed", "AlreadyHandled")]
    assert arbitration.triggers[0].message == "churn-risk-57: a model drifts"


def test_an_episode_that_was_coalesced_has_had_its_run() -> None:
    assert arbitrated(a_run(Phase.TRAINING, evidence=[evidence()])).start is None


def test_an_episode_is_remembered_when_its_run_is_pruned() -> None:
    policy = a_policy(triggers=PAGED, status={"handled_alerts": [{"fingerprint": "f1", "starts_at": NOW - timedelta(seconds=600)}]})
    assert arbitrated(policy=policy).start is None


def test_the_same_alert_firing_anew_is_another_episode() -> None:
    earlier = finished("Succeeded", spec={"evidence": [evidence(started_s_ago=90_000)]})
    assert arbitrated(earlier).start is not None


def test_an_alert_older_than_the_champion_says_nothing_about_it() -> None:
    policy = a_policy(triggers=PAGED, status={"champion": {"version": CHAMPION, "since": NOW - timedelta(seconds=599)}})
    arbitration = arbitrated(policy=policy)
    assert (arbitration.start, told(arbitration)) == (None, [("Refused", "EvidencePredatesChampion")])


def test_a_champion_adopted_from_a_service_without_a_time_is_no_reason_to_refuse() -> None:
    policy = a_policy(triggers=PAGED, status={"champion": {"version": CHAMPION}})
    assert arbitrated(policy=policy).start is not None


@pytest.mark.parametrize("outcome", ["RolledBack", "TrainingFailed", "GateRejected", "DataRejected"])
def test_a_run_that_came_to_nothing_cools_the_policy_down(outcome: str) -> None:
    arbitration = arbitrated(finished(outcome))
    assert (arbitration.start, told(arbitration)) == (None, [("Refused", "CoolingDown")])
    assert arbitration.look_again_in == 5 * 3600


def test_an_alert_that_still_fires_when_the_cooldown_ends_starts_its_run() -> None:
    assert arbitrated(finished("RolledBack", ended_s_ago=6 * 3600 - 1)).look_again_in == 1
    assert arbitrated(finished("RolledBack", ended_s_ago=6 * 3600)).start is not None


def test_a_successful_run_cools_down_from_the_end_of_its_gating() -> None:
    gated_at = NOW - timedelta(hours=5)
    assert told(arbitrated(finished("Succeeded", ended_s_ago=60, gated_at=gated_at))) == [("Refused", "CoolingDown")]
    assert arbitrated(finished("Succeeded", ended_s_ago=60, gated_at=NOW - timedelta(hours=7))).start is not None


@pytest.mark.parametrize("outcome", ["Aborted", "DryRunPassed"])
def test_a_run_that_trained_nothing_cools_nothing_down(outcome: str) -> None:
    assert arbitrated(finished(outcome)).start is not None


def test_a_suspended_policy_starts_nothing_and_says_so() -> None:
    arbitration = arbitrated(policy=a_policy(triggers=PAGED, suspend=True))
    assert (arbitration.start, arbitration.joins, told(arbitration)) == (None, (), [("Refused", "Suspended")])


def test_a_policy_that_is_not_accepted_starts_nothing_and_says_why() -> None:
    arbitration = arbitrated(surroundings=a_neighbourhood(older_same_type="other"))
    assert (arbitration.start, told(arbitration)) == (None, [("Refused", "ModelTypeTaken")])


def test_what_fires_while_a_run_waits_joins_it() -> None:
    arbitration = arbitrated(a_run(Phase.PENDING))
    assert arbitration.start is None
    assert [item.fingerprint for item in arbitration.joins] == ["f1"]
    assert told(arbitration) == [("Firing", "Coalesced")]


@pytest.mark.parametrize("phase", [Phase.VALIDATING, Phase.TRAINING, Phase.GATING, Phase.CANARY, Phase.WATCHING])
def test_what_fires_while_a_run_is_under_way_lets_one_further_run_wait(phase: Phase) -> None:
    assert arbitrated(a_run(phase)).start is not None


def test_all_that_fires_at_once_starts_one_run() -> None:
    policy = a_policy(triggers=[alerting("one"), alerting("two"), {"name": "never", "alert": {"match_labels": {"a": "b"}}}])
    arbitration = arbitrated(policy=policy, alerts=(an_alert("f1"), an_alert("f2", started_s_ago=900)))
    assert arbitration.start is not None
    assert len(arbitration.start.spec.evidence) == 4
    assert told(arbitration) == [("Started", "AlertFiring"), ("Started", "AlertFiring"), ("Armed", "NotFiring")]


def test_a_storm_of_alerts_still_makes_a_run_the_schema_admits() -> None:
    arbitration = arbitrated(alerts=tuple(an_alert(f"f{n}") for n in range(500)))
    assert arbitration.start is not None
    assert ModelRetrainRunSpec.model_validate(arbitration.start.spec.wire()) == arbitration.start.spec
    joined = arbitrated(a_run(Phase.PENDING), alerts=tuple(an_alert(f"f{n}") for n in range(500)))
    assert len(joined.joins) == 32


def test_the_triggers_own_values_travel_with_the_run() -> None:
    policy = a_policy(triggers=[alerting(hyperparameters={"epochs": 200}, data={"holdout": "7d"})])
    arbitration = arbitrated(policy=policy)
    assert arbitration.start is not None
    assert arbitration.start.spec.hyperparameters == {"epochs": 200}
    assert arbitration.start.spec.data.holdout == "7d"


def test_a_policy_without_a_version_starts_its_first_by_itself() -> None:
    arbitration = arbitrated(policy=a_policy(), alerts=(), service=None)
    assert arbitration.start is not None
    assert (arbitration.start.spec.trigger, arbitration.start.spec.evidence) == ("initial", ())


@pytest.mark.parametrize(("tried", "starts"), [(3, False), (2, True)])
def test_the_first_version_is_tried_once_for_each_generation(tried: int, starts: bool) -> None:
    run = finished("TrainingFailed", spec={"trigger": "initial", "policy_generation": tried})
    assert (arbitrated(run, policy=a_policy(generation=3), alerts=(), service=None).start is not None) is starts


def test_the_first_version_of_a_mended_policy_does_not_wait_for_a_cooldown_that_an_alert_runs_into() -> None:
    run = finished("TrainingFailed", spec={"trigger": "initial", "policy_generation": 2})
    arbitration = arbitrated(run, policy=a_policy(triggers=PAGED, generation=3), service=None)
    assert arbitration.start is not None
    assert arbitration.start.spec.trigger == "initial"
    assert told(arbitration) == [("Refused", "CoolingDown")]


@pytest.mark.parametrize("run", [a_run(Phase.TRAINING, by_operator=False), a_run(Phase.PENDING, by_operator=False)])
def test_somebody_who_is_at_it_already_is_not_joined_by_a_first_run(run: RunSeen) -> None:
    assert arbitrated(run, policy=a_policy(), alerts=(), service=None).start is None


@pytest.mark.parametrize("world", [{"policy": a_policy(suspend=True)}, {"surroundings": a_neighbourhood(older_same_type="o")}])
def test_no_first_version_of_a_policy_that_may_not_act(world: dict[str, Part]) -> None:
    known = {"policy": a_policy(), "service": a_service("")} | world
    assert arbitrated(alerts=(), **known).start is None


def test_a_trigger_that_stays_as_it_is_keeps_its_whole_entry() -> None:
    first = arbitrated(alerts=()).triggers
    policy = a_policy(triggers=PAGED, status={"triggers": [status.model_dump() for status in first]})
    later = arbitrate(seen(policy, now=NOW + timedelta(hours=1)))
    assert later.triggers == first


def test_a_trigger_that_started_a_run_says_so_until_something_else_happens() -> None:
    started = arbitrated()
    assert started.start is not None
    run = a_run(Phase.TRAINING, spec={"evidence": [item.model_dump() for item in started.start.spec.evidence]})
    policy = a_policy(triggers=PAGED, status={"triggers": [status.model_dump() for status in started.triggers]})
    assert arbitrated(run, policy=policy).triggers == started.triggers
    assert told(arbitrated(run, policy=policy, alerts=())) == [("Armed", "NotFiring")]


@pytest.mark.parametrize("name", ["churn-risk-20261123", "churn-risk-9999999999999999999999", "other-99", "churn-risk-x"])
def test_a_persons_run_of_any_name_leaves_the_next_name_and_version_within_bounds(name: str) -> None:
    arbitration = arbitrated(a_run(Phase.FINISHED, name=name, by_operator=False))
    assert arbitration.start is not None
    assert arbitration.start.name == "churn-risk-1"


def test_a_number_a_person_took_is_not_taken_again() -> None:
    arbitration = arbitrated(a_run(Phase.FINISHED, name="churn-risk-71", by_operator=False))
    assert arbitration.start is not None
    assert arbitration.start.name == "churn-risk-72"


URGENT = [alerting(), alerting("urgent", priority=80, alert={"match_labels": {"alertname": "Outage"}})]


def outage(fingerprint: str = "o1") -> Alert:
    return an_alert(fingerprint, alertname="Outage")


def test_a_higher_priority_gets_a_run_of_its_own_and_takes_all_that_fires_with_it() -> None:
    waiting = a_run(Phase.PENDING, spec={"trigger": "paged", "evidence": [evidence("f0")]})
    arbitration = arbitrated(waiting, policy=a_policy(triggers=URGENT), alerts=(an_alert(), outage()))
    assert arbitration.start is not None
    spec = arbitration.start.spec
    assert (spec.trigger, spec.priority, [item.fingerprint for item in spec.evidence]) == ("urgent", 80, ["o1", "f1"])
    assert told(arbitration) == [("Started", "AlertFiring"), ("Started", "AlertFiring")]


@pytest.mark.parametrize(
    "waiting",
    [
        a_run(Phase.PENDING, spec={"trigger": "paged", "priority": 80}),
        a_run(Phase.PENDING, name="mine", by_operator=False),
        a_run(Phase.QUEUED, spec={"trigger": "paged"}),
    ],
    ids=["equal", "a person's", "in the slot"],
)
def test_what_is_not_above_a_run_that_a_trigger_started_joins_it(waiting: RunSeen) -> None:
    arbitration = arbitrated(waiting, policy=a_policy(triggers=URGENT), alerts=(outage(),))
    assert (arbitration.start, arbitration.waiting, len(arbitration.joins)) == (None, waiting.name, 1)


def test_a_higher_priority_that_may_not_start_joins_what_waits() -> None:
    waiting, before = a_run(Phase.PENDING, spec={"trigger": "paged"}), finished("RolledBack")
    arbitration = arbitrated(before, waiting, policy=a_policy(triggers=URGENT), alerts=(outage(),))
    assert (arbitration.start, arbitration.waiting) == (None, waiting.name)


def test_joining_a_run_that_waits_costs_nothing_so_no_limit_holds_it_back() -> None:
    arbitration = arbitrated(finished("RolledBack"), a_run(Phase.PENDING))
    assert (len(arbitration.joins), told(arbitration)) == (1, [("Firing", "Coalesced")])


def test_a_dry_run_stands_for_no_evidence() -> None:
    arbitration = arbitrated(a_run(Phase.PENDING, name="try-it", by_operator=False, spec={"dry_run": True}))
    assert (arbitration.start is not None, arbitration.joins) == (True, ())


def test_evidence_that_no_run_has_room_for_is_refused_until_there_is_one() -> None:
    held = [evidence(f"g{n}") for n in range(30)]
    arbitration = arbitrated(a_run(Phase.PENDING, evidence=held), alerts=tuple(an_alert(f"f{n}") for n in range(3)))
    assert len(arbitration.joins) == 2
    assert [ruling.reason for ruling in arbitration.rulings] == ["Coalesced", "Coalesced", "EvidenceFull"]


def today(hours_ago: float, number: int, *, phase: Phase = Phase.FINISHED, **more: Part) -> RunSeen:
    ended = {"outcome": "Aborted", "completed_at": NOW} if phase is Phase.FINISHED else {}
    known = {"spec": {"trigger": "paged"}} | ended | more
    return a_run(phase, number=number, created=NOW - timedelta(hours=hours_ago), **known)


TWICE = a_policy(triggers=PAGED, trigger_policy={"max_runs_per_day": 2})


def test_triggers_start_so_many_runs_in_any_24_hours_and_no_more() -> None:
    arbitration = arbitrated(today(23, 50), today(2, 51), policy=TWICE)
    assert (arbitration.start, told(arbitration), arbitration.look_again_in) == (None, [("Refused", "MaxRunsPerDay")], 3600)
    assert arbitration.triggers[0].message.endswith(
        "2 runs within 24 hours, triggerPolicy.maxRunsPerDay is 2; until 2026-11-23 13:00:00 UTC"
    )
    assert arbitrated(today(24, 50), today(2, 51), policy=TWICE).start is not None


@pytest.mark.parametrize(
    "uncounted",
    [
        today(2, 51, spec={"trigger": "initial"}),
        today(2, 51, by_operator=False),
        today(2, 51, outcome="Superseded", frozen=None),
    ],
    ids=["first version", "a person's", "gave way in the line"],
)
def test_what_no_trigger_started_or_what_cost_nothing_is_not_counted(uncounted: RunSeen) -> None:
    assert arbitrated(today(3, 50), uncounted, policy=TWICE).start is not None


def test_of_many_alerts_what_asks_is_told_first_and_then_what_is_refused() -> None:
    champion = {"version": CHAMPION, "since": NOW - timedelta(seconds=300)}
    policy = a_policy(triggers=PAGED, status={"champion": champion, "last_run_number": 57})
    run = finished("Succeeded", spec={"evidence": [evidence()]})
    had_its_run, too_old, asks = an_alert("f1"), an_alert("f2"), an_alert("f3", started_s_ago=60)
    assert told(arbitrated(run, policy=policy, alerts=(had_its_run,))) == [("Armed", "AlreadyHandled")]
    assert told(arbitrated(run, policy=policy, alerts=(had_its_run, too_old))) == [("Refused", "EvidencePredatesChampion")]
    assert told(arbitrated(run, policy=policy, alerts=(had_its_run, too_old, asks))) == [("Started", "AlertFiring")]
