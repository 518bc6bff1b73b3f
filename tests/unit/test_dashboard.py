"""The chart's dashboard asks only for what somebody exports."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from retrainer.telemetry import Telemetry

ROOT: Final = Path(__file__).parents[2]
DASHBOARD: Final = json.loads((ROOT / "charts/retrainer/files/dashboards/models.json").read_text(encoding="utf-8"))
_NAME: Final = re.compile(r"retrainer_[a-z0-9_]+")
_SUFFIX: Final = re.compile(r"_(bucket|sum|count|total)$")


def asked_for() -> set[str]:
    """Return the series in every expression of the dashboard, its variables and annotations included."""
    return set(_NAME.findall(json.dumps([DASHBOARD["panels"], DASHBOARD["templating"], DASHBOARD["annotations"]])))


def in_the_contract() -> set[str]:
    """Return the series in the first table of the metrics contract: a name, and suffixes that stand for further ones."""
    found: set[str] = set()
    for line in (ROOT / "docs/metrics-contract.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `retrainer_"):
            names = re.findall(r"`([a-z0-9_]+)", line.split(" | ")[0])
            stems = [name for name in names if name.startswith("retrainer_")]
            found |= {*stems, *(stem + suffix for stem in stems for suffix in names if suffix.startswith("_"))}
            found |= {stem.removesuffix("_sum") + suffix for stem in stems for suffix in names if suffix.startswith("_")}
    return found


def of_the_operator() -> set[str]:
    """Return the families of the operator's own metrics."""
    return {family.name for family in Telemetry().registry.collect()}


def test_every_metric_of_the_dashboard_is_exported() -> None:
    known = in_the_contract() | of_the_operator()
    assert len(in_the_contract()) > 15
    assert len(asked_for()) > 15
    assert {name for name in asked_for() if name not in known and _SUFFIX.sub("", name) not in known} == set()


def panels() -> Iterator[dict[str, Any]]:
    yield from DASHBOARD["panels"]


def test_panels_have_their_own_place_and_ask_the_chosen_prometheus() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()}
    assert len(places) == len(list(panels())) == len({panel["id"] for panel in panels()})
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())


def test_every_panel_is_of_the_chosen_namespace() -> None:
    assert all('namespace="$namespace"' in target["expr"] for panel in panels() for target in panel["targets"])
