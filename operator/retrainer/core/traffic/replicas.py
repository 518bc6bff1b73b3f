"""Replica mode: a Service spreads connections evenly over ready pods, so a share is a number of pods."""

from typing_extensions import override

from retrainer.core import naming
from retrainer.core.actions import Effect, RemoveRoute, SendTraffic
from retrainer.core.observation import Observation
from retrainer.core.traffic.mode import TrafficMode


class Replicas(TrafficMode):
    """The Service selects the champion alone, or during a canary every live version."""

    shares_by = "ready pods"
    reaches_every_version = True
    keeps_connections = True  # kube-proxy never moves an established one

    @override
    def pods_for(self, weight: int, full: int) -> int:
        """Return how many pods beside `full` of the champion come nearest to the weight."""
        return candidate_pods(weight, full)

    @override
    def carries(self, seen: Observation, asked: SendTraffic) -> bool:
        """Say whether the Service names this champion and its selector is the one asked for."""
        service = seen.service
        if service is None or service.champion != asked.champion:
            return False
        return self.is_shared(seen) if asked.weight else service.selector.get(naming.VERSION) == asked.champion

    @override
    def is_shared(self, seen: Observation) -> bool:
        """Say whether the Service selects every live version."""
        service = seen.service
        return service is not None and bool(service.selector) and set(service.selector) == {naming.SERVES}

    @override
    def can_reach(self, seen: Observation, version: str) -> bool:
        """Pods are selected as they are."""
        return True

    @override
    def refusal(self, seen: Observation) -> str:
        """Nobody but the API server has a say in a Service."""
        return ""

    @override
    def left_by_the_other(self, seen: Observation) -> tuple[Effect, ...]:
        """A route that shared the traffic before."""
        return (RemoveRoute(seen.route.identity),) if seen.route is not None else ()

    @override
    def effective_weight(self, seen: Observation, candidate: str) -> int:
        """Return the share of new connections that ready pods give the candidate."""
        if seen.champion is None or not self.is_shared(seen):
            return 0
        return effective_weight(len(seen.backend(candidate).ready), len(seen.backend(seen.champion).ready))


def candidate_pods(weight: int, champion_pods: int) -> int:
    """Return how many candidate pods beside `champion_pods` come nearest to `weight` percent; at least one, never more than the champion's.

    The champion's capacity never dips, so c / (c + n) = w is solved for c. Where two counts are equally near, the smaller share wins.
    """
    exact = champion_pods * weight / (100 - weight)
    lower = max(1, int(exact))
    nearer = min((lower, lower + 1), key=lambda pods: (abs(effective_weight(pods, champion_pods) - weight), pods))
    return min(nearer, champion_pods)


def effective_weight(candidate_ready: int, champion_ready: int) -> int:
    """Return the share of new connections, in whole percent, that ready pods give the candidate."""
    ready = candidate_ready + champion_ready
    return round(100 * candidate_ready / ready) if ready else 0
