"""The procedure of `train`: look, prepare, fit, compare, write, record."""

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed_version
from typing import Any

import numpy as np
import psycopg

from trainer.artifact import Artifact, ArtifactRejected, Manifest, load, pack
from trainer.database import column_types, connect
from trainer.dataset.preparation import Prepared, prepare, spooled
from trainer.dataset.split import recency_weights
from trainer.errors import DataRejected
from trainer.quality.checks import require_good_data, run_checks, warnings_of
from trainer.request import RetrainRequest
from trainer.settings import Settings
from trainer.store import write
from trainer.training.champion import Champion, find_champion
from trainer.training.checkpoints import Checkpoints, checkpoints_at
from trainer.training.comparison import compared
from trainer.training.device import training_device
from trainer.training.fitting import Candidate, fit_candidate, layer_sizes
from trainer.training.histograms import reference_of
from trainer.training.recording import record

_LOG = logging.getLogger("trainer")
_THRESHOLD = 0.5
_LIBRARIES = ("keras", "numpy", "pandas", "safetensors", "tensorflow")


@dataclass(frozen=True, slots=True)
class Found:
    """The data as it was read once, the champion, and the warnings of the checks."""

    prepared: Prepared
    champion: Champion
    warnings: tuple[str, ...]


def finished_version(request: RetrainRequest) -> Artifact | None:
    """Return the version if it has been trained and is sound; one that has rotted is removed, to be trained anew."""
    store = request.store
    if not store.holds(request.version):
        return None
    try:
        artifact = load(store.version(request.version))
    except ArtifactRejected as rejection:
        _LOG.warning("%s is there but not sound and is trained anew: %s", request.version, rejection.message)
        store.remove(request.version)
        return None
    _LOG.info("%s is there and sound; its result is repeated", request.version)
    return artifact


def find_data(request: RetrainRequest, settings: Settings) -> Found:
    """Return the prepared data and the champion; DataRejected, with the checks, if it must not be trained on."""
    with connect(settings.needed_database_url()) as connection:
        checks = run_checks(connection, request)
        require_good_data(checks)
        champion = find_champion(request, column_types(connection, request.model.table))
        try:
            prepared = prepare(connection, request, champion.needed_columns, settings.resident_bytes)
            prepared = spooled(prepared, request)
        except DataRejected as rejection:
            rejection.checks = tuple(checks)
            raise
    warnings = (*warnings_of(checks), *prepared.warnings)
    return Found(prepared, champion, warnings)


def trained_version(request: RetrainRequest, settings: Settings, found: Found, now: datetime) -> Artifact:
    """Fit, compare with the champion, write the version, and return it; goes on where a killed attempt was."""
    checkpoints = checkpoints_of(request, settings)
    checkpoints.find()
    candidate = _fitted(request, settings, found, checkpoints)
    manifest = _manifest(request, found, candidate, now)
    half_life = request.data.recency_half_life
    reference = reference_of(
        found.prepared.dataset,
        manifest.features,
        candidate.shipped_predictions,
        recency_weights(found.prepared.dataset.days, found.prepared.last, half_life),
    )
    files: dict[str, Any] = {
        "evaluated": candidate.evaluated,
        "shipped": candidate.shipped,
        "reference": reference,
    }
    # A draft without figures, so that the figures are of what serves: a version loaded from its files.
    draft = load(pack(manifest, **files))
    comparison = compared(request.model, draft, found.champion, found.prepared)
    manifest = replace(
        manifest,
        metrics=comparison.metrics,
        champion_not_comparable=comparison.champion_not_comparable,
        warnings=(*found.warnings, *comparison.warnings),
    )
    return write(request.store, pack(manifest, **files))


def _fitted(request: RetrainRequest, settings: Settings, found: Found, checkpoints: Checkpoints) -> Candidate:
    prepared = found.prepared
    sizes, rows = layer_sizes(prepared, request), len(prepared.dataset)
    wishes, task = request.hyperparameters, request.model.task.name
    began = time.perf_counter()
    with training_device(sizes, task, rows, wishes, require_gpu=settings.require_gpu) as device:
        candidate = fit_candidate(prepared, request, checkpoints, device)
    _LOG.info("fitted %d rows on the %s in %.1f s", rows, device, time.perf_counter() - began)
    return candidate


def checkpoints_of(request: RetrainRequest, settings: Settings) -> Checkpoints:
    """Return the version's checkpoints: none where the request names no place for them."""
    return checkpoints_at(request.checkpoint.path if request.checkpoint else None, settings.checkpoint_interval)


def record_if_possible(artifact: Artifact, request: RetrainRequest, settings: Settings) -> None:
    """Write the version's row for the monitor; a database that is lost by now must not lose the training."""
    if settings.database_url is None:
        return
    try:
        with connect(settings.database_url) as connection:
            record(connection, artifact, request)
    except psycopg.Error as error:
        _LOG.warning("the version is written, but model_metadata is not: %s", type(error).__name__)


def _manifest(request: RetrainRequest, found: Found, candidate: Candidate, now: datetime) -> Manifest:
    model, prepared = request.model, found.prepared
    hyperparameters = request.hyperparameters.model_dump(mode="json", by_alias=True)
    return Manifest(
        model_type=model.name,
        task=model.task.name,
        version=request.version,
        created_at=now.isoformat(),
        files={},
        table=model.table,
        columns=dict(prepared.types),
        features=prepared.features,
        hidden_layers=model.hidden_layers,
        calibration=candidate.calibration,
        threshold=_THRESHOLD,
        data=_data(prepared),
        metrics={},
        champion_not_comparable="",
        warnings=(),
        training={
            **hyperparameters,
            "epochsUsed": candidate.epochs,
            "device": candidate.device,
            "refit": request.data.refit,
            "run": request.run,
            "attempt": request.attempt,
        },
        libraries=_libraries(),
    )


def _data(prepared: Prepared) -> dict[str, Any]:
    split, spool = prepared.split, prepared.spool
    rows = spool.rows_before(split.first_holdout_day) if spool is not None else None
    return {
        "from": str(prepared.dataset.days[0]),
        "to": str(prepared.last),
        "holdoutFrom": split.first_holdout_day.isoformat(),
        "trainRows": rows if rows is not None else int(np.count_nonzero(split.training)),
        "holdoutRows": int(np.count_nonzero(split.holdout)),
    }


def _libraries() -> dict[str, str]:
    # The wheel of TensorFlow has several names; Keras's backend is the one that is installed.
    names = packages_distributions()
    return {name: installed_version(names[name][0]) for name in _LIBRARIES}
