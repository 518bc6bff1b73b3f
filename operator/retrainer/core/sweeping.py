"""What a deleted policy leaves behind: the champion serves on, or the Service is handed back to whom it was taken from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from retrainer.core import naming
from retrainer.core.actions import HandBack, RemoveVersion, SendTraffic
from retrainer.core.observation import DeploymentSeen, PodSeen, ServiceSeen
from retrainer.core.route import RouteSeen


@dataclass(frozen=True, slots=True)
class Orphans:
    """What is left of a policy that no longer exists: its Service, its route, the Deployments of its versions and their pods."""

    service: ServiceSeen | None
    deployments: tuple[DeploymentSeen, ...]
    route: RouteSeen | None = None
    pods: tuple[PodSeen, ...] = ()
    templates: Mapping[str, DeploymentSeen] = field(default_factory=dict)
    """The Deployments that versions were built from, by name."""


Sweep = SendTraffic | RemoveVersion | HandBack


def sweep(left: Orphans) -> tuple[Sweep, ...]:
    """Return what a deleted policy asks for: a candidate goes, its traffic first, and nothing that serves moves.

    To hand back is the last step: the selector that was found matches the pods of every version, so the champion must be alone by then.
    """
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
