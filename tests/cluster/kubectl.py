"""What is done with kubectl, alike in every way of having a cluster."""

import json
import time
from pathlib import Path
from typing import Protocol

from tests.cluster.commands import run
from tests.cluster.interface import ClusterError

_ALLOCATABLE_SECONDS = 60.0


class Kubectl(Protocol):
    """Runs kubectl against one cluster and returns what it printed."""

    def __call__(self, *arguments: str, stdin: str | None = None) -> str: ...


def run_kubectl(program: Path, kubeconfig: Path, *arguments: str, stdin: str | None = None) -> str:
    """Return kubectl's stdout."""
    return run([program, f"--kubeconfig={kubeconfig}", *arguments], stdin=stdin, timeout=120)


def install_kinds(kubectl: Kubectl, definitions: Path) -> None:
    """Apply CustomResourceDefinitions and return when the API server serves them."""
    kubectl("apply", "--server-side", "--filename", str(definitions))
    # Of a status that has no conditions at all yet, kubectl cannot wait for one: it fails at once.
    for fact in ("jsonpath={.status.conditions}", "condition=Established"):
        kubectl("wait", f"--for={fact}", "--timeout=30s", "--filename", str(definitions))


def advertise(kubectl: Kubectl, node: str, resource: str, quantity: int) -> None:
    """Set an extended resource of the node's capacity and return when it is allocatable.

    This is the documented way to advertise what no device plugin reports; the kubelet follows with its next status.
    """
    path = "/status/capacity/" + resource.replace("~", "~0").replace("/", "~1")
    patch = json.dumps([{"op": "add", "path": path, "value": str(quantity)}])
    kubectl("patch", "node", node, "--subresource=status", "--type=json", f"--patch={patch}")
    deadline = time.monotonic() + _ALLOCATABLE_SECONDS
    while time.monotonic() < deadline:
        allocatable = json.loads(kubectl("get", "node", node, "--output=json"))["status"]["allocatable"]
        if allocatable.get(resource, "0") == str(quantity):
            return
        time.sleep(0.3)
    raise ClusterError(f"{node} did not make {quantity} {resource} allocatable in {_ALLOCATABLE_SECONDS:.0f} s")
