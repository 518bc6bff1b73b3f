"""Whom an object wakes: the policies that it concerns and no others, so that a thousand may come into one namespace."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from retrainer import waking
from retrainer.adapters.world import WatchedWorld
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import PolicySeen
from retrainer.manifests.monitor import OWNERS
from retrainer.ports import Key, Shared
from tests.builders import NOW, a_policy
from tests.fleet import indices_of

NAMES = ("churn", "workload", "engagement")


def a_neighbour(name: str) -> PolicySeen:
    serving = {"deployment_ref": {"name": f"{name}-api"}, "service": {"name": name}}
    return a_policy(name, model_type=f"{name}_risk", serving=serving)


def body(kind: Kind, name: str, spec: Mapping[str, Any] | None = None, version: int = 1, **metadata: Any) -> Manifest:  # noqa: ANN401
    own = {"namespace": "members", "name": name, "uid": f"uid-of-{name}", "creationTimestamp": NOW.isoformat(), "generation": 1}
    own |= {"resourceVersion": str(version), **metadata}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": own, "spec": dict(spec or {})}


def policy_body(name: str, **metadata: Any) -> Manifest:  # noqa: ANN401
    return body(Kind.POLICY, name, a_neighbour(name).spec.wire(), **metadata)


def a_service(name: str, selector: Mapping[str, str] | None = None, version: int = 1, **metadata: Any) -> Manifest:  # noqa: ANN401
    return body(Kind.SERVICE, name, {"selector": dict(selector or {})}, version, **metadata)


def a_deployment(name: str, **metadata: Any) -> Manifest:  # noqa: ANN401
    return body(Kind.DEPLOYMENT, name, {"replicas": 1, "template": {}}, **metadata)


def watching(bodies: Iterable[Manifest]) -> WatchedWorld:
    """Return a world in which the watches have brought these objects."""
    world = WatchedWorld()
    world.attach(indices_of(bodies))
    return world


@pytest.fixture
def world() -> WatchedWorld:
    """Give three policies of one namespace, whose pods carry two labels each, one of them in common."""
    found = watching(policy_body(name) for name in NAMES)
    for name in NAMES:
        found.expose(("members", name), {"app": name, "part-of": "platform"})
    return found


def woken(by: Manifest, world: WatchedWorld) -> list[str]:
    index = next(index for index, kind in waking.KINDS.items() if kind is Kind.of(by))
    return sorted(name for _, name in waking.WAKES[index](by, world))


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (a_service("somebody-elses", {"app": "web"}), []),
        (a_service("without-a-selector"), []),
        (a_service("churn"), ["churn"]),
        (a_service("churn", {"retrainer.dev/serves": "churn"}, labels={"retrainer.dev/policy": "churn"}), ["churn"]),
        (a_service("churn-20261101", {"x": "y"}, labels={"retrainer.dev/policy": "churn"}), ["churn"]),
        (a_service("old-target", labels={"retrainer.dev/policy": "gone"}), ["gone"]),
        (a_service("by-hand", {"app": "workload"}), ["workload"]),
        (a_service("by-hand", {"app": "workload", "part-of": "platform"}), ["workload"]),
        (a_service("by-hand", {"app": "workload", "part-of": "another"}), []),
        (a_service("everything", {"part-of": "platform"}), sorted(NAMES)),
    ],
)
def test_a_service_wakes_whom_it_serves_and_whose_pods_it_selects(service: Manifest, expected: list[str], world: WatchedWorld) -> None:
    assert woken(service, world) == expected


def test_a_service_of_another_namespace_wakes_nobody(world: WatchedWorld) -> None:
    assert woken(a_service("churn", {"part-of": "platform"}, namespace="others"), world) == []


def test_a_policy_that_is_gone_or_has_other_labels_is_no_longer_selected(world: WatchedWorld) -> None:
    world.expose(("members", "churn"), {})
    world.expose(("members", "workload"), {"app": "workload-2", "part-of": "platform"})
    assert woken(a_service("everything", {"part-of": "platform"}), world) == ["engagement", "workload"]
    assert woken(a_service("by-hand", {"app": "churn"}), world) == []
    assert woken(a_service("by-hand", {"app": "workload"}), world) == []


def test_a_deployment_wakes_who_is_built_from_it_or_serves_from_it(world: WatchedWorld) -> None:
    assert woken(a_deployment("workload-api"), world) == ["workload"]
    assert woken(a_deployment("churn-api-v1", labels={"retrainer.dev/policy": "churn"}), world) == ["churn"]
    assert woken(a_deployment("somebody-elses"), world) == []


def test_a_monitor_wakes_its_owners_and_everybody_once_the_last_of_them_is_gone(world: WatchedWorld) -> None:
    [name] = {key[2] for key in waking.policies(policy_body("churn")) if key[0] == Shared.MONITOR}
    owned = a_deployment(name, ownerReferences=[{"name": "churn", "uid": "uid-of-churn"}])
    assert woken(owned, world) == ["churn"]
    assert woken(a_deployment(name, ownerReferences=[{"name": "gone", "uid": "uid-of-gone"}]), world) == sorted(NAMES)
    assert OWNERS < 10, "each change of it is a round of so many policies"


def test_whoever_shares_something_is_found_by_it(world: WatchedWorld) -> None:
    def found(shared: Shared, name: str) -> list[Key]:
        return [policy.identity.key for policy in world.policies("members", shared, name)]

    assert found(Shared.MODEL_TYPE, "churn_risk") == found(Shared.SERVICE, "churn") == [("members", "churn")]
    assert found(Shared.DEPLOYMENT, "workload-api") == [("members", "workload")]
    assert found(Shared.DEPLOYMENT, "nobodys") == []
    assert sorted(world.keys()) == sorted(("members", name) for name in NAMES)


def names(found: Iterable[Any]) -> list[str]:
    return sorted(one.identity.name for one in found)


def test_services_that_select_a_pod_are_found_whatever_label_they_ask_for() -> None:
    world = watching([
        a_service("by-app", {"app": "churn"}),
        a_service("by-both", {"app": "churn", "part-of": "platform"}),
        a_service("by-platform", {"part-of": "platform"}),
        a_service("of-another", {"app": "web", "part-of": "platform"}),
        a_service("without"),
    ])  # fmt: skip
    labels = {"app": "churn", "part-of": "platform", "tier": "models"}
    assert names(world.services_selecting("members", labels)) == ["by-app", "by-both", "by-platform"]
    assert names(world.services_selecting("members", {"app": "web"})) == []
    assert names(world.services_selecting("others", labels)) == []


def test_what_was_just_written_counts_wherever_it_is_looked_for() -> None:
    before = a_service("churn", {"app": "churn"}, version=7)
    world = watching([before])
    ours = {"retrainer.dev/serves": "churn"}
    world.remember(a_service("churn", ours, version=8, labels={"retrainer.dev/policy": "churn"}))
    assert world.services_selecting("members", {"app": "churn"}) == [], "the old selector is no more"
    assert names(world.services_selecting("members", ours)) == ["churn"]
    assert names(world.services(("members", "churn"))) == ["churn"]
    found = world.service("members", "churn")
    assert found is not None
    assert found.selector == ours


def test_what_the_watch_brings_later_outdates_what_was_written() -> None:
    world = watching([a_service("churn", version=7)])
    world.remember(a_service("churn", {"a": "b"}, version=8, labels={"retrainer.dev/policy": "churn"}))
    world.attach(indices_of([a_service("churn", {"c": "d"}, version=9)]))
    found = world.service("members", "churn")
    assert found is not None
    assert found.selector == {"c": "d"}
    assert world.services(("members", "churn")) == [], "somebody has taken our label away"


def test_what_was_written_and_is_gone_again_is_not_kept_alive() -> None:
    world = watching([a_service("churn", version=7)])
    world.remember(a_service("churn", {"a": "b"}, version=8))
    world.attach({})
    assert world.service("members", "churn") is None
    assert world.services_selecting("members", {"a": "b"}) == []


def test_what_was_made_is_there_before_the_watch_brings_it() -> None:
    world = watching([])
    world.remember(a_service("churn", {"a": "b"}, version=8, creationTimestamp=(NOW + timedelta(seconds=1)).isoformat()))
    assert names(world.services_selecting("members", {"a": "b"})) == ["churn"]
