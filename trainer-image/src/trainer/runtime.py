"""Runs a version in plain numpy: what serves, and what the gate measures. TensorFlow is not needed here."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.artifact.loading import Artifact, Weights
from trainer.encoding import Encoder
from trainer.tasks import TASKS


class Predictor:
    """Predicts with one set of weights of a version; may be shared by threads: it holds no state."""

    __slots__ = ("_encoder", "_network", "artifact", "task")

    def __init__(self, artifact: Artifact, weights: Literal["shipped", "evaluated"] = "shipped") -> None:
        self.artifact = artifact
        self.task = TASKS[artifact.manifest.task]
        self._encoder = Encoder(artifact.manifest.features)
        self._network = Network(artifact.shipped if weights == "shipped" else artifact.evaluated)

    def predict(self, rows: Sequence[Mapping[str, object]]) -> Sequence[Any]:
        """Return the task's answer to each row.

        Unknown keys are ignored, absent features imputed; InvalidFeature for bad ones. Only what the task needs besides
        features (`Task.needs`) must be there.
        """
        manifest = self.artifact.manifest
        outputs = self._network.outputs(self._encoder.encode(rows))
        return self.task.answers(outputs, rows, manifest.calibration, manifest.threshold)


class Network:
    """The multi-layer perceptron of the manifest: float32 inputs to outputs, which the task turns into answers."""

    __slots__ = ("_layers",)

    def __init__(self, weights: Weights) -> None:
        count = len(weights) // 2
        self._layers = [(weights[f"layer{i}.kernel"], weights[f"layer{i}.bias"]) for i in range(count)]

    def outputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs [rows, outputs] of encoded inputs [rows, width]."""
        activations = inputs
        for kernel, bias in self._layers[:-1]:
            activations = activations @ kernel
            activations += bias
            np.maximum(activations, 0.0, out=activations)
        kernel, bias = self._layers[-1]
        outputs: NDArray[np.float32] = activations @ kernel + bias
        return outputs
