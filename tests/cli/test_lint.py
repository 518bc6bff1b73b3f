"""`lint` refuses what the API server refuses: the same table of bad input, and the same rules."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from retrainer.cli import lint
from retrainer.cli.app import app
from tests.integration import team
from tests.integration.test_refused_input import REFUSED

ROOT = Path(__file__).parents[2]
CEL_RULES = {
    name: case for name, case in REFUSED.items() if not any(word in case[1] for word in ("in body", "Unsupported", "should be", "spec."))
}


def findings(manifest: dict[str, Any]) -> list[str]:
    return [f"{finding.level} {finding.message}" for finding in lint.of_object(copy.deepcopy(manifest))]


def a_policy(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the spec
    return team.policy("members", **changes)


@pytest.mark.parametrize("manifest", [manifest for manifest, _ in REFUSED.values()], ids=REFUSED)
def test_what_the_api_server_refuses_is_an_error_without_one(manifest: dict[str, Any]) -> None:
    assert [finding for finding in findings(manifest) if finding.startswith("error")]


@pytest.mark.parametrize(("manifest", "message"), CEL_RULES.values(), ids=CEL_RULES)
def test_a_broken_rule_is_told_in_the_crds_own_words(manifest: dict[str, Any], message: str) -> None:
    assert any(message in finding for finding in findings(manifest))


def test_there_are_rules_among_the_rows() -> None:
    assert len(CEL_RULES) >= 10


def test_a_policy_in_good_order_has_no_error() -> None:
    assert not [finding for finding in findings(a_policy()) if finding.startswith("error")]


UNIONS = {
    "one pod gives way": {"serving": {"capacity": "Replace"}},
    "a Gateway": {"serving": {"traffic": {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}}},
    "a bucket": {"artifacts": {"s3": {"bucket": "models", "endpoint": "http://s3.storage:9000", "secretName": "s3"}}},
    "a query": {"triggers": [{"name": "any", "metric": {"query": "sum(rate(x[5m]))", "max": 3}}]},
    "a schema": {"triggers": [{"name": "columns", "schema": {}}]},
    "a report": {"report": {"schedule": "0 8 * * *"}},
}


@pytest.mark.parametrize("changes", UNIONS.values(), ids=UNIONS)
def test_no_rule_stumbles_over_what_a_policy_leaves_out(changes: dict[str, Any]) -> None:
    manifest = a_policy()
    for field, value in changes.items():
        is_union = field == "artifacts" or not isinstance(value, dict)
        manifest["spec"][field] = value if is_union else {**manifest["spec"].get(field, {}), **value}
    assert not [finding for finding in findings(manifest) if finding.startswith("error")]


def test_an_unknown_field_is_named_with_its_place() -> None:
    [finding] = lint.of_object(a_policy(rolout={}))
    assert finding.place == "ModelRetrainPolicy/churn spec"
    assert "'rolout' was unexpected" in finding.message


def test_the_examples_have_no_error() -> None:
    examples = sorted((ROOT / "docs/examples").glob("*.yaml"))
    assert examples
    for file in (ROOT / "demo/members/policy.yaml", ROOT / "demo/story/retrain-new-feature.yaml", *examples):
        assert not [finding for finding in lint.of_file(file) if finding.is_error], file


ADVICE = {
    "a schedule of no day": ({"triggers": [{"name": "never", "schedule": {"cron": "0 3 31 2 *"}}]}, "this trigger will never fire"),
    "an unknown zone": ({"triggers": [{"name": "x", "schedule": {"cron": "0 3 * * *", "timeZone": "Mars/Base"}}]}, "is no IANA time zone"),
    "no cooldown": ({"triggerPolicy": {"cooldown": "0s"}}, "asks for a GPU again and again"),
    "a long hold-out": ({"training": {"data": {"window": "40d", "holdout": "30d"}}}, "little is left to train on"),
    "a gate of floors": ({"gate": {"metrics": [{"name": "accuracy", "min": 0.8}]}}, "passes as long as it meets the floors"),
    "no smoke test": ({"rollout": {"smokeTest": None}}, "the first request that a candidate answers is a client's"),
    "no watch": ({"rollout": {"watch": {"duration": "0s"}}}, "nothing comes back by itself"),
    "a watch without a bound": (
        {"rollout": {"watch": {"duration": "1h"}, "metrics": [{"preset": "Accuracy", "compareTo": "Champion", "maxRegression": 0.1}]}},
        "has nothing to judge by",
    ),
}


@pytest.mark.parametrize(("changes", "message"), ADVICE.values(), ids=ADVICE)
def test_what_is_hardly_meant_is_a_warning(changes: dict[str, Any], message: str) -> None:
    manifest = a_policy(**changes)
    if manifest["spec"]["rollout"].get("smokeTest", 0) is None:
        del manifest["spec"]["rollout"]["smokeTest"]
    assert any(finding.startswith("warning") and message in finding for finding in findings(manifest))


def test_the_command_ends_with_1_on_an_error_and_with_0_on_warnings(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(yaml.safe_dump(a_policy()), encoding="utf-8")
    bad.write_text(yaml.safe_dump_all([a_policy(), a_policy(rolout={})]), encoding="utf-8")
    assert CliRunner().invoke(app, ["lint", str(good)]).exit_code == 0
    done = CliRunner().invoke(app, ["lint", str(good), str(bad)])
    assert done.exit_code == 1
    assert "rolout" in done.output


def test_what_is_no_yaml_or_not_ours_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("a: [", encoding="utf-8")
    assert "not YAML" in lint.of_file(file)[0].message
    file.write_text("kind: ConfigMap\napiVersion: v1\n", encoding="utf-8")
    assert "holds no object" in lint.of_file(file)[0].message
    file.write_text("kind: ModelRetrain\napiVersion: retrainer.dev/v1alpha1\n", encoding="utf-8")
    assert "has no kind ModelRetrain" in lint.of_file(file)[0].message
    assert lint.of_file(tmp_path / "absent.yaml")[0].is_error
