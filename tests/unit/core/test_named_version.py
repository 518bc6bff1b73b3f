"""Pins and rollback commands, told as stories over a small world; each reaction of the table in each stage."""

from dataclasses import replace

import pytest

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec
from retrainer.core import naming
from retrainer.core.actions import DeployVersion, SendTraffic, StartRun
from retrainer.core.alert import Alert
from retrainer.core.decide import decide
from retrainer.core.observation import ProbeSeen, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.surroundings import Surroundings
from tests.builders import (
    CANDIDATE,
    CHAMPION,
    NOW,
    PREVIOUS,
    UNREACHABLE,
    Part,
    a_deployment,
    a_policy,
    a_run,
    a_service,
    a_template,
    an_analysis,
    kept,
    kinds,
    pods_of,
    seen,
)
from tests.simulation import Simulation
from tests.stories import a_second_run, a_simulation, champion, first_version, go_on, outcome, phase, saying, train, version

KEPT = kept(CHAMPION, PREVIOUS)
SMOKE = {"smoke_test": {"path": "/predict"}}


def named(run: RunSeen | None = None, *, pin: str = "", rollback: str = "", status: Part = None, **world: Part) -> Part:
    """Return what one round decides where people name a version."""
    policy = a_policy(status=status or KEPT, commands={"rollback": rollback}, serving={"pinned_version": pin}, rollout=SMOKE)
    return decide(seen(policy, *([run] if run else []), **world))


def the_run(decision: Part) -> Part:
    [status] = decision.runs.values()
    return status


def redeployed(decision: Part) -> list[str]:
    return [effect.spec.version for effect in decision.effects if type(effect).__name__ == "StartRun" and effect.spec.redeploy]


def heard(decision: Part) -> str:
    return next(one.reason for one in decision.policy.commands if one.verb == "rollback")


WAYS = [{"pin": PREVIOUS}, {"rollback": f"{PREVIOUS}@1"}]


@pytest.mark.parametrize("way", WAYS)
def test_a_named_version_is_redeployed_where_nothing_is_under_way(way: Part) -> None:
    assert redeployed(named(**way)) == [PREVIOUS]


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_waits_goes_on(way: Part) -> None:
    decision = named(a_run(Phase.PENDING), **way)
    assert (the_run(decision).phase, redeployed(decision)) == (Phase.VALIDATING, [PREVIOUS])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stage", [Phase.VALIDATING, Phase.TRAINING])
def test_a_training_goes_on(stage: Phase, way: Part) -> None:
    decision = named(a_run(stage), **way)
    assert (the_run(decision).phase, redeployed(decision)) == (stage, [PREVIOUS])


@pytest.mark.parametrize("ruling", [{}, {"gate": {"metrics": [{"name": "accuracy", "min": 0.95}], "on_failure": "RequireApproval"}}])
def test_a_trained_version_holds_after_its_gate_while_one_is_pinned_and_goes_on_afterwards(ruling: Part) -> None:
    run = a_run(Phase.GATING, policy=a_policy(**ruling))
    held = the_run(named(run, pin=CHAMPION))
    assert (held.phase, held.reason) == (Phase.GATING, "Pinned")
    assert the_run(named(replace(run, status=held))).phase in {Phase.DEPLOYING, Phase.AWAITING_APPROVAL}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stage", [Phase.AWAITING_APPROVAL, Phase.DEPLOYING, Phase.SMOKE_TESTING, Phase.CANARY, Phase.PROMOTING])
def test_a_rollout_gives_way_traffic_first_and_the_named_version_follows(stage: Phase, way: Part) -> None:
    shared = stage in {Phase.CANARY, Phase.PROMOTING}
    run = a_run(stage, analysis=an_analysis())
    decision = named(run, **way, service=a_service(shared=shared), backends={CHAMPION: 3, CANDIDATE: 1})
    status = the_run(decision)
    assert (status.outcome, status.reason) == (Outcome.ABORTED, "Pinned" if "pin" in way else "RollbackAsked")
    moves = [kind for kind in kinds(decision.effects) if kind in {"SendTraffic", "ScaleVersion", "StartRun"}]
    assert moves == [*(["SendTraffic", "ScaleVersion"] if shared else []), "StartRun"]
    assert redeployed(decision) == [PREVIOUS]


@pytest.mark.parametrize("way", [{"pin": CHAMPION}, {"rollback": f"{CHAMPION}@1"}])
def test_naming_the_champion_in_a_rollout_ends_it_and_deploys_nothing(way: Part) -> None:
    decision = named(
        a_run(Phase.CANARY, analysis=an_analysis()), **way, service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1}
    )
    assert (the_run(decision).outcome, redeployed(decision)) == (Outcome.ABORTED, [])
    assert SendTraffic(CHAMPION, "") in decision.effects


def in_watch(**way: Part) -> Part:
    run = a_run(Phase.WATCHING)
    versions = kept(CANDIDATE, CHAMPION, PREVIOUS)
    world = {"service": a_service(CANDIDATE, previous=CHAMPION), "backends": {CANDIDATE: 3, CHAMPION: 3}}
    return named(run, status=versions, **way, **world)


@pytest.mark.parametrize(("way", "reason"), [({"pin": CHAMPION}, "Pinned"), ({"rollback": f"{CHAMPION}@1"}, "RollbackAsked")])
def test_the_warm_previous_returns_by_one_write(way: Part, reason: str) -> None:
    decision = in_watch(**way)
    assert (the_run(decision).outcome, the_run(decision).reason) == (Outcome.ROLLED_BACK, reason)
    assert [effect for effect in decision.effects if isinstance(effect, SendTraffic)] == [SendTraffic(CHAMPION, CANDIDATE)]
    assert (decision.policy.champion.version, decision.policy.previous.version) == (CHAMPION, CANDIDATE)
    assert [one.version for one in decision.policy.versions if one.outcome == "Serves"] == [CHAMPION]
    assert redeployed(decision) == []


@pytest.mark.parametrize("way", WAYS)
def test_an_older_version_named_in_a_watch_is_redeployed_while_the_present_one_serves(way: Part) -> None:
    decision = in_watch(**way)
    assert the_run(decision).outcome is Outcome.ROLLED_BACK
    assert "SendTraffic" not in kinds(decision.effects)
    assert redeployed(decision) == [PREVIOUS]


def test_pinning_the_version_under_watch_ends_the_watch() -> None:
    status = the_run(in_watch(pin=CANDIDATE))
    assert (status.outcome, status.reason) == (Outcome.SUCCEEDED, "Pinned")


def test_a_rollback_to_the_version_under_watch_does_nothing_and_says_why() -> None:
    decision = in_watch(rollback=f"{CANDIDATE}@1")
    assert (the_run(decision).phase, heard(decision)) == (Phase.WATCHING, "AlreadyServes")


@pytest.mark.parametrize(
    ("value", "reason"),
    [(f"{CHAMPION}@1", "AlreadyServes"), ("20200101-000000-1@1", "NotKept"), ("Not a version@1", "Malformed"), ("@1", "Malformed")],
)
def test_a_rollback_that_can_do_nothing_says_why(value: str, reason: str) -> None:
    decision = named(rollback=value)
    assert (redeployed(decision), heard(decision)) == ([], reason)
    assert f"Rollback{reason}" in [one.reason for one in decision.announcements]


def test_a_pin_wins_over_a_rollback_command() -> None:
    decision = named(rollback=f"{PREVIOUS}@1", pin=CHAMPION)
    assert (redeployed(decision), heard(decision)) == ([], "Pinned")


def test_a_rollback_is_heard_once_and_again_with_another_nonce() -> None:
    first = named(rollback=f"{PREVIOUS}@1")
    after = {"versions": [one.wire() for one in first.policy.versions], "commands": [one.wire() for one in first.policy.commands]}
    assert redeployed(named(rollback=f"{PREVIOUS}@1", status=after)) == []
    assert redeployed(named(rollback=f"{PREVIOUS}@2", status=after)) == [PREVIOUS]


def test_a_round_that_died_before_it_remembered_the_command_asks_for_no_second_run_and_still_ends_the_rollout() -> None:
    asked = {"version": PREVIOUS, "redeploy": {"asked": f"{PREVIOUS}@1"}, "trigger": "rollback"}
    started = a_run(Phase.PENDING, number=58, spec=asked)
    run = a_run(Phase.CANARY, analysis=an_analysis())
    policy = a_policy(status=KEPT, commands={"rollback": f"{PREVIOUS}@1"})
    decision = decide(seen(policy, run, started, service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1}))
    assert (decision.runs[run.name].outcome, redeployed(decision), heard(decision)) == (Outcome.ABORTED, [], "Taken")


def test_a_pin_that_is_not_kept_is_reported() -> None:
    decision = named(pin="20200101-000000-1")
    ready = next(one for one in decision.policy.conditions if one.type == "Ready")
    assert (ready.status, ready.reason, redeployed(decision)) == ("False", "PinnedVersionNotKept", [])
    assert CHAMPION in ready.message


def test_a_pin_that_would_not_come_up_is_reported_and_tried_again_with_the_next_edit_only() -> None:
    failed = a_run(
        Phase.FINISHED, number=58, outcome="RolledBack", reason="CandidateNotReady", message="no pod", completed_at=NOW,
        spec={"version": PREVIOUS, "redeploy": {}, "policy_generation": 3},
    )  # fmt: skip
    decision = named(failed, pin=PREVIOUS)
    ready = next(one for one in decision.policy.conditions if one.type == "Ready")
    assert (ready.reason, redeployed(decision)) == ("PinnedVersionFailed", [])
    edited = a_policy(generation=4, status=KEPT, serving={"pinned_version": PREVIOUS})
    assert redeployed(decide(seen(edited, failed))) == [PREVIOUS]


def test_a_policy_that_lost_its_status_tries_the_version_it_is_told() -> None:
    assert redeployed(named(pin=PREVIOUS, status={"versions": []})) == [PREVIOUS]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("known", [{"versions": []}, KEPT])
def test_a_version_named_before_any_serves_is_deployed_and_none_is_trained(way: Part, known: Part) -> None:
    decision = named(**way, status=known | {"champion": None}, service=None, backends={})
    assert [effect.spec.version for effect in decision.effects if isinstance(effect, StartRun)] == [PREVIOUS]
    assert redeployed(decision) == [PREVIOUS]


def test_a_new_policy_with_a_pin_serves_that_version_without_a_training_and_goes_on_once_the_pin_is_taken_away() -> None:
    world = a_simulation(serving={"pinned_version": PREVIOUS})
    world.settle()
    assert (champion(world), world.ready(PREVIOUS), list(world.runs)) == (PREVIOUS, 3, ["churn-risk-1"])
    assert (outcome(world, 1), world.jobs) == ((Outcome.SUCCEEDED, "Redeployed"), {})
    assert world.runs["churn-risk-1"].status.message == f"{PREVIOUS} serves again"
    pinning(world, "")
    world.settle()
    assert (champion(world), list(world.runs)) == (PREVIOUS, ["churn-risk-1"])
    world.pass_time(120)
    a_second_run_numbered(world, 2)
    assert world.runs["churn-risk-2"].status.frozen.champion == PREVIOUS


@pytest.mark.parametrize(("kept_ones", "reason"), [({"versions": []}, "PinnedVersionFailed"), (kept(CHAMPION), "PinnedVersionNotKept")])
def test_a_pin_that_cannot_be_honoured_before_any_version_serves_is_told_and_trains_nothing(kept_ones: Part, reason: str) -> None:
    failed = a_run(
        Phase.FINISHED, number=58, outcome="RolledBack", reason="CandidateNotReady", message="no pod", completed_at=NOW,
        spec={"version": PREVIOUS, "redeploy": {}, "policy_generation": 3},
    )  # fmt: skip
    decision = named(failed, pin=PREVIOUS, status=kept_ones, service=None, backends={})
    ready = next(one for one in decision.policy.conditions if one.type == "Ready")
    assert (ready.status, ready.reason) == ("False", reason)
    assert "StartRun" not in kinds(decision.effects)


def pinning(world: Simulation, pin: str) -> None:
    wire = world.policy.spec.wire()
    wire["serving"]["pinnedVersion"] = pin
    spec = ModelRetrainPolicySpec.model_validate(wire)
    world.policy = replace(world.policy, spec=spec, generation=world.policy.generation + 1)


def two_versions() -> Simulation:
    """Have a second version that has been watched to its end."""
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 0)
    go_on(world, 14)
    assert outcome(world, 2) == (Outcome.SUCCEEDED, "Watched")
    return world


def test_a_pin_brings_an_older_version_back_and_taking_it_away_resumes() -> None:
    world = two_versions()
    pinning(world, version(world, 1))
    world.settle()
    assert (champion(world), world.ready(version(world, 1)), world.ready(version(world, 2))) == (version(world, 1), 3, 0)
    assert outcome(world, 3) == (Outcome.SUCCEEDED, "Redeployed")
    world.pass_time(120)
    a_second_run_numbered(world, 4)
    assert (phase(world, 4), world.runs["churn-risk-4"].status.reason) == (Phase.GATING, "Pinned")
    pinning(world, "")
    world.settle()
    assert phase(world, 4) is Phase.CANARY


def a_second_run_numbered(world: Simulation, number: int) -> None:
    world.alerts = (Alert("f9", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now),)
    train(world, number, champion=0.85)


def test_what_was_adopted_comes_back_like_any_other_version() -> None:
    world = a_simulation()
    world.template = a_template(replicas=3)
    world.service = a_service("", selector={"app": "churn-risk"}, made_by_us=False, recorded_selector={"app": "churn-risk"})
    world.settle()
    assert champion(world) == naming.ADOPTED
    world.prometheus = saying(world, 0)
    world.pass_time(120)
    world.alerts = (Alert("f1", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now),)
    train(world, 1)
    assert world.runs["churn-risk-1"].status.reason == "ChampionNotComparable"
    world.runs["churn-risk-1"] = replace(world.runs["churn-risk-1"], approve=version(world, 1))
    go_on(world, 16)
    assert (champion(world), world.ready(naming.ADOPTED)) == (version(world, 1), 0)
    world.policy = replace(world.policy, rollback=f"{naming.ADOPTED}@1")
    go_on(world, 2)
    assert (champion(world), outcome(world, 2)) == (naming.ADOPTED, (Outcome.SUCCEEDED, "Redeployed"))
    assert (world.ready(naming.ADOPTED), world.ready(version(world, 1))) == (3, 0)


@pytest.mark.parametrize("suspend", [False, True])
def test_a_rollback_command_brings_an_older_version_back_though_everything_else_is_gone(*, suspend: bool) -> None:
    world = two_versions()
    world.prometheus = lambda _: UNREACHABLE
    world.surroundings = replace(world.surroundings, metrics_source_known=False, volume_access=())
    spec = world.policy.spec.model_copy(update={"suspend": suspend})
    world.policy = replace(world.policy, spec=spec, rollback=f"{version(world, 1)}@1", pause="1")
    world.settle()
    assert (champion(world), outcome(world, 3)) == (version(world, 1), (Outcome.SUCCEEDED, "Redeployed"))
    assert world.ready(version(world, 2)) == 0


def test_a_redeployment_of_the_previous_version_during_its_watch_needs_no_pod_of_the_candidate() -> None:
    """Prometheus, database and artifact store are never asked, the candidate's pods are gone, and so is what the operator remembered."""
    run = a_run(Phase.WATCHING)
    policy = a_policy(commands={"rollback": f"{CHAMPION}@1"}, rollout=SMOKE)
    lost = Surroundings(metrics_source_known=False, volume_access=())
    pods = pods_of(CHAMPION, 3)
    world = seen(
        policy, run, service=a_service(CANDIDATE, previous=CHAMPION), backends={}, pods=pods,
        deployments=[a_deployment(CHAMPION), a_deployment(CANDIDATE)], surroundings=lost, template=None,
    )  # fmt: skip
    decision = decide(world)
    assert decision.runs[run.name].outcome is Outcome.ROLLED_BACK
    assert decision.effects[0] == SendTraffic(CHAMPION, CANDIDATE)


def test_a_redeployment_skips_the_canary_and_not_the_smoke_test() -> None:
    asked = {"version": PREVIOUS, "redeploy": {}}
    run = a_run(Phase.SMOKE_TESTING, number=58, spec=asked, version=PREVIOUS, policy=a_policy(rollout=SMOKE))
    world = seen(a_policy(status=KEPT), run, backends={CHAMPION: 3, PREVIOUS: 3})
    assert the_run(decide(world)).phase is Phase.SMOKE_TESTING
    failed = replace(world, probe=probe(500))
    assert (the_run(decide(failed)).outcome, the_run(decide(failed)).reason) == (Outcome.ROLLED_BACK, "SmokeTestFailed")
    assert the_run(decide(replace(world, probe=probe(200)))).phase is Phase.PROMOTING


def probe(status: int) -> Part:
    return ProbeSeen(status, f"HTTP {status}")


def test_a_redeployment_gets_its_full_size_at_once() -> None:
    run = a_run(Phase.DEPLOYING, number=58, spec={"version": PREVIOUS, "redeploy": {}}, version=PREVIOUS, phase_since=NOW)
    decision = decide(seen(a_policy(status=KEPT), run))
    assert [effect.replicas for effect in decision.effects if isinstance(effect, DeployVersion)] == [3]
