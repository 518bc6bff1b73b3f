"""A week of a platform with all that a report can tell: a drift, a retraining, a canary, a rollback."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg

from tests.artifacts import FEATURES, reference

NAMESPACE = "members"
CHAMPION, CANDIDATE = "20261110-030000-1", "20261121-091500-2"


def week(url: str, now: datetime) -> dict[str, Any]:
    """Fill the database with the week up to now; returns its policies and runs as kubectl gives them."""
    with psycopg.connect(url) as connection:
        for version, active in ((CHAMPION, True), (CANDIDATE, False)):
            _register(connection, version, active, now)
        _predict(connection, CHAMPION, now, days=7, each_day=400, confidence=0.86, right=0.84)
        _predict(connection, CANDIDATE, now - timedelta(hours=20), days=1, each_day=260, confidence=0.66, right=0.58)
        connection.execute(
            """insert into ml_outcomes
               select id, case when (features ->> 'right')::boolean = predicted_label then 1 else 0 end,
                      predicted_at + interval '30 minutes' from ml_predictions where predicted_at < %s""",
            (now - timedelta(hours=1),),
        )
        rows = (
            (CHAMPION, "Promoted", "monthly", "the slot of 03:00", "churn-risk-1", timedelta(days=6, hours=2), 100),
            (CANDIDATE, "Weighted", "Canary", "10 % of the traffic asked", "churn-risk-2", timedelta(hours=40), 10),
            (CANDIDATE, "RolledBack", "AnalysisFailed", ROLLED_BACK, "churn-risk-2", timedelta(hours=20), 0),
        )
        connection.execute("alter table member_snapshots add column shift_percentage double precision")
        connection.cursor().executemany(
            """insert into model_ledger (namespace, model_type, version, event, reason, message, run, at, weight)
               values ('members', 'churn_risk', %s, %s, %s, %s, %s, %s, %s)""",
            [(*row[:5], now - row[5], row[6]) for row in rows],
        )
    return {"items": [_policy(now), _run(now)]}


ROLLED_BACK = (
    "Accuracy 0.580 against the champion's 0.840, regression between +0.174 and +0.387, at most 0.05 is allowed"
)


def _register(connection: psycopg.Connection, version: str, active: bool, now: datetime) -> None:
    columns: dict[str, str] = dict(
        connection.execute(
            "select column_name, data_type from information_schema.columns where table_name = 'member_snapshots'"
        ).fetchall()
    )
    features = {feature.name: feature.kind for feature in FEATURES}
    schema = {"table": "member_snapshots", "columns": columns, "features": features}
    connection.execute(
        """insert into model_metadata (namespace, model_type, version, accuracy, trained_at, is_active, run,
                                       feature_schema, reference)
           values ('members', 'churn_risk', %s, 0.86, %s, %s, 'churn-risk-1', %s, %s)""",
        (
            version,
            now - timedelta(days=6),
            active,
            orjson.dumps(schema).decode(),
            orjson.dumps(reference().to_document()).decode(),
        ),
    )


def _predict(
    connection: psycopg.Connection, version: str, until: datetime, days: int, each_day: int, **figures: float
) -> None:
    rows = days * each_day
    connection.execute(
        """insert into ml_predictions (model_type, model_version, user_id, predicted_at, prediction, predicted_label,
                                       confidence_score, response_time_ms, features)
           select 'churn_risk', %(version)s, 'member-' || n %% 240, %(until)s - %(span)s * (1 - n / %(rows)s::float8),
                  (n %% 10) / 10.0, n %% 3 = 0, %(confidence)s + (n %% 9 - 4) / 100.0, 0.4 + (n %% 40) / 40.0,
                  jsonb_build_object('right', n %% 100 < 100 * %(right)s, 'member_age', 30 + n %% 60,
                      'union_tenure_years', case when n %% 4 > 0 then 3 + n %% 9 end, 'is_steward', n %% 10 = 0,
                      'engagement_score', 25 + n %% 50,
                      'contract_type', (array['agency', 'fixed_term', 'permanent', 'permanent'])[1 + n %% 4])
           from generate_series(1, %(rows)s) n""",
        {"version": version, "until": until, "span": timedelta(days=days), "rows": rows, **figures},
    )


def _policy(now: datetime) -> dict[str, Any]:
    return {
        "kind": "ModelRetrainPolicy",
        "metadata": {"name": "churn-risk", "namespace": NAMESPACE, "creationTimestamp": _at(now, days=30)},
        "spec": {
            "modelType": "churn_risk",
            "monitor": {"databaseSecret": {"name": "platform-db", "key": "url"}},
            "dataQuality": {"maxMissing": {"ratio": 0.1}},
            "gate": {"metrics": [{"name": "accuracy", "min": 0.85}]},
        },
        "status": {
            "champion": {"version": CHAMPION, "since": _at(now, days=6, hours=2)},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Accepted", "message": f"{CHAMPION} serves"},
                {"type": "Stalled", "status": "False", "reason": "NothingInTheWay", "message": ""},
            ],
        },
    }


def _run(now: datetime) -> dict[str, Any]:
    figures = {"candidate": {"accuracy": 0.871, "auc": 0.93}, "champion": {"accuracy": 0.842, "auc": 0.91}}
    passed = "the gate is passed: accuracy 0.871 (champion 0.842)"
    told = [
        ("Validating", "Validating", "the data is looked at before a GPU is asked for", 42),
        ("Queued", "DataPassed", "the data passed its checks; a training Job is asked for", 41.9),
        ("Training", "Running", "epoch 12 of 150", 41.5),
        ("Gating", "Trained", "the gate compares", 41),
        ("Deploying", "Better", passed, 40.9),
        ("SmokeTesting", "PodsReady", "1 of 1 candidate pods are ready", 40.5),
        ("Canary", "SmokeTestPassed", "the candidate answered 200", 40.4),
        ("Canary", "Step1", "step 1 of 2: asked 10 %, effective 25 % by ready pods", 40),
        ("Finished", "AnalysisFailed", ROLLED_BACK, 20),
    ]
    return {
        "kind": "ModelRetrainRun",
        "metadata": {"name": "churn-risk-2", "namespace": NAMESPACE, "creationTimestamp": _at(now, hours=42)},
        "spec": {
            "policyRef": {"name": "churn-risk"},
            "version": CANDIDATE,
            "trigger": "drift",
            "message": "ModelDrift fires <for> churn_risk",
        },
        "status": {
            "phase": "Finished",
            "version": CANDIDATE,
            "outcome": "RolledBack",
            "reason": "AnalysisFailed",
            "message": ROLLED_BACK,
            "attempt": 1,
            "completedAt": _at(now, hours=20),
            "frozen": {
                "champion": CHAMPION,
                "gate": {"metrics": [{"name": "accuracy", "min": 0.85}, {"name": "latency_p95_ms", "max": 100}]},
                "rollout": {"stepWeights": [10, 50], "smokeTest": {"path": "/api/ml/predictions/churn-risk"}},
            },
            "result": {
                "version": CANDIDATE,
                "artifact": f"members/churn-risk/{CANDIDATE}",
                "digest": "sha256:5a2a8598211951a33bf409dc272e633b",
                "metrics": figures,
                "data": {"from": "2025-11-21", "to": "2026-11-20", "trainRows": 5210, "holdoutRows": 480},
                "warnings": ["completeness_check: 3.1 % of member_age missing, imputed"],
            },
            "timeline": [
                {"phase": phase, "reason": reason, "message": message, "at": _at(now, hours=hours)}
                for phase, reason, message, hours in told
            ],
        },
    }


def _at(now: datetime, **ago: float) -> str:
    return (now - timedelta(**ago)).astimezone(UTC).isoformat().replace("+00:00", "Z")
