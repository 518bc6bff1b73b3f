"""The chart: it renders, refuses what it does not know, and every value it takes does something."""

import copy
import re
from typing import Any

import pytest
import yaml

from tests.chart.rendering import (
    CHART,
    EVERYTHING,
    NAMESPACE,
    NAMESPACED,
    OPEN,
    ROOT,
    HelmError,
    Values,
    default_values,
    helm,
    leaves,
    merged,
    nested,
    objects,
    of_kind,
    operator_pod,
    rendered,
)

VALUE_SETS = {"defaults": {}, "everything": EVERYTHING, "namespaced": NAMESPACED}
LEAVES = sorted(leaves(default_values()))

OTHER: dict[str, Any] = {
    "image.repository": "other/operator",
    "image.tag": "9.9.9",
    "image.digest": f"sha256:{'a' * 64}",
    "image.pullPolicy": "Always",
    "imagePullSecrets": [{"name": "registry"}],
    "trainerImage": "other/trainer:1",
    "metricsSources": {"other": "http://other:9090"},
    "notifiers": {"team-b": {"slack": {"channel": "C024BE91L", "tokenSecret": {"name": "slack-bot", "key": "xoxb"}}}},
    "watchNamespaces": ["members"],
    "allowAlertsFromOtherNamespaces": True,
    "gatewayFeatures": {"eg": ["HTTPRouteRequestMirror"]},
    "maxConcurrentRuns": 3,
    "monitorInterval": 5,
    "evaluationInterval": 30,
    "queryTimeout": 5,
    "resyncInterval": 60,
    "logLevel": "debug",
    "logFormat": "text",
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "webhook.service.port": 9095,
    "webhook.tokenSecret.name": "other-token",
    "webhook.tokenSecret.key": "bearer",
    "metrics.service.port": 9096,
    "metrics.serviceMonitor.enabled": False,
    "metrics.serviceMonitor.interval": "5s",
    "metrics.serviceMonitor.labels": {"release": "prometheus"},
    "metrics.prometheusRule.enabled": False,
    "metrics.prometheusRule.labels": {"release": "prometheus"},
    "metrics.dashboard.enabled": False,
    "metrics.dashboard.labels": {"team": "ml"},
    "crds.install": False,
    "crds.keep": False,
    "clusterRoles.create": False,
    "serviceAccount.create": False,
    "serviceAccount.name": "other",
    "serviceAccount.annotations": {"note": "one"},
    "resources.requests": {"cpu": "1"},
    "resources.limits": {"memory": "1Gi"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"pool": "control"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "podAnnotations": {"note": "one"},
    "podLabels": {"team": "ml"},
    "podDisruptionBudget.enabled": False,
    "networkPolicy.enabled": False,
    "networkPolicy.webhookFrom": [{"podSelector": {}}],
    "networkPolicy.metricsFrom": [{"podSelector": {}}],
    "networkPolicy.egress": [{"to": [{"podSelector": {}}]}],
    "nameOverride": "other",
    "fullnameOverride": "other",
}
"""A value for each path that is not its default."""


def test_the_chart_passes_lint() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART)


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_no_object_is_made_twice_and_each_is_marked_as_the_releases_own(values: Values) -> None:
    made = objects(values)
    names = [(one["apiVersion"], one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in made]
    assert len(set(names)) == len(names) > 8
    assert {one["metadata"]["labels"]["app.kubernetes.io/instance"] for one in made} == {"retrainer"}


def test_there_is_an_alternative_for_every_value() -> None:
    assert sorted(OTHER) == [".".join(path) for path in LEAVES]


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_every_value_does_something(path: tuple[str, ...]) -> None:
    name = ".".join(path)
    base = copy.deepcopy(dict(EVERYTHING))
    if name == "serviceAccount.create":
        base["serviceAccount"] = {"name": "other"}  # it needs a name then
    assert rendered(merged(base, nested(path, OTHER[name]))) != rendered(base)


def closed_mappings(values: Values, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = [closed_mappings(value, (*above, key)) for key, value in values.items() if isinstance(value, dict) and value]
    return [path for path in [above, *(path for paths in below for path in paths)] if path not in OPEN]


@pytest.mark.parametrize("path", closed_mappings(default_values()), ids=lambda path: ".".join(path) or "root")
def test_a_misspelt_value_is_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(HelmError, match="additional properties 'tpyo' not allowed"):
        rendered(nested((*path, "tpyo"), "x"))


@pytest.mark.parametrize(
    "values",
    [
        {"logLevel": "trace"},
        {"maxConcurrentRuns": -1},
        {"gatewayFeatures": {"eg": ["HTTPRouteMagic"]}},
        {"gatewayFeatures": {"gateways/public/https": ["HTTPRouteRequestMirror"]}},
        {"monitorInterval": 0},
        {"metricsSources": {"default": "prometheus:9090"}},
        {"metricsSources": {"default": {"url": "http://x"}}},
        {"evaluationInterval": 5},
        {"metricsSources": {"Not-A-Name": "http://x"}},
        {"notifiers": {"team-a": {"slack": {"channel": "#models"}}}},
        {"notifiers": {"team-a": {"mail": {"to": "team-a"}}}},
        {"image": {"digest": "sha256:short"}},
        {"serviceAccount": {"create": False}},
    ],
    ids=str,
)
def test_a_value_that_cannot_be_meant_is_refused(values: Values) -> None:
    with pytest.raises(HelmError):
        rendered(values)


def test_an_older_kubernetes_is_refused() -> None:
    with pytest.raises(HelmError, match="kubeVersion"):
        helm("template", "retrainer", CHART, "--kube-version=1.30.9")
    assert helm("template", "retrainer", CHART, "--kube-version=v1.31.4-gke.1200")


def test_the_readme_lists_every_value_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| `([^`]*)` \|", (CHART / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    defaults = {}
    for path in LEAVES:
        value: Any = default_values()
        for key in path:
            value = value[key]
        defaults[".".join(path)] = value
    assert {name: yaml.safe_load(text) for name, text in rows.items()} == defaults


def test_the_crds_are_the_generated_ones() -> None:
    generated = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "crds").glob("*.yaml")}
    copied = {path.name: path.read_text(encoding="utf-8") for path in (CHART / "files/crds").glob("*.yaml")}
    assert copied == generated
    assert copied


def test_rendering_changes_nothing_of_a_crd_but_its_metadata() -> None:
    generated = {
        crd["metadata"]["name"]: crd["spec"]
        for path in (ROOT / "crds").glob("*.yaml")
        for crd in [yaml.safe_load(path.read_text(encoding="utf-8"))]
    }
    assert {crd["metadata"]["name"]: crd["spec"] for crd in of_kind("CustomResourceDefinition")} == generated


@pytest.mark.parametrize(("keep", "annotations"), [(True, {"helm.sh/resource-policy": "keep"}), (False, None)])
def test_crds_outlive_the_release_when_asked_to(keep: bool, annotations: dict[str, str] | None) -> None:
    crds = of_kind("CustomResourceDefinition", {"crds": {"keep": keep}})
    assert [crd["metadata"].get("annotations") for crd in crds] == [annotations] * 2


def test_a_token_is_made_up_only_when_none_is_given() -> None:
    [made] = of_kind("Secret")
    assert len(made["data"]["token"]) >= 48
    assert not of_kind("Secret", {"webhook": {"tokenSecret": {"name": "given"}}})


def test_a_token_is_a_file_that_follows_its_secret() -> None:
    [container] = operator_pod(EVERYTHING)["containers"]
    assert not [entry for entry in container["env"] if "secretKeyRef" in entry.get("valueFrom", {})]
    assert not [mount for mount in container["volumeMounts"] if "subPath" in mount]


def test_two_operators_never_run_side_by_side() -> None:
    [deployment] = of_kind("Deployment")
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]) == (1, "Recreate")


def test_each_service_finds_the_pod_and_its_port() -> None:
    [deployment] = of_kind("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
    for service in of_kind("Service"):
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        assert service["metadata"]["namespace"] == NAMESPACE
