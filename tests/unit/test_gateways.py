"""What all gateways of a policy can do: no more than the least able of them says."""

import pytest
from typing_extensions import override

from retrainer.api.v1alpha1.traffic import ParentRef
from retrainer.core.kinds import Manifest, Ref
from retrainer.errors import Refused
from retrainer.gateways import features_of
from tests.fakes import FakeCluster

MIRROR, PORTS = "HTTPRouteRequestMirror", "GatewayPort8080"
BOTH = (ParentRef(name="public", namespace="gateways"), ParentRef(name="inner"))


@pytest.fixture
async def cluster() -> FakeCluster:
    cluster = FakeCluster()
    for name, features in (("able", [{"name": MIRROR}, {"name": PORTS}]), ("plain", [{"name": PORTS}]), ("silent", None)):
        await _have(cluster, "GatewayClass", "", name, {"controllerName": "example.org/gateway"}, {"supportedFeatures": features})
    for namespace, name, kind in (("gateways", "public", "able"), ("members", "inner", "plain"), ("members", "mute", "silent")):
        await _have(cluster, "Gateway", namespace, name, {"gatewayClassName": kind}, {})
    return cluster


async def _have(cluster: FakeCluster, kind: str, namespace: str, name: str, spec: dict[str, object], status: dict[str, object]) -> None:
    metadata = {"namespace": namespace, "name": name}
    manifest = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
    await cluster.create(manifest)
    [ref] = [ref for ref in cluster.server.stored if (ref.kind.kind, ref.name) == (kind, name)]
    await cluster.write_status(ref, status)


async def test_a_feature_counts_that_every_gateway_supports(cluster: FakeCluster) -> None:
    assert await features_of(cluster, BOTH[:1], "members") == {MIRROR, PORTS}
    assert await features_of(cluster, BOTH, "members") == {PORTS}


async def test_what_a_class_does_not_list_the_administrator_may_say(cluster: FakeCluster) -> None:
    mute = (ParentRef(name="mute"),)
    assert await features_of(cluster, mute, "members", {"silent": frozenset({MIRROR}), "plain": frozenset({PORTS})}) == {MIRROR}
    assert await features_of(cluster, (*mute, *BOTH[1:]), "members", {"silent": frozenset({MIRROR, PORTS})}) == {PORTS}


class ClusterOfOneNamespace(FakeCluster):
    """A cluster whose API server lets the operator read what is in `members` and nothing else."""

    @override
    async def get(self, ref: Ref) -> Manifest | None:
        if ref.namespace != "members":
            raise Refused(f"{ref.kind.plural} is forbidden")
        return await super().get(ref)


async def test_an_operator_of_named_namespaces_is_told_of_a_gateway_or_a_class_it_may_not_read(cluster: FakeCluster) -> None:
    confined = ClusterOfOneNamespace(cluster.server)
    elsewhere, here = BOTH
    assert await features_of(confined, BOTH, "members") == frozenset()
    told = {"gateways/public": frozenset({MIRROR, PORTS}), "plain": frozenset({MIRROR})}
    assert await features_of(confined, (elsewhere,), "members", told) == {MIRROR, PORTS}
    assert await features_of(confined, (here,), "members", told) == {MIRROR}
    assert await features_of(confined, BOTH, "members", told) == {MIRROR}
    assert await features_of(confined, (elsewhere,), "members", {"members/public": frozenset({MIRROR})}) == frozenset()


@pytest.mark.parametrize("name", ["mute", "gone"])
async def test_a_gateway_that_says_nothing_or_is_not_there_supports_nothing(cluster: FakeCluster, name: str) -> None:
    assert await features_of(cluster, (*BOTH, ParentRef(name=name)), "members") == frozenset()
