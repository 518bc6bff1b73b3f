"""A namespace with a policy whose trainer and server are not ours: quick, and small enough to be broken in many ways."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from demo.story.kubectl import Manifest
from demo.story.stage import NAMESPACE as PLATFORM
from demo.story.stage import Stage
from tests.e2e import manifests
from tests.e2e.manifests import FOREIGN_IMAGE, POLICY, SERVICE

__all__ = ["FOREIGN_IMAGE", "Tenant", "tenant_of"]


@contextmanager
def tenant_of(stage: Stage, namespace: str) -> Iterator["Tenant"]:
    """A tenant with a database, room for versions and a pod template, but no policy; it is gone afterwards."""
    stage.kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
    tenant = Tenant(stage, namespace)
    try:
        secret = stage.kubectl.get("secret", "platform-db", f"--namespace={PLATFORM}")
        assert secret is not None
        url = base64.b64decode(secret["data"]["url"]).decode()
        for manifest in (manifests.database_secret(url), manifests.claim(), manifests.deployment(namespace)):
            tenant.applies(manifest)
        yield tenant
    finally:
        stage.kubectl("delete", "namespace", namespace, "--wait=false")


@dataclass(frozen=True, slots=True)
class Tenant:
    """What a tenant does, and what it sees."""

    stage: Stage
    namespace: str

    def applies(self, manifest: Manifest) -> None:
        """Apply an object."""
        self.stage.kubectl.apply(json.dumps(manifest), self.namespace)

    def applies_policy(self, **changes: Any) -> None:  # noqa: ANN401 - any part of a spec
        """Apply the policy, its spec changed as given."""
        self.applies(manifests.policy(changes))

    def starts_run(self, name: str) -> None:
        """Start a run by hand."""
        self.stage.kubectl("create", f"--namespace={self.namespace}", "--filename=-", stdin=json.dumps(manifests.run(name)))

    def deletes(self, kind: str, name: str) -> None:
        """Delete an object."""
        self.stage.kubectl("delete", kind, name, f"--namespace={self.namespace}", "--wait")

    def deletes_run(self, name: str) -> None:
        """Delete a run and see its Jobs go."""
        self.stage.kubectl("delete", "modelretrainrun", name, f"--namespace={self.namespace}", "--wait", "--cascade=foreground")

    def sees(self, kind: str, name: str) -> Manifest:
        """Return an object, empty where there is none."""
        return self.stage.kubectl.get(kind, name, f"--namespace={self.namespace}") or {}

    def condition(self, wanted: str) -> Mapping[str, str]:
        """Return a condition of the policy, empty where there is none yet."""
        conditions = self.sees("modelretrainpolicy", POLICY).get("status", {}).get("conditions", ())
        return next((one for one in conditions if one["type"] == wanted), {})

    def is_told(self, reason: str, condition: str = "Ready", status: str = "False") -> str:
        """Wait until a condition of the policy has a status for this reason; returns its message."""

        def look() -> tuple[str | None, str]:
            seen = self.condition(condition)
            told = (seen.get("status"), seen.get("reason")) == (status, reason)
            return (seen["message"] if told else None), f"{condition}={seen}"

        return self.stage.wait(f"{condition}={status}/{reason} in {self.namespace}", look, 30)

    def run_status(self, name: str, what: str, until: Callable[[Manifest], bool], within: float = 60) -> Manifest:
        """Wait until a run's status is as wanted and return it."""

        def look() -> tuple[Manifest | None, str]:
            status = self.sees("modelretrainrun", name).get("status", {})
            return (status if until(status) else None), f"{status.get('phase')}/{status.get('reason')}: {status.get('message')}"

        return self.stage.wait(f"{self.namespace}/{name}: {what}", look, within)

    def run_ends(self, name: str, outcome: str, within: float = 60) -> Manifest:
        """Wait for a run's end, which must be this one; returns its status."""
        status = self.run_status(name, f"ends {outcome}", lambda status: status.get("phase") == "Finished", within)
        assert status["outcome"] == outcome, f"{name} ended {status['outcome']}/{status['reason']}: {status['message']}"
        return status

    def run_waits(self, name: str, reason: str, within: float = 60) -> str:
        """Wait until a run waits for this reason; returns its message."""
        status = self.run_status(name, f"waits: {reason}", lambda status: status.get("reason") == reason, within)
        return str(status["message"])

    def has_first_version(self) -> str:
        """Wait until the policy's first run has made a version that serves; returns the version."""
        return str(self.run_ends(f"{POLICY}-1", "Succeeded", within=120)["version"])

    def what_serves(self) -> Mapping[str, Any]:
        """Return where the Service's traffic goes and which Pods take it, by UID and restarts."""
        selector = self.sees("service", SERVICE).get("spec", {}).get("selector")
        version = (selector or {}).get("retrainer.dev/version", "")
        labels = f"--selector=retrainer.dev/version={version}"
        pods = self.stage.kubectl.items("pods", f"--namespace={self.namespace}", labels)
        restarts = {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}
        return {"selector": selector, "pods": restarts}

    def training_job(self, run: str, attempt: int = 1) -> Manifest:
        """Return a run's training Job, empty where there is none."""
        return self.sees("job", f"{run}-train-{attempt}")

    def trainings(self) -> list[str]:
        """Return the versions that were really trained, as the trainer wrote them down, once for each time."""
        path = f"{manifests.ARTIFACTS}/{self.namespace}/{POLICY}/trainings.log"
        serving = f"service/{SERVICE}"
        return self.stage.kubectl("exec", f"--namespace={self.namespace}", serving, "--", "cat", path).split()
