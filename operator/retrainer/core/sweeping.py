"""What a deleted policy leaves behind: the champion serves on, or the Service is handed back to whom it was taken from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.core import naming
from retrainer.core.actions import DeleteJob, HandBack, RemoveVersion, SendTraffic
from retrainer.core.observation import DeploymentSeen, JobSeen, PodSeen, RunSeen, ServiceSeen
from retrainer.core.phases import Outcome
from retrainer.core.route import RouteSeen
from retrainer.core.run.interruption import POLICY_DELETED, policy_deleted
from retrainer.core.run.step import end


@dataclass(frozen=True, slots=True)
class Orphans:
    """What is left of a policy that no longer exists: its Service, its route, the Deployments of its versions and their pods."""

    service: ServiceSeen | None
    deployments: tuple[DeploymentSeen, ...]
    route: RouteSeen | None = None
    pods: tuple[PodSeen, ...] = ()
    templates: Mapping[str, DeploymentSeen] = field(default_factory=dict)
    """The Deployments that versions were built from, by name."""
    runs: tuple[RunSeen, ...] = ()
    jobs: tuple[JobSeen, ...] = ()


Sweep = SendTraffic | RemoveVersion | HandBack | DeleteJob


def sweep(left: Orphans) -> tuple[Sweep, ...]:
    """Return what a deleted policy asks for: a candidate goes, its traffic first, and nothing that serves moves; no training goes on."""
    trained_for = {run.name for run in _left_under_way(left)}
    return (*_sweep_serving(left), *(DeleteJob(job.identity) for job in left.jobs if job.active and job.run in trained_for))


def ended(left: Orphans, now: datetime) -> list[tuple[RunSeen, ModelRetrainRunStatus]]:
    """Return how the runs end that people started and nobody leads any more; the operator's own go with their policy."""
    runs = _left_under_way(left)
    return [(run, end(run.status, now, Outcome.ABORTED, POLICY_DELETED, policy_deleted(run)).status) for run in runs]


def _left_under_way(left: Orphans) -> list[RunSeen]:
    """One that has not begun waits for a policy of that name: they may be applied in any order."""
    return [run for run in left.runs if run.live and run.status.frozen is not None and not run.by_operator and not run.deleting]


def _sweep_serving(left: Orphans) -> tuple[Sweep, ...]:
    """The selector that was found matches the pods of every version, so to hand back is the last step, when the champion is alone."""
    record = left.route if left.route is not None and left.route.champion else left.service
    if record is None:
        return ()
    if isinstance(record, ServiceSeen) and is_handed_back(record):
        return tuple(RemoveVersion(one.identity) for one in left.deployments if one.version and _is_replaced(one, left))
    hands_back = isinstance(record, ServiceSeen) and record.hands_back and bool(record.recorded_selector)
    kept = {record.champion} if hands_back else {record.champion, record.previous}
    effects: list[Sweep] = []
    if record.champion and _is_shared(record):
        effects.append(SendTraffic(record.champion, record.previous))
    effects += [RemoveVersion(one.identity) for one in left.deployments if one.version and one.version not in kept]
    if hands_back and not effects and all(pod.owner in kept for pod in left.pods if pod.component == "serve"):
        effects.append(HandBack())
    return tuple(effects)


def is_vacating(left: Orphans) -> bool:
    """Say whether a version's pods still stand in, or are about to, for the Deployment that the Service is handed back to."""
    handed_back = left.service is not None and is_handed_back(left.service)
    return (handed_back or HandBack() in sweep(left)) and any(one.version for one in left.deployments)


def is_handed_back(service: ServiceSeen) -> bool:
    """Say whether the Service is nobody's of ours any more, and selects by labels that are not ours."""
    return not service.policy and bool(service.selector) and naming.SERVES not in service.selector


def _is_replaced(deployment: DeploymentSeen, left: Orphans) -> bool:
    """The last version goes once the Deployment it was built from serves again: all of its pods are ready, and there are some."""
    template = left.templates.get(deployment.identity.name.removesuffix(f"-{deployment.version}"))
    return template is not None and 0 < template.replicas <= template.ready


def _is_shared(record: ServiceSeen | RouteSeen) -> bool:
    if isinstance(record, RouteSeen):
        return record.routing.shared
    return bool(record.selector) and naming.VERSION not in record.selector
