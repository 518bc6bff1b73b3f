from datetime import timedelta
from typing import Any

import pytest

from retrainer.core.arbitration import arbitrate
from retrainer.core.observation import RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.pending import frozen_of
from tests.builders import CANDIDATE, CHAMPION, NOW, PREVIOUS, Part, a_job, a_policy, a_run, a_service, alerting, an_alert, kinds, seen

SHOCK = {"reason": "a strike was called", "max_weight": 40}


def an_emergency(phase: Phase = Phase.PENDING, **more: Part) -> RunSeen:
    return a_run(phase, number=60, **({"spec": {"trigger": "shock", "emergency": SHOCK}} | more))


def overtaken(run: RunSeen, urgent: RunSeen | None = None, **world: Any) -> tuple[Phase, Outcome | None, str]:  # noqa: ANN401
    status = advance(run, seen(world.pop("policy", None), run, urgent or an_emergency(), **world)).status
    return status.phase, status.outcome, status.reason


SHARING = {"service": a_service(shared=True), "backends": {CHAMPION: 3, CANDIDATE: 1}}


def test_a_waiting_run_gives_way_whoever_started_it_and_whatever_its_priority() -> None:
    for run in (a_run(spec={"trigger": "paged", "priority": 100}), a_run(name="mine", by_operator=False, spec={"priority": 100})):
        assert overtaken(run) == (Phase.FINISHED, Outcome.SUPERSEDED, "Emergency")


def test_a_run_that_waits_for_a_node_gives_way_and_its_job_goes() -> None:
    run, job = a_run(Phase.QUEUED), a_job("churn-risk-57-train-1")
    step = advance(run, seen(None, run, an_emergency(), jobs=(job,)))
    assert (step.status.outcome, kinds(step.effects)) == (Outcome.SUPERSEDED, ["DeleteJob"])
    assert step.status.message == "gives way to the emergency churn-risk-60 (a strike was called); nothing is trained yet"


@pytest.mark.parametrize("phase", [Phase.VALIDATING, Phase.TRAINING, Phase.GATING])
def test_a_run_under_way_is_waited_for(phase: Phase) -> None:
    run = a_run(phase)
    assert overtaken(run)[1] is not Outcome.SUPERSEDED
    assert advance(an_emergency(), seen(None, run, an_emergency())).status.reason == "TrainingSlotTaken"


def test_a_run_whose_data_was_rejected_only_waits_and_gives_way() -> None:
    run = a_run(Phase.VALIDATING, recheck_at=NOW + timedelta(hours=1))
    assert overtaken(run) == (Phase.FINISHED, Outcome.SUPERSEDED, "Emergency")


@pytest.mark.parametrize("phase", [Phase.AWAITING_APPROVAL, Phase.DEPLOYING, Phase.CANARY, Phase.PROMOTING])
def test_a_rollout_is_aborted_its_traffic_first(phase: Phase) -> None:
    run = a_run(phase)
    step = advance(run, seen(None, run, an_emergency(), **SHARING))
    assert (step.status.outcome, step.status.reason) == (Outcome.ABORTED, "Emergency")
    assert kinds(step.effects) == ["SendTraffic", "ScaleVersion"]


def test_a_candidate_that_serves_alone_already_goes_on_to_its_watch() -> None:
    run = a_run(Phase.PROMOTING)
    world = {"service": a_service(CANDIDATE, previous=CHAMPION), "backends": {CHAMPION: 3, CANDIDATE: 3}}
    assert overtaken(run, **world)[0] is Phase.WATCHING


@pytest.mark.parametrize("policy", [a_policy(suspend=True)])
def test_an_emergency_that_may_not_begin_ends_nothing(policy: Part) -> None:
    assert overtaken(a_run(Phase.CANARY), policy=policy, **SHARING)[1] is None
    assert overtaken(a_run(Phase.QUEUED), policy=policy)[1] is None


@pytest.mark.parametrize("urgent", [an_emergency(abort="churn-risk-60"), an_emergency(spec={"emergency": SHOCK, "dry_run": True})])
def test_an_emergency_that_is_aborted_or_dry_ends_nothing(urgent: RunSeen) -> None:
    assert overtaken(a_run(Phase.CANARY), urgent, **SHARING)[1] is None


def test_emergencies_do_not_end_one_another() -> None:
    first = a_run(Phase.CANARY, spec={"emergency": SHOCK})
    assert overtaken(first, **SHARING)[1] is None
    assert advance(an_emergency(), seen(None, first, an_emergency())).status.reason == "RolloutInProgress"


def test_an_emergency_begins_in_a_cooldown_has_one_step_and_is_always_watched() -> None:
    policy = a_policy(rollout={"step_weights": [10, 50], "watch": {"duration": "0s"}})
    before = a_run(Phase.FINISHED, outcome="RolledBack", completed_at=NOW - timedelta(hours=1))
    step = advance(urgent := an_emergency(), seen(policy, before, urgent))
    rollout = frozen_of(step.status).rollout
    assert step.status.phase is Phase.VALIDATING
    assert (rollout.step_weights, rollout.watch.duration) == ((40,), "24h")


def deploying_beside_a_watch(ready: int, watched: Phase = Phase.WATCHING) -> tuple[RunSeen, RunSeen, dict[str, Any]]:
    champion = a_run(watched, number=55)
    version = champion.status.version or ""
    urgent = an_emergency(Phase.DEPLOYING, champion=version, phase_since=NOW)
    backends = {version: 3, PREVIOUS: 3, urgent.status.version or "": ready}
    return champion, urgent, {"service": a_service(version, previous=PREVIOUS), "backends": backends}


def test_an_emergency_is_deployed_beside_a_watch_whose_way_back_stays_warm_until_its_pods_are_ready() -> None:
    champion, urgent, world = deploying_beside_a_watch(ready=0)
    both = seen(None, champion, urgent, **world)
    assert advance(champion, both).status.phase is Phase.WATCHING
    assert kinds(advance(urgent, both).effects) == ["DeployVersion"]


def test_the_watch_is_cut_short_once_the_emergencys_candidate_is_ready_and_only_then_its_way_back_goes() -> None:
    champion, urgent, world = deploying_beside_a_watch(ready=1)
    status = advance(champion, seen(None, champion, urgent, **world)).status
    assert (status.outcome, status.reason) == (Outcome.SUCCEEDED, "CutShort")
    assert advance(urgent, seen(None, champion, urgent, **world)).status.phase is Phase.DEPLOYING
    _, urgent, world = deploying_beside_a_watch(ready=1)
    assert "ScaleVersion" in kinds(advance(urgent, seen(None, urgent, **world)).effects)


def test_a_champion_that_returns_meanwhile_is_not_the_one_the_candidate_was_compared_with() -> None:
    urgent = an_emergency(Phase.DEPLOYING, champion=CHAMPION)
    step = advance(urgent, seen(None, urgent, service=a_service(PREVIOUS, previous=CHAMPION)))
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "ChampionChanged")


def test_an_emergency_passes_its_gate_beside_a_watch_an_ordinary_run_waits() -> None:
    watched = a_run(Phase.WATCHING, number=55)
    version = watched.status.version or ""
    for run, phase in (
        (an_emergency(Phase.GATING, champion=version), Phase.DEPLOYING),
        (a_run(Phase.GATING, champion=version), Phase.GATING),
    ):
        assert advance(run, seen(None, watched, run, service=a_service(version, previous=PREVIOUS))).status.phase is phase


TRIGGERS = [alerting(), alerting("shock", alert={"match_labels": {"severity": "emergency"}}, emergency={"max_weight": 40})]


def test_an_alert_of_an_emergency_skips_the_limits_takes_what_else_fires_and_explains_itself_by_its_labels() -> None:
    policy = a_policy(triggers=TRIGGERS, trigger_policy={"max_runs_per_day": 1})
    today = a_run(Phase.FINISHED, spec={"trigger": "paged"}, outcome="RolledBack", completed_at=NOW)
    arbitration = arbitrate(seen(policy, today, alerts=(an_alert("f1"), an_alert("f2", severity="emergency"))))
    assert arbitration.start is not None
    spec = arbitration.start.spec
    assert spec.emergency is not None
    assert (spec.emergency.reason, spec.emergency.max_weight) == ("alertname=ModelDrift, severity=emergency", 40)
    assert sorted(item.fingerprint or "" for item in spec.evidence) == ["f1", "f2", "f2"]


def test_an_emergency_counts_towards_the_day_but_is_not_refused_by_it() -> None:
    policy = a_policy(triggers=TRIGGERS, trigger_policy={"max_runs_per_day": 1})
    today = a_run(Phase.FINISHED, spec={"trigger": "shock", "emergency": SHOCK}, outcome="Aborted", completed_at=NOW)
    ordinary = arbitrate(seen(policy, today, alerts=(an_alert(),)))
    assert (ordinary.start, ordinary.triggers[0].reason) == (None, "MaxRunsPerDay")
    assert arbitrate(seen(policy, today, alerts=(an_alert(severity="emergency"),))).start is not None


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.QUEUED])
def test_an_alert_of_an_emergency_gets_a_run_of_its_own_beside_one_that_waits_unless_that_is_one_too(phase: Phase) -> None:
    policy, alerts = a_policy(triggers=TRIGGERS), (an_alert(severity="emergency"),)
    assert arbitrate(seen(policy, a_run(phase), alerts=alerts)).start is not None
    assert arbitrate(seen(policy, a_run(phase, spec={"emergency": SHOCK}), alerts=alerts)).start is None


def test_a_policy_that_is_dry_reports_every_trigger_and_starts_nothing() -> None:
    policy = a_policy(triggers=TRIGGERS, dry_run=True)
    arbitration = arbitrate(seen(policy, alerts=(an_alert(severity="emergency"),)))
    assert (arbitration.start, [one.reason for one in arbitration.triggers]) == (None, ["DryRun", "DryRun"])
    cooling = a_run(Phase.FINISHED, outcome="RolledBack", completed_at=NOW)
    assert arbitrate(seen(policy, cooling, alerts=(an_alert(),))).triggers[0].reason == "CoolingDown"
    assert arbitrate(seen(a_policy(dry_run=True), service=None)).start is None


@pytest.mark.parametrize(("by_operator", "reason"), [(True, "DryRun"), (False, "Validating")])
def test_a_dry_policy_holds_what_triggers_started_and_not_what_people_did(*, by_operator: bool, reason: str) -> None:
    run = a_run(by_operator=by_operator)
    assert advance(run, seen(a_policy(dry_run=True), run)).status.reason == reason
