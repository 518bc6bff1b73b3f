"""Builders of what the core sees: every test says what matters to it, and the rest is a policy in good order whose champion serves.

Specs are given in the API's snake_case and merged into the defaults, so `a_policy(rollout={"iterations": 1})` changes nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec, ModelRetrainPolicyStatus, ModelRetrainRunSpec, ModelRetrainRunStatus
from retrainer.core import naming
from retrainer.core.actions import SendTraffic
from retrainer.core.alert import Alert
from retrainer.core.identity import Identity
from retrainer.core.measurement import Answer, NoData, NoDataReason, Question, Series, Vector
from retrainer.core.observation import (
    Component,
    DeploymentSeen,
    Ended,
    JobSeen,
    Observation,
    PodSeen,
    PolicySeen,
    RunSeen,
    ServiceSeen,
)
from retrainer.core.phases import Phase
from retrainer.core.presets import PRESETS, questions
from retrainer.core.route import RouteSeen
from retrainer.core.surroundings import Surroundings
from retrainer.core.template import TemplateSeen
from retrainer.core.traffic import mode_of
from retrainer.core.traffic.gateway import routing

Part = Any
"""A field of what is built, as a test pleases to write it; the models check it."""

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CHAMPION: Final = "20261101-030000-51"
PREVIOUS: Final = "20261001-030000-50"
CANDIDATE: Final = "20261123-030000-57"
TEMPLATE: Final[Mapping[str, Any]] = {
    "metadata": {"labels": {"app": "churn-risk"}},
    "spec": {"containers": [{"name": "server", "image": "server:1"}]},
}

UNREACHABLE: Final = NoData(NoDataReason.UNREACHABLE, "connection refused")

_SPEC: Final[Mapping[str, Any]] = {
    "model_type": "churn_risk",
    "monitor": {"database_secret": {"name": "platform-db", "key": "url"}},
    "artifacts": {"persistent_volume_claim": "models"},
    "gate": {"metrics": [{"name": "accuracy", "min": 0.8, "max_regression": 0.0}]},
    "serving": {"deployment_ref": {"name": "churn-risk-api"}, "service": {"name": "churn-risk"}, "replicas": 3},
    "rollout": {"metrics": [{"preset": "ErrorRate", "max": 0.01}]},
}
_PAST_GATING: Final = frozenset(
    {Phase.AWAITING_APPROVAL, Phase.DEPLOYING, Phase.SMOKE_TESTING, Phase.CANARY, Phase.PROMOTING, Phase.WATCHING, Phase.FINISHED}
)


def an_identity(name: str, uid: str = "", created: datetime = NOW - timedelta(days=60)) -> Identity:
    return Identity("members", name, uid or f"uid-of-{name}", created, "1")


def a_policy(
    name: str = "churn-risk",
    *,
    status: Mapping[str, Any] | None = None,
    generation: int = 3,
    commands: Mapping[str, str] | None = None,
    created: datetime = NOW - timedelta(days=60),
    **spec: Part,
) -> PolicySeen:
    """Return a policy; keyword arguments are fields of its spec, nested ones as mappings; `commands` are its annotations by verb."""
    return PolicySeen(
        identity=an_identity(name, created=created),
        generation=generation,
        spec=ModelRetrainPolicySpec.model_validate(_merged(_SPEC, spec)),
        status=ModelRetrainPolicyStatus.model_validate(status or {}),
        **(commands or {}),
    )


def a_run(  # noqa: PLR0913 - each part of a run is some test's subject
    phase: Phase = Phase.PENDING,
    *,
    number: int = 57,
    name: str = "",
    policy: PolicySeen | None = None,
    spec: Mapping[str, Any] | None = None,
    champion: str | None = CHAMPION,
    created: datetime | None = None,
    by_operator: bool = True,
    approve: str = "",
    abort: str = "",
    promote: str = "",
    deleting: bool = False,
    **status: Part,
) -> RunSeen:
    """Return a run that has come to a phase an hour ago, with what a run in that phase has; keyword arguments are fields of its status."""
    created = created or NOW - timedelta(hours=9) + timedelta(seconds=number - 57)
    identity = an_identity(name or f"churn-risk-{number}", created=created)
    version = naming.version_name(created, str(number)) if number != 57 else CANDIDATE
    known: dict[str, Any] = {"phase": phase, "phase_since": NOW - timedelta(hours=1)}
    if phase is not Phase.PENDING:
        known |= {"version": version, "frozen": _frozen(policy or a_policy(), champion)}
    if phase is Phase.GATING or phase in _PAST_GATING:
        known["result"] = a_result(version=version)
    if phase in _PAST_GATING - {Phase.AWAITING_APPROVAL}:  # there it waits after its gate, before any pod
        known |= {"template": TEMPLATE, "template_generation": 5}
    if phase is Phase.WATCHING:
        known["promoted_at"] = NOW - timedelta(hours=1)
    return RunSeen(
        identity=identity,
        spec=ModelRetrainRunSpec.model_validate({"policy_ref": {"name": "churn-risk"}, "version": version, **(spec or {})}),
        status=ModelRetrainRunStatus.model_validate(known | status),
        by_operator=by_operator,
        approve=approve,
        abort=abort,
        promote=promote,
        deleting=deleting,
    )


def a_result(*, version: str = CANDIDATE, candidate: float = 0.9, champion: float | None = 0.8, **more: Part) -> dict[str, Any]:
    """Return what a trainer reports, as its termination message says it."""
    metrics = {"candidate": {"accuracy": candidate}} | ({} if champion is None else {"champion": {"accuracy": champion}})
    return {"version": version, "digest": "sha256:9f2c", "metrics": metrics} | more


def a_job(name: str, run: str = "churn-risk-57", *, created: datetime = NOW - timedelta(minutes=30), **seen: Part) -> JobSeen:
    """Return a Job; `failed` is reason and message of its condition."""
    component = Component.VALIDATE if "-validate-" in name else Component.TRAIN
    known: dict[str, Any] = {"policy_generation": a_policy().generation} | seen
    return JobSeen(identity=an_identity(name, created=created), run=run, component=component, **known)


def a_pod(owner: str, *, exit_code: int | None = None, message: str = "", age_s: float = 60, number: int = 0, **seen: Part) -> PodSeen:
    """Return a pod of a Job or, where the owner is no Job's name, of a version; with an exit code it has ended."""
    kind = next((kind for mark, kind in (("-validate-", Component.VALIDATE), ("-train-", Component.TRAIN)) if mark in owner), None)
    if exit_code is not None:
        seen = {"phase": "Failed" if exit_code else "Succeeded", "ended": Ended(exit_code, "", message)} | seen
    identity = an_identity(f"{owner}-pod{number}", created=NOW - timedelta(seconds=age_s))
    return PodSeen(identity=identity, component=kind or Component.SERVE, owner=owner, **seen)


def pods_of(version: str, ready: int, starting: int = 0) -> tuple[PodSeen, ...]:
    """Return a version's serving pods."""
    up = (a_pod(version, number=n, ready=True, phase="Running", ip=f"10.0.0.{n}") for n in range(ready))
    return (*up, *(a_pod(version, number=ready + n) for n in range(starting)))


def a_deployment(version: str, replicas: int = 3, **seen: Part) -> DeploymentSeen:
    """Return a version's Deployment."""
    identity = an_identity(f"churn-risk-api-{version}")
    known: dict[str, Any] = {"generation": 1, "policy": "churn-risk", "component": "serve", "template_generation": 5} | seen
    return DeploymentSeen(identity=identity, replicas=replicas, version=version, **known)


def a_service(champion: str = CHAMPION, *, previous: str = "", shared: bool = False, **seen: Part) -> ServiceSeen:
    """Return the policy's Service; without a champion it selects nothing yet."""
    selector = {naming.SERVES: "churn-risk"} if champion else {}
    if champion and not shared:
        selector[naming.VERSION] = champion
    known: dict[str, Any] = {"selector": selector, "claimed_by": "uid-of-churn-risk", "policy": "churn-risk", "made_by_us": True} | seen
    return ServiceSeen(identity=an_identity("churn-risk"), champion=champion, previous=previous, **known)


def by_route(**changes: Part) -> dict[str, Any]:
    """Return the `serving` of a policy in gateway mode; keyword arguments are fields of `gatewayAPI`."""
    return {"serving": {"traffic": {"gateway_api": {"parent_refs": [{"name": "public"}]} | changes}}}


def a_route(
    champion: str = CHAMPION, *, asked: SendTraffic | None = None, policy: PolicySeen | None = None, previous: str = "", **seen: Part
) -> RouteSeen:
    """Return the route of a policy in gateway mode, accepted, with the shares `asked` or the champion alone."""
    held = routing(policy or a_policy(**by_route()), asked or SendTraffic(champion, previous))
    known: dict[str, Any] = {"policy": "churn-risk", "claimed_by": "uid-of-churn-risk"} | seen
    return RouteSeen(an_identity("churn-risk"), held, champion=champion, previous=previous, **known)


def a_template(generation: int = 5, **seen: Part) -> TemplateSeen:
    """Return the pod template of `serving.deploymentRef`."""
    known: dict[str, Any] = {"replicas": 0, "pod": TEMPLATE} | seen
    return TemplateSeen(generation=generation, **known)


def an_alert(fingerprint: str = "f1", *, started_s_ago: float = 600, heard_s_ago: float = 10, firing: bool = True, **labels: str) -> Alert:
    """Return an alert that the trigger of `alerting()` matches."""
    carried = tuple(({"alertname": "ModelDrift"} | labels).items())
    return Alert(fingerprint, firing, carried, NOW - timedelta(seconds=started_s_ago), NOW - timedelta(seconds=heard_s_ago), "it drifts")


def alerting(name: str = "paged", **more: Part) -> dict[str, Any]:
    """Return an alert trigger of a spec."""
    return {"name": name, "alert": {"match_labels": {"alertname": "ModelDrift"}}} | more


def seen(policy: PolicySeen | None = None, *runs: RunSeen, backends: Mapping[str, int] | None = None, **parts: Part) -> Observation:
    """Return an observation; `backends` are versions with so many ready pods and as many replicas (the champion's alone by default).

    A service given as None is a policy that serves nothing yet; other parts are the observation's own.
    """
    policy = policy or a_policy()
    service = parts.pop("service") if "service" in parts else a_service()
    if backends is None:
        backends = {service.champion: policy.spec.serving.replicas} if service is not None and service.champion else {}
    pods = parts.pop("pods", ()) + tuple(pod for version, ready in backends.items() for pod in pods_of(version, ready))
    deployments = [*parts.pop("deployments", ()), *(a_deployment(version, ready) for version, ready in backends.items())]
    jobs = parts.pop("jobs", ())
    known: dict[str, Any] = {"now": NOW, "template": a_template(), "surroundings": a_neighbourhood(policy)} | parts
    return Observation(
        policy=policy,
        runs=runs,
        jobs={job.identity.name: job for job in jobs},
        pods=pods,
        deployments={deployment.identity.name: deployment for deployment in reversed(deployments)},
        service=service,
        **known,
    )


def an_analysis(step: int = 0, weight: int = 10, *, since_s: float = 300, **more: Part) -> dict[str, Any]:
    """Return the analysis of a step whose traffic has been in place for so long; the next one is due."""
    return {"step": step, "weight": weight, "since": NOW - timedelta(seconds=since_s)} | more


def answers(run: RunSeen, *, now: datetime = NOW, **figures: Mapping[str, tuple[float, float]]) -> dict[Question, Answer]:
    """Return what Prometheus says to the questions of this analysis: by preset, each version's figure (or hits) and samples (or total).

    A version that is left out has no series, a preset that is left out cannot be reached.
    """
    assert run.status.analysis is not None
    assert run.status.frozen is not None
    window = max(1, round((now - run.status.analysis.since).total_seconds()))
    said: dict[Question, Answer] = {}
    for preset in {metric.preset for metric in run.status.frozen.rollout.metrics}:
        asked = questions(PRESETS[preset], "default", "members", "churn_risk", window)
        known = figures.get(preset)
        if known is None:
            said |= dict.fromkeys(asked, UNREACHABLE)
            continue
        values = {name: hits / total if PRESETS[preset].is_ratio and total else hits for name, (hits, total) in known.items()}
        said[asked[0]] = vector(values, now)
        said[asked[1]] = vector({name: total for name, (_, total) in known.items()}, now)
    return said


def vector(values: Mapping[str, float], at: datetime = NOW) -> Answer:
    """Return an answer with one series a version; an empty one is no data, as an adapter says it."""
    series = tuple(Series({"model_version": version}, value) for version, value in values.items())
    return Vector(series, at) if series else NoData(NoDataReason.EMPTY, "no series")


def kept(serves: str, *served: str) -> dict[str, Any]:
    """Return a status of a policy that keeps these versions: the one that serves, and those that served before it, the latest first."""
    known = [(serves, "Serves"), *((version, "Served") for version in served)]
    ages = [NOW - timedelta(days=number + 1) for number in range(len(known))]
    return {"versions": [{"version": name, "outcome": outcome, "since": since} for (name, outcome), since in zip(known, ages, strict=True)]}


def a_neighbourhood(policy: PolicySeen | None = None, **changes: Part) -> Surroundings:
    """Return surroundings in which nothing stands in a policy's way."""
    return replace(Surroundings(monitor_owners=((policy or a_policy()).identity,)), **changes)


def first_pods(weight: int, policy: PolicySeen | None = None) -> int:
    """Return how many candidate pods a weight asks for."""
    policy = policy or a_policy()
    return mode_of(policy).pods_for(weight, policy.spec.serving.replicas)


def kinds(effects: Iterable[object]) -> list[str]:
    """Return the names of effects, in order."""
    return [type(effect).__name__ for effect in effects]


def _frozen(policy: PolicySeen, champion: str | None) -> dict[str, Any]:
    spec = policy.spec
    return {
        "policy_uid": policy.identity.uid,
        "policy_generation": policy.generation,
        "model_type": spec.model_type,
        "database_secret": spec.monitor.database_secret.name,
        "database_key": spec.monitor.database_secret.key,
        "artifacts": spec.artifacts,
        "champion": champion,
        "data_quality": spec.data_quality,
        "training": spec.training,
        "gate": spec.gate,
        "serving": spec.serving,
        "rollout": spec.rollout,
    }


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if nested else value
    return merged
