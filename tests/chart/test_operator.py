"""The chart and the operator's code agree: variables, ports, probes, the webhook's path, the metrics that alerts ask for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from retrainer.adapters import alertmanager
from retrainer.manifests import monitor
from retrainer.server import health_app
from retrainer.settings import Settings
from retrainer.telemetry import Telemetry
from tests.chart.rendering import CHART, EVERYTHING, NAMESPACED, ROOT, Manifest, Values, of_kind, operator_pod

DOWNWARD = {"metadata.name": "retrainer-0"}


def environment(values: Values) -> dict[str, str]:
    """Return the operator's environment as the kubelet would make it."""
    [container] = operator_pod(values)["containers"]
    return {
        entry["name"]: entry["value"] if "value" in entry else DOWNWARD[entry["valueFrom"]["fieldRef"]["fieldPath"]]
        for entry in container["env"]
    }


def settings(values: Values) -> Manifest:
    """Return what the operator's settings make of the chart's environment, read by a process that has that environment."""
    script = "from retrainer.settings import Settings; print(Settings().model_dump_json())"
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "operator"), **environment(values)}
    done = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True)
    loaded: Manifest = json.loads(done.stdout)
    return loaded


def test_the_chart_sets_every_setting_and_knows_no_other() -> None:
    variables = {name.removeprefix("RETRAINER_").lower() for name in environment({})}
    assert variables == set(Settings.model_fields) - {"kubeconfig"}


def test_values_arrive_as_settings() -> None:
    able = {"eg": ["HTTPRouteRequestMirror"], "gateways/public": ["HTTPRouteBackendRequestHeaderModification"]}
    known = {"allowAlertsFromOtherNamespaces": True, "monitorInterval": 7, "logFormat": "text", "trainerImage": "trainer:2"}
    values = {**NAMESPACED, **known, "gatewayFeatures": able}
    read = settings(values)
    assert read["watch_namespaces"] == ["members", "payments"]
    assert read["alerts_across_namespaces"] is True
    assert (read["monitor_interval_s"], read["log_format"], read["trainer_image"]) == (7, "text", "trainer:2")
    assert {of: list(features) for of, features in read["gateway_features"].items()} == able
    assert read["pod_name"] == "retrainer-0"


def test_the_chart_s_defaults_are_the_operator_s() -> None:
    read = settings({})
    chosen = {"trainer_image", "pod_name", "metrics_sources", "webhook_token_file"}
    defaults = {name: field.default for name, field in Settings.model_fields.items() if name not in chosen}
    assert {name: tuple(value) if isinstance(value, list) else value for name, value in read.items() if name not in chosen} == defaults


def test_every_token_file_lies_in_a_mounted_secret() -> None:
    read = settings(EVERYTHING)
    pod = operator_pod(EVERYTHING)
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"] for volume in pod["volumes"]}
    files = {
        read["webhook_token_file"]: "alertmanager-token",
        read["metrics_sources"]["guarded"]["token_file"]: "prometheus-token",
        read["notifiers"]["team-a"]["slack"]["token_file"]: "slack-bot",
    }
    for file, secret in files.items():
        mounted = secrets[mounts[str(Path(file).parent)]]
        assert mounted["secretName"] == secret
        assert [item["path"] for item in mounted["items"]] == [Path(file).name]


def test_policies_may_ask_a_source_in_promql_only_where_that_is_said() -> None:
    sources = settings(EVERYTHING)["metrics_sources"]
    assert {name: source["allow_queries"] for name, source in sources.items()} == {"default": False, "guarded": False, "open": True}


def test_probes_and_ports_are_the_operator_s() -> None:
    read = settings({})
    [container] = operator_pod()["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "webhook": read["webhook_listen_port"],
        "metrics": read["health_listen_port"],
    }
    app = health_app(CollectorRegistry(), alive=lambda: True, ready=lambda: True)
    paths = {resource.canonical for resource in app.router.resources()}
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["path"] for probe in probes.values()} == paths - {"/metrics"}
    assert {probe["port"] for probe in probes.values()} == {"metrics"}


def test_what_the_notes_and_the_demo_call_is_the_webhook() -> None:
    called = f"{alertmanager.PATH}\n"
    assert called in (CHART / "templates/NOTES.txt").read_text(encoding="utf-8")
    assert called in (ROOT / "demo/platform/alertmanager-config.yaml").read_text(encoding="utf-8")


def test_the_monitors_role_has_the_name_the_operator_binds() -> None:
    assert monitor.ROLE in [role["metadata"]["name"] for role in of_kind("ClusterRole")]


def test_alerts_ask_for_metrics_and_results_that_exist() -> None:
    [rule] = of_kind("PrometheusRule", EVERYTHING)
    asked = set(re.findall(r"retrainer_\w+", " ".join(alert["expr"] for group in rule["spec"]["groups"] for alert in group["rules"])))
    told = {f"{family.name}_total" if family.type == "counter" else family.name for family in Telemetry().registry.collect()}
    assert asked
    assert asked <= {name for family in told for name in (family, f"{family}_bucket")}
    results = set(re.findall(r'result=~"([^"]+)"', yaml.safe_dump(rule, width=1000)))
    source = Path(alertmanager.__file__).read_text(encoding="utf-8")
    assert {name for names in results for name in names.split("|")} <= set(re.findall(r'self\._answer\(\s*"(\w+)"', source))
