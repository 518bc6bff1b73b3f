"""The way to the API server: a kubeconfig's context and namespace, or a pod's, with the rights of whoever calls."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kubernetes.aio import config

from retrainer.adapters.api_server import ApiServer
from retrainer.adapters.kubernetes import KubernetesCluster
from retrainer.core.kinds import Kind, Ref
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.errors import NotFound, Refused
from retrainer.manifests import seen
from retrainer.ports import Cluster

FIELD_MANAGER = "kubectl-retrain"
_OF_A_POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Place:
    """What the caller said of where: all of it may be left to the kubeconfig."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One namespace of one cluster."""

    cluster: Cluster
    namespace: str

    async def policy(self, name: str) -> PolicySeen:
        """Return the policy; NotFound with a sentence where there is none."""
        body = await self.cluster.get(Ref(Kind.POLICY, self.namespace, name))
        if body is None:
            raise NotFound(f"no ModelRetrainPolicy {name} in namespace {self.namespace}")
        return seen.policy_seen(body)

    async def policies(self, selector: str = "", *, everywhere: bool = False) -> list[PolicySeen]:
        """Return the policies of the namespace, or of all, that a label selector matches, by namespace and name."""
        found = await self.cluster.list(Ref(Kind.POLICY, "" if everywhere else self.namespace, ""), selector)
        return sorted((seen.policy_seen(body) for body in found), key=lambda policy: policy.identity.key)

    async def runs(self, policy: str = "") -> list[RunSeen]:
        """Return the namespace's runs, of one policy where it is named, the oldest first."""
        found = [seen.run_seen(body) for body in await self.cluster.list(Ref(Kind.RUN, self.namespace, ""))]
        mine = [run for run in found if policy in {"", run.spec.policy_ref.name}]
        return sorted(mine, key=lambda run: (run.identity.created, run.name))

    async def run(self, name: str) -> RunSeen | None:
        """Return the run, or None."""
        body = await self.cluster.get(Ref(Kind.RUN, self.namespace, name))
        return seen.run_seen(body) if body else None


@asynccontextmanager
async def session(place: Place) -> AsyncIterator[Session]:
    """Give a session; Refused with a sentence where the kubeconfig leads nowhere."""
    path = kubeconfig_of(place)
    namespace = place.namespace or namespace_of(path, place.context)
    api = await ApiServer.load(path, context=place.context)
    try:
        yield Session(KubernetesCluster(api, field_manager=FIELD_MANAGER), namespace)
    finally:
        await api.close()


def kubeconfig_of(place: Place) -> Path | None:
    """Return the kubeconfig that was given, $KUBECONFIG's first that exists, or the one in the home directory; None in a pod without one.

    There the pod's own service account calls, as it does for kubectl.
    """
    if place.kubeconfig is not None:
        return place.kubeconfig
    listed = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if listed:
        return next((path for path in listed if path.exists()), listed[0])
    at_home = Path("~/.kube/config").expanduser()
    return at_home if at_home.exists() or "KUBERNETES_SERVICE_HOST" not in os.environ else None


def namespace_of(kubeconfig: Path | None, context: str | None) -> str:
    """Return the namespace of the context, `default` where it names none, or a pod's own; Refused where there is no such context."""
    if kubeconfig is None:
        return _OF_A_POD.read_text(encoding="utf-8").strip()
    try:
        contexts, current = config.list_kube_config_contexts(str(kubeconfig))
    except config.ConfigException as error:
        raise Refused(f"kubeconfig {kubeconfig}: {error}") from error
    chosen = next((one for one in contexts if one["name"] == context), None) if context else current
    if chosen is None:
        raise Refused(f"kubeconfig {kubeconfig} has no context {context!r}: it has {', '.join(one['name'] for one in contexts)}")
    return str(chosen["context"].get("namespace") or "default")
