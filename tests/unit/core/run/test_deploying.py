from datetime import timedelta
from typing import Any

import pytest

from retrainer.core.actions import DeployVersion, ScaleVersion
from retrainer.core.observation import PolicySeen, ProbeSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.step import Step
from tests.builders import (
    CANDIDATE,
    CHAMPION,
    NOW,
    PREVIOUS,
    TEMPLATE,
    Part,
    a_pod,
    a_policy,
    a_run,
    a_service,
    a_template,
    seen,
)

SMOKE = {"smoke_test": {"path": "/healthz"}}


def deployed(ready: int = 0, *, policy: PolicySeen | None = None, world: dict[str, Any] | None = None, **run: Part) -> Step:
    run.setdefault("phase_since", NOW - timedelta(seconds=30))
    own = a_run(Phase.DEPLOYING, policy=policy, **run)
    known = {} if ready == 0 else {"backends": {CHAMPION: 3, CANDIDATE: ready}}
    return advance(own, seen(policy, own, **(known | (world or {}))))


def test_the_first_steps_share_of_pods_comes_up_and_no_traffic_moves() -> None:
    step = deployed()
    assert step.effects == (DeployVersion(CANDIDATE, 1, TEMPLATE, 5),)
    assert (step.status.phase, step.status.reason) == (Phase.DEPLOYING, "WaitingForPods")


@pytest.mark.parametrize(("world", "rollout"), [({"service": a_service("")}, {}), ({}, {"step_weights": []})])
def test_a_first_version_and_a_blue_green_one_come_up_at_full_size(world: dict[str, Any], rollout: dict[str, Any]) -> None:
    [deploy] = deployed(policy=a_policy(rollout=rollout), world=world).effects
    assert isinstance(deploy, DeployVersion)
    assert deploy.replicas == 3


def test_the_template_is_the_one_the_run_froze_and_so_is_its_generation() -> None:
    [deploy] = deployed(world={"template": a_template(generation=6, pod={"spec": {"containers": [{"name": "server"}]}})}).effects
    assert isinstance(deploy, DeployVersion)
    assert (deploy.template, deploy.template_generation) == (TEMPLATE, 5)


def test_ready_pods_are_smoke_tested() -> None:
    assert deployed(1).status.phase is Phase.SMOKE_TESTING


def test_the_version_before_the_champion_leaves_first_since_a_canarys_selector_would_reach_it() -> None:
    step = deployed(world={"service": a_service(previous=PREVIOUS), "backends": {CHAMPION: 3, CANDIDATE: 1, PREVIOUS: 3}})
    assert step.status.phase is Phase.DEPLOYING
    assert ScaleVersion(PREVIOUS, 0) in step.effects
    gone = {"service": a_service(previous=PREVIOUS), "backends": {CHAMPION: 3, CANDIDATE: 1, PREVIOUS: 0}}
    assert deployed(world=gone).status.phase is Phase.SMOKE_TESTING


def test_pods_that_never_become_ready_end_the_rollout_with_the_deepest_reason() -> None:
    pod = a_pod(CANDIDATE, waits_for=("ImagePullBackOff", "image server:9 cannot be pulled"))
    step = deployed(world={"pods": (pod,)}, phase_since=NOW - timedelta(seconds=601))
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "CandidateNotReady")
    assert "server:9" in step.status.message


def test_the_templates_own_deadline_counts() -> None:
    slow = {"template": a_template(progress_deadline_s=7200)}
    assert deployed(world=slow, phase_since=NOW - timedelta(seconds=601)).status.phase is Phase.DEPLOYING


def smoked(probe: ProbeSeen | None, *, ready: int = 1, since_s: float = 5, world: dict[str, Any] | None = None, **rollout: Part) -> Step:
    policy = a_policy(rollout=SMOKE | rollout)
    own = a_run(Phase.SMOKE_TESTING, policy=policy, phase_since=NOW - timedelta(seconds=since_s))
    backends = {CHAMPION: 3, CANDIDATE: ready}
    return advance(own, seen(policy, own, probe=probe, **({"backends": backends} | (world or {}))))


def test_a_2xx_passes() -> None:
    assert smoked(ProbeSeen(204, "")).status.phase is Phase.CANARY


@pytest.mark.parametrize(("world", "rollout"), [({"service": a_service("")}, {}), ({}, {"step_weights": []})])
def test_without_a_champion_or_steps_there_is_no_canary(world: dict[str, Any], rollout: dict[str, Any]) -> None:
    assert smoked(ProbeSeen(200, ""), world=world, **rollout).status.phase is Phase.PROMOTING


@pytest.mark.parametrize("status", [100, 199, 301, 404, 500])
def test_any_other_answer_is_final(status: int) -> None:
    step = smoked(ProbeSeen(status, "body of the tenant"))
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "SmokeTestFailed")
    assert "body of the tenant" not in step.status.message
    assert step.effects == (), "its end is on record before its pods go"


def test_no_answer_is_asked_again_for_a_while_and_then_final() -> None:
    refused = ProbeSeen(0, "Connection refused")
    assert smoked(refused).status.phase is Phase.SMOKE_TESTING
    assert smoked(refused, since_s=31).status.outcome is Outcome.ROLLED_BACK


def test_before_the_answer_nothing_happens() -> None:
    step = smoked(None)
    assert (step.status.phase, step.effects) == (Phase.SMOKE_TESTING, ())


def test_a_candidate_that_lost_its_pods_is_not_asked() -> None:
    step = smoked(ProbeSeen(200, ""), ready=0)
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "CandidateNotReady")


def test_a_smoke_test_that_nobody_asked_for_is_skipped() -> None:
    assert smoked(None, smoke_test=None).status.phase is Phase.CANARY
