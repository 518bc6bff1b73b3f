"""Gateway mode: an HTTPRoute shares requests exactly, by weights over one Service a version, whatever the number of pods."""

from math import ceil

from typing_extensions import override

from retrainer.core import naming
from retrainer.core.actions import Effect, ReleaseService, SendTraffic
from retrainer.core.observation import Observation, PolicySeen
from retrainer.core.route import Routing
from retrainer.core.traffic.mode import TrafficMode


class Gateway(TrafficMode):
    """The route names the champion, and during a canary the candidate beside it; no other version is ever reached."""

    shares_by = "the route's weights"
    reaches_every_version = False
    keeps_connections = False  # a gateway chooses by request

    @override
    def pods_for(self, weight: int, full: int) -> int:
        """A candidate's pod has no more to answer than one of the champion's: as many of `full` as the share is of everything."""
        return max(1, ceil(full * weight / 100))

    @override
    def carries(self, seen: Observation, asked: SendTraffic) -> bool:
        route = seen.route
        if route is None or (route.champion, route.claimed_by) != (asked.champion, seen.policy.identity.uid):
            return False
        return route.routing == routing(seen.policy, asked)

    @override
    def is_shared(self, seen: Observation) -> bool:
        return seen.route is not None and seen.route.routing.shared

    @override
    def effective_weight(self, seen: Observation, candidate: str) -> int:
        """A gateway that refuses the route serves by the last one it took, or not at all: nothing is promised."""
        route = seen.route
        return 0 if route is None or route.refusal else dict(route.routing.weights).get(candidate, 0)

    @override
    def can_reach(self, seen: Observation, version: str) -> bool:
        """A version is reached through its own Service."""
        return version in seen.addressed

    @override
    def left_by_the_other(self, seen: Observation) -> tuple[Effect, ...]:
        """A selector that nobody would move any more; it stays until a gateway has taken the route."""
        service, route = seen.service, seen.route
        stale = service is not None and naming.SERVES in service.selector and route is not None and not route.refusal
        return (ReleaseService(),) if stale else ()

    @override
    def refusal(self, seen: Observation) -> str:
        return seen.route.refusal if seen.route is not None else ""


def routing(policy: PolicySeen, asked: SendTraffic) -> Routing:
    """Return what a policy's route must hold for the shares asked."""
    wanted = policy.spec.serving.gateway
    assert wanted is not None, "only a policy in gateway mode has a route"
    weights: tuple[tuple[str, int], ...] = ((asked.champion, 100 - asked.weight),)
    if asked.weight:
        weights += ((asked.candidate, asked.weight),)
    return Routing(
        parents=wanted.parent_refs,
        hostnames=wanted.hostnames,
        port=policy.spec.serving.service.port,
        weights=weights,
        mirrored=asked.candidate if asked.mirrored else "",
        cookie=wanted.affinity_cookie if asked.weight else "",
    )
