"""A small world for the core: it holds what an API server would, performs effects, and lets Kubernetes' controllers do their part.

`round()` is one round of the operator: observe, decide, apply, record. Everything else is what the world does to it. Statuses are written
as JSON and read back through the models, as the API server would hand them over, so one that the schema refuses does not get past here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from retrainer.api.v1alpha1 import ModelRetrainPolicyStatus, ModelRetrainRunStatus
from retrainer.core import actions as act
from retrainer.core import naming
from retrainer.core.alert import Alert
from retrainer.core.decide import decide
from retrainer.core.judging import questions_due
from retrainer.core.measurement import Answer, Question
from retrainer.core.observation import (
    Component,
    DeploymentSeen,
    Ended,
    JobSeen,
    Observation,
    PodSeen,
    PolicySeen,
    ProbeSeen,
    RunSeen,
    ServiceSeen,
)
from retrainer.core.route import RouteSeen
from retrainer.core.run import return_check
from retrainer.core.surroundings import Surroundings
from retrainer.core.triggers.evaluation import Evaluation
from tests.builders import NOW, UNREACHABLE, a_neighbourhood, a_pod, a_route, a_service, a_template, an_identity

Prometheus = Callable[[Question], Answer]


class Simulation:
    """One policy and everything that belongs to it."""

    def __init__(self, policy: PolicySeen) -> None:
        self.now = NOW
        self.policy = policy
        self.runs: dict[str, RunSeen] = {}
        self.jobs: dict[str, JobSeen] = {}
        self.pods: dict[str, PodSeen] = {}
        self.deployments: dict[str, DeploymentSeen] = {}
        self.service: ServiceSeen | None = None
        self.route: RouteSeen | None = None
        self.addressed: dict[str, str] = {}
        self.template = a_template()
        self.alerts: tuple[Alert, ...] = ()
        self.evaluations: dict[str, Evaluation] = {}
        self.prometheus: Prometheus = lambda _: UNREACHABLE
        self.surroundings: Surroundings = a_neighbourhood(policy)
        self.performed: list[act.Effect] = []

    def observation(self) -> Observation:
        """Return what the operator sees, answers to what it asks included."""
        seen = self._seen()
        answers = {asked: self.prometheus(asked) for asked in questions_due(self.policy, self.runs.values(), self.now)}
        return replace(seen, answers=answers, service_probe=self._hear_service(seen))

    def _seen(self) -> Observation:
        return Observation(
            now=self.now,
            policy=self.policy,
            runs=tuple(self.runs.values()),
            jobs=dict(self.jobs),
            pods=tuple(self.pods.values()),
            deployments=dict(self.deployments),
            service=self.service,
            route=self.route,
            addressed=dict(self.addressed),
            template=self.template,
            surroundings=self.surroundings,
            alerts=self.alerts,
            evaluations=dict(self.evaluations),
        )

    def _hear_service(self, seen: Observation) -> ProbeSeen | None:
        """The Service answers with the version it selects, a version's own with that version, if a pod of it is ready."""
        asked = next((asked for run in self.runs.values() if (asked := return_check.question(run, seen)) is not None), None)
        if asked is None or seen.carrier is None:
            return None
        up = self.ready(seen.carrier.champion) > 0
        return ProbeSeen(200 if up else 0, "HTTP 200" if up else "refused", named=up and seen.carrier.champion == asked[2])

    def round(self, *, dies: bool = False) -> act.Decision:
        """Do one round of the operator, which may die before it records anything, and return what it decided."""
        decision = decide(self.observation())
        for effect in decision.effects:
            self._perform(effect)
        self.performed += decision.effects
        if dies or decision.starts_a_run:
            return decision
        for name, status in decision.runs.items():
            if name in self.runs:
                self.runs[name] = replace(self.runs[name], status=ModelRetrainRunStatus.model_validate(status.wire()))
        self.policy = replace(self.policy, status=ModelRetrainPolicyStatus.model_validate(decision.policy.wire()))
        return decision

    def settle(self, limit: int = 60) -> int:
        """Do rounds, with the controllers' part between them, until nothing changes any more; return how many it took."""
        for count in range(limit):
            before = self._state()
            self.round()
            self.control()
            if self._state() == before:
                return count
        raise AssertionError(f"no fixed point after {limit} rounds: {self.performed[-6:]}")

    def control(self) -> None:
        """Let the Deployment and Job controllers, the scheduler and the kubelets do what they do, at once."""
        for deployment in self.deployments.values():
            pods = [name for name, pod in self.pods.items() if pod.owner == deployment.version]
            for number in range(deployment.replicas):
                pod = a_pod(deployment.version, number=number, ready=True, phase="Running", ip=f"10.0.0.{number}")
                self.pods.setdefault(pod.identity.name, pod)
            for name in pods:
                if int(name.rpartition("pod")[2]) >= deployment.replicas:
                    del self.pods[name]
        for name, job in self.jobs.items():
            if job.active and not job.suspended and not any(pod.owner == name for pod in self.pods.values()):
                pod = a_pod(name, phase="Running")
                self.pods[pod.identity.name] = pod

    def finish(self, job: str, exit_code: int, message: str = "") -> None:
        """Let a Job end, with what its pod left behind."""
        pod = next((pod for pod in self.pods.values() if pod.owner == job), a_pod(job))
        self.pods[pod.identity.name] = replace(pod, phase="Failed" if exit_code else "Succeeded", ended=Ended(exit_code, "", message))
        ending = {"failed": ("PodFailurePolicy", f"exit code {exit_code}")} if exit_code else {"complete": True}
        self.jobs[job] = replace(self.jobs[job], **ending)

    def delete_run(self, name: str) -> None:
        """Delete a run as the API server does: it is gone, and so is what it owned."""
        del self.runs[name]
        for job in [one for one in self.jobs.values() if one.run == name]:
            self._delete_job(job.identity.name)

    def active_training_jobs(self) -> list[JobSeen]:
        return [job for job in self.jobs.values() if job.component is Component.TRAIN and job.active]

    def ready(self, version: str) -> int:
        return sum(1 for pod in self.pods.values() if pod.owner == version and pod.ready)

    def _state(self) -> tuple[object, ...]:
        parts: tuple[Mapping[str, object], ...] = (self.runs, self.jobs, self.pods, self.deployments)
        return (*(dict(part) for part in parts), self.service, self.route, frozenset(self.addressed), self.policy)

    def _perform(self, effect: act.Effect) -> None:  # noqa: C901, PLR0912 - one case an effect
        match effect:
            case act.StartRun():
                assert effect.name not in self.runs, "the name is the mutex"
                spec = type(effect.spec).model_validate(effect.spec.wire())
                status = ModelRetrainRunStatus()
                self.runs[effect.name] = RunSeen(an_identity(effect.name, created=self.now), spec, status, by_operator=True)
            case act.DeleteRun():
                self.delete_run(effect.run.name)
            case act.LaunchJob():
                self._launch(effect)
            case act.DeleteJob():
                self._delete_job(effect.job.name)
            case act.ExpireJob():
                self.jobs[effect.job.name] = replace(self.jobs[effect.job.name], ttl=effect.ttl_s)
            case act.EnsureMonitor():
                self.surroundings = replace(self.surroundings, monitor_is_current=True)
            case act.EnsureChores():
                self.surroundings = replace(self.surroundings, chores_are_current=True)
            case act.RemoveChore():
                left = tuple(chore for chore in self.surroundings.unwanted_chores if chore != effect.chore)
                self.surroundings = replace(self.surroundings, unwanted_chores=left)
            case act.ClaimService():
                self.service = replace(self.service or a_service(""), claimed_by=self.policy.identity.uid)
            case act.SendTraffic() if self.observation().by_route:
                self.route = a_route(
                    effect.champion, asked=effect, policy=self.policy, previous=effect.previous, withdrawal=effect.withdrawal
                )
            case act.SendTraffic():
                told = {"previous": effect.previous, "withdrawal": effect.withdrawal}
                self.service = a_service(effect.champion, shared=effect.weight > 0, **told)
            case act.AddressVersion():
                self.addressed[effect.version] = "10.96.0.8"
            case act.ReleaseService():
                self.service = a_service("")
            case act.RemoveRoute():
                self.route = None
            case act.DeployVersion():
                self._deploy(effect)
            case act.ScaleVersion():
                self._change(effect.version, replicas=effect.replicas)
            case act.RecycleVersion():
                self._change(effect.version, recycled_by=effect.by)
            case act.RemoveVersion():
                self.addressed.pop(self.deployments.pop(effect.deployment.name).version, None)
            case unknown:
                assert_never(unknown)

    def _launch(self, effect: act.LaunchJob) -> None:
        named = naming.training_job if effect.component is Component.TRAIN else naming.validation_job
        name = named(effect.run.name, effect.number)
        frozen = effect.run.status.frozen
        assert frozen is not None, "a Job is made of what its run has frozen"
        identity = an_identity(name, created=self.now)
        job = JobSeen(identity, effect.run.name, effect.component, policy_generation=frozen.policy_generation)
        self.jobs.setdefault(name, job)

    def _delete_job(self, name: str) -> None:
        self.jobs.pop(name, None)
        self.pods = {key: pod for key, pod in self.pods.items() if pod.owner != name}

    def _deploy(self, effect: act.DeployVersion) -> None:
        name = naming.version_deployment(self.policy.spec.serving.deployment_ref.name, effect.version)
        known = self.deployments.get(name) or DeploymentSeen(an_identity(name), 1, 0, "churn-risk", effect.version, "serve")
        self.deployments[name] = replace(known, replicas=effect.replicas, template_generation=effect.template_generation)

    def _change(self, version: str, **changes: object) -> None:
        name = naming.version_deployment(self.policy.spec.serving.deployment_ref.name, version)
        if name in self.deployments:
            self.deployments[name] = replace(self.deployments[name], **changes)  # type: ignore[arg-type]

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
