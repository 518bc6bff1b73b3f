"""Traffic always has somewhere to go, and goes only to what is ready."""

from collections.abc import Sequence

from tests.observer.world import Key, Service, Violation, World

# Services, Pods and slices come over streams of their own: what one says may be seen this much before the other.
SKEW = 0.5
# How soon weight must be taken from a version that has lost its last ready endpoint.
TAKEN_WITHIN = 2.0


class Lasting:
    """Remembers since when something has been wrong, so that each episode is told once, and only when it lasts."""

    def __init__(self) -> None:
        self._since: dict[object, float] = {}
        self._told: set[object] = set()

    def tell(self, subject: object, at: float, limit: float) -> float | None:
        """Return how long it has been wrong, once, when that exceeds `limit` seconds."""
        lasted = at - self._since.setdefault(subject, at)
        if lasted <= limit or subject in self._told:
            return None
        self._told.add(subject)
        return lasted

    def over(self, subject: object) -> None:
        """Forget the episode."""
        self._since.pop(subject, None)
        self._told.discard(subject)

    def keep(self, subjects: set[object]) -> None:
        """Forget every episode but these."""
        for subject in self._since.keys() - subjects:
            self.over(subject)


class AlwaysAnEndpoint:
    """Once a version has served, the weights' sum is above 0: the Service selects a ready Pod and lists a ready endpoint."""

    name = "WeightsSumAboveZero"

    def __init__(self) -> None:
        self._served: set[Key] = set()
        self._empty = Lasting()

    def look(self, world: World) -> Sequence[Violation]:
        """Return the Services that had an endpoint and have had none for longer than the skew of two watches."""
        self._served &= world.services.keys()
        violations = []
        for key, service in world.services.items():
            selected = sum(backend.ready for backend in world.backends_of(service).values())
            listed = world.endpoints_of(key)
            if selected and listed:
                self._served.add(key)
                self._empty.over(key)
            elif key in self._served and (lasted := self._empty.tell(key, world.at, SKEW)) is not None:
                seen = f"selector {dict(service.selector)}: {selected} ready pods selected, {listed} endpoints, for {lasted:.2f} s"
                violations.append(Violation(world.at, self.name, "/".join(key), seen))
        return violations


class WeightNeedsAnEndpoint:
    """A version has weight only with a ready endpoint: given only then, and taken within 2 s of losing the last.

    A version has weight when the Service's selector matches its Pods. Where it is the only one, its loss is `AlwaysAnEndpoint`'s to tell:
    there is nobody to give the weight to.
    """

    name = "WeightNeedsReadyEndpoint"

    def __init__(self) -> None:
        self._ready_once: set[tuple[Key, str]] = set()
        self._unready = Lasting()

    def look(self, world: World) -> Sequence[Violation]:
        """Return the versions with weight and without a ready Pod."""
        violations: list[Violation] = []
        unready: set[object] = set()
        weighted: set[tuple[Key, str]] = set()
        for service in world.services.values():
            backends = world.backends_of(service)
            for version, backend in backends.items():
                subject = (service.key, version)
                weighted.add(subject)
                if backend.ready:
                    self._ready_once.add(subject)
                elif len(backends) > 1:
                    unready.add(subject)
                    violations += self._told(service, version, world.at)
        self._ready_once &= weighted
        self._unready.keep(unready)
        return violations

    def _told(self, service: Service, version: str, at: float) -> Sequence[Violation]:
        subject = (service.key, version)
        had_one = subject in self._ready_once
        lasted = self._unready.tell(subject, at, TAKEN_WITHIN if had_one else SKEW)
        if lasted is None:
            return ()
        what = "kept its weight after losing its last ready endpoint" if had_one else "was given weight without a ready endpoint"
        return (Violation(at, self.name, "/".join(service.key), f"{version} {what}, for {lasted:.2f} s"),)
