"""What the observer sees at one moment: plain facts about objects, none of them a status that the operator writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, str]
"""Namespace and name."""

POLICY = "retrainer.dev/policy"
RUN = "retrainer.dev/run"
COMPONENT = "retrainer.dev/component"
SERVES = "retrainer.dev/serves"
VERSION = "retrainer.dev/version"
CHAMPION = "retrainer.dev/champion"
PROMOTE = "retrainer.dev/promote"
TRAIN = "train"


@dataclass(frozen=True, slots=True)
class Service:
    """A Service that the operator steers: its selector is where the traffic goes."""

    key: Key
    selector: Mapping[str, str]
    champion: str | None = None

    @property
    def sole_version(self) -> str | None:
        """The one version that the selector names, or None while it takes every version's pods."""
        return self.selector.get(VERSION)


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTPRoute that the operator steers: each version's weight, as the rule for clients without a cookie has it."""

    key: Key
    weights: Mapping[str, int]
    mirrored: str | None = None
    champion: str | None = None

    @property
    def shares(self) -> Mapping[str, float]:
        """Each version's share of the requests in percent."""
        whole = sum(self.weights.values())
        return {version: round(100 * weight / whole, 1) for version, weight in self.weights.items() if weight}

    @property
    def sole_version(self) -> str | None:
        """The one version that answers, or None while several do."""
        weighted = [version for version, weight in self.weights.items() if weight]
        return weighted[0] if len(weighted) == 1 else None

    def service_of(self, version: str) -> Key:
        """Return the Service through which the route reaches a version."""
        return self.key[0], f"{self.key[1]}-{version}"


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod; `reported` is the version in the termination message of a container that ended well, empty when that cannot be read."""

    key: Key
    uid: str
    labels: Mapping[str, str]
    ready: bool = False
    deleting: bool = False
    finished: bool = False
    reported: str | None = None

    @property
    def counts(self) -> bool:
        """Whether a selector that matches this Pod sends, or would send, traffic to it."""
        return not (self.deleting or self.finished)


@dataclass(frozen=True, slots=True)
class Slice:
    """An EndpointSlice: the names of the Pods that kube-proxy sends a Service's traffic to."""

    service: Key
    ready: frozenset[str]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Deployment of one version: how many Pods it was asked for."""

    key: Key
    labels: Mapping[str, str]
    replicas: int


@dataclass(frozen=True, slots=True)
class Job:
    """A Job of a run; `version` is the one its request names, `condition` is Complete, Failed or None while it goes on."""

    key: Key
    uid: str
    policy: str
    run: str
    component: str
    version: str | None = None
    condition: str | None = None
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A run: the version that is on record for it, and the version that a person asked to promote."""

    key: Key
    policy: str
    recorded: str | None = None
    promote: str | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of `rollout.metrics`."""

    preset: str
    min: float | None = None
    max: float | None = None
    max_regression: float | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy asks for, as far as a rollout is judged by it."""

    key: Key
    model_type: str
    service: str
    replicas: int
    step_weights: tuple[int, ...]
    interval: float
    iterations: int
    min_samples: int
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Everything seen at `at` (Unix seconds); objects in namespaces that are going away have been left out."""

    at: float
    services: Mapping[Key, Service]
    pods: Mapping[Key, Pod]
    slices: Mapping[Key, Slice]
    deployments: Mapping[Key, Deployment]
    jobs: Mapping[Key, Job]
    runs: Mapping[Key, Run]
    policies: Mapping[Key, Policy]
    routes: Mapping[Key, Route] = field(default_factory=dict)

    def policy_of(self, service: Key) -> Policy | None:
        """Return the policy that names this Service."""
        namespace, name = service
        return next((one for one in self.policies.values() if (one.key[0], one.service) == (namespace, name)), None)

    def endpoints_of(self, service: Key) -> int:
        """Return how many ready endpoints the Service's slices list."""
        return len(frozenset().union(*(one.ready for one in self.slices.values() if one.service == service)))

    def backends_of(self, service: Service) -> Mapping[str, "Backend"]:
        """Return, by version, the Pods that the Service's selector matches."""
        backends: dict[str, Backend] = {}
        for pod in self.pods.values():
            if pod.key[0] == service.key[0] and pod.counts and service.selector.items() <= pod.labels.items():
                version = pod.labels.get(VERSION, "")
                before = backends.get(version, Backend())
                backends[version] = Backend(before.pods + 1, before.ready + pod.ready)
        return backends


@dataclass(frozen=True, slots=True)
class Backend:
    """One version behind a Service: Pods that the selector matches, and those of them that are ready."""

    pods: int = 0
    ready: int = 0


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, which one, where, and what was seen."""

    at: float
    invariant: str
    subject: str
    detail: str
