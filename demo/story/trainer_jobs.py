"""Commands of the trainer image, run as Jobs beside the database: `migrate` and `seed`."""

import json
from collections.abc import Sequence
from typing import Any

from demo.story.images import TRAINER
from demo.story.kubectl import Kubectl
from demo.story.stage import NAMESPACE, Stage
from demo.story.waiting import StoryError

_SAFE = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def run_trainer(stage: Stage, name: str, *arguments: str, within: float = 90) -> str:
    """Run a command of the trainer image to its end and return what it printed."""
    start_trainer(stage.kubectl, name, *arguments)
    stage.wait(f"Job {name}", lambda: _ended(stage.kubectl, name), within)
    return stage.kubectl("logs", f"--namespace={NAMESPACE}", f"job/{name}")


def start_trainer(kubectl: Kubectl, name: str, *arguments: str) -> None:
    """Start a command of the trainer image as a Job of that name, in place of an earlier one."""
    kubectl("delete", "job", name, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait")
    kubectl.apply(json.dumps(_job(name, arguments)))


def _ended(kubectl: Kubectl, name: str) -> tuple[str | None, str]:
    job = kubectl.get("job", name, f"--namespace={NAMESPACE}") or {}
    conditions = {one["type"]: one["status"] for one in job.get("status", {}).get("conditions") or ()}
    if conditions.get("Failed") == "True":
        raise StoryError(f"Job {name} failed:\n{kubectl('logs', f'--namespace={NAMESPACE}', f'job/{name}', '--tail=20')}")
    return ("Complete" if conditions.get("Complete") == "True" else None), f"{job.get('status', {})}"


def _job(name: str, arguments: Sequence[str]) -> dict[str, Any]:
    secret = {"secretKeyRef": {"name": "platform-db", "key": "url"}}
    container = {
        "name": "trainer",
        "image": TRAINER,
        "imagePullPolicy": "IfNotPresent",
        "args": list(arguments),
        "env": [{"name": "DATABASE_URL", "valueFrom": secret}],
        "securityContext": _SAFE,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the Pod's own
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"backoffLimit": 2, "template": {"spec": pod}}}
