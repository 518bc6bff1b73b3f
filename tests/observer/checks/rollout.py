"""When a candidate's weight rises above its first step, and whether anything but a good analysis may have raised it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.observer.world import VERSION, Key, Policy, Service, Violation, World


@dataclass(frozen=True, slots=True)
class Rise:
    """A candidate's weight rose above the first step: to be justified by an analysis between `measured_from` and `at`."""

    at: float
    service: Key
    candidate: str
    champion: str
    measured_from: float
    policy: Policy
    detail: str


@dataclass(frozen=True, slots=True)
class Fall:
    """A candidate lost its weight, `at` which time all traffic was the champion's again."""

    at: float
    service: Key
    candidate: str
    champion: str
    measured_from: float
    policy: Policy


class ForAnalysis:
    """The rises and falls that an analysis must justify, until somebody takes them."""

    def __init__(self) -> None:
        self._rises: list[Rise] = []
        self._falls: list[Fall] = []

    def take_rises(self) -> Sequence[Rise]:
        """Return the rises not yet taken."""
        taken, self._rises = self._rises, []
        return taken

    def take_falls(self) -> Sequence[Fall]:
        """Return the falls not yet taken."""
        taken, self._falls = self._falls, []
        return taken


@dataclass(slots=True)
class _Rollout:
    """What is remembered of one Service: versions that once had all the traffic, and the candidate on its way there."""

    champions: list[str] = field(default_factory=list)
    candidate: str | None = None
    since: float = 0.0
    risen: bool = False


class CandidateRises(ForAnalysis):
    """Follows each Service's candidates; `look` tells what is wrong at once, `take_rises` what an analysis must justify."""

    name = "RiseNeedsGoodAnalysis"

    def __init__(self) -> None:
        super().__init__()
        self._rollouts: dict[Key, _Rollout] = {}

    def look(self, world: World) -> Sequence[Violation]:
        """Return rises that nothing can justify; those that an analysis may justify are kept for `take_rises`."""
        violations: list[Violation] = []
        for key in self._rollouts.keys() - world.services.keys():
            del self._rollouts[key]
        for service in world.services.values():
            rollout = self._rollouts.setdefault(service.key, _Rollout())
            if service.sole_version is not None:
                violations += self._sole(world, service, rollout, service.sole_version)
            else:
                violations += self._shared(world, service, rollout)
        return violations

    def _sole(self, world: World, service: Service, rollout: _Rollout, version: str) -> Sequence[Violation]:
        """A version has all the traffic: the first one ever, one that had it before, or a candidate that must have earned it."""
        violations: Sequence[Violation] = ()
        if rollout.champions and version not in rollout.champions:
            violations = self._risen(world, service, rollout, version, "all the traffic")
        elif rollout.candidate is not None and (policy := world.policy_of(service.key)) is not None:
            self._falls.append(Fall(world.at, service.key, rollout.candidate, version, rollout.since, policy))
        if not rollout.champions or rollout.champions[-1] != version:
            rollout.champions = [*(one for one in rollout.champions if one != version), version]
        rollout.candidate, rollout.risen = None, False
        return violations

    def _shared(self, world: World, service: Service, rollout: _Rollout) -> Sequence[Violation]:
        """The selector takes every version's Pods: all but one of them must have been champion."""
        if not rollout.champions and service.champion is not None:
            rollout.champions.append(service.champion)
        ready = {version for version, backend in world.backends_of(service).items() if backend.ready}
        candidates = sorted(ready - set(rollout.champions))
        if len(candidates) > 1 and rollout.champions:
            return (Violation(world.at, self.name, "/".join(service.key), f"several candidates have weight: {candidates}"),)
        if not candidates or not rollout.champions:
            return ()
        if rollout.candidate != candidates[0]:
            rollout.candidate, rollout.since, rollout.risen = candidates[0], world.at, False
        asked, policy = _asked_replicas(world, service, candidates[0]), world.policy_of(service.key)
        if policy is None or rollout.risen or asked <= first_step_replicas(policy):
            return ()
        rollout.risen = True
        return self._risen(world, service, rollout, candidates[0], f"{asked} replicas, the first step allows {first_step_replicas(policy)}")

    def _risen(self, world: World, service: Service, rollout: _Rollout, version: str, detail: str) -> Sequence[Violation]:
        policy = world.policy_of(service.key)
        if promoted_by_hand(world, service.key[0], version):
            return ()
        if policy is None or rollout.candidate != version:
            seen = f"{version} rose to {detail} without a step before"
            excused = policy is not None and not policy.step_weights
            return () if excused else (Violation(world.at, self.name, "/".join(service.key), seen),)
        self._rises.append(Rise(world.at, service.key, version, rollout.champions[-1], rollout.since, policy, detail))
        return ()


def first_step_replicas(policy: Policy) -> int:
    """Return the Pods that give a candidate the first step's share beside a full champion: the fewest that reach it, at least 1."""
    weight = policy.step_weights[0] if policy.step_weights else 0
    return max(1, math.ceil(policy.replicas * weight / (100 - weight)))


def _asked_replicas(world: World, service: Service, version: str) -> int:
    return sum(
        one.replicas
        for one in world.deployments.values()
        if one.key[0] == service.key[0] and service.selector.items() <= one.labels.items() and one.labels.get(VERSION) == version
    )


def promoted_by_hand(world: World, namespace: str, version: str) -> bool:
    """Say whether a person asked to promote the version, which needs no analysis."""
    return any(run.key[0] == namespace and run.promote == version for run in world.runs.values())


def shares(world: World, service: Service) -> Mapping[str, float]:
    """Return each version's effective weight in percent: its share of the ready Pods that the selector matches."""
    backends = world.backends_of(service)
    ready = sum(one.ready for one in backends.values())
    return {version: round(100 * one.ready / ready, 1) for version, one in backends.items() if ready and one.ready}
