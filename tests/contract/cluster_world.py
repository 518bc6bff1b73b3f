"""Where the contract of the Cluster port is put to the test: a namespace with two who write in it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.ports import Cluster


@dataclass(frozen=True)
class World:
    """A namespace, and two who write in it under different names."""

    cluster: Cluster
    neighbour: Cluster
    namespace: str

    def ref(self, kind: Kind, name: str) -> Ref:
        return Ref(kind, self.namespace, name)

    def service(self, name: str = "churn", **spec: object) -> Manifest:
        return self._manifest(Kind.SERVICE, name, {"ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}], **spec})

    def run(self, name: str = "churn-1", **metadata: object) -> Manifest:
        spec = {"policyRef": {"name": "churn"}, "trigger": "drift", "reason": "AboveThreshold"}
        return self._manifest(Kind.RUN, name, spec, **metadata)

    def account(self, name: str, **metadata: object) -> Manifest:
        manifest = self._manifest(Kind.SERVICE_ACCOUNT, name, {}, **metadata)
        del manifest["spec"]
        return manifest

    def _manifest(self, kind: Kind, name: str, spec: Manifest, **metadata: object) -> Manifest:
        return {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "spec": spec,
        }


async def eventually(fact: Callable[[], Awaitable[bool]]) -> None:
    """Return once the fact holds: the real garbage collector takes its time."""
    async with asyncio.timeout(60):
        while not await fact():  # noqa: ASYNC110 - nothing in this process sets an event
            await asyncio.sleep(0.02)


def version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])
