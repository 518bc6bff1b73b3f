"""Whether a policy is accepted: an ordered chain of named checks, each with the reason and the sentence a user reads in `Ready=False`.

A policy that is not accepted starts nothing and deploys nothing; what already serves is not touched.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from retrainer.core import adoption
from retrainer.core.cron import ScheduleError, slots
from retrainer.core.observation import Observation

# What a GatewayClass says of itself. It has no word for response filters on backends; who knows request filters there knows both.
_MIRROR: Final = "HTTPRouteRequestMirror"
_FILTERS: Final = "HTTPRouteBackendRequestHeaderModification"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a policy is not accepted, and what to change."""

    reason: str
    message: str


def serving_problem(seen: Observation) -> Problem | None:
    """Return the first problem of those that stand in the way of a version that is made already, or None."""
    return next((found for check in SERVING_CHECKS if (found := check(seen)) is not None), None)


def problem(seen: Observation) -> Problem | None:
    """Return the first problem, or None for a policy that is accepted."""
    return next((found for check in CHECKS if (found := check(seen)) is not None), None)


def model_type_is_taken(seen: Observation) -> Problem | None:
    """Another, older policy of the namespace looks after the same model."""
    if other := seen.surroundings.older_same_type:
        return Problem(
            "ModelTypeTaken", f"policy {other} already looks after modelType {seen.policy.spec.model_type}: delete one or rename it"
        )
    return None


def target_is_taken(seen: Observation) -> Problem | None:
    """Another, older policy uses the same Service or Deployment."""
    if other := seen.surroundings.older_same_target:
        return Problem("TargetTaken", f"policy {other} already uses this Deployment or Service: name others under spec.serving")
    return None


def metrics_source_is_unknown(seen: Observation) -> Problem | None:
    """The administrator named no such Prometheus."""
    if seen.surroundings.metrics_source_known:
        return None
    return Problem(
        "MetricsSourceUnknown",
        f"no Prometheus is named {seen.policy.spec.metrics_source!r}: ask the administrator for a name (chart value metricsSources)",
    )


def queries_are_not_allowed(seen: Observation) -> Problem | None:
    """A rollout metric asks in PromQL of its own, and the administrator does not let policies do that."""
    asks = any(metric.query is not None for metric in seen.policy.spec.rollout.metrics)
    if not asks or seen.surroundings.queries_allowed:
        return None
    source = seen.policy.spec.metrics_source
    told = f"metrics source {source} takes no queries: use presets in rollout.metrics, or ask the administrator for allowQueries"
    return Problem("QueriesNotAllowed", told)


def notifier_is_unknown(seen: Observation) -> Problem | None:
    """The administrator named no such notifier: nobody would hear what the policy says it tells."""
    unknown = seen.surroundings.unknown_notifiers
    if not unknown:
        return None
    named = ", ".join(map(repr, unknown))
    return Problem(
        "NotifierUnknown",
        f"no notifier is named {named}: ask the administrator for a name (chart value notifiers), or correct spec.notifications",
    )


def report_is_never_due(seen: Observation) -> Problem | None:
    """The report's schedule names no day, or its time zone is none: its CronJob would be refused."""
    report = seen.policy.spec.report
    if report is None:
        return None
    try:
        slots(report.schedule, report.time_zone, seen.now)
    except ScheduleError as error:
        return Problem("ReportScheduleInvalid", f"{error}: correct spec.report")
    return None


def volume_is_missing_or_not_shared(seen: Observation) -> Problem | None:
    """The claim for versions does not exist, or only one node may mount it."""
    modes, wanted = seen.surroundings.volume_access, seen.policy.spec.artifacts
    if modes is None or "ReadWriteMany" in modes:
        return None
    name = wanted.persistent_volume_claim
    if not modes:
        return Problem("VolumeClaimNotFound", f"PersistentVolumeClaim {name} does not exist: create it or correct spec.artifacts")
    if wanted.single_node:
        return None
    return Problem(
        "ArtifactsNotShared",
        f"PersistentVolumeClaim {name} is {', '.join(modes)}: use a ReadWriteMany claim, or set spec.artifacts.singleNode on one node",
    )


def gateway_is_not_available(seen: Observation) -> Problem | None:
    """There is no kind for the route that the policy asks for."""
    if not seen.by_route or seen.surroundings.routes_are_watched:
        return None
    return Problem(
        "GatewayNotAvailable",
        "the API server knows no HTTPRoute (gateway.networking.k8s.io/v1): install the Gateway API and a gateway, "
        "or set spec.serving.traffic.replicas",
    )


def gateway_cannot_mirror(seen: Observation) -> Problem | None:
    """A gateway that does not know a filter may answer every request with 500, and accept the route nevertheless."""
    features = seen.surroundings.gateway_features
    if features is None or not seen.policy.spec.rollout.mirror or _MIRROR in features:
        return None
    return Problem(
        "MirrorNotSupported",
        f"not every Gateway of spec.serving.traffic.gatewayAPI lists {_MIRROR} in its class's status.supportedFeatures: "
        "name one that does, have the administrator say it of class or Gateway (gatewayFeatures), or set spec.rollout.mirror to false",
    )


def gateway_cannot_give_cookies(seen: Observation) -> Problem | None:
    """A gateway that does not know filters on backends may leave them out without a word: no client would be kept."""
    features, wanted = seen.surroundings.gateway_features, seen.policy.spec.serving.gateway
    if features is None or wanted is None or not wanted.affinity_cookie or _FILTERS in features:
        return None
    return Problem(
        "AffinityNotSupported",
        f"not every Gateway of spec.serving.traffic.gatewayAPI lists {_FILTERS} in its class's status.supportedFeatures: "
        "name one that does, have the administrator say it of class or Gateway (gatewayFeatures), or take affinityCookie away",
    )


def deployment_is_missing(seen: Observation) -> Problem | None:
    """There is no pod template to build versions from."""
    if seen.template is not None:
        return None
    name = seen.policy.spec.serving.deployment_ref.name
    return Problem(
        "DeploymentNotFound", f"Deployment {name} does not exist: create it with replicas: 0, or correct spec.serving.deploymentRef.name"
    )


def container_is_missing(seen: Observation) -> Problem | None:
    """The template has no container to tell the version."""
    wanted = seen.policy.spec.serving.model_env.container
    if seen.template is None or wanted in seen.template.containers:
        return None
    return Problem(
        "ContainerNotFound",
        f"the template of {seen.policy.spec.serving.deployment_ref.name} has no container {wanted!r} "
        f"(it has {', '.join(seen.template.containers)}): correct spec.serving.modelEnv.container",
    )


def selector_is_owned_by_other(seen: Observation) -> Problem | None:
    """Somebody else decides where the Service's traffic goes, and it goes to pods that the template knows nothing of."""
    service = seen.service
    if service is None or service.claimed_by or not service.selector or adoption.is_under_way(seen):
        return None  # claimed by a policy that no longer exists, or else target_is_taken has said so
    name = service.identity.name
    return Problem(
        "SelectorOwnedByOther",
        f"Service {name} has a selector of its own: delete `spec.selector` of Service {name} in Git (traffic stays as it is meanwhile), "
        "or name another Service under spec.serving.service",
    )


def foreign_service_selects_pods(seen: Observation) -> Problem | None:
    """Another Service would send traffic to a candidate before any decision."""
    if names := seen.surroundings.foreign_services:
        return Problem(
            "ForeignServiceSelectsPods",
            f"Service {', '.join(names)} selects the template's labels and would reach a candidate unjudged: narrow its selector",
        )
    return None


def adoption_is_under_way(seen: Observation) -> Problem | None:
    """What serves already is not a version of ours yet: no run starts, and the last word is the owner's of the selector."""
    return Problem(*adoption.told(seen)) if adoption.is_under_way(seen) else None


ADOPTING: Final = frozenset({"Adopting", "SelectorOwnedByOther"})
"""The reasons that the adoption itself goes on under."""


def freeze_window_is_none(seen: Observation) -> Problem | None:
    """A freeze window that never opens would protect nobody."""
    for number, window in enumerate(seen.policy.spec.trigger_policy.freeze_windows):
        try:
            slots(window.cron, window.time_zone, seen.now)
        except ScheduleError as error:
            return Problem("FreezeWindowInvalid", f"{error}: correct spec.triggerPolicy.freezeWindows[{number}]")
    return None


CHECKS: Final[tuple[Callable[[Observation], Problem | None], ...]] = (
    model_type_is_taken,
    target_is_taken,
    metrics_source_is_unknown,
    queries_are_not_allowed,
    freeze_window_is_none,
    volume_is_missing_or_not_shared,
    gateway_is_not_available,
    gateway_cannot_mirror,
    gateway_cannot_give_cookies,
    deployment_is_missing,
    container_is_missing,
    selector_is_owned_by_other,
    foreign_service_selects_pods,
    adoption_is_under_way,
    report_is_never_due,
    notifier_is_unknown,
)

# What stands in the way of the next version only: one that is made already needs none of it.
_OF_TRAINING: Final = frozenset(
    {metrics_source_is_unknown, queries_are_not_allowed, volume_is_missing_or_not_shared, report_is_never_due, notifier_is_unknown}
)
SERVING_CHECKS: Final = tuple(check for check in CHECKS if check not in _OF_TRAINING)
