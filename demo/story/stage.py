"""What the steps share: the cluster, ways to ask it, and what has happened so far."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from demo.story.database import Database
from demo.story.kubectl import Kubectl, Manifest
from demo.story.processes import Companions
from demo.story.prometheus import Prometheus
from demo.story.telling import Timeline
from demo.story.waiting import Look, StoryError, T, wait_until
from tests.cluster.interface import Cluster

ROOT: Final = Path(__file__).parents[2]
NAMESPACE: Final = "members"
POLICY: Final = "churn-risk"
SERVICE: Final = "churn-risk"
PREDICTIONS: Final = "/api/ml/predictions/churn-risk"
SYSTEM: Final = "retrainer-system"
VERSION_LABEL: Final = "retrainer.dev/version"
SERVES_LABEL: Final = "retrainer.dev/serves"
DRIFT_DAYS: Final = 20


@dataclass(slots=True)
class Stage:
    """The cluster and what stands on it."""

    cluster: Cluster
    timeline: Timeline
    build: Path
    kubectl: Kubectl
    database: Database
    companions: Companions
    prometheus: Prometheus
    calls_from_cluster: bool = False
    """Whether the client runs in a Pod, because this machine does not reach cluster IPs."""
    today: date = field(default_factory=date.today)
    versions: list[str] = field(default_factory=list)
    """Every version that a run has made, oldest first."""

    told_entries: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    """By run, the entries of its timeline that have been told."""

    @property
    def client_log(self) -> Path:
        """Where the client writes each answer."""
        return self.build / "client.jsonl"

    @property
    def observer_record(self) -> Path:
        """Where the observer writes what it sees."""
        return self.build / "observer.jsonl"

    @property
    def drift_from(self) -> date:
        """The day from which the world is another one; it is seeded up to it at first."""
        return self.today - timedelta(days=DRIFT_DAYS)

    @staticmethod
    def now() -> float:
        """Return Unix seconds, as logs have them."""
        return time.time()  # noqa: TID251 - the story is told in real time

    def tell(self, detail: str) -> None:
        """Tell one thing that has happened."""
        self.timeline.tell(detail)

    def wait(self, what: str, look: Look[T], within: float) -> T:
        """Wait for something, as long as nothing that runs beside the story has ended."""

        def watchful() -> tuple[T | None, str]:
            if gone := self.companions.gone():
                raise StoryError(f"{what}: {', '.join(gone)} ended by itself; see {self.companions.logs}")
            return look()

        return wait_until(what, watchful, within, self.timeline.progress)

    def policy(self) -> Manifest:
        """Return the policy, empty where there is none."""
        return self.kubectl.get("modelretrainpolicy", POLICY, f"--namespace={NAMESPACE}") or {}

    def run(self, name: str) -> Manifest:
        """Return a run, empty where there is none."""
        return self.kubectl.get("modelretrainrun", name, f"--namespace={NAMESPACE}") or {}

    def selector(self) -> Mapping[str, str]:
        """Return the Service's selector, empty where there is none."""
        service = self.kubectl.get("service", SERVICE, f"--namespace={NAMESPACE}") or {}
        selector: Mapping[str, str] = service.get("spec", {}).get("selector") or {}
        return selector

    def pods_of(self, version: str) -> Sequence["ServingPod"]:
        """Return the Pods of a version that are not being deleted."""
        return [_serving_pod(pod) for pod in self._pods_of(version) if "deletionTimestamp" not in pod["metadata"]]

    def every_pod_of(self, version: str) -> int:
        """Return how many Pods of a version there are, those that are being deleted included."""
        return len(self._pods_of(version))

    def _pods_of(self, version: str) -> Sequence[Manifest]:
        labels = f"{SERVES_LABEL}={SERVICE},{VERSION_LABEL}={version}"
        return self.kubectl.items("pods", f"--namespace={NAMESPACE}", f"--selector={labels}")


@dataclass(frozen=True, slots=True)
class ServingPod:
    """A Pod of a version: who it is, how often its container was restarted, and whether it is ready."""

    name: str
    uid: str
    restarts: int
    ready: bool


def _serving_pod(pod: Mapping[str, Any]) -> ServingPod:
    status = pod.get("status", {})
    return ServingPod(
        name=pod["metadata"]["name"],
        uid=pod["metadata"]["uid"],
        restarts=sum(one["restartCount"] for one in status.get("containerStatuses") or ()),
        ready=any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ()),
    )
