import re
from dataclasses import replace
from typing import Any

import pytest

from retrainer.core import naming
from retrainer.core.actions import AddressVersion, SendTraffic
from retrainer.core.kinds import Manifest
from retrainer.core.route import RouteSeen
from retrainer.core.sweeping import Orphans
from retrainer.core.traffic.gateway import routing
from retrainer.manifests.route import route_seen, version_service
from retrainer.manifests.traffic import shares, shares_left_behind
from tests.builders import CANDIDATE, CHAMPION, PREVIOUS, Part, a_deployment, a_policy, a_route, a_service, by_route, seen

ALONE = SendTraffic(CHAMPION, PREVIOUS)
SHARED = SendTraffic(CHAMPION, PREVIOUS, CANDIDATE, 10)
SHADOW = SendTraffic(CHAMPION, PREVIOUS, CANDIDATE, 0, mirrored=True)
FULL = {
    "parent_refs": [{"name": "public", "namespace": "gateways", "section_name": "https"}, {"name": "inner", "port": 8080}],
    "hostnames": ["churn.example.org"],
    "affinity_cookie": "met",
}


def written(asked: SendTraffic, before: RouteSeen | None = None, **gateway: Part) -> dict[str, Any]:
    return shares(seen(a_policy(**by_route(**gateway)), route=before), asked)


def stored(manifest: Manifest, *parents: Manifest) -> Manifest:
    """Return what the API server makes of it: it fills in what was left out."""
    meta = manifest["metadata"] | {"uid": "u", "creationTimestamp": "2026-11-23T12:00:00Z", "resourceVersion": "7"}
    spec = manifest["spec"]
    spec["parentRefs"] = [{"group": "gateway.networking.k8s.io", "kind": "Gateway"} | parent for parent in spec["parentRefs"]]
    for rule in spec["rules"]:
        rule.setdefault("matches", [{"path": {"type": "PathPrefix", "value": "/"}}])
        rule["backendRefs"] = [{"group": "", "kind": "Service", "weight": 1} | backend for backend in rule["backendRefs"]]
    return manifest | {"metadata": meta, "status": {"parents": list(parents)}}


def answer(**verdicts: str) -> Manifest:
    conditions = [{"type": kind, "status": status, "reason": "Why", "message": "so it is"} for kind, status in verdicts.items()]
    return {"parentRef": {"name": "public"}, "controllerName": "example.org/gateway", "conditions": conditions}


def test_the_route_gives_each_version_its_share_and_says_who_serves() -> None:
    manifest = written(SHARED)
    assert manifest["spec"]["rules"] == [
        {
            "backendRefs": [
                {"name": f"churn-risk-{CHAMPION}", "port": 80, "weight": 90},
                {"name": f"churn-risk-{CANDIDATE}", "port": 80, "weight": 10},
            ]
        }
    ]
    assert manifest["metadata"]["annotations"] == {naming.CHAMPION: CHAMPION, naming.PREVIOUS: PREVIOUS}
    assert manifest["spec"]["parentRefs"] == [{"name": "public"}]


def test_a_version_without_a_share_is_not_in_the_route() -> None:
    [rule] = written(ALONE)["spec"]["rules"]
    assert rule == {"backendRefs": [{"name": f"churn-risk-{CHAMPION}", "port": 80, "weight": 100}]}


def test_nobody_owns_the_route_and_a_stale_write_of_it_fails() -> None:
    manifest = written(ALONE, a_route())
    assert "ownerReferences" not in manifest["metadata"]
    assert (manifest["metadata"]["resourceVersion"], manifest["metadata"]["uid"]) == ("1", "uid-of-churn-risk")
    assert "resourceVersion" not in written(ALONE)["metadata"]


def test_a_shadow_gets_a_copy_of_every_request_and_answers_none() -> None:
    [rule] = written(SHADOW)["spec"]["rules"]
    assert [backend["name"] for backend in rule["backendRefs"]] == [f"churn-risk-{CHAMPION}"]
    [copies] = rule["filters"]
    assert copies == {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": f"churn-risk-{CANDIDATE}", "port": 80}}}


def test_a_cookie_is_given_with_the_weights_and_wins_over_them() -> None:
    champion, candidate, others = written(SHARED, affinity_cookie="met")["spec"]["rules"]
    for rule, version in ((champion, CHAMPION), (candidate, CANDIDATE)):
        assert [backend["name"] for backend in rule["backendRefs"]] == [f"churn-risk-{version}"]
    given = [backend["filters"][0]["responseHeaderModifier"]["add"][0] for backend in others["backendRefs"]]
    assert [one["name"] for one in given] == ["Set-Cookie", "Set-Cookie"]
    assert [one["value"].partition(";")[0] for one in given] == [f"met={CHAMPION}", f"met={CANDIDATE}"]
    assert "filters" not in str(written(ALONE, affinity_cookie="met")), "with one version there is nothing to remember"


@pytest.mark.parametrize(
    ("cookies", "returns"),
    [
        (f"met={CANDIDATE}", True),
        (f"a=1; met={CANDIDATE}; b=2", True),
        (f"a=1;met={CANDIDATE};b=2", True),
        (f"notmet={CANDIDATE}", False),
        (f"met={CANDIDATE}1", False),
        (f"met={CHAMPION}", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("match", [re.search, re.fullmatch])
def test_a_returning_client_is_known_to_gateways_that_search_and_to_those_that_match_the_whole(
    match: Any,  # noqa: ANN401 - two functions of `re`
    cookies: str,
    *,
    returns: bool,
) -> None:
    _, candidate, _ = written(SHARED, affinity_cookie="met")["spec"]["rules"]
    [header] = candidate["matches"][0]["headers"]
    assert (header["type"], header["name"]) == ("RegularExpression", "Cookie")
    assert bool(match(header["value"], cookies)) is returns


@pytest.mark.parametrize("asked", [ALONE, SHARED, SHADOW])
@pytest.mark.parametrize("gateway", [{}, FULL])
def test_what_was_written_is_what_is_seen_again(asked: SendTraffic, gateway: Part) -> None:
    policy = a_policy(**by_route(**gateway))
    route = route_seen(stored(shares(seen(policy, route=None), asked), answer(Accepted="True", ResolvedRefs="True")))
    assert route.routing == routing(policy, asked)
    assert (route.champion, route.previous, route.policy, route.claimed_by) == (CHAMPION, PREVIOUS, "churn-risk", "uid-of-churn-risk")
    assert (route.refusal, route.identity.resource_version) == ("", "7")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ([{"backendRefs": [{"name": "elsewhere", "port": 80, "weight": 100}]}], "rules"),
        ([], "rules"),
        ([{"name": "theirs"}], "parentRefs"),
        (["elsewhere.example.org"], "hostnames"),
    ],
)
def test_what_others_make_of_it_is_seen_as_another_routing(change: Part, path: str) -> None:
    manifest = stored(written(ALONE))
    manifest["spec"][path] = change
    assert route_seen(manifest).routing != routing(a_policy(**by_route()), ALONE)


def test_a_rule_that_somebody_put_before_ours_is_seen() -> None:
    manifest = stored(written(ALONE))
    manifest["spec"]["rules"].insert(0, {"matches": [{"path": {"type": "PathPrefix", "value": "/admin"}}]})
    assert route_seen(manifest).routing != routing(a_policy(**by_route()), ALONE)


def test_what_a_gateway_has_against_the_route_is_told_in_its_words() -> None:
    def refusal(*parents: Manifest) -> str:
        return route_seen(stored(written(ALONE), *parents)).refusal

    good = answer(Accepted="True", ResolvedRefs="True")
    assert refusal(good) == ""
    assert refusal() == "no gateway has taken the HTTPRoute up: is there a Gateway public, and does its controller run?"
    assert refusal(good, answer(Accepted="False")) == "Gateway public does not accept the HTTPRoute (Accepted=False, Why: so it is)"
    assert "ResolvedRefs=False" in refusal(answer(Accepted="True", ResolvedRefs="False"))


def test_a_versions_service_reaches_its_pods_and_goes_with_its_deployment() -> None:
    manifest = version_service(a_policy(serving={"service": {"port": 8000}}), AddressVersion(CANDIDATE, a_deployment(CANDIDATE).identity))
    assert manifest["metadata"]["name"] == f"churn-risk-{CANDIDATE}"
    assert manifest["spec"]["selector"] == {naming.SERVES: "churn-risk", naming.VERSION: CANDIDATE}
    assert (manifest["spec"]["ports"][0]["port"], manifest["spec"]["ports"][0]["targetPort"]) == (8000, 8080)
    [owner] = manifest["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Deployment", f"churn-risk-api-{CANDIDATE}")


def test_a_route_left_behind_keeps_everything_but_the_shares() -> None:
    policy = a_policy(**by_route(**FULL))
    left = replace(a_route(asked=SHARED, policy=policy, previous=PREVIOUS), claimed_by="uid-of-one-before")
    manifest = shares_left_behind(Orphans(a_service(""), (), left), ALONE)
    again = route_seen(stored(manifest))
    assert again.routing == routing(policy, ALONE)
    assert (again.claimed_by, again.champion, again.previous) == ("uid-of-one-before", CHAMPION, PREVIOUS)
