"""The same of a route as of a Service: somewhere to go, only to what is ready, and a candidate's weight rises only for a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.observer.checks.endpoints import SKEW, TAKEN_WITHIN, Lasting
from tests.observer.checks.rollout import Fall, ForAnalysis, Rise, promoted_by_hand
from tests.observer.world import Key, Policy, Route, Violation, World


class ARouteAlwaysAnswers:
    """Once a route has answered, the weights of versions with a ready endpoint sum to more than 0."""

    name = "WeightsSumAboveZero"

    def __init__(self) -> None:
        self._answered: set[Key] = set()
        self._mute = Lasting()

    def look(self, world: World) -> Sequence[Violation]:
        """Return the routes that had a weighted version with an endpoint and have had none for longer than the skew of two watches."""
        self._answered &= world.routes.keys()
        violations = []
        for key, route in world.routes.items():
            if any(weight and world.endpoints_of(route.service_of(version)) for version, weight in route.weights.items()):
                self._answered.add(key)
                self._mute.over(key)
            elif key in self._answered and (lasted := self._mute.tell(key, world.at, SKEW)) is not None:
                seen = f"weights {dict(route.weights)} and no endpoint behind any of them, for {lasted:.2f} s"
                violations.append(Violation(world.at, self.name, "/".join(key), seen))
        return violations


class RouteWeightNeedsAnEndpoint:
    """A version has weight, or a copy of requests, only with a ready endpoint: given only then, taken within 2 s of losing the last.

    Where it is the only one, its loss is `ARouteAlwaysAnswers`' to tell.
    """

    name = "WeightNeedsReadyEndpoint"

    def __init__(self) -> None:
        self._ready_once: set[tuple[Key, str]] = set()
        self._unready = Lasting()

    def look(self, world: World) -> Sequence[Violation]:
        """Return the versions with weight and without a ready endpoint."""
        violations: list[Violation] = []
        unready: set[object] = set()
        weighted = {(key, version) for key, route in world.routes.items() for version in _reached(route)}
        self._ready_once &= weighted
        for key, version in sorted(weighted):
            route, subject = world.routes[key], (key, version)
            if world.endpoints_of(route.service_of(version)):
                self._ready_once.add(subject)
            elif len(_reached(route)) > 1:
                unready.add(subject)
                violations += self._told(subject, world.at)
        self._unready.keep(unready)
        return violations

    def _told(self, subject: tuple[Key, str], at: float) -> Sequence[Violation]:
        (key, version), had_one = subject, subject in self._ready_once
        lasted = self._unready.tell(subject, at, TAKEN_WITHIN if had_one else SKEW)
        if lasted is None:
            return ()
        what = "kept its weight after losing its last ready endpoint" if had_one else "was given weight without a ready endpoint"
        return (Violation(at, self.name, "/".join(key), f"{version} {what}, for {lasted:.2f} s"),)


@dataclass(slots=True)
class _Rollout:
    """What is remembered of one route: versions that once had all the requests, the candidate, and the weight it has come to."""

    champions: list[str] = field(default_factory=list)
    candidate: str | None = None
    since: float = 0.0
    weight: int = 0


class RouteCandidateRises(ForAnalysis):
    """Follows each route's candidates: every rise above the first step's weight must have been earned at the weight before."""

    name = "RiseNeedsGoodAnalysis"

    def __init__(self) -> None:
        super().__init__()
        self._rollouts: dict[Key, _Rollout] = {}

    def look(self, world: World) -> Sequence[Violation]:
        """Return rises that nothing can justify; those that an analysis may justify are kept for `take_rises`."""
        violations: list[Violation] = []
        for key in self._rollouts.keys() - world.routes.keys():
            del self._rollouts[key]
        for route in world.routes.values():
            rollout = self._rollouts.setdefault(route.key, _Rollout())
            sole, policy = route.sole_version, world.policy_of(route.key)
            if policy is None:
                continue
            if sole is None:
                violations += self._shared(world, route, rollout, policy)
            else:
                violations += self._sole(world, route, rollout, policy, sole)
        return violations

    def _sole(self, world: World, route: Route, rollout: _Rollout, policy: Policy, version: str) -> Sequence[Violation]:
        violations: Sequence[Violation] = ()
        if rollout.champions and version not in rollout.champions:
            violations = self._risen(world, route, rollout, policy, version, 100)
        elif rollout.candidate is not None:
            self._falls.append(Fall(world.at, route.key, rollout.candidate, version, rollout.since, policy))
        rollout.champions = [*(one for one in rollout.champions if one != version), version]
        rollout.candidate, rollout.weight = None, 0
        return violations

    def _shared(self, world: World, route: Route, rollout: _Rollout, policy: Policy) -> Sequence[Violation]:
        if not rollout.champions and route.champion is not None:
            rollout.champions.append(route.champion)
        candidates = sorted(version for version, weight in route.weights.items() if weight and version not in rollout.champions)
        if len(candidates) != 1:
            detail = f"several candidates have weight: {candidates}"
            return (Violation(world.at, self.name, "/".join(route.key), detail),) if candidates else ()
        version, weight = candidates[0], route.weights[candidates[0]]
        if rollout.candidate != version:
            rollout.candidate, rollout.since, rollout.weight = version, world.at, policy.step_weights[0] if policy.step_weights else 0
        if weight <= rollout.weight:
            return ()
        return self._risen(world, route, rollout, policy, version, weight)

    def _risen(self, world: World, route: Route, rollout: _Rollout, policy: Policy, version: str, weight: int) -> Sequence[Violation]:
        since, rollout.since, rollout.weight = rollout.since, world.at, weight
        if promoted_by_hand(world, route.key[0], version):
            return ()
        if rollout.candidate != version:
            excused = not policy.step_weights
            detail = f"{version} rose to {weight} % without a step before"
            return () if excused else (Violation(world.at, self.name, "/".join(route.key), detail),)
        self._rises.append(Rise(world.at, route.key, version, rollout.champions[-1], since, policy, f"{weight} %"))
        return ()


def _reached(route: Route) -> frozenset[str]:
    weighted = {version for version, weight in route.weights.items() if weight}
    return frozenset(weighted | ({route.mirrored} if route.mirrored else set()))
