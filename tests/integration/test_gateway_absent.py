"""A cluster without the Gateway API: what a policy that asks for it is told, and what happens once it comes."""

import asyncio

import pytest

from tests.cluster.kubectl import install_kinds
from tests.cluster.local.cluster import LocalCluster
from tests.data_planes import remove_kinds
from tests.integration.account import Account
from tests.integration.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_policy_is_told_what_is_missing_and_is_served_once_it_is_there(
    stage: Stage, control_plane: LocalCluster, account: Account
) -> None:
    await stage.given_a_platform()
    service = {"name": "churn", "targetPort": stage.models.port}
    traffic = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}
    await stage.given_a_policy(serving={"deploymentRef": {"name": "churn-api"}, "replicas": 2, "service": service, "traffic": traffic})
    ready = await stage.then_condition("Ready", "False", "GatewayNotAvailable")
    assert "install the Gateway API" in ready["message"]
    try:
        await asyncio.to_thread(install_kinds, account.kubectl, control_plane.binary("gateway-api.yaml"))
        assert await stage.operator.until_ended() == 0, "it ends, so that the kubelet starts it again"
        await stage.operator.start()
        run = await stage.then_run_ends("churn-1", "Succeeded", "Promoted")
        route = await stage.api.get("httproutes", stage.namespace, "churn")
        assert route is not None
        assert route["metadata"]["annotations"]["retrainer.dev/champion"] == run["status"]["version"]
        unanswered = await stage.then_condition("Ready", "False", "RouteNotAccepted")
        assert "no gateway has taken the HTTPRoute up" in unanswered["message"]
    finally:
        await asyncio.to_thread(remove_kinds, control_plane, account.kubectl)
