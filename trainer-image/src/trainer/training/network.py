"""The network in Keras, and its fitting: with its losses the only module that imports TensorFlow.

The rows stay in memory and a whole epoch is one `tf.function`: for networks this small, what costs time in `fit` is
the call of each step, not its arithmetic. Batches are drawn in proportion to the rows' weights instead of weighting
the loss, so that old rows that hardly count cost no steps, and no batch is empty in effect.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.artifact.loading import Weights
from trainer.errors import BadConfiguration
from trainer.request import Hyperparameters

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Its kernels add in another order on each processor; for networks this small they gain nothing.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import tensorflow as tf

from trainer.training.losses import LOSSES, Loss

Floats = NDArray[np.float32]

_LOG = logging.getLogger("trainer")
_MIN_DELTA = 1e-4


@dataclass(frozen=True, slots=True)
class Rows:
    """Encoded rows: inputs [n, width], targets [n], weights [n] (how often each is drawn)."""

    inputs: Floats
    targets: Floats
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted weights, by the artifact's names; the epoch they are of; and the loss on the validation rows then."""

    weights: Weights
    epochs: int
    validation_loss: float


def chosen_device(*, require_gpu: bool) -> str:
    """Return the kind of device that trains; BadConfiguration if it must be a GPU and there is none."""
    gpus = tf.config.list_physical_devices("GPU")
    if require_gpu and not gpus:
        raise BadConfiguration("REQUIRE_GPU is set and TensorFlow sees no GPU")
    return "GPU" if gpus else "CPU"


class Network:
    """A multi-layer perceptron of one shape, fitted anew at each call from the same initial weights."""

    def __init__(self, layer_sizes: Sequence[int], task: str, hyperparameters: Hyperparameters) -> None:
        _be_deterministic(hyperparameters.seed)
        self._hyperparameters = hyperparameters
        self._model = _built(layer_sizes, hyperparameters)
        self._optimizer = keras.optimizers.Adam(hyperparameters.learning_rate)
        self._optimizer.build(self._model.trainable_variables)
        self._variables = [*self._model.variables, *self._optimizer.variables]
        self._initial = [variable.numpy() for variable in self._variables]
        self._epoch = _epoch_function(self._model, self._optimizer, LOSSES[task])
        self._loss = _loss_function(self._model, LOSSES[task])

    def fit_until_it_stops_improving(self, rows: Rows, validation: Rows, on_epoch: Callable[[str], None]) -> Fit:
        """Return the weights of the epoch with the least validation loss; stops `earlyStoppingPatience` after it."""
        best = Fit({}, 0, np.inf)
        for epoch, training_loss in enumerate(self._epochs(rows, self._hyperparameters.epochs), start=1):
            loss = float(self._loss(validation.inputs, validation.targets, validation.weights.astype(np.float32)))
            on_epoch(f"loss {training_loss:.4f} validation {loss:.4f}")
            if loss < best.validation_loss - _MIN_DELTA:
                best = Fit(self._weights(), epoch, loss)
            elif epoch - best.epochs >= self._hyperparameters.early_stopping_patience:
                break
        if not best.epochs:
            raise ArithmeticError("the training diverged: no epoch had a finite validation loss")
        return best

    def fit_for(self, rows: Rows, epochs: int, on_epoch: Callable[[str], None]) -> Weights:
        """Return the weights after so many epochs over the rows."""
        for training_loss in self._epochs(rows, epochs):
            on_epoch(f"loss {training_loss:.4f}")
        return self._weights()

    def outputs(self, weights: Weights, inputs: Floats) -> Floats:
        """Return what Keras computes with these weights, [rows, outputs]."""
        self._model.set_weights(list(weights.values()))
        outputs: Floats = np.asarray(self._model(inputs, training=False))
        return outputs

    def _epochs(self, rows: Rows, epochs: int) -> Any:
        for variable, value in zip(self._variables, self._initial, strict=True):
            variable.assign(value)
        generator = np.random.default_rng(self._hyperparameters.seed)
        inputs, targets = tf.constant(rows.inputs), tf.constant(rows.targets)
        for _ in range(epochs):
            yield float(self._epoch(inputs, targets, _drawn_batches(rows, self._hyperparameters.batch_size, generator)))

    def _weights(self) -> Weights:
        names = [f"layer{index // 2}.{('kernel', 'bias')[index % 2]}" for index in range(len(self._model.weights))]
        return dict(zip(names, self._model.get_weights(), strict=True))


def _be_deterministic(seed: int) -> None:
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _built(layer_sizes: Sequence[int], hyperparameters: Hyperparameters) -> Any:
    layers = keras.layers
    model = keras.Sequential([keras.Input((layer_sizes[0],))])
    for units in layer_sizes[1:-1]:
        model.add(layers.Dense(units, activation="relu", kernel_regularizer=keras.regularizers.L2(hyperparameters.l2)))
        model.add(layers.Dropout(hyperparameters.dropout))
    model.add(layers.Dense(layer_sizes[-1]))
    return model


def _drawn_batches(rows: Rows, batch_size: int, generator: np.random.Generator) -> NDArray[np.int32]:
    """Return row numbers [steps, batch size] of one epoch: as many draws as the weighted rows are worth.

    That is Kish's effective number, (Σ w)² ÷ Σ w²; systematic sampling draws each row its share, ±1.
    """
    shares = rows.weights / rows.weights.sum()
    steps = max(1, round(1 / float((shares**2).sum()) / batch_size))
    draws = steps * batch_size
    points = (np.arange(draws) + generator.random()) / draws
    drawn = np.minimum(np.searchsorted(np.cumsum(shares), points), len(shares) - 1)
    return generator.permutation(drawn).reshape(steps, batch_size).astype(np.int32)


def _epoch_function(model: Any, optimizer: Any, loss_of: Loss) -> Any:
    # XLA compiles for seconds what takes a fraction of one to run, so it stays off.
    @tf.function(  # type: ignore[untyped-decorator]
        jit_compile=False,
        input_signature=[
            tf.TensorSpec((None, model.input_shape[1]), tf.float32),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((None, None), tf.int32),
        ],
    )
    def epoch(inputs: Any, targets: Any, batches: Any) -> Any:
        total = tf.constant(0.0)
        for step in tf.range(tf.shape(batches)[0]):
            batch_inputs, batch_targets = tf.gather(inputs, batches[step]), tf.gather(targets, batches[step])
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(loss_of(batch_targets, model(batch_inputs, training=True)))
                penalised = loss + tf.add_n(model.losses) if model.losses else loss
            gradients = tape.gradient(penalised, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            total += loss
        return total / tf.cast(tf.shape(batches)[0], tf.float32)

    return epoch


def _loss_function(model: Any, loss_of: Loss) -> Any:
    @tf.function(jit_compile=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def loss(inputs: Any, targets: Any, weights: Any) -> Any:
        losses = loss_of(targets, model(inputs, training=False))
        return tf.reduce_sum(losses * weights) / tf.reduce_sum(weights)

    return loss
