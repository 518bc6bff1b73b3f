"""What a policy's gateways can do, as their classes say it: asked while the policy is not accepted yet, and then no more."""

import asyncio

from retrainer.api.v1alpha1.traffic import ParentRef
from retrainer.core.kinds import Kind, Ref
from retrainer.errors import Refused
from retrainer.ports import Cluster


async def features_of(cluster: Cluster, parents: tuple[ParentRef, ...], namespace: str) -> frozenset[str]:
    """Return the features that every one of the Gateways supports; none for one that is not there or may not be read."""
    known = await asyncio.gather(*(_features(cluster, parent, namespace) for parent in parents))
    return frozenset.intersection(*known)


async def _features(cluster: Cluster, parent: ParentRef, namespace: str) -> frozenset[str]:
    try:
        gateway = await cluster.get(Ref(Kind.GATEWAY, parent.namespace or namespace, parent.name))
        if gateway is None:
            return frozenset()
        found = await cluster.get(Ref(Kind.GATEWAY_CLASS, "", gateway["spec"]["gatewayClassName"]))
    except Refused:
        return frozenset()
    listed = ((found or {}).get("status") or {}).get("supportedFeatures") or []
    return frozenset(one["name"] if isinstance(one, dict) else str(one) for one in listed)
