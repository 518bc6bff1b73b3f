"""The request of the trainer contract: `RETRAIN_REQUEST`, overlaid by the guide's variables and a person's flags."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from trainer.duration import duration
from trainer.errors import BadConfiguration
from trainer.models import find_model, known_models
from trainer.models.base import ModelDefinition
from trainer.outcome import Action
from trainer.settings import Settings
from trainer.store import Store, open_store

MAX_REQUEST_BYTES = 16 * 1024
ADOPTED = "adopted"
Duration = Annotated[timedelta, BeforeValidator(duration)]
# It becomes a directory's name: no separator, no dot in front.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class Wish(StrEnum):
    """What the operator wants done."""

    VALIDATE = "validate"
    TRAIN = "train"


class _Part(BaseModel):
    # Fields may be added to the contract; a trainer ignores those that it does not know.
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, populate_by_name=True)


class Artifacts(_Part):
    """Where the policy's versions are: a directory on the mounted volume, or `s3://bucket/prefix`."""

    path: Annotated[str, Field(min_length=1)]


class Checkpoint(_Part):
    """Where the training keeps its state until the version is complete: beside the versions, by the version's name."""

    path: Annotated[str, Field(min_length=1)]


class Champion(_Part):
    """What serves now; `adopted` if it has no artifact."""

    version: Name


class FeaturePatterns(_Part):
    """Shell patterns of column names: a feature matches one of `allow` and none of `deny`."""

    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()


class DataSelection(_Part):
    """Which rows train, which are held out, and how much an old row counts."""

    window: Duration = timedelta(days=365)
    holdout: Duration = timedelta(days=30)
    label_delay: Duration = timedelta(0)
    recency_half_life: Duration = timedelta(days=90)
    refit: bool = True
    features: FeaturePatterns = FeaturePatterns()


class MaxMissing(_Part):
    """The share of missing values in a feature above which `action` follows."""

    ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    action: Action = Action.WARN


class OutlierRule(_Part):
    """The values of a column beyond which a row is an outlier, and what follows if there is one."""

    column: str
    min: float | None = None
    max: float | None = None
    action: Action = Action.WARN


class DataQuality(_Part):
    """What the data must be like to be trained on."""

    min_rows: Annotated[int, Field(ge=0)] = 100
    min_days: Annotated[int, Field(ge=0)] = 90
    max_missing: MaxMissing = MaxMissing()
    outliers: tuple[OutlierRule, ...] = ()


class Hyperparameters(_Part):
    """The hyperparameters that this image knows; others are ignored."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 150
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    l2: Annotated[float, Field(ge=0)] = 0.01
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    early_stopping_patience: Annotated[int, Field(ge=1)] = 5
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 7


class RetrainRequest(_Part):
    """All that a training is asked; see docs/trainer-contract.md."""

    action: Wish = Wish.TRAIN
    model_type: str
    namespace: Name
    policy: Name
    run: str = ""
    version: Name
    attempt: Annotated[int, Field(ge=1)] = 1
    artifacts: Artifacts
    champion: Champion | None = None
    checkpoint: Checkpoint | None = None
    data: DataSelection = DataSelection()
    data_quality: DataQuality = DataQuality()
    hyperparameters: Hyperparameters = Hyperparameters()

    @property
    def model(self) -> ModelDefinition:
        """The model asked for; `read_request` has made sure that this image has it."""
        model = find_model(self.model_type)
        assert model is not None  # noqa: S101
        return model

    @property
    def store(self) -> Store:
        """Where the policy's versions are."""
        return open_store(self.artifacts.path)


def read_request(settings: Settings, flags: Mapping[str, Any], defaults: Mapping[str, Any]) -> RetrainRequest:
    """Return what is asked: a person's flags win over MODEL_EPOCHS and MODEL_BATCH_SIZE, those over RETRAIN_REQUEST.

    `defaults` stand where there is no RETRAIN_REQUEST. Flags and defaults are nested as the request is. Raises
    BadConfiguration with the field's name and what it should be.
    """
    document = dict(defaults) if settings.retrain_request is None else _parsed(settings.retrain_request)
    guide = {"epochs": settings.model_epochs, "batchSize": settings.model_batch_size}
    document = _overlaid(document, {"hyperparameters": guide})
    try:
        request = RetrainRequest.model_validate(_overlaid(document, flags))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadConfiguration(f"the request's {field}: {first['msg'].removeprefix('Value error, ')}") from None
    if find_model(request.model_type) is None:
        raise BadConfiguration(f"model type {request.model_type!r} is not one of {', '.join(known_models())}")
    if not request.data.holdout or request.data.holdout >= request.data.window:
        raise BadConfiguration("the request's data.holdout must be longer than nothing and shorter than data.window")
    if not request.data.recency_half_life:
        raise BadConfiguration("the request's data.recencyHalfLife must be longer than nothing")
    return request


def _parsed(text: str) -> dict[str, Any]:
    if len(text.encode()) > MAX_REQUEST_BYTES:
        raise BadConfiguration(f"RETRAIN_REQUEST is longer than {MAX_REQUEST_BYTES} bytes")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadConfiguration(f"RETRAIN_REQUEST is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadConfiguration("RETRAIN_REQUEST is not a JSON object")
    return document


def _overlaid(document: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with the values of `over` that are not None put in, level by level."""
    merged = dict(document)
    for key, value in over.items():
        if isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = _overlaid(below if isinstance(below, Mapping) else {}, value)
        elif value is not None:
            merged[key] = value
    return merged
