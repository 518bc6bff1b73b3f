"""Trainings for tests: in this process, so that TensorFlow is imported once for all of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import dict_row

from tests.requests import asked
from trainer.artifact import Artifact, load
from trainer.runtime import Predictor
from trainer.training.command import train_as_asked

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


def train(document: Mapping[str, Any], url: str, **variables: str) -> Artifact:
    """Train as the operator would ask, and return the version as it is found on the volume."""
    request, settings = asked(document, url, **variables)
    train_as_asked(settings, {}, NOW, as_json=True)
    return load(request.store.version(request.version))


def live_accuracy(artifact: Artifact, url: str, **reencoded: float) -> float:
    """Return how often the shipped weights are right for the members of now; `column=factor` spoils a column first."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute(
            "select p.*, t.churned from profiles p join world_truth t on t.member_id = p.id where role = 'member'"
        ).fetchall()
    for row in rows:
        row.update({column: row[column] * factor for column, factor in reencoded.items()})
    predictions = Predictor(artifact).predict(rows)
    right = [prediction.label == row["churned"] for prediction, row in zip(predictions, rows, strict=True)]
    return float(np.mean(right))
