from copy import deepcopy
from typing import Any

import pytest

from retrainer.core import naming
from retrainer.core.actions import DeployVersion, SendTraffic
from retrainer.manifests.seen import service_seen, template_seen
from retrainer.manifests.serving import claim_of, claimed_service, deployment, handed_back_service, routed_service
from tests.builders import CANDIDATE, CHAMPION, PREVIOUS, TEMPLATE, Part, a_policy, a_service

HOSTILE = {
    "metadata": {
        "name": "steal",
        "namespace": "kube-system",
        "finalizers": ["x/y"],
        "ownerReferences": [{"kind": "Node", "name": "n", "uid": "u", "apiVersion": "v1"}],
        "labels": {"app": "churn-risk", naming.VERSION: CHAMPION, naming.COMPONENT: "monitor", "argocd.argoproj.io/instance": "app"},
        "annotations": {"prometheus.io/scrape": "true"},
    },
    "spec": {
        "containers": [
            {"name": "server", "image": "server:1", "env": [{"name": "MODEL_VERSION", "value": "old"}, {"name": "A", "value": "1"}]},
            {"name": "sidecar", "image": "proxy:1"},
        ]
    },
}


def deployed(template: Part = TEMPLATE, **spec: Part) -> dict[str, Any]:
    return deployment(a_policy(**spec), DeployVersion(CANDIDATE, 2, template, 7))


def test_a_version_serves_in_a_deployment_of_its_own_that_nobody_owns() -> None:
    manifest = deployed()
    assert manifest["metadata"]["name"] == f"churn-risk-api-{CANDIDATE}"
    assert "ownerReferences" not in manifest["metadata"]
    assert manifest["metadata"]["annotations"] == {naming.TEMPLATE_GENERATION: "7"}
    assert (manifest["spec"]["replicas"], manifest["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"]) == (2, 0)


def test_the_selector_is_ours_and_the_templates_labels_stay_on_its_pods() -> None:
    manifest = deployed(HOSTILE)
    labels = manifest["spec"]["template"]["metadata"]["labels"]
    selector = manifest["spec"]["selector"]["matchLabels"]
    assert selector == {naming.SERVES: "churn-risk", naming.VERSION: CANDIDATE}
    assert selector.items() <= labels.items()
    assert (labels["app"], labels[naming.COMPONENT]) == ("churn-risk", "serve")


def test_nothing_else_of_a_templates_metadata_is_copied_and_none_of_it_onto_our_objects() -> None:
    manifest = deployed(HOSTILE)
    assert set(manifest["spec"]["template"]["metadata"]) == {"labels", "annotations"}
    assert set(manifest["metadata"]) == {"namespace", "name", "labels", "annotations"}
    assert manifest["metadata"]["namespace"] == "members"
    assert not any(key.startswith(("app", "argocd")) and key != naming.MANAGED_BY for key in manifest["metadata"]["labels"])


def test_only_the_version_is_told_and_only_to_its_container() -> None:
    server, sidecar = deployed(HOSTILE)["spec"]["template"]["spec"]["containers"]
    assert server["env"] == [{"name": "A", "value": "1"}, {"name": "MODEL_VERSION", "value": CANDIDATE}]
    assert sidecar == HOSTILE["spec"]["containers"][1]  # type: ignore[index]


def test_the_template_itself_is_left_as_it_was() -> None:
    before = deepcopy(HOSTILE)
    deployed(HOSTILE)
    assert before == HOSTILE


def test_a_template_without_labels_or_env_is_enough() -> None:
    manifest = deployed({"spec": {"containers": [{"name": "server", "env": None}]}})
    assert manifest["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "MODEL_VERSION", "value": CANDIDATE}]


@pytest.mark.parametrize(("weight", "version"), [(10, None), (0, CHAMPION)])
def test_who_serves_and_the_selector_that_makes_it_so_are_one_write(weight: int, version: str | None) -> None:
    manifest = routed_service(claim_of(a_policy()), a_service(), SendTraffic(CHAMPION, PREVIOUS, CANDIDATE, weight))
    assert manifest["spec"]["selector"].get(naming.VERSION) == version
    assert manifest["metadata"]["annotations"][naming.CHAMPION] == CHAMPION
    assert manifest["metadata"]["annotations"][naming.PREVIOUS] == PREVIOUS
    assert manifest["metadata"]["resourceVersion"] == "1"


def test_a_service_is_made_with_the_policys_port_and_no_selector() -> None:
    manifest = claimed_service(claim_of(a_policy(serving={"service": {"port": 8000, "target_port": 9000}})), None)
    assert manifest["spec"] == {"ports": [{"name": "http", "port": 8000, "targetPort": 9000, "protocol": "TCP"}]}
    assert manifest["metadata"]["labels"][naming.POLICY_UID] == "uid-of-churn-risk"
    assert "resourceVersion" not in manifest["metadata"]


def test_a_service_held_in_git_keeps_its_ports_and_is_only_marked() -> None:
    foreign = a_service("", made_by_us=False, claimed_by="", ports=({"port": 443, "targetPort": "https"},))
    claimed = claimed_service(claim_of(a_policy()), foreign)
    routed = routed_service(claim_of(a_policy()), foreign, SendTraffic(CHAMPION, ""))
    for manifest in (claimed, routed):
        assert "ports" not in manifest["spec"]
        assert naming.MADE not in manifest["metadata"].get("annotations", {})
    assert "selector" not in claimed["spec"]


def test_a_service_that_a_deleted_policy_left_behind_keeps_who_serves() -> None:
    left = a_service(CHAMPION, previous=PREVIOUS, claimed_by="uid-of-one-before")
    manifest = claimed_service(claim_of(a_policy()), left)
    assert manifest["spec"]["selector"] == dict(left.selector)
    assert manifest["metadata"]["annotations"][naming.CHAMPION] == CHAMPION
    assert manifest["metadata"]["labels"][naming.POLICY_UID] == "uid-of-churn-risk"


def test_what_was_written_is_what_is_seen_again() -> None:
    manifest = routed_service(claim_of(a_policy()), None, SendTraffic(CHAMPION, PREVIOUS, CANDIDATE, 10))
    manifest["metadata"] |= {"uid": "u", "creationTimestamp": "2026-11-23T12:00:00Z"}
    service = service_seen(manifest)
    assert (service.champion, service.previous, service.claimed_by, service.made_by_us) == (CHAMPION, PREVIOUS, "uid-of-churn-risk", True)
    assert set(service.selector) == {naming.SERVES}
    assert template_seen({"metadata": {"generation": 4}, "spec": {"template": HOSTILE}}).labels["app"] == "churn-risk"


def test_what_is_adopted_keeps_its_environment() -> None:
    manifest = deployment(a_policy(), DeployVersion(naming.ADOPTED, 2, HOSTILE, 7))
    assert manifest["spec"]["template"]["spec"] == HOSTILE["spec"]


def test_where_there_is_no_room_a_pod_goes_before_the_next_one_comes() -> None:
    manifest = deployed(serving={"capacity": "Replace"})
    assert manifest["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_a_service_that_is_held_elsewhere_keeps_its_manager_and_what_was_found_on_it() -> None:
    policy = a_policy(deletion_policy="HandBack")
    found = a_service("", made_by_us=False, selector={"app": "churn-risk"})
    manifest = claimed_service(claim_of(policy), found)
    assert naming.MANAGED_BY not in manifest["metadata"]["labels"]
    assert manifest["metadata"]["annotations"] == {naming.FOUND_SELECTOR: '{"app": "churn-risk"}', naming.DELETION_POLICY: "HandBack"}
    routed = routed_service(claim_of(policy), found, SendTraffic(CHAMPION, ""))
    assert manifest["metadata"]["annotations"].items() <= routed["metadata"]["annotations"].items()


def test_a_service_that_is_handed_back_has_the_selector_that_was_found_and_nothing_of_ours() -> None:
    manifest = handed_back_service(a_service(made_by_us=False, recorded_selector={"app": "churn-risk"}))
    assert manifest["spec"] == {"selector": {"app": "churn-risk"}}
    assert not {"labels", "annotations"} & manifest["metadata"].keys()


@pytest.mark.parametrize("text", ["{", "[]", '{"app": 1}'])
def test_an_annotation_that_is_no_selector_is_none(text: str) -> None:
    meta = {"namespace": "members", "name": "churn-risk", "uid": "u", "creationTimestamp": "2026-11-23T12:00:00Z"}
    body = {"metadata": meta | {"annotations": {naming.FOUND_SELECTOR: text}}, "spec": {}}
    assert service_seen(body).recorded_selector == {}


def test_the_owner_of_a_selector_is_whoever_else_applied_it() -> None:
    meta = {"namespace": "members", "name": "churn-risk", "uid": "u", "creationTimestamp": "2026-11-23T12:00:00Z"}
    owns = {"fieldsV1": {"f:spec": {"f:selector": {}}}}
    managed = [{"manager": "retrainer"} | owns, {"manager": "argocd-controller"} | owns]
    assert service_seen({"metadata": meta | {"managedFields": managed}, "spec": {}}).selector_owner == "argocd-controller"
    assert service_seen({"metadata": meta | {"managedFields": managed[:1]}, "spec": {}}).selector_owner == ""


@pytest.mark.parametrize(("ours", "kept"), [(True, {"selector": {"app": "churn-risk"}}), (False, {})])
def test_a_claim_keeps_the_selector_that_we_have_put_back_and_names_no_other(ours: bool, kept: dict[str, Any]) -> None:
    found = a_service("", made_by_us=False, claimed_by="", selector={"app": "churn-risk"}, selector_is_ours=ours)
    assert claimed_service(claim_of(a_policy()), found)["spec"] == kept


@pytest.mark.parametrize(
    ("applied", "live", "owner"),
    [
        ('{"spec": {"selector": {"app": "churn-risk"}}}', {"app": "churn-risk"}, "kubectl apply"),
        ('{"spec": {"selector": {"app": "churn-risk"}}}', {}, ""),  # it has let go of it, or somebody has taken it away
        ('{"spec": {"selector": {"app": "churn-risk"}}}', {naming.SERVES: "churn-risk"}, ""),
        ('{"spec": {"ports": []}}', {"app": "churn-risk"}, ""),
        ('{"spec": null}', {"app": "churn-risk"}, ""),
        ("[]", {"app": "churn-risk"}, ""),
        ("{", {"app": "churn-risk"}, ""),
    ],
)
def test_a_client_side_apply_owns_the_selector_that_its_annotation_names(applied: str, live: dict[str, str], owner: str) -> None:
    meta = {"namespace": "members", "name": "churn-risk", "uid": "u", "creationTimestamp": "2026-11-23T12:00:00Z"}
    meta |= {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}
    meta |= {"managedFields": [{"manager": "retrainer", "fieldsV1": {"f:spec": {"f:selector": {}}}}]}
    assert service_seen({"metadata": meta, "spec": {"selector": live}}).selector_owner == owner
