"""A training does what the contract says, also when it is asked twice, is killed, or the database is lost."""

import hashlib
import shutil
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.artifacts import path_of, write_artifact
from tests.requests import asked, request_document
from tests.trainings import NOW, train
from tests.worlds import TODAY, seed_world
from trainer.artifact import Artifact, load
from trainer.errors import BadConfiguration, DataRejected
from trainer.settings import read_settings
from trainer.training.command import train_as_asked
from trainer.training.procedure import record_if_possible

QUICK = {"epochs": 3, "batchSize": 256}
PACKAGES = {"tensorflow": "tensorflow-cpu"}


@pytest.fixture(scope="module")
def world(shared_database: str) -> str:
    """The URL of a database with 200 days of the platform."""
    seed_world(shared_database, days=200)
    return shared_database


@pytest.fixture(scope="module")
def trained(world: str, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A version v1, trained for three epochs."""
    return train(quick_request(tmp_path_factory.mktemp("versions"), "v1"), world)


def quick_request(artifacts: Path, version: str, **changes: Any) -> dict[str, Any]:
    return request_document(artifacts, version, hyperparameters=QUICK, **changes)


def beside(artifact: Artifact, tmp_path: Path) -> Path:
    """A directory of versions with a copy of the artifact."""
    shutil.copytree(path_of(artifact), tmp_path / artifact.manifest.version)
    return tmp_path


def without_timing(artifact: Artifact) -> dict[str, float]:
    timed = {"latency_p95_ms", "model_memory_mb"}
    return {name: value for name, value in artifact.manifest.metrics["candidate"].items() if name not in timed}


def test_the_same_data_and_seed_give_the_same_model(trained: Artifact, world: str, artifacts: Path) -> None:
    again = train(quick_request(artifacts, "v1"), world)
    assert without_timing(again) == without_timing(trained)
    for weights in ("evaluated", "shipped"):
        assert again.manifest.files[f"{weights}.safetensors"] == trained.manifest.files[f"{weights}.safetensors"]


def test_another_seed_gives_another_model(trained: Artifact, world: str, artifacts: Path) -> None:
    document = request_document(artifacts, "v1", hyperparameters=QUICK | {"seed": 8})
    other = train(document, world)
    assert other.manifest.files["shipped.safetensors"] != trained.manifest.files["shipped.safetensors"]


def test_the_result_is_the_contracts(trained: Artifact, world: str, tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    train(quick_request(path_of(trained).parent, "v1"), world, TERMINATION_LOG=str(log))
    result = orjson.loads(log.read_bytes())
    assert set(result) == {
        *("version", "artifact", "digest", "metrics", "championNotComparable", "data", "warnings"),
    }
    assert (result["version"], result["artifact"]) == ("v1", "members/churn-risk/v1")
    assert result["digest"] == trained.digest
    assert {"accuracy", "auc", "ece", "baseline_accuracy", "latency_p95_ms", "model_memory_mb"} <= set(
        result["metrics"]["candidate"]
    )
    assert result["data"] == {
        "from": str(TODAY - timedelta(days=199)),
        "to": str(TODAY - timedelta(days=1)),
        "holdoutFrom": str(TODAY - timedelta(days=30)),
        "trainRows": trained.manifest.data["trainRows"],
        "holdoutRows": trained.manifest.data["holdoutRows"],
    }


def test_the_manifest_says_all_that_made_the_version(trained: Artifact) -> None:
    manifest = trained.manifest
    for name, entry in manifest.files.items():
        content = (path_of(trained) / name).read_bytes()
        assert (entry.size, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert set(manifest.files) == {"evaluated.safetensors", "shipped.safetensors", "reference.json"}
    age = next(feature for feature in manifest.features if feature.name == "member_age")
    # Years and their spread, of the members of this world.
    assert (20 < age.fill < 70, 20 < age.mean < 70, 5 < age.scale < 30) == (True, True, True)
    assert manifest.columns["churned"] == "boolean"
    assert manifest.libraries == {name: version(PACKAGES.get(name, name)) for name in manifest.libraries}
    assert set(manifest.libraries) == {"keras", "numpy", "pandas", "safetensors", "tensorflow"}
    assert (manifest.training["epochs"], manifest.training["seed"], manifest.training["device"]) == (3, 7, "CPU")
    assert (manifest.training["run"], manifest.training["attempt"]) == ("churn-risk-1", 1)


def test_a_version_that_is_there_is_repeated_and_not_trained(
    trained: Artifact, world: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = beside(trained, tmp_path)
    first = train(quick_request(versions, "v1"), world)
    # Other data and other wishes make no difference: the version is what it is.
    second = train(
        quick_request(versions, "v1", data={"holdout": "10d"}), "postgresql://nowhere.invalid:1/x?connect_timeout=1"
    )
    assert first.digest == second.digest == trained.digest
    results = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert results[0] == results[1]
    assert results[0]["digest"] == trained.digest


def test_a_version_that_has_rotted_is_trained_anew(trained: Artifact, world: str, tmp_path: Path) -> None:
    versions = beside(trained, tmp_path)
    (versions / "v1" / "shipped.safetensors").write_bytes(b"rot")
    assert without_timing(train(quick_request(versions, "v1"), world)) == without_timing(trained)


def test_the_monitor_finds_schema_and_reference_of_an_inactive_version(trained: Artifact, world: str) -> None:
    train(quick_request(path_of(trained).parent, "v1"), world)
    with psycopg.connect(world) as connection:
        row = connection.execute(
            """select is_active, accuracy, digest, run, feature_schema, reference -> 'prediction' -> 'edges'
               from model_metadata where namespace = 'members' and model_type = 'churn_risk' and version = 'v1'"""
        ).fetchone()
    assert row is not None
    assert row[:4] == (False, trained.manifest.metrics["candidate"]["accuracy"], trained.digest, "churn-risk-1")
    assert row[4]["columns"]["member_age"] == "double precision"
    assert row[4]["features"]["contract_type"] == "categorical"
    assert row[5] == list(trained.reference.prediction.edges)


def test_recording_again_leaves_an_active_version_active(trained: Artifact, world: str) -> None:
    request, settings = asked(quick_request(path_of(trained).parent, "v1"), world)
    query = "update model_metadata set is_active = true where version = 'v1' returning is_active"
    record_if_possible(trained, request, settings)
    with psycopg.connect(world) as connection:
        connection.execute(query)
    record_if_possible(trained, request, settings)
    with psycopg.connect(world) as connection:
        assert connection.execute("select is_active from model_metadata where version = 'v1'").fetchall() == [(True,)]
        connection.execute("update model_metadata set is_active = false")


def test_a_database_lost_after_the_training_loses_no_training(trained: Artifact, world: str) -> None:
    request, settings = asked(quick_request(path_of(trained).parent, "v1"), world)
    with psycopg.connect(world) as connection:
        connection.execute("alter table model_metadata rename to elsewhere")
    try:
        record_if_possible(trained, request, settings)
    finally:
        with psycopg.connect(world) as connection:
            connection.execute("alter table elsewhere rename to model_metadata")
    lost = replace(settings, database_url="postgresql://127.0.0.1:1/x")
    record_if_possible(trained, request, lost)
    assert load(path_of(trained)).digest == trained.digest


NOT_COMPARABLE = {
    "adopted": ({"version": "adopted"}, "adopted"),
    "gone": ({"version": "v0"}, "v0 cannot be used"),
}


@pytest.mark.parametrize(("champion", "why"), NOT_COMPARABLE.values(), ids=NOT_COMPARABLE.keys())
def test_a_champion_without_an_artifact_is_not_comparable(
    world: str, artifacts: Path, champion: dict[str, str], why: str
) -> None:
    manifest = train(quick_request(artifacts, "v1", champion=champion), world).manifest
    assert set(manifest.metrics) == {"candidate"}
    assert why in manifest.champion_not_comparable


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("alter table {table} rename late_dues to dues", "late_dues, which is gone"),
        ("alter table {table} alter late_dues type text", "late_dues as numeric, and it is text"),
    ],
)
def test_a_champion_whose_column_changed_is_not_comparable(
    trained: Artifact, database: str, tmp_path: Path, change: str, why: str
) -> None:
    seed_world(database, days=200)
    with psycopg.connect(database) as connection:
        connection.execute(SQL(change).format(table=Identifier("member_snapshots")))
    versions = beside(trained, tmp_path)
    manifest = train(quick_request(versions, "v2", champion={"version": "v1"}), database).manifest
    assert "champion" not in manifest.metrics
    assert why in manifest.champion_not_comparable


def test_rows_that_the_champion_was_fitted_on_do_not_praise_it(trained: Artifact, world: str, tmp_path: Path) -> None:
    versions = beside(trained, tmp_path)
    short = train(quick_request(versions, "v2", data={"holdout": "7d"}), world)
    champion = {"version": "v2"}
    long = train(quick_request(versions, "v3", champion=champion, data={"holdout": "30d"}), world).manifest
    assert long.metrics["champion"]["accuracy"] == short.manifest.metrics["candidate"]["accuracy"]
    assert long.metrics["candidate"]["baseline_accuracy"] == short.manifest.metrics["candidate"]["baseline_accuracy"]
    known = long.data["holdoutRows"] - short.manifest.data["holdoutRows"]
    assert long.warnings[-1].startswith(f"{known} held-out rows are left out of the comparison")


def test_a_champion_that_knows_all_held_out_rows_is_not_comparable(
    trained: Artifact, world: str, tmp_path: Path
) -> None:
    # A manifest of the future: its hold-out begins after the last row there is.
    later = {**trained.manifest.data, "holdoutFrom": str(TODAY + timedelta(days=30))}
    write_artifact(tmp_path, "v9", data=later)
    manifest = train(quick_request(tmp_path, "v10", champion={"version": "v9"}), world).manifest
    assert manifest.champion_not_comparable.startswith("v9 has been fitted on all but 0 of the")


def test_without_refit_the_shipped_weights_are_the_evaluated_ones(world: str, artifacts: Path) -> None:
    artifact = train(quick_request(artifacts, "v1", data={"refit": False}), world)
    assert all((artifact.evaluated[name] == artifact.shipped[name]).all() for name in artifact.shipped)
    assert all(np.isfinite(weights).all() for weights in artifact.shipped.values())


def test_rejected_data_leaves_no_version(world: str, artifacts: Path) -> None:
    with pytest.raises(DataRejected) as rejection:
        train(quick_request(artifacts, "v1", dataQuality={"minDays": 900}), world)
    assert rejection.value.reason == "InsufficientHistory"
    assert list(artifacts.iterdir()) == []


def test_a_dry_run_looks_at_the_data_and_trains_nothing(
    world: str, artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    _, settings = asked(quick_request(artifacts, "v1"), world, DRY_RUN="true", TERMINATION_LOG=str(log))
    train_as_asked(settings, {}, NOW, as_json=True)
    assert list(artifacts.iterdir()) == []
    assert orjson.loads(capsys.readouterr().out)["reason"] == "Validated"
    assert {check["name"] for check in orjson.loads(log.read_bytes())["checks"]} >= {"row_count_check"}


def test_a_gpu_that_is_asked_for_and_not_there_is_bad_configuration(world: str, artifacts: Path) -> None:
    with pytest.raises(BadConfiguration, match="REQUIRE_GPU"):
        train(quick_request(artifacts, "v1"), world, REQUIRE_GPU="1", CUDA_VISIBLE_DEVICES="")


def test_without_a_database_there_is_nothing_to_train_on(artifacts: Path) -> None:
    document = orjson.dumps(quick_request(artifacts, "v1")).decode()
    with pytest.raises(BadConfiguration, match="DATABASE_URL"):
        train_as_asked(read_settings({"RETRAIN_REQUEST": document}), {}, NOW, as_json=True)
