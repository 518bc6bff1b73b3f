from dataclasses import replace

from retrainer.core import naming
from retrainer.core.actions import EnsureMonitor
from retrainer.manifests.monitor import monitor, monitor_digest
from tests.builders import an_identity

WANTED = EnsureMonitor((an_identity("churn-risk"), an_identity("workload")), "platform-db", "url")


def test_a_monitor_has_an_account_a_read_only_role_and_one_pod() -> None:
    account, binding, deployment = monitor("members", WANTED, "trainer:1", 30)
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "retrainer-monitor"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "members"}]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})


def test_it_is_owned_by_the_policies_it_is_given_and_controlled_by_none() -> None:
    owners = monitor("members", WANTED, "trainer:1", 30)[-1]["metadata"]["ownerReferences"]
    assert [owner["name"] for owner in owners] == ["churn-risk", "workload"]
    assert not any(owner.get("controller") or owner.get("blockOwnerDeletion") for owner in owners)


def test_its_digest_is_stable_whoever_owns_it() -> None:
    turned, fewer = replace(WANTED, owners=tuple(reversed(WANTED.owners))), replace(WANTED, owners=WANTED.owners[:1])
    assert monitor("members", turned, "trainer:1", 30) == monitor("members", WANTED, "trainer:1", 30)
    for wanted in (WANTED, fewer):
        annotations = monitor("members", wanted, "trainer:1", 30)[-1]["metadata"]["annotations"]
        assert annotations == {naming.MANIFEST_DIGEST: monitor_digest("members", "platform-db", "url", "trainer:1", 30)}


def test_its_digest_changes_with_anything_that_matters() -> None:
    asked = {
        monitor_digest("members", "platform-db", "url", "trainer:1", 30),
        monitor_digest("members", "platform-db", "url", "trainer:2", 30),
        monitor_digest("members", "platform-db", "url", "trainer:1", 60),
        monitor_digest("members", "platform-db", "other", "trainer:1", 30),
        monitor_digest("others", "platform-db", "url", "trainer:1", 30),
    }
    assert len(asked) == 5


def test_its_pods_are_selected_and_restricted_and_carry_no_policys_label() -> None:
    deployment = monitor("members", replace(WANTED, key="url_"), "trainer:1", 30)[-1]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert naming.POLICY not in labels
    assert all(value[-1].isalnum() and len(value) <= 63 for value in labels.values())
    pod = deployment["spec"]["template"]["spec"]
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["initContainers"][0]["args"] == ["migrate"]
