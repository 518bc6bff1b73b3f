"""The stories as they go undisturbed: they break nothing, and between them make every write that the operator may make."""

from collections.abc import Mapping

import pytest
import yaml

from tests.chart.rendering import CHART, NAMESPACE, helm
from tests.crash.company import Played

pytestmark = pytest.mark.asyncio(loop_scope="session")

# No story is played with a gateway yet: its writes are one of the route where these are one of the Service, and a version's own Service.
OF_THE_GATEWAY_MODE = {("create", "httproutes"), ("patch", "httproutes"), ("delete", "httproutes"), ("delete", "services")}


async def test_undisturbed_stories_break_no_invariant(traced: Mapping[str, Played]) -> None:
    assert [one for played in traced.values() for one in played.wrong] == []


async def test_the_stories_make_every_write_that_the_operator_has_a_right_to(traced: Mapping[str, Played]) -> None:
    rendered = yaml.safe_load_all(helm("template", "retrainer", CHART, f"--namespace={NAMESPACE}"))
    rules = next(one["rules"] for one in rendered if one and one["kind"] == "ClusterRole" and one["metadata"]["name"] == "retrainer")
    granted = {(verb, resource) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    made = {(write.verb, write.resource) for played in traced.values() for write in played.writes}
    assert made <= granted
    # An apply is a patch that needs the right to create as well.
    applied = {("create", resource) for verb, resource in made if verb == "patch"}
    writing = {one for one in granted if one[0] in {"create", "patch", "update", "delete"}}
    assert writing - made - applied == OF_THE_GATEWAY_MODE
