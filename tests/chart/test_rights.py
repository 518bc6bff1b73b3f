"""What the operator and people may do: what is listed here, and not a verb more."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chart.rendering import CHART, EVERYTHING, NAMESPACE, NAMESPACED, Manifest, Values, helm, objects, of_kind
from tests.chart.server import Kubectl, own
from tests.cluster.local.cluster import LocalCluster

HOME = own("release")
TENANT = own("tenant")
READ = {"get", "list", "watch"}
WORKLOAD = READ | {"create", "patch", "delete"}
ROLE = {"get", "create", "patch"}

RIGHTS = {
    ("retrainer.dev", "modelretrainpolicies", ""): READ,
    ("retrainer.dev", "modelretrainpolicies/status", ""): {"patch"},
    ("retrainer.dev", "modelretrainruns", ""): READ | {"create", "delete"},
    ("retrainer.dev", "modelretrainruns/status", ""): {"patch"},
    ("batch", "jobs", ""): WORKLOAD,
    ("batch", "cronjobs", ""): WORKLOAD,
    ("", "pods", ""): READ,
    ("apps", "deployments", ""): WORKLOAD,
    ("", "services", ""): WORKLOAD - {"delete"},
    ("gateway.networking.k8s.io", "httproutes", ""): WORKLOAD,
    ("gateway.networking.k8s.io", "gateways", ""): {"get"},
    ("gateway.networking.k8s.io", "gatewayclasses", ""): {"get"},
    ("", "serviceaccounts", ""): ROLE,
    ("rbac.authorization.k8s.io", "rolebindings", ""): ROLE,
    ("rbac.authorization.k8s.io", "clusterroles", "retrainer-monitor"): {"bind"},
    ("", "persistentvolumeclaims", ""): {"get"},
    ("events.k8s.io", "events", ""): {"create"},
}
SETS = {"everywhere": {}, "everything": EVERYTHING, "namespaced": NAMESPACED}


def rights(role: Manifest) -> dict[tuple[str, str, str], set[str]]:
    """Return a role's verbs by group, resource and name; the empty name is any."""
    return {
        (group, resource, name): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def test_the_operator_may_do_what_is_listed_and_nothing_else() -> None:
    [role] = [role for role in of_kind("ClusterRole") if role["metadata"]["name"] == "retrainer"]
    assert rights(role) == RIGHTS


def test_with_named_namespaces_it_has_no_right_in_the_cluster() -> None:
    made = objects(NAMESPACED)
    assert not [one for one in made if one["kind"] in ("ClusterRole", "ClusterRoleBinding")]
    roles = {one["metadata"]["namespace"]: rights(one) for one in made if one["kind"] == "Role"}
    assert roles == {"members": RIGHTS, "payments": RIGHTS}


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_no_role_reads_secrets_or_takes_all(values: Values) -> None:
    granted = [rights(one) for one in objects(values) if one["kind"] in ("Role", "ClusterRole")]
    assert granted
    for right in granted:
        assert not [key for key in right if key[1].startswith("secrets") or "*" in key]
        assert not [verbs for verbs in right.values() if verbs & {"*", "escalate", "impersonate"}]


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_every_binding_is_for_the_operators_account_alone(values: Values) -> None:
    bindings = [one for one in objects(values) if one["kind"].endswith("Binding")]
    assert bindings
    account = {"kind": "ServiceAccount", "name": "retrainer", "namespace": NAMESPACE}
    assert all(binding["subjects"] == [account] for binding in bindings)


def test_starting_a_run_and_approving_it_are_two_rights() -> None:
    roles = {role["metadata"]["name"]: role for role in of_kind("ClusterRole")}
    runs = ("retrainer.dev", "modelretrainruns", "")
    assert "patch" not in rights(roles["retrainer-editor"])[runs]
    assert rights(roles["retrainer-approver"])[runs] == READ | {"patch"}
    assert rights(roles["retrainer-viewer"]) == rights(roles["retrainer-monitor"])
    assert set().union(*rights(roles["retrainer-monitor"]).values()) == READ


class Installation:
    """A release in a real API server, without the CRDs, which are there already; nothing needs a node."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.kubectl = Kubectl(cluster)
        self._flags = (f"--kubeconfig={cluster.kubeconfig}", f"--namespace={HOME}")

    def install(self, *arguments: str) -> None:
        """Install the chart, or upgrade it to other values."""
        helm("upgrade", "--install", "--create-namespace", "retrainer", CHART, *self._flags, "--set=crds.install=false", *arguments)

    def uninstall(self) -> None:
        """Take the release away."""
        helm("uninstall", "retrainer", *self._flags)

    def get(self, kind: str, name: str) -> Manifest:
        """Return an object of the release's namespace."""
        found: Manifest = json.loads(self.kubectl.run("get", kind, name, f"--namespace={HOME}", "--output=json"))
        return found

    def as_operator(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Return how a command ended that the operator's account gave."""
        return self.kubectl.ask(*arguments, f"--as=system:serviceaccount:{HOME}:retrainer")


@contextmanager
def set_aside(kubectl: Kubectl) -> Iterator[None]:
    """Take away, and put back, what other tests have of the chart's that no namespace keeps apart: Helm takes over nothing."""
    names = [f"{one['kind']}/{one['metadata']['name']}" for one in objects() if one["kind"].startswith("ClusterRole")]
    found = json.loads(kubectl.run("get", *names, "--ignore-not-found", "--output=json") or '{"items": []}')
    if found["items"]:
        kubectl.run("delete", "--ignore-not-found", *names)
    yield
    for one in found["items"]:
        one["metadata"] = {"name": one["metadata"]["name"], "labels": one["metadata"].get("labels", {})}
        kubectl.run("create", "--filename=-", stdin=json.dumps(one))


@pytest.fixture(scope="module")
def installed(control_plane: LocalCluster) -> Iterator[Installation]:
    installation = Installation(control_plane)
    with set_aside(installation.kubectl):
        installation.kubectl.run("create", "namespace", TENANT)
        installation.install()
        yield installation
        installation.uninstall()
        installation.kubectl.run("delete", "namespace", TENANT, HOME, "--wait=false")


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "update", "patch", "delete"])
def test_the_api_server_lets_the_operator_near_no_secret(installed: Installation, verb: str) -> None:
    for namespace in (TENANT, HOME):
        assert installed.as_operator("auth", "can-i", verb, "secrets", f"--namespace={namespace}").stdout.strip() == "no"


def test_the_api_server_lets_it_do_its_work(installed: Installation) -> None:
    for verb, what in (("create", "jobs.batch"), ("patch", "services"), ("watch", "modelretrainpolicies.retrainer.dev")):
        assert installed.as_operator("auth", "can-i", verb, what, f"--namespace={TENANT}").stdout.strip() == "yes"


def test_the_api_server_lets_it_bind_the_monitors_role_and_no_other(installed: Installation) -> None:
    def bind(role: str) -> subprocess.CompletedProcess[str]:
        flags = (f"--clusterrole={role}", f"--serviceaccount={TENANT}:any", f"--namespace={TENANT}", "--dry-run=server")
        return installed.as_operator("create", "rolebinding", f"test-{role}", *flags)

    allowed = bind("retrainer-monitor")
    assert allowed.returncode == 0, allowed.stderr
    for role in ("cluster-admin", "retrainer-editor", "retrainer-approver"):
        refused = bind(role)
        assert refused.returncode != 0
        assert "attempting to grant RBAC permissions not currently held" in refused.stderr


def test_an_upgrade_keeps_the_token(installed: Installation) -> None:
    before = installed.get("secret", "retrainer-webhook")["data"]
    installed.install("--set=logLevel=debug")
    [container] = installed.get("deployment", "retrainer")["spec"]["template"]["spec"]["containers"]
    assert {"name": "RETRAINER_LOG_LEVEL", "value": "debug"} in container["env"]
    assert installed.get("secret", "retrainer-webhook")["data"] == before
