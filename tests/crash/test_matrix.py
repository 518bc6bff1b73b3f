"""Which points a trace comes to, and that a write without one is told of."""

import itertools
from typing import Final, get_args

import pytest

from retrainer.core.actions import Effect, HandBack, RemoveRoute
from tests.crash.gate import Point, Side
from tests.crash.matrix import APART, WRITES_OF, alone, points, scenes, without_a_point
from tests.crash.writes import Write, write_of

SERVICE: Final = Write("patch", "services", "churn to v1", after_first_version=True)
JOB: Final = Write("create", "jobs", "churn-1-train-1")


def many(count: int) -> list[Write]:
    return [Write("create", "events", f"churn-1 {number}") for number in range(count)]


def test_every_write_has_two_points_in_the_first_story_that_makes_it() -> None:
    found = points({"promotion": [JOB], "named": [JOB, *many(1)]})
    assert found == [
        ("promotion", Point(JOB, Side.BEFORE)),
        ("promotion", Point(JOB, Side.AFTER)),
        *(("named", Point(many(1)[0], side)) for side in Side),
    ]


def test_a_write_that_moves_traffic_has_its_points_in_every_story_after_the_first_version() -> None:
    assert [story for story, _ in points({"promotion": [SERVICE], "named": [SERVICE]})] == ["promotion"] * 2 + ["named"] * 2


@pytest.mark.parametrize("deaths", [1, 3, 20])
def test_scenes_have_every_point_once_and_their_deaths_apart(deaths: int) -> None:
    traced = {"promotion": many(40), "named": [SERVICE]}
    found = scenes(traced, points(traced), deaths)
    assert sorted((one.story, str(point)) for one in found for point in one.points) == sorted(
        (story, str(point)) for story, point in points(traced)
    )
    assert max(len(one.points) for one in found) <= deaths
    for scene in found:
        at = [traced[scene.story].index(point.write) for point in scene.points]
        assert all(after - before >= APART for before, after in itertools.pairwise(at))


def test_a_point_that_was_missed_is_played_alone() -> None:
    assert [one.points for one in alone([("named", Point(JOB, Side.AFTER))])] == [(Point(JOB, Side.AFTER),)]


def test_an_effect_whose_write_is_in_no_story_is_told() -> None:
    routes = Write("delete", "httproutes", "churn")
    told = without_a_point([Point(routes, Side.BEFORE)])
    assert "before RemoveRoute (1)" not in told
    assert "after RemoveRoute (1)" in told
    assert "before SendTraffic (3)" in told


def test_an_effect_that_is_new_is_told() -> None:
    class MoveMountains:
        """Something that the operator learns to do."""

    everything = [Point(write, side) for write in EXAMPLES for side in Side]
    assert without_a_point(everything) == []
    assert without_a_point(everything, (*get_args(Effect), HandBack, MoveMountains)) == ["MoveMountains"]
    assert RemoveRoute in WRITES_OF


EXAMPLES: Final = [
    Write(verb, resource, about)
    for verb, resource, abouts in [
        ("create", "modelretrainruns", ["churn-1"]),
        ("delete", "modelretrainruns", ["churn-1"]),
        ("create", "jobs", ["churn-1-validate-1", "churn-1-train-1"]),
        ("delete", "jobs", ["churn-1-train-1"]),
        ("patch", "jobs", ["churn-1-train-1"]),
        ("patch", "serviceaccounts", ["retrainer-monitor"]),
        ("patch", "rolebindings", ["retrainer-monitor"]),
        ("patch", "deployments", ["retrainer-monitor-db deployed with 1 pods", "churn-api-v1 scaled with 0 pods", "churn-api-v1 recycled"]),
        ("delete", "deployments", ["churn-api-v1"]),
        ("patch", "services", ["churn claimed", "churn to v1", "churn to all versions", "churn released", "churn-v1 to v1"]),
        ("patch", "services", ["churn handed back"]),
        ("patch", "httproutes", ["churn to v1 100"]),
        ("delete", "httproutes", ["churn"]),
        ("patch", "cronjobs", ["churn-prune", "churn-report"]),
        ("delete", "cronjobs", ["churn-report"]),
    ]
    for about in abouts
]


@pytest.mark.parametrize(
    ("path", "body", "about"),
    [
        ("services/churn", '{"metadata": {}, "spec": {}}', "churn claimed"),
        (
            "services/churn",
            '{"metadata": {"uid": "u", "annotations": {"retrainer.dev/made-by-operator": "true"}}, "spec": {}}',
            "churn released",
        ),
        ("services/churn", '{"metadata": {}, "spec": {"selector": {"app": "churn"}}}', "churn handed back"),
        ("services/churn", '{"metadata": {}, "spec": {"selector": {"retrainer.dev/serves": "churn"}}}', "churn to all versions"),
        (
            "services/churn-20261123-030000-1",
            '{"metadata": {}, "spec": {"selector": {"retrainer.dev/serves": "churn", "retrainer.dev/version": "20261123-030000-1"}}}',
            "churn-v1 to v1",
        ),
        (
            "httproutes/churn",
            '{"metadata": {"name": "churn"}, "spec": {"rules": [{"backendRefs": [{"name": "churn-9", "weight": 100}], "filters": []}]}}',
            "churn to 9 100, copied",
        ),
        ("deployments/churn-api-20261123-030000-1", '{"spec": {"replicas": 0}}', "churn-api-v1 scaled with 0 pods"),
        ("deployments/churn-api-20261123-030000-1", '{"spec": {"replicas": 2, "template": {}}}', "churn-api-v1 deployed with 2 pods"),
        ("deployments/churn-api-20261123-030000-1", '{"spec": {"template": {}}}', "churn-api-v1 recycled"),
    ],
)
def test_a_write_is_named_by_what_it_says(path: str, body: str, about: str) -> None:
    resource = path.partition("/")[0]
    found = write_of("PATCH", f"/apis/group/v1/namespaces/team/{path}", body.encode())
    assert found == ("team", Write("patch", resource, about))


def test_a_deletion_is_named_by_what_goes() -> None:
    path, options = "/apis/apps/v1/namespaces/team/deployments/churn-api-20261123-030000-1", b'{"preconditions": {"uid": "u"}}'
    assert write_of("DELETE", path, options) == ("team", Write("delete", "deployments", "churn-api-v1"))
