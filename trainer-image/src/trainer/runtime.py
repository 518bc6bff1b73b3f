"""Runs a version in plain numpy: what serves, and what the gate measures. TensorFlow is not needed here."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.artifact.loading import Artifact, Weights
from trainer.artifact.manifest import Calibration
from trainer.encoding import Encoder


class Prediction(NamedTuple):
    """The calibrated probability of the positive class, the label it means, and max(p, 1 − p) as the confidence."""

    probability: float
    label: bool
    confidence: float


class Predictor:
    """Predicts with one set of weights of a version; may be shared by threads: it holds no state."""

    __slots__ = ("_encoder", "_network", "_threshold", "artifact")

    def __init__(self, artifact: Artifact, weights: Literal["shipped", "evaluated"] = "shipped") -> None:
        self.artifact = artifact
        self._encoder = Encoder(artifact.manifest.features)
        chosen = artifact.shipped if weights == "shipped" else artifact.evaluated
        self._network = Network(chosen, artifact.manifest.calibration)
        self._threshold = artifact.manifest.threshold

    def predict(self, rows: Sequence[Mapping[str, object]]) -> list[Prediction]:
        """Return one prediction a row. Unknown keys are ignored, absent ones imputed; InvalidFeature for bad ones."""
        probabilities = self._network.probabilities(self._encoder.encode(rows))
        threshold = self._threshold
        return [Prediction(p, p >= threshold, max(p, 1.0 - p)) for p in probabilities.tolist()]


class Network:
    """The multi-layer perceptron of the manifest with its calibration: float32 inputs to probabilities."""

    __slots__ = ("_calibration", "_layers")

    def __init__(self, weights: Weights, calibration: Calibration) -> None:
        count = len(weights) // 2
        self._layers = [(weights[f"layer{i}.kernel"], weights[f"layer{i}.bias"]) for i in range(count)]
        self._calibration = calibration

    def logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the uncalibrated logits [rows] of encoded inputs [rows, width]."""
        activations = inputs
        for kernel, bias in self._layers[:-1]:
            activations = activations @ kernel
            activations += bias
            np.maximum(activations, 0.0, out=activations)
        kernel, bias = self._layers[-1]
        logits: NDArray[np.float32] = (activations @ kernel + bias)[:, 0]
        return logits

    def probabilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the calibrated probabilities [rows] of encoded inputs [rows, width]."""
        return calibrated(self.logits(inputs), self._calibration)


def calibrated(logits: NDArray[np.float32], calibration: Calibration) -> NDArray[np.float64]:
    """Return the probabilities that Platt scaling makes of logits, without overflow for large ones."""
    scores = calibration.slope * logits.astype(np.float64) + calibration.intercept
    probabilities: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * scores))
    return probabilities
