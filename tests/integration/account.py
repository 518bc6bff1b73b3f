"""The operator's account: what the chart grants it, as the API server has it, and a kubeconfig that has no other right."""

import json
import subprocess
from pathlib import Path
from typing import Final

import yaml

from tests.chart.rendering import CHART, NAMESPACE, helm
from tests.cluster.local.cluster import LocalCluster

OPERATOR: Final = f"system:serviceaccount:{NAMESPACE}:retrainer"
_KINDS: Final = frozenset({"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})


class Account:
    """The chart's account and roles in a cluster, for as long as `grant` to `revoke`."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.command = (str(cluster.binary("kubectl")), f"--kubeconfig={cluster.kubeconfig}")
        self._admin = cluster.kubeconfig
        rendered = helm("template", "retrainer", CHART, f"--namespace={NAMESPACE}")
        granted = [one for one in yaml.safe_load_all(rendered) if one and one["kind"] in _KINDS]
        self._manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": granted})

    def grant(self, kubeconfig: Path) -> None:
        """Make account and roles, and write a kubeconfig of the account."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(namespace))
        self.kubectl("apply", "--filename=-", stdin=self._manifests)
        token = self.kubectl("create", "token", "retrainer", f"--namespace={NAMESPACE}", "--duration=2h").strip()
        document = yaml.safe_load(self._admin.read_text(encoding="utf-8"))
        document["users"] = [{"name": document["users"][0]["name"], "user": {"token": token}}]
        kubeconfig.write_text(yaml.safe_dump(document), encoding="utf-8")
        kubeconfig.chmod(0o600)

    def revoke(self) -> None:
        """Take account and roles away: the names are the chart's own."""
        self.kubectl("delete", "--ignore-not-found", "--wait=false", "--filename=-", stdin=self._manifests)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints for the administrator; AssertionError with what it says when it fails."""
        done = self.ask(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Return how a command of the administrator's ended."""
        return subprocess.run([*self.command, *arguments], capture_output=True, text=True, input=stdin, check=False, timeout=60)
