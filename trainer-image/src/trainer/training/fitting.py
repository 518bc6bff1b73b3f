"""Fits the candidate: when to stop, the weights for the gate, the calibration, and the weights that serve."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.artifact import Calibration, Weights
from trainer.dataset.preparation import Prepared
from trainer.dataset.split import balanced_weights, recency_weights
from trainer.encoding import Encoder
from trainer.progress import progress
from trainer.request import RetrainRequest
from trainer.runtime import Network as NumpyNetwork
from trainer.training.calibration import platt_scaling

if TYPE_CHECKING:
    from trainer.training.network import Rows

_LOG = logging.getLogger("trainer")
# Keras and numpy order their additions differently, no more.
_RUNTIME_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What was fitted. `epochs` is what early stopping found; `shipped_probabilities` are of all labelled rows."""

    evaluated: Weights
    shipped: Weights
    calibration: Calibration
    epochs: int
    device: str
    shipped_probabilities: NDArray[np.float64]


def fit_candidate(prepared: Prepared, request: RetrainRequest, *, require_gpu: bool) -> Candidate:
    """Return the fitted candidate; the hold-out enters only the shipped weights, and only with `refit`.

    The newest training rows say when to stop and how to calibrate. With `refit` the network is then fitted anew for
    as many epochs: on all training rows (evaluated), and on all labelled rows (shipped). ArithmeticError if the numpy
    runtime does not give what Keras gives.
    """
    # TensorFlow is imported here, once the data is known to be worth it.
    from trainer.training.network import Network, chosen_device  # noqa: PLC0415

    device = chosen_device(require_gpu=require_gpu)
    rows = _Encoded(prepared, request)
    split = prepared.split
    network = Network((rows.encoder.width, *request.model.hidden_layers, 1), request.hyperparameters)
    with progress(f"fit on {device}", request.hyperparameters.epochs) as bar:
        fit = network.fit_until_it_stops_improving(
            rows.balanced(split.fitted, split.first_holdout_day),
            rows.natural(split.validation, split.first_holdout_day),
            bar.advance,
        )
    _LOG.info("best after %d epochs, validation loss %.4f", fit.epochs, fit.validation_loss)
    calibration = rows.calibration(network.logits(fit.weights, rows.inputs[split.validation]))
    _LOG.debug("%s", calibration)
    evaluated = shipped = fit.weights
    if request.data.refit:
        everything = np.ones(len(prepared.dataset), dtype=np.bool_)
        with progress("refit", 2 * fit.epochs) as bar:
            evaluated = network.fit_for(rows.balanced(split.training, split.first_holdout_day), fit.epochs, bar.advance)
            shipped = network.fit_for(rows.balanced(everything, prepared.last), fit.epochs, bar.advance)
    for weights in (evaluated, shipped):
        _require_same_answers(network.logits, weights, rows.inputs[split.holdout], calibration)
    return Candidate(
        evaluated=evaluated,
        shipped=shipped,
        calibration=calibration,
        epochs=fit.epochs,
        device=device,
        shipped_probabilities=NumpyNetwork(shipped, calibration).probabilities(rows.inputs),
    )


class _Encoded:
    """The dataset as the network sees it."""

    def __init__(self, prepared: Prepared, request: RetrainRequest) -> None:
        self._prepared = prepared
        self._half_life = request.data.recency_half_life
        self.encoder = Encoder(prepared.features)
        self.inputs = self.encoder.encode_columns(prepared.dataset.columns, len(prepared.dataset))

    def balanced(self, mask: NDArray[np.bool_], present: date) -> "Rows":
        """Rows to fit on: newer ones weigh more, and both outcomes the same."""
        natural = self.natural(mask, present)
        weights = balanced_weights(self._prepared.dataset.labels[mask], natural.weights)
        return type(natural)(natural.inputs, natural.labels, weights)

    def natural(self, mask: NDArray[np.bool_], present: date) -> "Rows":
        """Rows to judge by: newer ones weigh more, outcomes are as frequent as they are."""
        from trainer.training.network import Rows  # noqa: PLC0415 - as above

        dataset = self._prepared.dataset
        weights = recency_weights(dataset.days[mask], present, self._half_life)
        return Rows(self.inputs[mask], dataset.labels[mask].astype(np.float32), weights)

    def calibration(self, validation_logits: NDArray[np.float32]) -> Calibration:
        dataset, split = self._prepared.dataset, self._prepared.split
        mask = split.validation
        weights = recency_weights(dataset.days[mask], split.first_holdout_day, self._half_life)
        return platt_scaling(validation_logits.astype(np.float64), dataset.labels[mask], weights)


def _require_same_answers(
    keras_logits: Callable[[Weights, NDArray[np.float32]], NDArray[np.float32]],
    weights: Weights,
    inputs: NDArray[np.float32],
    calibration: Calibration,
) -> None:
    uncalibrated = NumpyNetwork(weights, calibration).logits(inputs)
    expected = keras_logits(weights, inputs)
    # Relative to the logit: that bounds the error of the probability as well.
    gap = float((np.abs(uncalibrated - expected) / np.maximum(1.0, np.abs(expected))).max())
    if gap > _RUNTIME_TOLERANCE:
        raise ArithmeticError(f"the numpy runtime is {gap:.1e} off Keras on the held-out rows")
