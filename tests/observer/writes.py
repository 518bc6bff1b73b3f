"""Traffic writes: each write that changed a Service's selector or a route's weights, or took a candidate's replicas while it had weight.

They come from the API server's audit log. A return of traffic to a version that had all of it before must be one write.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.observer.reading import key_of, read_route, read_service
from tests.observer.world import SERVES, VERSION, Key, Violation

WRITES = {"create", "update", "patch"}
RESOURCES = ("services", "deployments", "httproutes")


@dataclass(frozen=True, slots=True)
class TrafficWrite:
    """One write of a selector or of weights: when it was asked for and answered, by whom, and whose traffic it made it."""

    asked: float
    answered: float
    service: Key
    user: str
    before: str
    after: str
    returns: bool = False


@dataclass(slots=True)
class _Traffic:
    selector: Mapping[str, str] | None = None
    weights: Mapping[str, float] | None = None
    champions: list[str] = field(default_factory=list)
    cut: int = 0


class TrafficWrites:
    """Reads audit events one after another; `writes` are the traffic writes so far."""

    name = "ReturnIsOneWrite"

    def __init__(self) -> None:
        self.writes: list[TrafficWrite] = []
        self._traffic: dict[Key, _Traffic] = {}
        self._replicas: dict[Key, int] = {}

    def read(self, line: str) -> Sequence[Violation]:
        """Take one line of the audit log in; returns what it breaks."""
        if not any(f'"{resource}"' in line for resource in RESOURCES):
            return ()
        event = json.loads(line)
        written = event.get("responseObject") or {}
        if not _is_write(event) or "metadata" not in written:
            return ()
        if event["objectRef"]["resource"] == "services":
            return self._service_written(event, written) if read_service(written) else ()
        if event["objectRef"]["resource"] == "httproutes":
            self._route_written(event, written)
            return ()
        return self._deployment_written(event, written)

    def _service_written(self, event: Mapping[str, Any], written: Mapping[str, Any]) -> Sequence[Violation]:
        key, selector = key_of(written), written.get("spec", {}).get("selector") or {}
        traffic = self._traffic.setdefault(key, _Traffic())
        if SERVES not in selector or selector == traffic.selector:
            return ()
        version = selector.get(VERSION)
        returns = version in traffic.champions and traffic.selector is not None
        asked, answered = _time(event["requestReceivedTimestamp"]), _time(event["stageTimestamp"])
        before = whose(traffic.selector) if traffic.selector is not None else "nobody"
        user = event["user"]["username"]
        self.writes.append(TrafficWrite(asked, answered, key, user, before, whose(selector), returns))
        writes, traffic.cut, traffic.selector = 1 + traffic.cut, 0, selector
        if version is not None and version not in traffic.champions:
            traffic.champions.append(version)
        if returns and writes > 1:
            return (Violation(answered, self.name, "/".join(key), f"traffic went back to {version} by {writes} writes"),)
        return ()

    def _route_written(self, event: Mapping[str, Any], written: Mapping[str, Any]) -> None:
        """Take a route's new weights down; a return by them is one write, whatever becomes of the Pods."""
        route = read_route(written)
        traffic = self._traffic.setdefault(key_of(written), _Traffic())
        if route is None or route.shares == traffic.weights:
            return
        sole = route.sole_version
        asked, answered = _time(event["requestReceivedTimestamp"]), _time(event["stageTimestamp"])
        before = shared_by(traffic.weights) if traffic.weights is not None else "nobody"
        user, returns = event["user"]["username"], sole in traffic.champions
        self.writes.append(TrafficWrite(asked, answered, route.key, user, before, shared_by(route.shares), returns))
        traffic.weights = route.shares
        if sole is not None and sole not in traffic.champions:
            traffic.champions.append(sole)

    def _deployment_written(self, event: Mapping[str, Any], written: Mapping[str, Any]) -> Sequence[Violation]:
        """Count a fall of a candidate's replicas while the Service's selector takes its Pods: that moves traffic too."""
        key, labels = key_of(written), written["metadata"].get("labels") or {}
        replicas = written.get("spec", {}).get("replicas")
        if event["objectRef"].get("subresource") not in {None, "", "scale"} or replicas is None:
            return ()
        before, self._replicas[key] = self._replicas.get(key, 0), replicas
        traffic = self._traffic.get((key[0], labels.get(SERVES, "")))
        fell = replicas < before
        if fell and traffic is not None and traffic.selector == {SERVES: labels[SERVES]} and labels.get(VERSION) not in traffic.champions:
            traffic.cut += 1
        return ()


def whose(selector: Mapping[str, str]) -> str:
    """Return whose traffic a selector makes it: a version's name, or `all versions`."""
    return selector.get(VERSION, "all versions")


def shared_by(weights: Mapping[str, float]) -> str:
    """Return how weights share the requests, in words."""
    return ", ".join(f"{version} {weight:g} %" for version, weight in weights.items()) if len(weights) != 1 else next(iter(weights))


def _is_write(event: Mapping[str, Any]) -> bool:
    reference = event.get("objectRef") or {}
    return (
        event.get("stage") == "ResponseComplete"
        and event.get("verb") in WRITES
        and reference.get("resource") in RESOURCES
        and event.get("responseStatus", {}).get("code", 500) < 300
        and "dryRun" not in event.get("requestURI", "")
        and not (reference["resource"] != "deployments" and reference.get("subresource"))
    )


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
