"""A cluster that is there already: nothing is installed in it, changed or taken down by this tool."""

import json
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import components, engine, kubectl
from tests.cluster.cache import cluster_home
from tests.cluster.commands import run
from tests.cluster.interface import Change, ClusterError, Way


@dataclass(frozen=True, slots=True)
class ExistingCluster:
    """The cluster of one context of the user's kubeconfig; whoever makes this has seen that it is allowed."""

    name: str
    context: str

    @property
    def way(self) -> Way:
        """Always existing."""
        return Way.EXISTING

    @property
    def has_node(self) -> bool:
        """Taken for granted."""
        return True

    @property
    def kubeconfig(self) -> Path:
        """A copy that holds this one context only, so that nothing can reach another by mistake."""
        return cluster_home(self.name) / "existing.kubeconfig"

    @property
    def audit_log(self) -> Path | None:
        """Not ours to read."""
        return None

    def plan(self) -> Sequence[Change]:
        """Nothing but the copy of the kubeconfig."""
        return []

    def up(self) -> None:
        """Copy the context out of the user's kubeconfig and see that the API answers."""
        kubectl_program = self.binary("kubectl")
        argv = ["config", "view", "--raw", "--flatten", "--minify", f"--context={self.context}"]
        content = run([kubectl_program, *argv])
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(content, encoding="utf-8")
        self._kubectl("get", "--raw=/readyz")

    def down(self, *, purge: bool = False) -> None:
        """Forget the copy; the cluster stays as it is."""
        self.kubeconfig.unlink(missing_ok=True)

    def status(self) -> Sequence[str]:
        """Which context it is."""
        return [f"{self.name}: context {self.context}, not made and not taken down by this tool"]

    def build_image(
        self,
        tag: str,
        context: Path,
        dockerfile: Path | None = None,
        build_args: Mapping[str, str] | None = None,
    ) -> None:
        """Build with the container engine that answers here."""
        engine.build(engine.find_or_refuse(), tag, context, dockerfile, build_args)

    def load_image(self, tag: str) -> None:
        """Run CLUSTER_IMAGE_LOADER, for instance `minikube image load {tag}`: only its owner knows how."""
        loader = os.environ.get("CLUSTER_IMAGE_LOADER")
        if not loader:
            raise ClusterError(f"say in CLUSTER_IMAGE_LOADER how {self.context} gets {tag}: a command with {{tag}} in it")
        run([part.replace("{tag}", tag) for part in shlex.split(loader)])

    def advertise(self, resource: str, quantity: int) -> None:
        """Give the resource to the first node that has none of it, unless a node has enough really."""
        nodes = json.loads(self._kubectl("get", "nodes", "--output=json"))["items"]
        had = {node["metadata"]["name"]: int(node["status"]["capacity"].get(resource, "0")) for node in nodes}
        if quantity and any(number >= quantity for number in had.values()):
            return
        kubectl.advertise(self._kubectl, min(had, key=lambda name: had[name]), resource, quantity)

    def binary(self, name: str) -> Path:
        """Return the user's own program, else one built from the components' table."""
        if found := shutil.which(name):
            return Path(found)
        components.build([name])
        return components.built_path(name)

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return kubectl.run_kubectl(self.binary("kubectl"), self.kubeconfig, *arguments, stdin=stdin)
