"""What to do: effects change the world and may be done twice without harm; announcements tell people, once, after the status write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from retrainer.api.v1alpha1 import ModelRetrainPolicyStatus, ModelRetrainRunSpec, ModelRetrainRunStatus
from retrainer.core.identity import Identity
from retrainer.core.observation import Component, RunSeen
from retrainer.core.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True)
class StartRun:
    """Create a run; its name taken already means that another round decided first."""

    name: str
    spec: ModelRetrainRunSpec


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Delete a finished run beyond the history limit."""

    run: Identity


@dataclass(frozen=True, slots=True)
class LaunchJob:
    """Create the run's validation or training Job."""

    run: RunSeen
    component: Component
    number: int


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job and its pods."""

    job: Identity


@dataclass(frozen=True, slots=True)
class ExpireJob:
    """Let a finished Job go after `ttl_s` seconds: its result is on record."""

    job: Identity
    ttl_s: int


@dataclass(frozen=True, slots=True)
class EnsureMonitor:
    """Apply the monitor of the policy's database, owned by some of the policies that share it."""

    owners: tuple[Identity, ...]
    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class ClaimService:
    """Create the Service without a selector, or mark the one in Git as this policy's."""


@dataclass(frozen=True, slots=True)
class DeployVersion:
    """Apply a version's Deployment from a pod template."""

    version: str
    replicas: int
    template: Mapping[str, Any]
    template_generation: int


@dataclass(frozen=True, slots=True)
class ScaleVersion:
    """Set the replicas of a version's Deployment and nothing else."""

    version: str
    replicas: int


@dataclass(frozen=True, slots=True)
class RecycleVersion:
    """Restart a version's pods one by one, so that clients that keep their connections leave them."""

    version: str
    by: str


@dataclass(frozen=True, slots=True)
class RemoveVersion:
    """Delete a version's Deployment, which no selector reaches any more."""

    deployment: Identity


@dataclass(frozen=True, slots=True)
class SendTraffic:
    """Write who serves and how requests are shared, in one write: of the Service or of the route, as the traffic mode has it.

    A candidate gets `weight` percent (0 to 99) and the champion the rest, or a copy of every request; without one the champion has all.
    `withdrawal` is why a run's version has lost its traffic by this write.
    """

    champion: str
    previous: str
    candidate: str = ""
    weight: int = 0
    mirrored: bool = False
    withdrawal: Withdrawal | None = field(default=None, compare=False)  # the same shares are asked, whatever the reason


@dataclass(frozen=True, slots=True)
class AddressVersion:
    """Apply the Service of one version, which lives as long as its Deployment: what a route's weights are of."""

    version: str
    deployment: Identity


@dataclass(frozen=True, slots=True)
class ReleaseService:
    """Take the selector off the Service, which carries no traffic any more since the route does."""


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """Delete the route, which carries no traffic any more since the Service does."""

    route: Identity


@dataclass(frozen=True, slots=True)
class EnsureChores:
    """Apply the CronJobs that the policy asks for."""


@dataclass(frozen=True, slots=True)
class RemoveChore:
    """Delete a CronJob that the policy no longer asks for, and its Jobs."""

    chore: Identity


Effect = (
    StartRun
    | DeleteRun
    | LaunchJob
    | DeleteJob
    | ExpireJob
    | EnsureMonitor
    | ClaimService
    | DeployVersion
    | ScaleVersion
    | RecycleVersion
    | RemoveVersion
    | SendTraffic
    | AddressVersion
    | ReleaseService
    | RemoveRoute
    | EnsureChores
    | RemoveChore
)


@dataclass(frozen=True, slots=True)
class HandBack:
    """Restore the selector that was found at the adoption, and take our marks from the Service, in one write."""


class Severity(StrEnum):
    """The type of a Kubernetes Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A transition, told to people as an Event about the policy or one of its runs."""

    about: Identity
    on_run: bool
    severity: Severity
    reason: str
    message: str
    run: str = ""
    """The run that an announcement about the policy is owed to, where there is one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything one round decided: effects first, then the status writes, then announcements."""

    effects: tuple[Effect, ...]
    policy: ModelRetrainPolicyStatus
    runs: Mapping[str, ModelRetrainRunStatus] = field(default_factory=dict)
    announcements: tuple[Announcement, ...] = ()
    requeue_after: float | None = None

    @property
    def starts_a_run(self) -> bool:
        """Whether a run begins: it is a record by itself, and the next round, which sees it, writes what both rounds came to."""
        return any(isinstance(effect, StartRun) for effect in self.effects)
