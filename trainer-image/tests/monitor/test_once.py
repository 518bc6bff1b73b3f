"""`trainer monitor --once` as a process: figures for people and machines, a dry run, and what could not be measured."""

import subprocess
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from tests.monitor.builders import NAMESPACE, at, log_predictions, observe, policy, register_version, result, run
from tests.test_command_line import run as trainer


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """A policy whose champion is v1, and the run that made it, as kubectl prints them."""
    path = tmp_path / "objects.json"
    run_1 = run(1, "v1", result=result("v1"), promotedAt=at(1))
    items = [_seen(policy("v1"), "ModelRetrainPolicy"), _seen(run_1, "ModelRetrainRun")]
    path.write_bytes(orjson.dumps({"items": items}))
    return path


def _seen(document: dict[str, Any], kind: str) -> dict[str, Any]:
    return document | {"kind": kind, "metadata": document["metadata"] | {"namespace": NAMESPACE}}


def once(url: str, objects: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = ("monitor", "--once", "--objects", str(objects), *options)
    return trainer(*given, DATABASE_URL=url, POD_NAMESPACE=NAMESPACE, **environment)


def seven_predictions(url: str) -> None:
    """Of the seven, one is known to have been right."""
    register_version(url, "v1")
    ids = log_predictions(url, "v1", [{}] * 7)
    observe(url, ids[:1], actual=0.0)


def rows(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        [(count,)] = connection.execute(
            psycopg.sql.SQL("select count(*) from {}").format(psycopg.sql.Identifier(table))
        )
    return int(count)


def test_the_figures_of_one_round_are_json_for_machines_and_lines_for_people(database: str, objects: Path) -> None:
    seven_predictions(database)
    done = once(database, objects, "--json")
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert told["faults"] == {}
    version = {"model_type": "churn_risk", "model_version": "v1"}
    assert {"name": "retrainer_prediction_confidence_count", "labels": version, "value": 7.0} in told["series"]
    lines = once(database, objects).stdout.splitlines()
    right = "retrainer_outcomes_total{model_type=churn_risk, model_version=v1, correct=true}"
    assert [line.split()[-1] for line in lines if line.startswith(right)] == ["1"]
    assert rows(database, "model_ledger") == 1


def test_a_dry_run_measures_the_same_and_leaves_the_database_as_it_was(database: str, objects: Path) -> None:
    seven_predictions(database)
    dry = orjson.loads(once(database, objects, "--json", DRY_RUN="true").stdout)
    assert rows(database, "model_ledger") == rows(database, "ml_prediction_hours") == 0
    assert [each["value"] for each in dry["series"] if each["name"] == "retrainer_prediction_confidence_count"] == [7.0]


def test_what_could_not_be_measured_is_named_and_ends_with_1(objects: Path) -> None:
    done = once("postgresql://user:s3cret@127.0.0.1:1/platform", objects, "--json")
    assert done.returncode == 1
    assert "asking the database" in orjson.loads(done.stdout)["faults"]
    assert "s3cret" not in done.stdout + done.stderr


def test_a_dry_run_that_would_never_end_is_refused() -> None:
    done = trainer("monitor", DATABASE_URL="postgresql:///x", POD_NAMESPACE=NAMESPACE, DRY_RUN="true")
    assert done.returncode == 43
    assert "--once" in done.stderr
