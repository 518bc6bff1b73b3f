"""kubectl on the tests' API server, in namespaces that only these tests use."""

import copy
import subprocess
from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.chart.rendering import Manifest
from tests.cluster.local.cluster import LocalCluster

_PREFIX = "chart-"


class Kubectl:
    """kubectl with all rights. Objects go to `chart-<namespace>`: other tests of the session use the same API server."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.kubeconfig: Path = cluster.kubeconfig
        self._binary = cluster.binary("kubectl")

    def ask(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Return how `kubectl …` ended, well or not."""
        command = [str(self._binary), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, input=stdin, check=False, timeout=60)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what `kubectl …` prints; AssertionError with what it says when it fails."""
        done = self.ask(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, wanted: Iterable[Manifest], *, dry_run: bool = False) -> None:
        """Apply objects server-side; a field the API server does not know is an error."""
        flags = ("--server-side", "--force-conflicts", "--validate=strict", *(["--dry-run=server"] if dry_run else []))
        self.run("apply", *flags, "--filename=-", stdin=yaml.safe_dump_all([_moved(one) for one in wanted]))

    def delete_namespaces(self, names: Iterable[str]) -> None:
        """Delete namespaces and all that is in them, without waiting for it."""
        self.run("delete", "namespace", "--wait=false", "--ignore-not-found", *map(own, names))


def own(namespace: str) -> str:
    """Return the name under which these tests use a namespace."""
    return f"{_PREFIX}{namespace}"


def _moved(manifest: Manifest) -> Manifest:
    moved = copy.deepcopy(manifest)
    metadata = moved["metadata"]
    place = "name" if moved["kind"] == "Namespace" else "namespace"
    if place in metadata:
        metadata[place] = own(metadata[place])
    return moved
