"""The chart as Helm renders it, and what of its values can be asked one by one."""

import functools
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.local.cluster import LocalCluster

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/retrainer"
RELEASE = "retrainer"
NAMESPACE = "retrainer-system"

Manifest = dict[str, Any]
Values = Mapping[str, Any]

EVERYTHING: Values = {
    "metricsSources": {
        "default": "http://prometheus.monitoring.svc:9090",
        "guarded": {"url": "https://metrics.example/prometheus", "tokenSecret": {"name": "prometheus-token", "key": "bearer"}},
        "open": {"url": "http://thanos.monitoring.svc:9090", "allowQueries": True},
    },
    "notifiers": {"team-a": {"slack": {"channel": "#models", "tokenSecret": {"name": "slack-bot", "key": "xoxb"}}}},
    "metrics": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}},
    "networkPolicy": {"enabled": True},
    "podDisruptionBudget": {"enabled": True},
    "webhook": {"tokenSecret": {"name": "alertmanager-token", "key": "token"}},
}
"""Every optional object; the token is given, so that two renderings are equal."""

NAMESPACED: Values = {
    **EVERYTHING,
    "watchNamespaces": ["members", "payments"],
    "crds": {"install": False},
    "clusterRoles": {"create": False},
}


class HelmError(Exception):
    """What Helm says it does not like."""


@functools.cache
def helm_binary() -> Path:
    """Return a Helm that matches the tests' cluster; no cluster need be up."""
    return LocalCluster("chart", control_plane=True).binary("helm")


def helm(*arguments: str | Path, stdin: str | None = None) -> str:
    """Return what `helm …` prints; HelmError when it fails."""
    command = [str(helm_binary()), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, input=stdin, check=False, timeout=120)
    if done.returncode:
        raise HelmError(done.stderr)
    return done.stdout


def rendered(values: Values | None = None) -> str:
    """Return the chart rendered with some values over its own."""
    return helm("template", RELEASE, CHART, f"--namespace={NAMESPACE}", "--values=-", stdin=json.dumps(values or {}))


def objects(values: Values | None = None) -> list[Manifest]:
    """Return the objects the chart makes of some values."""
    return [document for document in yaml.safe_load_all(rendered(values)) if document]


def of_kind(kind: str, values: Values | None = None) -> list[Manifest]:
    """Return the chart's objects of one kind."""
    return [one for one in objects(values) if one["kind"] == kind]


def operator_pod(values: Values | None = None) -> Manifest:
    """Return the pod template's spec of the operator."""
    [deployment] = of_kind("Deployment", values)
    spec: Manifest = deployment["spec"]["template"]["spec"]
    return spec


def default_values() -> Manifest:
    """Return values.yaml as data."""
    loaded: Manifest = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return loaded


def leaves(values: Values, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each value that is not made of further ones; an empty mapping is a value."""
    for key, value in values.items():
        path = (*above, key)
        if isinstance(value, dict) and value and path not in OPEN:
            yield from leaves(value, path)
        else:
            yield path


OPEN = frozenset({("metricsSources",), ("resources", "requests"), ("resources", "limits")})
"""Mappings whose keys are the user's."""


def nested(path: tuple[str, ...], value: object) -> Manifest:
    """Return `{a: {b: value}}` for the path (a, b)."""
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def merged(base: Values, over: Values) -> Manifest:
    """Return one set of values over another, as Helm lays them."""
    out = dict(base)
    for key, value in over.items():
        below = out.get(key)
        out[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return out
