"""Asked weight → pods, and pods → effective weight, for the replica mode, where a Service spreads connections evenly over ready pods."""

from retrainer.core import naming
from retrainer.core.observation import Observation


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


def is_shared(seen: Observation) -> bool:
    """Say whether the Service selects every live version: a canary is getting traffic."""
    service = seen.service
    return service is not None and bool(service.selector) and set(service.selector) == {naming.SERVES}


def serves_alone(seen: Observation, version: str) -> bool:
    """Say whether the Service selects this version and no other."""
    service = seen.service
    return service is not None and service.selector.get(naming.VERSION) == version and service.champion == version
