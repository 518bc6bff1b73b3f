"""The `World` on kopf's indices, with our own writes laid over them until the watch has caught up.

Without the overlay a round that starts before the echo of the last one's write would decide from yesterday's status.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from typing_extensions import override

from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import DeploymentSeen, JobSeen, PodSeen, PolicySeen, RunSeen, ServiceSeen
from retrainer.manifests import seen as parse
from retrainer.ports import Key, World

Seen = TypeVar("Seen", PolicySeen, RunSeen, JobSeen, DeploymentSeen, ServiceSeen)
Index = Mapping[Any, Iterable[Any]]

_OVERLAY_S: Final = 30.0
_PARSERS: Final[Mapping[Kind, Callable[[Manifest], Any]]] = {
    Kind.POLICY: parse.policy_seen,
    Kind.RUN: parse.run_seen,
    Kind.JOB: parse.job_seen,
    Kind.DEPLOYMENT: parse.deployment_seen,
    Kind.SERVICE: parse.service_seen,
}


class WatchedWorld(World):
    """Reads kopf's indices; `attach` gives it the indices once kopf has made them."""

    def __init__(self) -> None:
        self._indices: Mapping[str, Index] = {}
        self._written: dict[tuple[Kind, str, str], tuple[Any, float]] = {}

    def attach(self, indices: Mapping[str, Index]) -> None:
        """Take up the indices `policies`, `runs`, `jobs`, `pods`, `deployments` and `services`."""
        self._indices = indices

    @override
    def keys(self) -> list[Key]:
        return list(self._indices["policies"])

    @override
    def policy(self, key: Key) -> PolicySeen | None:
        found = self._read(Kind.POLICY, self._at("policies", key), lambda policy: policy.identity.key == key)
        return next(iter(found), None)

    @override
    def policies(self, namespace: str) -> list[PolicySeen]:
        return [policy for key in self.keys() if key[0] == namespace and (policy := self.policy(key)) is not None]

    @override
    def runs(self, key: Key) -> list[RunSeen]:
        def belongs(run: RunSeen) -> bool:
            return (run.identity.namespace, run.spec.policy_ref.name) == key

        return sorted(self._read(Kind.RUN, self._at("runs", key), belongs), key=lambda run: (run.identity.created, run.name))

    @override
    def jobs(self, key: Key) -> list[JobSeen]:
        names = {run.name for run in self.runs(key)}
        return self._read(Kind.JOB, self._at("jobs", key), lambda job: job.identity.namespace == key[0] and job.run in names)

    @override
    def pods(self, key: Key) -> list[PodSeen]:
        return list(self._at("pods", key))

    @override
    def versions(self, key: Key) -> list[DeploymentSeen]:
        def belongs(deployment: DeploymentSeen) -> bool:
            return (deployment.identity.namespace, deployment.policy) == key and bool(deployment.version)

        return self._read(Kind.DEPLOYMENT, self._at("deployments", ("policy", *key)), belongs)

    @override
    def deployment(self, namespace: str, name: str) -> DeploymentSeen | None:
        key = (namespace, name)
        found = self._read(Kind.DEPLOYMENT, self._at("deployments", ("name", *key)), lambda one: one.identity.key == key)
        return next(iter(found), None)

    @override
    def services(self, namespace: str) -> list[ServiceSeen]:
        return self._read(Kind.SERVICE, self._at("services", namespace), lambda service: service.identity.namespace == namespace)

    @override
    def remember(self, manifest: Manifest) -> None:
        kind = Kind.of(manifest)
        if (parser := _PARSERS.get(kind)) is not None:
            meta = manifest["metadata"]
            self._written[kind, meta["namespace"], meta["name"]] = (parser(manifest), time.monotonic() + _OVERLAY_S)

    def _at(self, index: str, key: object) -> Iterator[Any]:
        return iter(self._indices[index].get(key, ()))

    def _read(self, kind: Kind, indexed: Iterator[Seen], belongs: Callable[[Seen], bool]) -> list[Seen]:
        """Return what the watch brought, newer writes of ours in its place, and what we made and it has not brought yet."""
        brought = {one.identity.key: one for one in indexed}
        for place, (mine, until) in list(self._written.items()):
            if place[0] is not kind:
                continue
            theirs = brought.get(mine.identity.key)
            overtaken = theirs is not None and (theirs.identity.uid != mine.identity.uid or _is_as_new(theirs, mine))
            if overtaken or time.monotonic() > until:
                del self._written[place]
            elif belongs(mine):
                brought[mine.identity.key] = mine
        return list(brought.values())


def _is_as_new(theirs: Any, mine: Any) -> bool:  # noqa: ANN401 - any two of the same kind
    """Compare resource versions; Kubernetes promises since 1.35 what etcd always did, that they grow."""
    return int(theirs.identity.resource_version or 0) >= int(mine.identity.resource_version or 0)
