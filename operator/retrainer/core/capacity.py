"""How many pods each version gets: both versions at full size, or, where a cluster cannot hold two, one pod given for each one taken.

With `Replace` all versions together ask for `serving.replicas` pods (one more for the moment between two writes), at most one of them
is on its way: each pod then carries at most 1 ÷ (replicas − 1) of the traffic. What it costs is told in docs/capacity.md.
"""

from retrainer.core.observation import Observation
from retrainer.core.traffic import mode_of


def replaces(seen: Observation) -> bool:
    """Say whether a candidate takes its pods from the champion; a first version has nobody to take them from."""
    return seen.policy.spec.serving.capacity == "Replace" and seen.champion is not None


def candidate_size(seen: Observation, weight: int) -> int:
    """Return the pods a candidate needs for `weight` percent of the traffic; 100 is what it needs before it has all."""
    full = seen.policy.spec.serving.replicas
    if not replaces(seen):
        return full if weight == 100 else mode_of(seen.policy).pods_for(weight, full)
    return max(1, min(full - 1, round(full * weight / 100)))


def grown(seen: Observation, version: str, wanted: int) -> int:
    """Return the pods to ask for now: all that are wanted, or one more than are ready where the champion must give it first."""
    backend = seen.backend(version)
    asked = backend.deployment.replicas if backend.deployment else 0
    return min(wanted, max(asked, len(backend.ready) + 1)) if replaces(seen) else wanted


def has_given(seen: Observation) -> bool:
    """Say whether the champion has no more pods left than are its own."""
    return not replaces(seen) or len(seen.backend(seen.champion or "").ready) <= champion_size(seen)


def champion_size(seen: Observation) -> int:
    """Return the pods of the champion: what the other versions have not asked for."""
    full = seen.policy.spec.serving.replicas
    if not replaces(seen):
        return full
    others = sum(one.replicas for one in seen.deployments.values() if one.version and one.version != seen.champion)
    return max(1, full - others)
