"""Traffic writes out of an audit log."""

import json
from typing import Any

from tests.observer.world import POLICY, SERVES, VERSION
from tests.observer.writes import TrafficWrites
from tests.unit.observer.worlds import CANDIDATE, CHAMPION

OPERATOR = "system:serviceaccount:retrainer:retrainer"
ALL = {SERVES: "churn-risk"}


def event(resource: str, name: str, written: dict[str, Any], second: int = 0, code: int = 200, **further: str) -> str:
    reference = {"resource": resource, "namespace": "members", "name": name}
    return json.dumps(
        {
            "stage": "ResponseComplete",
            "verb": "patch",
            "user": {"username": OPERATOR},
            "objectRef": reference,
            "requestURI": f"/api/v1/namespaces/members/{resource}/{name}",
            "responseStatus": {"code": code},
            "requestReceivedTimestamp": f"2026-11-23T03:00:{second:02}.100000Z",
            "stageTimestamp": f"2026-11-23T03:00:{second:02}.104000Z",
            "responseObject": {"metadata": {"namespace": "members", "name": name, **written.pop("metadata", {})}, **written},
        }
        | further
    )


def service(selector: dict[str, str], second: int = 0, code: int = 200, **further: str) -> str:
    return event("services", "churn-risk", {"spec": {"selector": selector}}, second, code, **further)


def deployment(version: str, replicas: int, second: int = 0) -> str:
    labels = {SERVES: "churn-risk", VERSION: version}
    return event("deployments", f"api-{version}", {"metadata": {"labels": labels}, "spec": {"replicas": replicas}}, second)


def only(version: str) -> dict[str, str]:
    return ALL | {VERSION: version}


def in_canary() -> TrafficWrites:
    writes = TrafficWrites()
    for line in (service(only(CHAMPION)), deployment(CANDIDATE, 1), service(ALL, 1)):
        assert not writes.read(line)
    return writes


def test_a_return_by_one_write_breaks_nothing_and_is_counted() -> None:
    writes = in_canary()
    assert not writes.read(service(only(CHAMPION), 5))
    assert not writes.read(deployment(CANDIDATE, 0, 6))
    assert [(one.before, one.after, one.returns) for one in writes.writes] == [
        ("nobody", CHAMPION, False),
        (CHAMPION, "all versions", False),
        ("all versions", CHAMPION, True),
    ]
    assert writes.writes[-1].answered - writes.writes[-1].asked < 0.01
    assert writes.writes[-1].user == OPERATOR


def test_a_return_that_takes_the_candidates_pods_away_first_is_two_writes() -> None:
    writes = in_canary()
    assert not writes.read(deployment(CANDIDATE, 0, 4))
    (violation,) = writes.read(service(only(CHAMPION), 5))
    assert violation.invariant == "ReturnIsOneWrite"
    assert "by 2 writes" in violation.detail


def test_the_champions_own_scale_is_no_traffic_write() -> None:
    writes = in_canary()
    writes.read(deployment(CHAMPION, 3, 2))
    writes.read(deployment(CHAMPION, 2, 3))
    assert not writes.read(service(only(CHAMPION), 5))


def route(weights: dict[str, int], second: int = 0, subresource: str = "") -> str:
    backends = [{"name": f"churn-risk-{version}", "weight": weight} for version, weight in weights.items()]
    written = {"metadata": {"labels": {POLICY: "churn-risk"}}, "spec": {"rules": [{"backendRefs": backends}]}}
    line = json.loads(event("httproutes", "churn-risk", written, second))
    line["objectRef"] |= {"subresource": subresource} if subresource else {}
    return json.dumps(line)


def test_a_routes_new_weights_are_a_traffic_write_and_what_a_gateway_says_of_it_is_none() -> None:
    writes = TrafficWrites()
    for second, weights in enumerate(({CHAMPION: 100}, {CHAMPION: 90, CANDIDATE: 10}, {CHAMPION: 90, CANDIDATE: 10}, {CHAMPION: 100})):
        assert not writes.read(route(weights, second))
    assert not writes.read(route({CANDIDATE: 100}, 5, subresource="status"))
    assert [(one.before, one.after, one.returns) for one in writes.writes] == [
        ("nobody", CHAMPION, False),
        (CHAMPION, f"{CHAMPION} 90 %, {CANDIDATE} 10 %", False),
        (f"{CHAMPION} 90 %, {CANDIDATE} 10 %", CHAMPION, True),
    ]


def test_the_service_of_one_version_is_no_traffic_write() -> None:
    writes = TrafficWrites()
    labels = {"metadata": {"labels": {VERSION: CHAMPION}}}
    assert not writes.read(event("services", f"churn-risk-{CHAMPION}", labels | {"spec": {"selector": only(CHAMPION)}}))
    assert writes.writes == []


def test_writes_that_change_no_traffic_are_not_counted() -> None:
    writes = in_canary()
    before = len(writes.writes)
    writes.read(service(ALL, 2))
    writes.read(service(only(CANDIDATE), 2, code=409))
    writes.read(service(only(CANDIDATE), 2, stage="RequestReceived"))
    writes.read(service(only(CANDIDATE), 2, verb="get"))
    writes.read(service(only(CANDIDATE), 2, requestURI="/api/v1/namespaces/members/services/churn-risk?dryRun=All"))
    writes.read(event("services", "other", {"spec": {"selector": {"app": "other"}}}, 2))
    writes.read(event("configmaps", "services", {}, 2))
    assert len(writes.writes) == before
