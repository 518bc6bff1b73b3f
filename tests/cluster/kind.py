"""A cluster made by kind, where a container engine answers."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import components, engine, kubectl
from tests.cluster.cache import cache_root, cluster_home, locked
from tests.cluster.commands import run
from tests.cluster.interface import Change, Way
from tests.cluster.progress import step

_POLICY_INSIDE = "/etc/kubernetes/audit/policy.yaml"
_LOGS_INSIDE = "/var/log/kubernetes"


@dataclass(frozen=True, slots=True)
class KindCluster:
    """A kind cluster with one node."""

    name: str
    engine: str
    audit_policy: Path

    @property
    def way(self) -> Way:
        """Always kind."""
        return Way.KIND

    @property
    def has_node(self) -> bool:
        """Always."""
        return True

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, kept apart from the user's own."""
        return cluster_home(self.name) / "kind.kubeconfig"

    @property
    def audit_log(self) -> Path | None:
        """The API server's audit log, written through a mount."""
        return cluster_home(self.name) / "logs" / "audit.log"

    def plan(self) -> Sequence[Change]:
        """A container, and kind itself where it is not there."""
        if self._exists():
            return []
        changes = [Change(f"a {self.engine} container {self.name}-control-plane and kind's node image for it")]
        if shutil.which("kind") is None and components.missing(["kind"]):
            changes.append(Change("build from Go modules: kind", system=False))
        return changes

    def up(self) -> None:
        """Create the cluster, unless kind knows it."""
        with locked(f"cluster {self.name}"):
            if self._exists():
                self._kind("export", "kubeconfig", f"--name={self.name}", f"--kubeconfig={self.kubeconfig}")
                return
            home = cluster_home(self.name)
            (home / "logs").mkdir(parents=True, exist_ok=True)
            config = home / "kind.json"
            config.write_text(json.dumps(_config(self.audit_policy, home / "logs"), indent=1), encoding="utf-8")
            argv = ["create", "cluster", f"--name={self.name}", f"--config={config}", "--wait=180s"]
            with step(f"creating kind cluster {self.name}"):
                self._kind(*argv, f"--kubeconfig={self.kubeconfig}")

    def down(self, *, purge: bool = False) -> None:
        """Delete the cluster; kind's node image stays with the engine."""
        with locked(f"cluster {self.name}"), step(f"deleting kind cluster {self.name}"):
            self._kind("delete", "cluster", f"--name={self.name}", f"--kubeconfig={self.kubeconfig}")
            shutil.rmtree(cluster_home(self.name), ignore_errors=True)

    def status(self) -> Sequence[str]:
        """Whether kind knows it."""
        state = f"up, kubeconfig {self.kubeconfig}" if self._exists() else "down"
        return [f"{self.name}: {state} (kind in {self.engine})", "  NetworkPolicy objects are enforced by kindnet"]

    def build_image(
        self,
        tag: str,
        context: Path,
        dockerfile: Path | None = None,
        build_args: Mapping[str, str] | None = None,
    ) -> None:
        """Build with the engine."""
        engine.build(self.engine, tag, context, dockerfile, build_args)

    def load_image(self, tag: str) -> None:
        """Hand the image over as an archive, which kind takes from either engine."""
        archive = cache_root() / "clusters" / self.name / "image.tar"
        with step(f"loading image {tag}"):
            archive.unlink(missing_ok=True)
            run([self.engine, "save", f"--output={archive}", tag])
            self._kind("load", "image-archive", str(archive), f"--name={self.name}")
            archive.unlink()

    def advertise(self, resource: str, quantity: int) -> None:
        """Patch the node's capacity, and return when Pods can be scheduled with it."""
        kubectl.advertise(self._kubectl, f"{self.name}-control-plane", resource, quantity)

    def binary(self, name: str) -> Path:
        """Return the user's own program, else one built from the components' table."""
        if found := shutil.which(name):
            return Path(found)
        components.build([name])
        return components.built_path(name)

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return kubectl.run_kubectl(self.binary("kubectl"), self.kubeconfig, *arguments, stdin=stdin)

    def _kind(self, *arguments: str) -> str:
        return run([self.binary("kind"), *arguments], env={"KIND_EXPERIMENTAL_PROVIDER": self.engine})

    def _exists(self) -> bool:
        label = f"--filter=label=io.x-k8s.kind.cluster={self.name}"
        return bool(run([self.engine, "ps", "--all", "--quiet", label]).strip())


def _config(policy: Path, logs: Path) -> dict[str, object]:
    """Return kind's configuration: the defaults, and an audit log that lands in `logs`."""
    volumes = [
        {"name": "policy", "hostPath": _POLICY_INSIDE, "mountPath": _POLICY_INSIDE, "readOnly": True, "pathType": "File"},
        {"name": "logs", "hostPath": _LOGS_INSIDE, "mountPath": _LOGS_INSIDE, "pathType": "DirectoryOrCreate"},
    ]
    arguments = {"audit-policy-file": _POLICY_INSIDE, "audit-log-path": f"{_LOGS_INSIDE}/audit.log"}
    patch = {"kind": "ClusterConfiguration", "apiServer": {"extraArgs": arguments, "extraVolumes": volumes}}
    mounts = [
        {"hostPath": str(policy.absolute()), "containerPath": _POLICY_INSIDE, "readOnly": True},
        {"hostPath": str(logs), "containerPath": _LOGS_INSIDE},
    ]
    node = {"role": "control-plane", "kubeadmConfigPatches": [json.dumps(patch)], "extraMounts": mounts}
    return {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [node]}
