"""Objects of the API become facts."""

import json
from typing import Any

from tests.observer.reading import read_deployment, read_job, read_pod, read_policy, read_route, read_run, read_service, read_slice
from tests.observer.store import Store
from tests.observer.world import Metric


def manifest(
    name: str, labels: dict[str, str] | None = None, metadata: dict[str, object] | None = None, **further: object
) -> dict[str, Any]:
    given = {"namespace": "members", "name": name, "uid": f"uid-{name}", "labels": labels or {}}
    return {"metadata": given | (metadata or {}), **further}


SERVES = {"retrainer.dev/serves": "churn-risk", "retrainer.dev/version": "v1"}
TRAINS = {"retrainer.dev/component": "train", "retrainer.dev/policy": "churn-risk", "retrainer.dev/run": "churn-risk-1"}


def test_only_services_that_the_operator_steers_are_of_interest() -> None:
    assert read_service(manifest("db", spec={"selector": {"app": "db"}})) is None
    assert read_service(manifest("headless", spec={})) is None
    service = read_service(manifest("churn-risk", spec={"selector": SERVES}, metadata={"annotations": {"retrainer.dev/champion": "v1"}}))
    assert service is not None
    assert (service.sole_version, service.champion) == ("v1", "v1")


def test_a_versions_own_service_is_not_steered() -> None:
    assert read_service(manifest("churn-risk-v1", {"retrainer.dev/version": "v1"}, spec={"selector": SERVES})) is None


def test_a_route_shares_by_the_weights_of_its_last_rule() -> None:
    ours = {"retrainer.dev/policy": "churn-risk"}
    kept = {"matches": [{"headers": []}], "backendRefs": [{"name": "churn-risk-v1"}]}
    shared = {"backendRefs": [{"name": "churn-risk-v1", "weight": 90}, {"name": "churn-risk-v2", "weight": 10}]}
    copies = {"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "churn-risk-v2"}}}]}
    route = read_route(manifest("churn-risk", ours, spec={"rules": [kept, shared]}))
    assert route is not None
    assert (route.shares, route.sole_version, route.mirrored) == ({"v1": 90.0, "v2": 10.0}, None, None)
    assert route.service_of("v2") == ("members", "churn-risk-v2")
    shadow = read_route(manifest("churn-risk", ours, spec={"rules": [{"backendRefs": [{"name": "churn-risk-v1"}]} | copies]}))
    assert shadow is not None
    assert (shadow.sole_version, shadow.mirrored) == ("v1", "v2")
    assert read_route(manifest("theirs", spec={"rules": [shared]})) is None


def test_a_pod_counts_until_it_ends_or_is_deleted() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
    pod = read_pod(manifest("a", SERVES, status=ready))
    assert pod is not None
    assert pod.ready
    assert pod.counts
    leaving = read_pod(manifest("a", SERVES, status=ready, metadata={"deletionTimestamp": "2026-11-23T03:00:00Z"}))
    assert leaving is not None
    assert not leaving.counts
    assert read_pod(manifest("b", {"app": "db"})) is None


def test_the_version_that_a_training_pod_reports_is_read_from_its_termination_message() -> None:
    state = {"terminated": {"exitCode": 0, "message": json.dumps({"version": "v2"})}}
    pod = read_pod(manifest("a", TRAINS, status={"phase": "Succeeded", "containerStatuses": [{"state": state}]}))
    assert pod is not None
    assert (pod.finished, pod.reported) == (True, "v2")
    state["terminated"] = {"exitCode": 0, "message": "…v2 and rubbish"}
    rubbish = read_pod(manifest("a", TRAINS, status={"containerStatuses": [{"state": state}]}))
    assert rubbish is not None
    assert rubbish.reported == ""
    state["terminated"] = {"exitCode": 0}
    silent = read_pod(manifest("a", TRAINS, status={"containerStatuses": [{"state": state}]}))
    assert silent is not None
    assert silent.reported is None


def test_a_slice_lists_its_ready_endpoints() -> None:
    endpoints = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "targetRef": {"name": "a"}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}, "targetRef": {"name": "b"}},
        {"addresses": ["10.0.0.3"], "conditions": {}},
    ]
    one = read_slice(manifest("s", {"kubernetes.io/service-name": "churn-risk"}, endpoints=endpoints))
    assert one is not None
    assert one.ready == {"a", "10.0.0.3"}
    empty = read_slice(manifest("s", {"kubernetes.io/service-name": "churn-risk"}, endpoints=None))
    assert empty is not None
    assert not empty.ready
    assert read_slice(manifest("s")) is None


def test_a_job_carries_the_version_that_it_was_asked_for() -> None:
    request = {"name": "RETRAIN_REQUEST", "value": json.dumps({"version": "v2"})}
    template = {"template": {"spec": {"containers": [{"env": [{"name": "OTHER"}, request]}]}}}
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    job = read_job(manifest("churn-risk-1-train-1", TRAINS, spec=template, status=done))
    assert job is not None
    assert (job.run, job.component, job.version, job.condition) == ("churn-risk-1", "train", "v2", "Complete")
    assert read_job(manifest("other", spec=template)) is None


def test_of_a_run_only_the_version_on_record_is_taken() -> None:
    run = read_run(manifest("r", spec={"policyRef": {"name": "churn-risk"}}, status={"phase": "Succeeded", "result": {"version": "v2"}}))
    assert (run.policy, run.recorded, run.promote) == ("churn-risk", "v2", None)


def test_a_policy_says_how_a_rollout_is_judged() -> None:
    rollout = {
        "stepWeights": [10, 50],
        "interval": "1m",
        "iterations": 5,
        "minSamples": 100,
        "metrics": [{"preset": "ErrorRate", "max": 0.01}, {"query": "errors", "max": 1}],
    }
    serving = {"service": {"name": "churn-risk"}, "replicas": 3}
    policy = read_policy(manifest("churn-risk", spec={"modelType": "churn_risk", "rollout": rollout, "serving": serving}))
    assert (policy.interval, policy.step_weights) == (60.0, (10, 50))
    assert policy.metrics == (Metric("ErrorRate", max=0.01), Metric("a query", max=1))


def test_a_deployment_of_a_version_says_how_many_pods_were_asked_for() -> None:
    deployment = read_deployment(manifest("api-v1", SERVES, spec={"replicas": 0}))
    assert deployment is not None
    assert deployment.replicas == 0
    assert read_deployment(manifest("db", spec={"replicas": 1})) is None


def test_what_lies_in_a_namespace_that_goes_away_is_not_in_the_world() -> None:
    store = Store()
    store.replace("services", [manifest("churn-risk", spec={"selector": SERVES})])
    assert len(store.world(0.0).services) == 1
    leaving = {"name": "members", "deletionTimestamp": "2026-11-23T03:00:00Z"}
    store.change("namespaces", {"type": "MODIFIED", "object": {"metadata": leaving}})
    assert not store.world(1.0).services


def test_an_object_that_is_no_longer_of_interest_is_forgotten() -> None:
    store = Store()
    store.change("services", {"type": "ADDED", "object": manifest("churn-risk", spec={"selector": SERVES})})
    store.change("services", {"type": "MODIFIED", "object": manifest("churn-risk", spec={"selector": {"app": "mine"}})})
    assert not store.world(0.0).services
