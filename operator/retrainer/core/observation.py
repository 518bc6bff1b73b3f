"""What was seen, frozen: one policy and everything that belongs to it at one moment. None means "not there"."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec, ModelRetrainPolicyStatus, ModelRetrainRunSpec, ModelRetrainRunStatus
from retrainer.core import naming
from retrainer.core.alert import Alert
from retrainer.core.identity import Identity
from retrainer.core.measurement import Answer, Question
from retrainer.core.phases import Phase, Slot, Stage, slot, stage
from retrainer.core.places import NO_LIMIT, Places
from retrainer.core.route import RouteSeen
from retrainer.core.surroundings import Surroundings
from retrainer.core.template import TemplateSeen
from retrainer.core.triggers.evaluation import Evaluation
from retrainer.core.withdrawal import Withdrawal


class Component(StrEnum):
    """What a pod of ours is for; the value of the label `retrainer.dev/component`."""

    VALIDATE = "validate"
    TRAIN = "train"
    SERVE = "serve"
    MONITOR = "monitor"
    REPORT = "report"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True)
class PolicySeen:
    """A policy: its spec, its status as we last wrote it, and what people asked by annotation."""

    identity: Identity
    generation: int
    spec: ModelRetrainPolicySpec
    status: ModelRetrainPolicyStatus
    pause: str = ""
    resume: str = ""
    rollback: str = ""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run: its spec, its status as we last wrote it, and what people asked by annotation."""

    identity: Identity
    spec: ModelRetrainRunSpec
    status: ModelRetrainRunStatus
    by_operator: bool
    approve: str = ""
    abort: str = ""
    promote: str = ""
    deleting: bool = False

    @property
    def name(self) -> str:
        """The run's name."""
        return self.identity.name

    @property
    def redeploys(self) -> bool:
        """Whether it trains nothing and brings a kept version back into service."""
        return self.spec.redeploy is not None

    @property
    def live(self) -> bool:
        """Whether it still has something to do."""
        return self.status.phase is not Phase.FINISHED


@dataclass(frozen=True, slots=True)
class Ended:
    """How a container ended."""

    exit_code: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A pod of a Job of ours or of a version."""

    identity: Identity
    component: Component
    owner: str
    """The Job's name, or the version."""
    ip: str = ""
    phase: str = "Pending"
    ready: bool = False
    deleting: bool = False
    reason: str = ""
    """`status.reason`, e.g. DeadlineExceeded."""
    waits_for: tuple[str, str] | None = None
    """Why it is not running yet, the deepest reason there is, and the sentence that goes with it."""
    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A Job of ours."""

    identity: Identity
    run: str
    component: Component
    suspended: bool = False
    complete: bool = False
    failed: tuple[str, str] | None = None
    """Reason and message of the condition Failed."""
    ttl: int | None = None
    deleting: bool = False
    policy_generation: int = 0
    """What its run had frozen when it was made."""

    @property
    def active(self) -> bool:
        """Whether it may still run a pod."""
        return not self.complete and self.failed is None


@dataclass(frozen=True, slots=True)
class DeploymentSeen:
    """A Deployment: a version's, the monitor's, or a user's (of which only identity, generation and replicas are kept)."""

    identity: Identity
    generation: int
    replicas: int
    policy: str = ""
    version: str = ""
    component: str = ""
    template_generation: int = 0
    recycled_by: str = ""
    digest: str = ""
    serves: str = ""
    """Of a version's: the Service it serves behind."""
    ready: int = 0
    owners: tuple[tuple[str, str], ...] = ()
    """Of a monitor: names and UIDs of the policies that own it."""


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """A Service: its selector, and what ours says about who serves."""

    identity: Identity
    selector: Mapping[str, str] = field(default_factory=dict)
    claimed_by: str = ""
    policy: str = ""
    made_by_us: bool = False
    champion: str = ""
    previous: str = ""
    cluster_ip: str = ""
    selector_owner: str = ""
    """The field manager that decides over the selector, where that is not us."""
    selector_is_ours: bool = False
    """Whether we are the selector's field manager, or one of them; of one that was handed back we still are."""
    recorded_selector: Mapping[str, str] = field(default_factory=dict)
    """The selector that was found when the Service was adopted, as its annotation keeps it."""
    hands_back: bool = False
    """Whether the end of its policy restores that selector."""
    version: str = ""
    """The one version that it reaches, where it is a version's own."""
    retaken_at: datetime | None = None
    """When somebody else's change was last undone."""
    withdrawal: Withdrawal | None = None
    """Why the last version that lost its traffic lost it, where the Service's last move was that."""
    ports: tuple[Mapping[str, Any], ...] = ()

    @property
    def found_selector(self) -> Mapping[str, str]:
        """The selector that is somebody else's: as it was found, or as it stands; empty where there is none."""
        return self.recorded_selector or ({} if naming.SERVES in self.selector else self.selector)


@dataclass(frozen=True, slots=True)
class Backend:
    """A version as it serves: its Deployment and pods."""

    version: str
    deployment: DeploymentSeen | None
    pods: tuple[PodSeen, ...] = ()

    @property
    def ready(self) -> tuple[PodSeen, ...]:
        """Pods that receive traffic when they are selected."""
        return tuple(pod for pod in self.pods if pod.ready and not pod.deleting)


@dataclass(frozen=True, slots=True)
class ProbeSeen:
    """A smoke test's answer; status 0 means that there was none. `named`: whether it names the version that was expected to answer."""

    status: int
    message: str
    named: bool = False

    @property
    def passed(self) -> bool:
        """Whether the answer was 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Observation:
    """One policy and everything that belongs to it, at `now`."""

    now: datetime
    policy: PolicySeen
    runs: tuple[RunSeen, ...] = ()
    jobs: Mapping[str, JobSeen] = field(default_factory=dict)
    pods: tuple[PodSeen, ...] = ()
    deployments: Mapping[str, DeploymentSeen] = field(default_factory=dict)
    service: ServiceSeen | None = None
    route: RouteSeen | None = None
    addressed: Mapping[str, str] = field(default_factory=dict)
    """The versions that have a Service of their own, and its address."""
    template: TemplateSeen | None = None
    surroundings: Surroundings = field(default_factory=Surroundings)
    alerts: tuple[Alert, ...] = ()
    places: Places = NO_LIMIT
    answers: Mapping[Question, Answer] = field(default_factory=dict)
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    """What each metric and schema trigger came to when it was last asked, by its name."""
    probe: ProbeSeen | None = None
    """What the candidate's pod answers in its smoke test."""
    service_probe: ProbeSeen | None = None
    """What the Service answers to the same call after a rollback."""

    @property
    def champion(self) -> str | None:
        """The version that serves. What carries the traffic says it, in the same write that moves it; status is its memory."""
        found = next((record.champion for record in self._records if record.champion), None)
        remembered = self.policy.status.champion
        return found or (remembered.version if remembered else None)

    @property
    def previous(self) -> str | None:
        """The champion before, as what carries the traffic says it."""
        return next((record.previous or None for record in self._records if record.champion), None)

    @property
    def by_route(self) -> bool:
        """Whether the policy asks for the gateway mode."""
        return self.policy.spec.serving.gateway is not None

    @property
    def carrier(self) -> ServiceSeen | RouteSeen | None:
        """What carries the traffic in the policy's mode: its Service or its route."""
        return self.route if self.by_route else self.service

    @property
    def _records(self) -> tuple[ServiceSeen | RouteSeen, ...]:
        """Service and route, first the one that the mode writes: the other speaks until it has, when a policy changes its mode.

        None of an older policy's: what that one serves is none of ours.
        """
        if self.surroundings.older_same_target:
            return ()
        both = (self.route, self.service) if self.by_route else (self.service, self.route)
        return tuple(record for record in both if record is not None)

    def backend(self, version: str) -> Backend:
        """Return the version as it serves; without a Deployment when there is none."""
        pods = tuple(pod for pod in self.pods if pod.component is Component.SERVE and pod.owner == version)
        name = naming.version_deployment(self.policy.spec.serving.deployment_ref.name, version)
        return Backend(version, self.deployments.get(name), pods)

    def pods_of(self, job: str) -> tuple[PodSeen, ...]:
        """Return the pods of a Job, the youngest last."""
        owned = [pod for pod in self.pods if pod.owner == job and pod.component is not Component.SERVE]
        return tuple(sorted(owned, key=lambda pod: pod.identity.created))

    @property
    def training(self) -> RunSeen | None:
        """The run that holds the training slot."""
        return next((run for run in self.runs if slot(run.status.phase) is Slot.TRAINING), None)

    @property
    def rollout(self) -> RunSeen | None:
        """The run that is being rolled out; it holds the serving slot."""
        return next((run for run in self.runs if stage(run.status.phase) is Stage.ROLLOUT), None)

    @property
    def watched(self) -> RunSeen | None:
        """The run that is watched; it holds the serving slot, until an emergency's candidate is ready beside it."""
        return next((run for run in self.runs if run.status.phase is Phase.WATCHING), None)
