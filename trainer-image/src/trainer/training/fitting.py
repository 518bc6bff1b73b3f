"""Fits the candidate: when to stop, the weights for the gate, the calibration, and the weights that serve."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trainer.artifact import Calibration, Weights
from trainer.dataset.preparation import Prepared
from trainer.dataset.split import recency_weights
from trainer.dataset.spool import Spool
from trainer.encoding import Encoder
from trainer.progress import progress
from trainer.request import RetrainRequest
from trainer.runtime import Network as NumpyNetwork
from trainer.training.checkpoints import Checkpoints
from trainer.training.rows import Rows, RowSource, StreamedRows

_LOG = logging.getLogger("trainer")
# Keras and numpy order their additions differently, no more.
_RUNTIME_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What was fitted. `epochs` is what early stopping found; `shipped_predictions` are of all labelled rows."""

    evaluated: Weights
    shipped: Weights
    calibration: Calibration
    epochs: int
    device: str
    shipped_predictions: NDArray[np.float64]


def fit_candidate(prepared: Prepared, request: RetrainRequest, checkpoints: Checkpoints, device: str) -> Candidate:
    """Return the fitted candidate; the hold-out enters only the shipped weights, and only with `refit`.

    The newest training rows say when to stop and how to calibrate. With `refit` the network is then fitted anew for
    as many epochs: on all training rows (evaluated), and on all labelled rows (shipped). ArithmeticError if the numpy
    runtime does not give what Keras gives.
    """
    # TensorFlow is imported here, once the data is known to be worth it.
    from trainer.training.network import Network  # noqa: PLC0415

    rows = _Encoded(prepared, request)
    split, task = prepared.split, request.model.task
    network = Network(layer_sizes(prepared, request), task.name, request.hyperparameters, checkpoints)
    with progress(f"fit on {device}", request.hyperparameters.epochs) as bar:
        fit = network.fit_until_it_stops_improving(
            rows.to_fit_on(split.fitted, split.first_validation_day, split.first_holdout_day),
            rows.to_judge_by(split.validation, split.first_holdout_day),
            bar.advance,
        )
    _LOG.info("best after %d epochs on the %s, validation loss %.4f", fit.epochs, device, fit.validation_loss)
    calibration = rows.calibration(network.outputs(fit.weights, rows.inputs[split.validation]))
    _LOG.debug("%s", calibration)
    evaluated = shipped = fit.weights
    if request.data.refit:
        everything = np.ones(len(prepared.dataset), dtype=np.bool_)
        with progress("refit", 2 * fit.epochs) as bar:
            training = rows.to_fit_on(split.training, split.first_holdout_day, split.first_holdout_day)
            evaluated = network.fit_for("evaluated", training, fit.epochs, bar.advance)
            labelled = rows.to_fit_on(everything, prepared.last + timedelta(days=1), prepared.last)
            shipped = network.fit_for("shipped", labelled, fit.epochs, bar.advance)
    for weights in (evaluated, shipped):
        _require_same_answers(network.outputs, weights, rows.inputs[split.holdout])
    predictions = task.values(NumpyNetwork(shipped).outputs(rows.inputs), prepared.dataset.columns, calibration)
    return Candidate(
        evaluated=evaluated,
        shipped=shipped,
        calibration=calibration,
        epochs=fit.epochs,
        device=device,
        shipped_predictions=predictions,
    )


def layer_sizes(prepared: Prepared, request: RetrainRequest) -> tuple[int, ...]:
    """Return the widths of the network from its inputs to its outputs."""
    inputs = sum(feature.width for feature in prepared.features)
    return (inputs, *request.model.hidden_layers, request.model.task.outputs)


class _Encoded:
    """The dataset as the network sees it, and with it the rows that are on disk."""

    def __init__(self, prepared: Prepared, request: RetrainRequest) -> None:
        self._dataset, self._split, self._task = prepared.dataset, prepared.split, request.model.task
        self._half_life = request.data.recency_half_life
        self._spool = prepared.spool
        self.encoder = Encoder(prepared.features)
        self.inputs = self.encoder.encode_columns(self._dataset.columns, len(self._dataset))
        training = self._dataset.where(self._split.training)
        weights = self._weights(self._split.training, self._split.first_holdout_day)
        self._standardisation = self._task.standardisation(training.labels, training.columns, weights)
        targets = self._task.targets(self._dataset.labels, self._dataset.columns, self._standardisation)
        self._targets = targets.astype(np.float32)

    def to_fit_on(self, mask: NDArray[np.bool_], before: date, present: date) -> RowSource:
        """Rows of days before `before`, which the mask chooses of the dataset, as they are drawn while fitting.

        Newer ones are drawn more often, and as the task asks.
        """
        if self._spool is not None:
            read = partial(self._streamed, self._spool, before, present)
            return StreamedRows(read, f"{self._spool.digest} {before} {present} {self._half_life}")
        weights = self._task.fitting_weights(self._dataset.labels[mask], self._weights(mask, present))
        return self._rows(mask, weights)

    def to_judge_by(self, mask: NDArray[np.bool_], present: date) -> Rows:
        """Rows as they count: newer ones more, labels as frequent as they are."""
        return self._rows(mask, self._weights(mask, present))

    def calibration(self, validation_outputs: NDArray[np.float32]) -> Calibration:
        mask = self._split.validation
        rows = self._dataset.where(mask)
        weights = self._weights(mask, self._split.first_holdout_day)
        outputs = validation_outputs.astype(np.float64)
        return self._task.calibrated(outputs, rows.labels, rows.columns, weights, self._standardisation)

    def _streamed(self, spool: Spool, before: date, present: date, order: np.random.Generator) -> Iterator[Rows]:
        for share in spool.shares(before, order):
            targets = self._task.targets(share.labels, share.needs, self._standardisation).astype(np.float32)
            weights = recency_weights(share.days, present, self._half_life)
            yield Rows(share.inputs, targets, self._task.fitting_weights(share.labels, weights))

    def _rows(self, mask: NDArray[np.bool_], weights: NDArray[np.float64]) -> Rows:
        return Rows(self.inputs[mask], self._targets[mask], weights)

    def _weights(self, mask: NDArray[np.bool_], present: date) -> NDArray[np.float64]:
        return recency_weights(self._dataset.days[mask], present, self._half_life)


def _require_same_answers(
    keras_outputs: Callable[[Weights, NDArray[np.float32]], NDArray[np.float32]],
    weights: Weights,
    inputs: NDArray[np.float32],
) -> None:
    expected = keras_outputs(weights, inputs)
    # Relative to the output: for a logit that bounds the error of the probability as well.
    gap = float((np.abs(NumpyNetwork(weights).outputs(inputs) - expected) / np.maximum(1.0, np.abs(expected))).max())
    if gap > _RUNTIME_TOLERANCE:
        raise ArithmeticError(f"the numpy runtime is {gap:.1e} off Keras on the held-out rows")
