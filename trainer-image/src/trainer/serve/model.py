"""The one version that this process serves: verified when it was loaded, and proved by a first prediction."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from trainer.artifact import Artifact, ArtifactRejected
from trainer.artifact.verification import verified
from trainer.encoding import InvalidFeature
from trainer.errors import BadConfiguration
from trainer.identifiers import time_ordered_uuid
from trainer.models import find_model
from trainer.models.base import LiveTable
from trainer.runtime import Predictor
from trainer.serve.request import Refusal, read_features
from trainer.serve.series import read_series, series_of
from trainer.store.fetching import fetched
from trainer.tasks import Answer
from trainer.windows import Windows

Features = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Predicted:
    """One answer, with the id it is logged under and what the model looked at."""

    id: UUID
    answer: Answer
    features: Mapping[str, Any]


class ServedModel(Protocol):
    """A loaded version: its names, what it wants to know of an entity, and its answers.

    `columns` are those that it needs of the live table.
    """

    columns: tuple[str, ...]
    model_type: str
    version: str
    live: LiveTable

    def read_features(self, features: Any) -> Features:
        """Return what a body says of an entity; Refusal 422 for anything else."""

    def predicted(self, features: Features) -> list[Predicted]:
        """Return the answers for one entity; Refusal 422 for a value of a wrong type.

        Names that the model does not know are ignored: in a canary one client talks to two versions of one schema each.
        """

    def document(self, predicted: Sequence[Predicted]) -> dict[str, Any]:
        """Return what the body of the HTTP answer says besides the version."""


class Classifier:
    """Answers one row with one prediction, in some ten microseconds."""

    def __init__(self, artifact: Artifact, live: LiveTable) -> None:
        self._predictor = Predictor(artifact)
        self.live = live
        self.model_type = artifact.manifest.model_type
        self.version = artifact.manifest.version
        self.columns = tuple(feature.name for feature in artifact.manifest.features)

    def read_features(self, features: Any) -> Features:
        return read_features(features)

    def predicted(self, features: Features) -> list[Predicted]:
        """Return the one answer, and each of the model's features with None where the row has none."""
        [answer] = _answers(self._predictor, [features])
        return [Predicted(time_ordered_uuid(), answer, {name: features.get(name) for name in self.columns})]

    def document(self, predicted: Sequence[Predicted]) -> dict[str, Any]:
        [one] = predicted
        return {"predictionId": one.id, **one.answer._asdict()}


class Forecaster:
    """Answers one series with a forecast for each day or week of the horizon."""

    columns: tuple[str, ...] = ("origin", "history", "ahead")

    def __init__(self, artifact: Artifact, live: LiveTable, windows: Windows) -> None:
        self._predictor = Predictor(artifact)
        self._windows = windows
        self._features = tuple(feature.name for feature in artifact.manifest.features)
        self.live = live
        self.model_type = artifact.manifest.model_type
        self.version = artifact.manifest.version

    def read_features(self, features: Any) -> Features:
        return read_series(features)

    def predicted(self, features: Features) -> list[Predicted]:
        """Return an answer a period, oldest first, each with the (first) day it is for beside the model's features."""
        days, rows = zip(*series_of(features).rows(self._windows), strict=True)
        answers = _answers(self._predictor, rows)
        return [
            Predicted(
                time_ordered_uuid(),
                answer,
                {"day": day.isoformat(), **{name: row.get(name) for name in self._features}},
            )
            for day, row, answer in zip(days, rows, answers, strict=True)
        ]

    def document(self, predicted: Sequence[Predicted]) -> dict[str, Any]:
        forecasts = [{"day": one.features["day"], "predictionId": one.id, **one.answer._asdict()} for one in predicted]
        return {"forecasts": forecasts}


def load_served_model(location: str, version: str, model_type: str | None) -> ServedModel:
    """Return the version at the policy's directory or bucket URL; BadConfiguration if it must never serve, and why."""
    try:
        # It is asked once there: the first prediction touches every weight, and one that cannot answer cannot serve.
        artifact = verified(fetched(location, version))
    except ArtifactRejected as rejected:
        raise BadConfiguration(f"version {version} cannot be served: {rejected}") from None
    manifest = artifact.manifest
    if manifest.version != version:
        raise BadConfiguration(f"under the name {version} is version {manifest.version}")
    if model_type is not None and manifest.model_type != model_type:
        raise BadConfiguration(f"version {version} is a {manifest.model_type} model, MODEL_TYPE says {model_type}")
    definition = find_model(manifest.model_type)
    if definition is None:
        raise BadConfiguration(f"model type {manifest.model_type} is not known to this image")
    if definition.windows is None:
        return Classifier(artifact, definition.live)
    return Forecaster(artifact, definition.live, definition.windows)


def _answers(predictor: Predictor, rows: Sequence[Features]) -> Sequence[Answer]:
    try:
        answers = predictor.predict(rows)
    except InvalidFeature as invalid:
        raise Refusal(422, "InvalidFeature", str(invalid)) from None
    if not all(math.isfinite(answer.value) for answer in answers):
        raise ArithmeticError("the prediction is not finite")
    return answers
