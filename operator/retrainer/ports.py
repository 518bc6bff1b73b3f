"""The seams: what the five steps need of the world, as small protocols.

Each is fulfilled by one adapter and by one fake, and the same contract tests run on both. All calls are asynchronous, take their time-out
from the adapter's settings, and raise only what `errors.py` names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Protocol

from retrainer.core.alert import Alert
from retrainer.core.chore import ChoreSeen
from retrainer.core.kinds import Manifest, Ref
from retrainer.core.measurement import Answer, Question
from retrainer.core.notice import Notice
from retrainer.core.observation import DeploymentSeen, JobSeen, PodSeen, PolicySeen, RunSeen, ServiceSeen
from retrainer.core.route import RouteSeen
from retrainer.core.triggers.evaluation import Evaluation

Key = tuple[str, str]
"""Namespace and name of a policy: what the queue turns on."""


class Cluster(Protocol):
    """Objects of the API server."""

    async def get(self, ref: Ref) -> Manifest | None:
        """Return the object, or None when it (or its kind) does not exist."""

    async def apply(self, manifest: Manifest, *, force: bool = False) -> Manifest:
        """Apply the manifest server-side under the operator's one field manager and return the object.

        Raises FieldConflict when a field belongs to another manager and `force` is off, and Conflict when the manifest carries a
        `metadata.resourceVersion` that is no longer the object's, or a `metadata.uid` that is not; without the UID, one that was
        deleted meanwhile is made again.
        """

    async def create(self, manifest: Manifest) -> Manifest:
        """Create the object and return it; raises Conflict when one of that name exists."""

    async def patch(self, ref: Ref, merge: Manifest) -> Manifest:
        """Merge-patch (RFC 7386) the object and return it; raises NotFound, and Conflict on a stale `metadata.resourceVersion`."""

    async def write_status(self, ref: Ref, status: Manifest) -> Manifest:
        """Replace the object's status as a whole and return the object; raises NotFound."""

    async def delete(self, ref: Ref, *, uid: str | None = None) -> None:
        """Delete the object and, in the background, what it owns. One that is gone, or has another UID than given, is success."""

    async def list(self, kind_of: Ref, labels: str = "") -> list[Manifest]:
        """Return the objects of `kind_of.kind` in its namespace (all namespaces when empty) that match the label selector."""

    async def uids(self, kind_of: Ref, labels: str = "") -> set[str]:
        """Return the UIDs of what `list` returns, at the cost of the objects' metadata alone."""


class Metrics(Protocol):
    """The Prometheus servers the administrator named."""

    async def ask(self, question: Question) -> Answer:
        """Return a vector with at least one finite value, or NoData with the reason; never raises for what the server does or says."""

    def knows(self, source: str) -> bool:
        """Say whether the administrator named such a source."""

    def allows_queries(self, source: str) -> bool:
        """Say whether the administrator lets policies ask this source in PromQL of their own."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A smoke test's answer: the HTTP status, or 0 and why there was none, and whether it names the version that was expected."""

    status: int
    message: str
    named: bool = False

    @property
    def passed(self) -> bool:
        """Whether the answer was 2xx."""
        return 200 <= self.status < 300


class Prober(Protocol):
    """Plain HTTP to a pod."""

    async def probe(self, url: str, body: str | None, timeout_s: float, expected: str = "") -> Probe:
        """Ask once (POST with a JSON body, else GET): no redirects, at most 1 KiB of the answer read and none of it returned.

        `named` says whether that much of it, or a header, contains the text `expected`.
        """


class Place(Enum):
    """What a run has to do with the fleet's places."""

    TAKEN = "taken"
    WAITED_FOR = "waited for"


class Shared(StrEnum):
    """What policies of a namespace may have in common."""

    MODEL_TYPE = "model type"
    SERVICE = "Service"
    DEPLOYMENT = "Deployment"
    MONITOR = "monitor"
    ALERTS = "alerts"


class World(Protocol):
    """What the watches have brought so far, our own latest writes included; a read costs nothing."""

    def keys(self) -> list[Key]:
        """Return the keys of all policies."""

    def policy(self, key: Key) -> PolicySeen | None:
        """Return the policy, or None when it does not exist."""

    def policies(self, namespace: str, shared: Shared, name: str) -> list[PolicySeen]:
        """Return the policies of a namespace that name this model type, Service, Deployment, or a database with this monitor.

        Those that have an alert trigger have ALERTS in common, whose name is empty.
        """

    def runs(self, key: Key) -> list[RunSeen]:
        """Return the runs of a policy, the oldest first."""

    def places(self, which: Place) -> list[RunSeen]:
        """Return the runs of all policies that have a place of the fleet, or that wait for one."""

    def jobs(self, key: Key) -> list[JobSeen]:
        """Return the Jobs of a policy's runs."""

    def pods(self, key: Key) -> list[PodSeen]:
        """Return the pods of a policy's Jobs and versions."""

    def versions(self, key: Key) -> list[DeploymentSeen]:
        """Return the Deployments of a policy's versions."""

    def deployment(self, namespace: str, name: str) -> DeploymentSeen | None:
        """Return any Deployment of a namespace."""

    def chores(self, key: Key) -> list[ChoreSeen]:
        """Return the CronJobs of a policy."""

    def service(self, namespace: str, name: str) -> ServiceSeen | None:
        """Return any Service of a namespace."""

    def services(self, key: Key) -> list[ServiceSeen]:
        """Return the Services that carry a policy's label: the one it has claimed, and those of its versions."""

    def services_selecting(self, namespace: str, labels: Mapping[str, str]) -> list[ServiceSeen]:
        """Return the Services of a namespace that select a pod with these labels."""

    def route(self, namespace: str, name: str) -> RouteSeen | None:
        """Return an HTTPRoute of ours."""

    def routes(self, key: Key) -> list[RouteSeen]:
        """Return the HTTPRoutes of ours that carry a policy's label."""

    def routes_are_watched(self) -> bool:
        """Say whether the API server knew HTTPRoutes when the watches began."""

    def expose(self, key: Key, labels: Mapping[str, str]) -> None:
        """Take up the labels that a policy's pods have from its template, for `exposed_to`; none for a policy that is gone."""

    def exposed_to(self, namespace: str, selector: Mapping[str, str]) -> list[Key]:
        """Return the policies of a namespace whose pods a Service with this selector would select."""

    def remember(self, manifest: Manifest) -> None:
        """Take up an object as a write of ours returned it: it counts until the watch brings it or something newer."""


class Clock(Protocol):
    """The one place that reads the time."""

    def now(self) -> datetime:
        """Return the present time in UTC."""


class Alerts(Protocol):
    """The latest word on each alert."""

    def of(self, namespace: str) -> tuple[Alert, ...]:
        """Return the alerts that may concern policies of this namespace."""


class Evaluations(Protocol):
    """What the one loop that asks Prometheus for all policies has found."""

    def of(self, key: Key) -> Mapping[str, Evaluation]:
        """Return what each metric and schema trigger of a policy came to when it was last asked, by its name."""


class Gauges(Protocol):
    """Told what the loop does, for metrics."""

    def cycled(self, lane: str, late_s: float, took_s: float) -> None:
        """A cycle of a lane began so much later than it was due, and has ended."""

    def show_value(self, key: Key, trigger: str, value: float | None) -> None:
        """A trigger's live figure; None where there is none, or no longer a trigger."""


class Notifier(Protocol):
    """Tells people outside of the cluster. Nothing is decided by it and no round waits for it."""

    def knows(self, name: str) -> bool:
        """Say whether the administrator has named this notifier."""

    def tell(self, notice: Notice) -> None:
        """Take a notice to be sent; it returns at once and never fails."""


class AlertIntake(Protocol):
    """Where the webhook hands alerts over."""

    async def receive(self, alerts: Sequence[Alert]) -> bool:
        """Return True once the outcome of every alert is durable: a run exists for it, or its refusal needs no memory."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the administrator set and manifests need."""

    trainer_image: str
    monitor_interval_s: int
    instance: str
    max_concurrent_runs: int = 0
    gateway_features: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What GatewayClasses can do beside what their status lists, by name; or one Gateway, by `namespace/name`."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything an observation is gathered from."""

    world: World
    cluster: Cluster
    metrics: Metrics
    prober: Prober
    clock: Clock
    alerts: Alerts
    evaluations: Evaluations
    notifier: Notifier
    defaults: Defaults
