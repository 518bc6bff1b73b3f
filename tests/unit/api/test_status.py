import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from retrainer.api.crd import policy_crd
from retrainer.api.v1alpha1 import Condition, ModelRetrainPolicySpec, ModelRetrainPolicyStatus, seconds
from retrainer.core.phases import Phase
from tests.builders import NOW, a_policy, a_run, alerting, an_analysis


def largest(node: dict[str, Any], letter: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the largest value that a schema admits, its strings of one letter (patterns aside, which only make them smaller)."""
    match node.get("type"):
        case "object":
            return {name: largest(child, letter) for name, child in node["properties"].items()}
        case "array":
            return [largest(node["items"], letter)] * node["maxItems"]
        case "string":
            if node.get("format") == "date-time":
                return "2026-11-23T12:00:00.000000Z"
            free = "pattern" not in node and "enum" not in node
            return max(node.get("enum", [(letter if free else "x") * node.get("maxLength", 63)]), key=len)
        case "number":
            return -1.7976931348623157e308
        case kind:
            assert kind == "integer"
            return node.get("maximum", 2**63 - 1)


def size_of_largest(letter: str) -> int:
    [version] = policy_crd()["spec"]["versions"]
    status = largest(version["schema"]["openAPIV3Schema"]["properties"]["status"], letter)
    return len(json.dumps(status, ensure_ascii=False).encode())


def test_the_largest_status_the_schema_admits_is_under_64_kib() -> None:
    assert size_of_largest("x") < 64 * 1024


@pytest.mark.parametrize("phase", Phase)
def test_a_runs_status_comes_back_from_the_wire_as_it_was(phase: Phase) -> None:
    status = a_run(phase, analysis=an_analysis(), promoted_at=NOW + timedelta(microseconds=7)).status
    assert type(status).model_validate(json.loads(json.dumps(status.wire()))) == status


def test_a_spec_comes_back_from_the_wire_as_it_was() -> None:
    spec = a_policy(triggers=[alerting()], rollout={"smoke_test": {"path": "/"}}).spec
    assert ModelRetrainPolicySpec.model_validate(spec.wire()) == spec
    assert "null" not in json.dumps(spec.wire())


def test_fields_of_another_release_are_ignored() -> None:
    assert ModelRetrainPolicyStatus.model_validate({"lastRunNumber": 4, "tomorrow": {"x": 1}}).last_run_number == 4


@pytest.mark.parametrize(
    ("at", "wire"),
    [
        (datetime(2026, 11, 23, 14, 0, tzinfo=timezone(timedelta(hours=2))), "2026-11-23T12:00:00Z"),
        (datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC), "2026-11-23T12:00:00.000005Z"),
    ],
)
def test_times_are_written_as_kubernetes_writes_them(at: datetime, wire: str) -> None:
    condition = Condition(type="Ready", status="True", reason="Accepted", last_transition_time=at)
    assert condition.wire()["lastTransitionTime"] == wire
    assert Condition.model_validate(condition.wire()).last_transition_time == at


@pytest.mark.parametrize(("duration", "expected"), [("0s", 0), ("90s", 90), ("5m", 300), ("6h", 21600), ("90d", 7776000), ("2w", 1209600)])
def test_a_duration_is_a_number_and_a_unit(duration: str, expected: float) -> None:
    assert seconds(duration) == expected
