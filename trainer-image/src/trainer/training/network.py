"""The network in Keras, and its fitting: with its losses the only module that imports TensorFlow.

A whole epoch over the rows in memory is one `tf.function`: for networks this small, what costs time in `fit` is the
call of each step, not its arithmetic. Rows beyond the memory limit come block by block through tf.data, which reads
the next one from disk meanwhile; each block is such an epoch of its own. Batches are drawn in proportion to the
rows' weights instead of weighting the loss, so that old rows that hardly count cost no steps, and no batch is empty in
effect.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.artifact.loading import Weights
from trainer.request import Hyperparameters
from trainer.training.checkpoints import Checkpoints, State
from trainer.training.device import Seen

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Its kernels add in another order on each processor; for networks this small they gain nothing.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import tensorflow as tf

from trainer.training.losses import LOSSES, Loss
from trainer.training.rows import Rows, RowSource

Floats = NDArray[np.float32]

_LOG = logging.getLogger("trainer")
_MIN_DELTA = 1e-4


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted weights, by the artifact's names; the epoch they are of; and the loss on the validation rows then."""

    weights: Weights
    epochs: int
    validation_loss: float


def seen_devices() -> Seen:
    """Return what there is to train on; GPUs give their memory as it is needed, not all of it at once."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, enable=True)
    return Seen(len(gpus), tf.test.is_built_with_cuda())


def on_device(device: str) -> Any:
    """Return a context in which variables and functions are made on the first device of that kind."""
    return tf.device(f"/{device}:0")


class Network:
    """A multi-layer perceptron of one shape, fitted anew at each call from the same initial weights.

    Each fitting is a stage of `checkpoints`: it begins where an earlier attempt with the same rows left it.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        task: str,
        hyperparameters: Hyperparameters,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        _be_deterministic(hyperparameters.seed)
        self._task = task
        self._hyperparameters = hyperparameters
        self._checkpoints = checkpoints or Checkpoints()
        self._model = _built(layer_sizes, hyperparameters)
        self._optimizer = keras.optimizers.Adam(hyperparameters.learning_rate)
        self._optimizer.build(self._model.trainable_variables)
        self._variables = [*self._model.variables, *self._optimizer.variables]
        self._initial = [variable.numpy() for variable in self._variables]
        self._generator = np.random.default_rng(hyperparameters.seed)
        self._epoch = _epoch_function(self._model, self._optimizer, LOSSES[task])
        self._loss = _loss_function(self._model, LOSSES[task])

    def fit_until_it_stops_improving(self, rows: RowSource, validation: Rows, on_epoch: Callable[[str], None]) -> Fit:
        """Return the weights of the epoch with the least validation loss; stops `earlyStoppingPatience` after it."""
        stage = ("search", self._fingerprint(rows, validation))
        begun = self._begin(*stage)
        best, epoch = Fit(begun.best, begun.best_epoch, begun.best_loss), begun.epoch
        epochs = self._epochs(rows, epoch, self._hyperparameters.epochs)
        while epoch - best.epochs < self._hyperparameters.early_stopping_patience and (done := next(epochs, None)):
            epoch, training_loss = done
            loss = float(self._loss(validation.inputs, validation.targets, validation.weights.astype(np.float32)))
            on_epoch(f"loss {training_loss:.4f} validation {loss:.4f}")
            if loss < best.validation_loss - _MIN_DELTA:
                best = Fit(self._weights(), epoch, loss)
            self._checkpoints.offer(*stage, partial(self._state, epoch, best))
        self._checkpoints.finish(*stage, partial(self._state, epoch, best))
        if not best.epochs:
            raise ArithmeticError("the training diverged: no epoch had a finite validation loss")
        return best

    def fit_for(self, name: str, rows: RowSource, epochs: int, on_epoch: Callable[[str], None]) -> Weights:
        """Return the weights after so many epochs over the rows; `name` is the stage's."""
        stage = (name, self._fingerprint(rows, epochs))
        for epoch, training_loss in self._epochs(rows, self._begin(*stage).epoch, epochs):
            on_epoch(f"loss {training_loss:.4f}")
            self._checkpoints.offer(*stage, partial(self._state, epoch))
        self._checkpoints.finish(*stage, partial(self._state, epochs))
        return self._weights()

    def outputs(self, weights: Weights, inputs: Floats) -> Floats:
        """Return what Keras computes with these weights, [rows, outputs]."""
        self._model.set_weights(list(weights.values()))
        outputs: Floats = np.asarray(self._model(inputs, training=False))
        return outputs

    def _epochs(self, rows: RowSource, first: int, last: int) -> Iterator[tuple[int, float]]:
        """Yield each epoch from `first` + 1 to `last`, once it is done, with its training loss."""
        for epoch in range(first + 1, last + 1):
            losses, steps = [], []
            for block in self._blocks(rows):
                batches = _drawn_batches(block, self._hyperparameters.batch_size, self._generator)
                losses.append(float(self._epoch(tf.constant(block.inputs), tf.constant(block.targets), batches)))
                steps.append(len(batches))
            yield epoch, float(np.average(losses, weights=steps))

    def _blocks(self, rows: RowSource) -> Iterable[Rows]:
        if not rows.is_streamed:
            return rows.blocks(self._generator)
        # A generator of its own, because another thread reads ahead.
        order = np.random.default_rng(self._generator.integers(2**63))
        return _read_ahead(rows.blocks(order), self._model.input_shape[1])

    def _begin(self, stage: str, fingerprint: str) -> State:
        """Set every variable and the generator to where the stage was left, or to where a new one begins."""
        fresh = np.random.default_rng(self._hyperparameters.seed).bit_generator.state
        begun = self._checkpoints.begun(stage, fingerprint)
        state = begun or State(epoch=0, variables=self._initial, generator=fresh, best={})
        for variable, value in zip(self._variables, state.variables, strict=True):
            variable.assign(value)
        self._generator.bit_generator.state = state.generator
        return state

    def _state(self, epoch: int, best: Fit | None = None) -> State:
        found = best or Fit({}, 0, np.inf)
        return State(
            epoch=epoch,
            variables=[variable.numpy() for variable in self._variables],
            generator=self._generator.bit_generator.state,
            best=found.weights,
            best_epoch=found.epochs,
            best_loss=found.validation_loss,
        )

    def _fingerprint(self, *parts: RowSource | int) -> str:
        """Return a digest of what a stage depends on: task, hyperparameters, the network's shape, the parts given."""
        digest = hashlib.sha256(f"{self._task} {self._hyperparameters.model_dump_json()}".encode())
        digest.update(repr([variable.shape for variable in self._initial]).encode())
        for part in parts:
            digest.update(repr(part).encode() if isinstance(part, int) else part.digest())
        return digest.hexdigest()

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


def _read_ahead(blocks: Iterable[Rows], width: int) -> Iterator[Rows]:
    """Yield the blocks, the next one being read while one is fitted on."""
    signature = (
        tf.TensorSpec((None, width), tf.float32),
        tf.TensorSpec((None,), tf.float32),
        tf.TensorSpec((None,), tf.float64),
    )
    dataset = tf.data.Dataset.from_generator(
        lambda: ((block.inputs, block.targets, block.weights) for block in blocks), output_signature=signature
    )
    for block in dataset.prefetch(1).as_numpy_iterator():
        yield Rows(*block)


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
