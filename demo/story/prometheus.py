"""The cluster's Prometheus, asked for what the story tells."""

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One Prometheus by its URL."""

    url: str

    def value(self, query: str) -> float | None:
        """Return the value of a query that answers with one series, None while there is none."""
        result = self._ask("query", query=query).get("result", [])
        return float(result[0]["value"][1]) if result else None

    def alerts(self) -> Sequence[Mapping[str, Any]]:
        """Return the alerts that are pending or firing."""
        alerts: Sequence[Mapping[str, Any]] = self._ask("alerts").get("alerts", [])
        return alerts

    def _ask(self, what: str, **parameters: str) -> Mapping[str, Any]:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the URL is a Service's
                data: Mapping[str, Any] = json.load(answer)["data"]
        except OSError:
            return {}
        return data


def accuracy(namespace: str, version: str | None = None, window: str = "30s") -> str:
    """Return the query for the share of right predictions over a window, of one version or of all."""
    labels = f'namespace="{namespace}",model_type="churn_risk"' + (f',model_version="{version}"' if version else "")
    right = f'sum(increase(retrainer_outcomes_total{{{labels},correct="true"}}[{window}]))'
    return f"{right} / sum(increase(retrainer_outcomes_total{{{labels}}}[{window}]))"
