"""Requests for tests: the contract's, for the seeded world."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from trainer.request import RetrainRequest, read_request
from trainer.settings import Settings, read_settings

SHOCK = {"window": "365d", "holdout": "7d", "recencyHalfLife": "10d"}


def request_document(artifacts: Path, version: str, **changes: Any) -> dict[str, Any]:
    """The request for one version, as the operator would write it."""
    return {
        "action": "train",
        "modelType": "churn_risk",
        "namespace": "members",
        "policy": "churn-risk",
        "run": "churn-risk-1",
        "version": version,
        "artifacts": {"path": str(artifacts)},
        "champion": None,
        **changes,
    }


def environment_of(document: Mapping[str, Any], url: str, **variables: str) -> dict[str, str]:
    """The environment of a training container."""
    return {"RETRAIN_REQUEST": orjson.dumps(document).decode(), "DATABASE_URL": url, **variables}


def asked(document: Mapping[str, Any], url: str, **variables: str) -> tuple[RetrainRequest, Settings]:
    """The request and the settings that a container with this environment reads."""
    settings = read_settings(environment_of(document, url, **variables))
    return read_request(settings, {}, {}), settings
