"""Policies, runs and rows for the monitor's tests; each test says only what matters to it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg

from tests.artifacts import reference
from trainer.monitor.objects import ClusterUnavailable, Document

NAMESPACE = "members"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(minutes: float) -> str:
    """An RFC 3339 time some minutes after noon, as the API server writes it."""
    return (NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def policy(champion: str | None = None, **changed: Any) -> dict[str, Any]:
    """A policy of churn risk as the API server gives it."""
    spec = {
        "modelType": changed.get("model_type", "churn_risk"),
        "monitor": {"databaseSecret": changed.get("secret", {"name": "platform-db", "key": "url"})},
        "training": {"data": {"features": changed.get("features", {"allow": ["*"], "deny": []})}},
    }
    status = {"champion": {"version": champion, "since": changed.get("since", at(0))}} if champion else {}
    if "candidate" in changed:
        status["candidate"] = {"version": changed["candidate"], "since": at(1)}
    name = changed.get("name", "churn-risk")
    return {"metadata": {"name": name, "creationTimestamp": at(0)}, "spec": spec, "status": status}


def run(number: int, version: str, policy_name: str = "churn-risk", **status: Any) -> dict[str, Any]:
    """A run as the API server gives it, with the status's fields in camelCase."""
    return {
        "metadata": {"name": f"{policy_name}-{number}"},
        "spec": {
            "policyRef": {"name": policy_name},
            "version": version,
            "trigger": "accuracy-drop",
            "reason": "ThresholdCrossed",
            "message": "accuracy fell to 0.61",
        },
        "status": {"version": version, **status},
    }


def result(version: str, accuracy: float = 0.84) -> dict[str, Any]:
    """What the trainer reported of a version."""
    return {
        "version": version,
        "digest": f"sha256:{version}",
        "metrics": {"candidate": {"accuracy": accuracy, "auc": 0.9}, "champion": {"accuracy": 0.62}},
    }


class FakeCluster:
    """Objects in memory instead of an API server, which may be away."""

    def __init__(self, policies: Sequence[Document] = (), runs: Sequence[Document] = ()) -> None:
        self.objects: dict[str, Sequence[Document]] = {"policies": policies, "runs": runs}
        self.is_away = False

    async def policies(self) -> Sequence[Document]:
        return self._given("policies")

    async def runs(self) -> Sequence[Document]:
        return self._given("runs")

    def _given(self, kind: str) -> Sequence[Document]:
        if self.is_away:
            raise ClusterUnavailable("away")
        return self.objects[kind]


def register_version(url: str, version: str, **columns: Any) -> None:
    """What `train` writes of a new version."""
    row = {"feature_schema": None, "reference": reference().to_document(), "is_active": False, **columns}
    with psycopg.connect(url) as connection:
        connection.execute(
            """insert into model_metadata (namespace, model_type, version, is_active, feature_schema, reference)
               values (%s, 'churn_risk', %s, %s, %s, %s)""",
            (NAMESPACE, version, row["is_active"], _json(row["feature_schema"]), _json(row["reference"])),
        )


def log_predictions(url: str, version: str, features: Sequence[Mapping[str, Any]], **row: Any) -> list[str]:
    """What `serve` writes, one row for each set of features; returns the ids, in order."""
    values = {
        "model_type": "churn_risk",
        "prediction": 0.2,
        "label": False,
        "confidence": 0.8,
        "age": timedelta(),
        **row,
    }
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """insert into ml_predictions (id, model_type, model_version, predicted_at, prediction, predicted_label,
                                           confidence_score, features)
               select gen_random_uuid(), %(model_type)s, %(version)s, now() - %(age)s, %(prediction)s, %(label)s,
                      %(confidence)s, value from jsonb_array_elements(%(features)s::jsonb) returning id""",
            {**values, "version": version, "features": _json(list(features))},
        ).fetchall()
    return [str(id_) for (id_,) in rows]


def observe(url: str, prediction_ids: Sequence[str], actual: float, age: timedelta = timedelta()) -> None:
    """What the platform writes once it knows how things turned out."""
    with psycopg.connect(url) as connection:
        connection.cursor().executemany(
            "insert into ml_outcomes (prediction_id, actual, observed_at) values (%s, %s, now() - %s)",
            [(id_, actual, age) for id_ in prediction_ids],
        )


def _json(document: Any) -> str | None:
    return None if document is None else orjson.dumps(document).decode()
