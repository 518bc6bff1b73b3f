from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from retrainer.api.crd import policy_crd, run_crd

ROOT = Path(__file__).parents[3]
CRDS = {crd["metadata"]["name"]: crd for crd in (policy_crd(), run_crd())}
FOREIGN_WORDS = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "const", "title", "exclusiveMinimum", "exclusiveMaximum", "propertyNames"}
OPEN = "x-kubernetes-preserve-unknown-fields"

pytestmark = pytest.mark.parametrize("name", CRDS)


def schema_of(name: str) -> dict[str, Any]:
    [version] = CRDS[name]["spec"]["versions"]
    root: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return root


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every schema inside one, with its path."""
    yield path, node
    for child, schema in node.get("properties", {}).items():
        yield from nodes(schema, f"{path}.{child}")
    for inner in ("items", "additionalProperties"):
        if isinstance(node.get(inner), dict):
            yield from nodes(node[inner], f"{path}[{inner}]")


def ours(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the schemas of spec and status."""
    return [(path, node) for path, node in nodes(schema_of(name)) if path.startswith((".spec", ".status"))]


@pytest.mark.parametrize("folder", ["crds", "charts/retrainer/files/crds"])
def test_what_is_committed_is_what_the_models_say(name: str, folder: str) -> None:
    assert yaml.safe_load((ROOT / folder / f"{name}.yaml").read_text(encoding="utf-8")) == CRDS[name]


def test_the_crd_fits_into_one_request_with_room_to_spare(name: str) -> None:
    assert (ROOT / "crds" / f"{name}.yaml").stat().st_size < 200_000


def test_every_field_is_described_in_a_sentence(name: str) -> None:
    undescribed = [path for path, node in ours(name) if not path.endswith("]") and not node.get("description", "").endswith(".")]
    assert undescribed == []


def test_the_schema_is_structural(name: str) -> None:
    for path, node in nodes(schema_of(name)):
        assert not FOREIGN_WORDS & node.keys(), path
        open_node = node.get(OPEN) or node.get("x-kubernetes-int-or-string")
        assert "type" in node or open_node, path
        assert not isinstance(node.get("type"), list), path
        assert not ("properties" in node and "additionalProperties" in node), path


def test_nothing_is_null(name: str) -> None:
    def has_null(value: object) -> bool:
        if isinstance(value, dict):
            return any(has_null(one) for one in value.values())
        return any(has_null(one) for one in value) if isinstance(value, list) else value is None

    assert not has_null(CRDS[name])


def test_every_list_map_and_string_is_bounded(name: str) -> None:
    unbounded = []
    for path, node in ours(name):
        if node.get("type") == "array" and "maxItems" not in node:
            unbounded.append(path)
        if "additionalProperties" in node and "maxProperties" not in node:
            unbounded.append(path)
        pattern_has_end = "{0,62}" in node.get("pattern", "")
        if node.get("type") == "string" and not ({"maxLength", "enum", "format"} & node.keys() or pattern_has_end):
            unbounded.append(path)
    assert unbounded == []


def test_only_what_has_no_other_form_is_open(name: str) -> None:
    known = {"hyperparameters", "frozen", "template"}
    assert {path.split(".")[-1].split("[")[0] for path, node in ours(name) if node.get(OPEN)} <= known


def test_no_default_is_outside_its_own_schema(name: str) -> None:
    for path, node in ours(name):
        if "default" not in node:
            continue
        default = node["default"]
        kinds: dict[str, type | tuple[type, ...]] = {
            "string": str,
            "integer": int,
            "boolean": bool,
            "array": list,
            "object": dict,
            "number": (int, float),
        }
        assert isinstance(default, kinds[node["type"]]), path
        assert default in node.get("enum", [default]), path
        if node["type"] in {"integer", "number"}:
            assert node.get("minimum", default) <= default <= node.get("maximum", default), path


def test_every_rule_of_cel_has_a_sentence_that_says_what_to_do(name: str) -> None:
    for path, node in nodes(schema_of(name)):
        for rule in node.get("x-kubernetes-validations", []):
            assert len(rule["message"]) > 20, path


def test_the_kind_is_namespaced_has_a_status_and_columns_that_exist(name: str) -> None:
    crd = CRDS[name]["spec"]
    [version] = crd["versions"]
    assert (crd["scope"], crd["names"]["categories"], version["subresources"]) == ("Namespaced", ["mlops"], {"status": {}})
    paths = {path for path, _ in nodes(schema_of(name))}
    for column in version["additionalPrinterColumns"]:
        path = column["jsonPath"]
        assert path.startswith((".metadata", ".status.conditions[?(@.type==")) or path in paths
