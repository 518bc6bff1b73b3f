"""The demo's platform and the tenant's files: an API server takes them, restricted namespaces admit their pods, the rules are whole."""

import re
import shutil
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from retrainer.adapters import alertmanager
from retrainer.api.v1alpha1 import ModelRetrainPolicySpec
from tests.chart.rendering import CHART, EVERYTHING, NAMESPACE, ROOT, Manifest, objects, of_kind
from tests.chart.server import Kubectl
from tests.cluster.local.cluster import LocalCluster

PLATFORM = ROOT / "demo/platform"
MEMBERS = ROOT / "demo/members"
PLACEHOLDERS = {
    "postgres_image": "postgres:15-bookworm",
    "prometheus_image": "prom/prometheus:v3.13.4",
    "alertmanager_image": "prom/alertmanager:v0.25.0",
    "postgres_password": "letters0and1digits",
    "webhook_token": "letters2and3digits",
}
NEEDS_THE_PROMETHEUS_OPERATOR = {"ServiceMonitor", "PrometheusRule"}


def text_of(path: Path) -> str:
    """Return a manifest's text, its placeholders filled where it is a template."""
    text = path.read_text(encoding="utf-8")
    return string.Template(text).substitute(PLACEHOLDERS) if path.suffix == ".in" else text


def manifests() -> Iterator[Manifest]:
    """Yield every object of the platform and the tenant."""
    for path in (*sorted(PLATFORM.glob("*.yaml*")), *sorted(MEMBERS.glob("*.yaml"))):
        yield from (document for document in yaml.safe_load_all(text_of(path)) if document)


def pod_specs(found: list[Manifest]) -> dict[str, Manifest]:
    """Return the pod spec of each workload by its name."""
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in found if "template" in one.get("spec", {})}


def config(name: str, key: str) -> str:
    """Return one file of a ConfigMap of the platform."""
    [found] = [one for one in manifests() if one["kind"] == "ConfigMap" and one["metadata"]["name"] == name]
    return str(found["data"][key])


def rule_files() -> dict[str, str]:
    """Return the text of every rule file of ours, the chart's included."""
    [rule] = of_kind("PrometheusRule", EVERYTHING)
    return {"chart": yaml.safe_dump(rule["spec"]), "demo": config("prometheus", "rules.yml")}


@pytest.fixture(scope="module")
def namespaces(control_plane: LocalCluster) -> Iterator[Kubectl]:
    """Make the namespaces with Pod Security enforced, the demo's as their files say, and the operator's likewise."""
    kubectl = Kubectl(control_plane)
    own: Manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    wanted = [own, *(one for one in manifests() if one["kind"] == "Namespace")]
    assert [one["metadata"]["labels"] for one in wanted] == [own["metadata"]["labels"]] * 3
    kubectl.apply(wanted)
    yield kubectl
    kubectl.delete_namespaces([one["metadata"]["name"] for one in wanted])


def pod_of(name: str, spec: Manifest, namespace: str) -> Manifest:
    """Return a bare pod of a workload, without what is admitted elsewhere: its account, and claims that a StatefulSet makes."""
    bare = {key: value for key, value in spec.items() if key != "serviceAccountName"}
    volumes = spec.get("volumes", [])
    mounted = {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
    claimed = sorted(mounted - {volume["name"] for volume in volumes})
    bare["volumes"] = [*volumes, *({"name": volume, "emptyDir": {}} for volume in claimed)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": bare}


def test_every_placeholder_is_known_and_used() -> None:
    used = {name for path in PLATFORM.glob("*.yaml.in") for name in string.Template(path.read_text(encoding="utf-8")).get_identifiers()}
    assert used == set(PLACEHOLDERS)
    assert all(f"| `{name}` |" in (PLATFORM / "README.md").read_text(encoding="utf-8") for name in used)


def test_an_api_server_takes_the_platform_and_the_tenant_s_files(namespaces: Kubectl) -> None:
    namespaces.apply(manifests(), dry_run=True)


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_an_api_server_takes_what_the_chart_makes(namespaces: Kubectl, values: Manifest) -> None:
    namespaces.apply((one for one in objects(values) if one["kind"] not in NEEDS_THE_PROMETHEUS_OPERATOR), dry_run=True)


def test_restricted_namespaces_admit_every_pod(namespaces: Kubectl) -> None:
    specs = pod_specs([*manifests(), *objects(EVERYTHING)])
    assert sorted(specs) == ["alertmanager", "churn-risk-api", "postgres", "prometheus", "retrainer"]
    namespaces.apply((pod_of(name, spec, NAMESPACE) for name, spec in specs.items()), dry_run=True)


def test_a_restricted_namespace_admits_no_pod_that_may_be_root(namespaces: Kubectl) -> None:
    spec = pod_specs(objects())["retrainer"]
    spec["securityContext"]["runAsNonRoot"] = False
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        namespaces.apply([pod_of("retrainer", spec, NAMESPACE)], dry_run=True)


def test_no_pod_writes_to_its_root_and_each_asks_for_little() -> None:
    for spec in pod_specs([*manifests(), *objects()]).values():
        [container] = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert int(container["resources"]["requests"]["cpu"].removesuffix("m")) <= 50
        assert container["resources"]["limits"].keys() == {"memory"}


def test_the_server_drains_before_it_is_killed() -> None:
    spec = pod_specs(list(manifests()))["churn-risk-api"]
    [container] = spec["containers"]
    drain = next(entry["value"] for entry in container["env"] if entry["name"] == "DRAIN_SECONDS")
    assert float(drain) < spec["terminationGracePeriodSeconds"]


def test_the_policy_names_what_is_there() -> None:
    found = list(manifests())
    [policy] = [one for one in found if one["kind"] == "ModelRetrainPolicy"]
    spec = ModelRetrainPolicySpec.model_validate(policy["spec"])
    names = {
        (one["kind"], one["metadata"]["name"]): one for one in found if one["metadata"].get("namespace") == policy["metadata"]["namespace"]
    }
    template = names["Deployment", spec.serving.deployment_ref.name]["spec"]["template"]
    [server] = [one for one in template["spec"]["containers"] if one["name"] == spec.serving.model_env.container]
    environment = {entry["name"]: entry.get("value") for entry in server["env"]}
    assert spec.monitor.database_secret.key in names["Secret", spec.monitor.database_secret.name]["stringData"]
    assert ("PersistentVolumeClaim", spec.artifacts.persistent_volume_claim) in names
    assert [port["containerPort"] for port in server["ports"]] == [spec.serving.service.target_port] == [int(environment["PORT"] or 0)]
    assert environment["ARTIFACTS_PATH"] == "/artifacts/{namespace}/{name}".format_map(policy["metadata"])
    assert spec.serving.model_env.name not in environment


def test_the_alert_is_the_one_that_the_policy_waits_for() -> None:
    [policy] = [one for one in manifests() if one["kind"] == "ModelRetrainPolicy"]
    [alert] = [rule for group in yaml.safe_load(config("prometheus", "rules.yml"))["groups"] for rule in group["rules"]]
    wanted = next(trigger["alert"]["matchLabels"] for trigger in policy["spec"]["triggers"] if "alert" in trigger)
    assert wanted == {"alertname": alert["alert"], "model_type": policy["spec"]["modelType"]}
    assert set(re.findall(r"by \(([^)]+)\)", alert["expr"])) == {"namespace, model_type"}


def test_rules_ask_for_series_of_the_metrics_contract() -> None:
    contract = (ROOT / "docs/metrics-contract.md").read_text(encoding="utf-8")
    asked = set(re.findall(r"retrainer_\w+", config("prometheus", "rules.yml")))
    assert asked
    assert all(f"`{name}" in contract for name in asked)


@pytest.mark.parametrize("origin", ["chart", "demo"])
def test_rules_are_whole(origin: str, tmp_path: Path) -> None:
    """Promtool is asked where Prometheus is installed; what can be seen without it is looked at in any case."""
    file = tmp_path / "rules.yml"
    file.write_text(rule_files()[origin], encoding="utf-8")
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert [rule["expr"].count(left) - rule["expr"].count(right) for left, right in ("()", "[]", "{}")] == [0, 0, 0]
    if promtool := shutil.which("promtool"):
        done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_posts_each_alert_by_itself_to_the_chart_s_service() -> None:
    settings = yaml.safe_load(config("alertmanager", "alertmanager.yml"))
    [receiver] = settings["receivers"]
    [webhook] = receiver["webhook_configs"]
    [service] = [one for one in of_kind("Service") if one["metadata"]["name"].endswith("-webhook")]
    name, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    assert webhook["url"] == f"http://{name}.{NAMESPACE}.svc:{port}{alertmanager.PATH}"
    assert webhook["send_resolved"]
    assert settings["route"]["group_by"] == ["..."]


def test_the_chart_takes_the_demo_s_values() -> None:
    values = yaml.safe_load((PLATFORM / "chart/values.yaml").read_text(encoding="utf-8"))
    [deployment] = of_kind("Deployment", values)
    template = deployment["spec"]["template"]
    ports = {port["name"]: str(port["containerPort"]) for port in template["spec"]["containers"][0]["ports"]}
    assert template["metadata"]["annotations"]["prometheus.io/port"] == ports["metrics"]


@pytest.mark.parametrize("file", [CHART / "values.yaml", PLATFORM / "chart/values.yaml"], ids=["chart", "demo"])
def test_prometheus_is_where_the_chart_looks_for_it(file: Path) -> None:
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    [service] = [one for one in manifests() if one["kind"] == "Service" and one["metadata"]["name"] == "prometheus"]
    port = service["spec"]["ports"][0]["port"]
    assert values["metricsSources"]["default"] == f"http://prometheus.{service['metadata']['namespace']}.svc:{port}"
