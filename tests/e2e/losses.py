"""Where pods are lost, only requests fail that were under way then, or came before the endpoint had left; each is told and explained."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from demo.story.answers import Line
from demo.story.stage import Stage
from tests.e2e.audit import endpoint_left, selectors_written
from tests.e2e.callers import REPEATS, Callers, called
from tests.e2e.rollouts import HELD, QUICK, TWO_PODS, aborts, in_canary, left_to, pods_of, serving, starts
from tests.e2e.tenant import Tenant, tenant_of

ONE_POD: Final = HELD | {"stepWeights": [34]}
TAKEN_WITHIN_S: Final = 2.0
# kube-proxy gathers changes for 200 ms here (--iptables-min-sync-period) before it writes the node's rules.
RULES_WRITTEN_WITHIN_S: Final = 1.0
_REFUSED: Final = "ClientConnector"


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant whose first version serves."""
    with tenant_of(stage, "losses") as tenant:
        tenant.applies_policy(serving=TWO_PODS, rollout=QUICK)
        tenant.has_first_version()
        yield tenant


def crashed(tenant: Tenant, callers: Callers, name: str) -> str:
    """The process of a candidate's only pod dies in mid-canary; returns the pod."""
    champion, began = serving(tenant), time.time()
    starts(tenant, name, ONE_POD, crashesAfter=300)
    [pod] = pods_of(tenant, in_canary(tenant, name))
    lost = str(pod["metadata"]["name"])
    assert tenant.run_ends(name, "RolledBack")["reason"] == "CandidateNotReady"
    left_to(callers, tenant, champion)
    write = selectors_written(tenant, began)[-1]
    assert write.written["spec"]["selector"]["retrainer.dev/version"] == champion
    taken = write.answered - endpoint_left(tenant, lost, began)
    tenant.stage.tell(f"{name}: its weight was taken {taken:+.3f} s after the write by which its last endpoint had left")
    assert taken < TAKEN_WITHIN_S
    return lost


def champion_lost_a_pod(tenant: Tenant, callers: Callers, name: str) -> str:
    """A pod of the champion is deleted in mid-canary without a grace period, as one of a node that is gone; returns the pod."""
    champion = serving(tenant)
    starts(tenant, name, HELD)
    version = in_canary(tenant, name)
    lost = str(pods_of(tenant, champion)[0]["metadata"]["name"])
    tenant.stage.kubectl("delete", "pod", lost, f"--namespace={tenant.namespace}", "--grace-period=0", "--force")
    tenant.stage.kubectl("rollout", "status", f"deployment/model-api-{champion}", f"--namespace={tenant.namespace}", "--timeout=60s")
    assert tenant.sees("mrr", name)["status"]["phase"] == "Canary", "the champion's loss is not the candidate's fault"
    aborts(tenant, name, version)
    left_to(callers, tenant, champion)
    return lost


Loss = Callable[[Tenant, Callers, str], str]
LOSSES: Final[tuple[Loss, ...]] = (crashed, champion_lost_a_pod)


@pytest.mark.parametrize("number", range(1, REPEATS + 1))
@pytest.mark.parametrize("loss", LOSSES)
def test_only_requests_fail_that_nobody_could_have_answered(tenant: Tenant, loss: Loss, number: int) -> None:
    name, began = f"{loss.__name__}-{number}".replace("_", "-"), time.time()
    with called(tenant, name) as callers:
        lost = loss(tenant, callers, name)
        failed = callers.failed()
    left = endpoint_left(tenant, lost, began)
    explained = {one["t"]: explanation(one, left) for one in failed}
    for at, why in explained.items():
        tenant.stage.tell(f"{name}: sent {at - left:+.3f} s from the endpoint's leaving: {why or 'UNEXPLAINED'}")
    assert all(explained.values()), f"see {tenant.stage.build / 'timeline.jsonl'}"


def explanation(failed: Line, left: float) -> str:
    """Return why a request failed, empty where no lost pod explains it."""
    fault, kind = failed["error"].partition(":")[0] or failed["status"], failed["connection"]
    told = f"{fault} over a {kind} connection, {failed['ms']:.0f} ms after it was sent"
    if failed["t"] > left + RULES_WRITTEN_WITHIN_S:
        return ""
    if failed["t"] > left:
        return f"arrived before the node's rules followed: {told}"
    return f"arrived before the endpoint had left: {told}" if failed["error"].startswith(_REFUSED) else f"was under way: {told}"
