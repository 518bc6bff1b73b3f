"""Deploying and SmokeTesting: the candidate's pods come up, reached by no client, and answer once."""

from datetime import timedelta
from typing import Final

from retrainer.api.v1alpha1.rollout import Rollout
from retrainer.core.actions import DeployVersion, Effect, ScaleVersion
from retrainer.core.capacity import candidate_size, replaces
from retrainer.core.commands import promotion_is_asked
from retrainer.core.observation import Backend, Observation, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.run.approval import to_promotion
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.rollback import roll_back
from retrainer.core.run.step import Step, move, wait
from retrainer.core.traffic import mode_of

_SMOKE_DEADLINE: Final = timedelta(seconds=30)


def deploying(run: RunSeen, seen: Observation) -> Step:
    """Bring the candidate's first pods up, and send the version before the champion away where a canary's traffic would reach it."""
    status, now, version = run.status, seen.now, run.status.version or ""
    if seen.champion is not None and seen.champion not in {frozen_of(status).champion, version}:
        told = f"compared with {frozen_of(status).champion or 'nothing'}, but {seen.champion} serves by now: start another run"
        return roll_back(run, seen, "ChampionChanged", told)
    wanted = _first_pods(run, seen)
    effects: list[Effect] = [] if replicas_of(seen, version) == wanted else [deploy(run, wanted)]
    # The version before the champion stays warm for as long as the champion is watched: an emergency's candidate comes up beside it.
    leaving = _leaving(run, seen) if seen.watched is None else []
    effects += [ScaleVersion(backend.version, 0) for backend in leaving if backend.deployment and backend.deployment.replicas]
    ready = len(seen.backend(version).ready)
    reachable = mode_of(seen.policy).can_reach(seen, version)
    if ready >= wanted and not leaving and seen.watched is None and reachable:
        return move(status, now, Phase.SMOKE_TESTING, "PodsReady", f"{ready} of {wanted} candidate pods are ready")
    assert status.phase_since is not None
    limit = _progress_deadline_s(seen)
    if now > status.phase_since + timedelta(seconds=limit):
        told = f"{ready} of {wanted} pods ready after {limit} s (progressDeadlineSeconds of the template): {why_not_ready(seen, version)}"
        return roll_back(run, seen, "CandidateNotReady", told)
    told = f"{ready} of {wanted} candidate pods are ready"
    if seen.watched is not None and ready >= wanted:
        told += f"; the watch of {seen.watched.status.version} ends for it"
    elif ready >= wanted and leaving:
        told += f"; waits for the pods of {', '.join(backend.version for backend in leaving)} to go"
    elif ready < wanted:
        told += f": {why_not_ready(seen, version)}"
    return wait(status, now, "WaitingForPods", told, *effects, after=5)


def smoke_testing(run: RunSeen, seen: Observation) -> Step:
    """Ask the candidate once before its first real request; no answer is asked again for a while, a bad one is final."""
    status, now, frozen = run.status, seen.now, frozen_of(run.status)
    if frozen.rollout.smoke_test is None:
        return _past_smoke_test(run, seen, "NoSmokeTest", "the policy asks for no smoke test")
    if not seen.backend(status.version or "").ready:
        return roll_back(run, seen, "CandidateNotReady", "the candidate lost its ready pods before its smoke test")
    probe = seen.probe
    if probe is None:
        return wait(status, now, "SmokeTesting", "the candidate is asked once", after=0.5)
    if 200 <= probe.status < 300:
        return _past_smoke_test(run, seen, "SmokeTestPassed", f"the candidate answered {probe.status}")
    assert status.phase_since is not None
    if probe.status == 0 and now < status.phase_since + _SMOKE_DEADLINE:
        return wait(status, now, "SmokeTestUnreachable", f"the candidate's pod does not answer: {probe.message}", after=1)
    if probe.status == 0:
        return roll_back(run, seen, "SmokeTestUnreachable", f"the candidate's pod does not answer: {probe.message}")
    return roll_back(run, seen, "SmokeTestFailed", f"the candidate answered {probe.status} to {frozen.rollout.smoke_test.path}")


def _past_smoke_test(run: RunSeen, seen: Observation, reason: str, message: str) -> Step:
    skipped = run.redeploys or promotion_is_asked(run)
    if seen.champion is not None and first_share(frozen_of(run.status).rollout) > 0 and not skipped:
        return move(run.status, seen.now, Phase.CANARY, reason, message)
    return to_promotion(run, seen, reason, message)


def first_share(rollout: Rollout) -> int:
    """Return the share of all requests, answered or mirrored, that a candidate meets first; 0 for a blue/green rollout without a shadow."""
    return 100 if rollout.mirror else next(iter(rollout.step_weights), 0)


def deploy(run: RunSeen, replicas: int) -> DeployVersion:
    """Return the effect that gives the candidate so many pods, from the template the run froze."""
    assert run.status.template is not None
    assert run.status.version is not None
    return DeployVersion(run.status.version, replicas, run.status.template, run.status.template_generation)


def is_up(run: RunSeen, seen: Observation) -> bool:
    """Say whether the candidate's first pods are ready."""
    return len(seen.backend(run.status.version or "").ready) >= _first_pods(run, seen)


def replicas_of(seen: Observation, version: str) -> int:
    """Return how many pods a version's Deployment asks for; 0 where there is none."""
    deployment = seen.backend(version).deployment
    return deployment.replicas if deployment else 0


def is_overdue(run: RunSeen, seen: Observation, reason: str) -> bool:
    """Say whether the run has been waiting for pods, for this reason, longer than the template's progressDeadlineSeconds."""
    if run.status.reason != reason or not run.status.timeline:
        return False
    return seen.now > run.status.timeline[-1].at + timedelta(seconds=_progress_deadline_s(seen))


def _progress_deadline_s(seen: Observation) -> int:
    return seen.template.progress_deadline_s if seen.template else 600


def others(run: RunSeen, seen: Observation) -> list[Backend]:
    """Return the versions that neither serve nor are this run's candidate."""
    kept = {seen.champion, run.status.version}
    versions = {d.version for d in seen.deployments.values() if d.version} | {pod.owner for pod in seen.pods if pod.component == "serve"}
    return [seen.backend(version) for version in sorted(versions - kept)]


def why_not_ready(seen: Observation, version: str) -> str:
    """Return the deepest reason the version's pods give."""
    backend = seen.backend(version)
    for pod in backend.pods:
        if pod.waits_for is not None:
            return f"{pod.waits_for[0]}, {pod.waits_for[1]}"
        if pod.ended is not None:
            return f"the container ended with exit code {pod.ended.exit_code} ({pod.ended.reason})"
    return "the pods have not passed their readiness probe" if backend.pods else "no pod exists yet"


def _leaving(run: RunSeen, seen: Observation) -> list[Backend]:
    if not mode_of(seen.policy).reaches_every_version:
        return []
    return [backend for backend in others(run, seen) if backend.pods or (backend.deployment and backend.deployment.replicas)]


def _first_pods(run: RunSeen, seen: Observation) -> int:
    frozen = frozen_of(run.status)
    if replaces(seen):
        return 1
    if seen.champion is None or run.redeploys or not (share := first_share(frozen.rollout)):
        return seen.policy.spec.serving.replicas
    return candidate_size(seen, share)
