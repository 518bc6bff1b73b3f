"""What a policy's gateways can do, as classes or the administrator say it: asked while the policy is not accepted yet, then no more."""

import asyncio
from collections.abc import Mapping

from retrainer.api.v1alpha1.traffic import ParentRef
from retrainer.core.kinds import Kind, Ref
from retrainer.errors import Refused
from retrainer.ports import Cluster

Features = frozenset[str]


async def features_of(
    cluster: Cluster, parents: tuple[ParentRef, ...], namespace: str, told: Mapping[str, Features] | None = None
) -> Features:
    """Return the features that every one of the Gateways supports; none for one that is not there or may not be read.

    `told` is what the administrator says of classes by name, since a controller need not list what it can do and some do not, and of single
    Gateways as `namespace/name`, since an operator of named namespaces may read neither the Gateways of others nor any class.
    """
    known = await asyncio.gather(*(_features(cluster, parent, namespace, told or {}) for parent in parents))
    return frozenset.intersection(*known)


async def _features(cluster: Cluster, parent: ParentRef, namespace: str, told: Mapping[str, Features]) -> Features:
    place = parent.namespace or namespace
    if (said := told.get(f"{place}/{parent.name}")) is not None:
        return said
    try:
        gateway = await cluster.get(Ref(Kind.GATEWAY, place, parent.name))
    except Refused:
        return frozenset()
    if gateway is None:
        return frozenset()
    name = gateway["spec"]["gatewayClassName"]
    return told.get(name, frozenset()) | await _listed(cluster, name)


async def _listed(cluster: Cluster, gateway_class: str) -> Features:
    try:
        found = await cluster.get(Ref(Kind.GATEWAY_CLASS, "", gateway_class))
    except Refused:
        return frozenset()
    listed = ((found or {}).get("status") or {}).get("supportedFeatures") or []
    return frozenset(one["name"] if isinstance(one, dict) else str(one) for one in listed)
