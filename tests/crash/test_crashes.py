"""A crash of the operator at any write of any story changes nothing in how the story ends, and breaks no invariant on the way.

`make crash` plays each point three times (REPEATS), and every tenth point on a real node.
"""

import os
from collections.abc import Mapping
from functools import partial

import pytest
import yaml

from tests.chart.rendering import CHART, NAMESPACE, helm
from tests.crash.company import House, Played
from tests.crash.kills import killed_at
from tests.crash.matrix import points, without_a_point
from tests.crash.stories import STORIES

pytestmark = pytest.mark.asyncio(loop_scope="session")

REPEATS = int(os.environ.get("REPEATS", "1"))
DEATHS = int(os.environ.get("DEATHS", "20"))
ONLY = os.environ.get("ONLY", ",".join(STORIES)).split(",")


async def test_undisturbed_stories_break_no_invariant(traced: Mapping[str, Played]) -> None:
    assert [f"{one.scene}: {wrong}" for one in traced.values() for wrong in one.wrong] == []


async def test_the_stories_make_every_write_that_the_operator_has_a_right_to(traced: Mapping[str, Played]) -> None:
    rendered = yaml.safe_load_all(helm("template", "retrainer", CHART, f"--namespace={NAMESPACE}"))
    rules = next(one["rules"] for one in rendered if one and one["kind"] == "ClusterRole" and one["metadata"]["name"] == "retrainer")
    granted = {(verb, resource) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    made = {(write.verb, write.resource) for played in traced.values() for write in played.writes}
    assert made <= granted
    # An apply is a patch that needs the right to create as well.
    applied = {("create", resource) for verb, resource in made if verb == "patch"}
    writing = {one for one in granted if one[0] in {"create", "patch", "update", "delete"}}
    assert writing - made - applied == set()


async def test_every_effect_has_a_write_at_which_the_operator_is_killed(traced: Mapping[str, Played]) -> None:
    deaths = [point for _, point in points({story: played.writes for story, played in traced.items()})]
    assert without_a_point(deaths) == []


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", range(1, REPEATS + 1))
async def test_a_crash_at_any_write_changes_nothing_in_how_a_story_ends(
    house: House, traced: Mapping[str, Played], tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    chosen = points({story: played.writes for story, played in traced.items() if story in ONLY})
    assert await killed_at(house, traced, chosen, DEATHS, partial(tmp_path_factory.mktemp, "company")) == []
