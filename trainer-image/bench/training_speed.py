"""The time of a training ÷ that of a default Keras `fit` of the same network, at equal validation AUC; limit 0.4.

Both fit 50,000 rows of 16 features, batch 256, at most 8 epochs, with early stopping of patience 5 and best weights
restored, from the same seed; both sides run alternately, and the first run of each, which also warms TensorFlow up, is
left out of the ratio. `python -m bench.training_speed`.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import area_under_curve
from trainer.request import Hyperparameters
from trainer.training.network import Network
from trainer.training.rows import Rows

_ROWS, _WIDTH, _HIDDEN, _REPEATS = 50_000, 16, (32, 16), 5
_THRESHOLD = 0.3
_HYPERPARAMETERS = Hyperparameters(epochs=8, batch_size=256)

Outputs = tuple[float, float, int]
"""Seconds, validation AUC and epochs."""


def main() -> None:
    """Print both sides and their ratio, a run and an epoch."""
    rows, validation = _data()
    sides: dict[str, Callable[[Rows, Rows], Outputs]] = {"default fit": _default_fit, "trainer": _trainer}
    runs: dict[str, list[Outputs]] = {name: [] for name in sides}
    for repeat in range(_REPEATS + 1):
        for name, side in sides.items():
            seconds, area, epochs = side(rows, validation)
            print(f"{name:>11} run {repeat}: {seconds:6.2f} s, {epochs} epochs, validation auc {area:.4f}", flush=True)
            runs[name].append((seconds, area, epochs))
    whole, epoch = ([_median(runs[name][1:], per_epoch) for name in sides] for per_epoch in (False, True))
    gap = abs(runs["trainer"][-1][1] - runs["default fit"][-1][1])
    print(f"trainer ÷ default fit: {whole[1] / whole[0]:.2f} a run, {epoch[1] / epoch[0]:.2f} an epoch (limit 0.4)")
    print(f"difference of validation auc: {gap:.4f} (limit 0.005)")


def _trainer(rows: Rows, validation: Rows) -> Outputs:
    started = time.perf_counter()
    epochs: list[str] = []
    network = Network((_WIDTH, *_HIDDEN, 1), "binary", _HYPERPARAMETERS)
    fit = network.fit_until_it_stops_improving(rows, validation, epochs.append)
    seconds = time.perf_counter() - started
    return seconds, _area(network.outputs(fit.weights, validation.inputs), validation), len(epochs)


def _default_fit(rows: Rows, validation: Rows) -> Outputs:
    import keras  # noqa: PLC0415 - only once the trainer has set how TensorFlow runs

    started = time.perf_counter()
    keras.utils.set_random_seed(_HYPERPARAMETERS.seed)
    penalty = keras.regularizers.L2(_HYPERPARAMETERS.l2)
    model = keras.Sequential([keras.Input((_WIDTH,))])
    for units in _HIDDEN:
        model.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty))
        model.add(keras.layers.Dropout(_HYPERPARAMETERS.dropout))
    model.add(keras.layers.Dense(1))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(_HYPERPARAMETERS.learning_rate), loss)
    patience = _HYPERPARAMETERS.early_stopping_patience
    stop = keras.callbacks.EarlyStopping(patience=patience, min_delta=1e-4, restore_best_weights=True)
    history = model.fit(
        rows.inputs,
        rows.targets,
        batch_size=_HYPERPARAMETERS.batch_size,
        epochs=_HYPERPARAMETERS.epochs,
        validation_data=(validation.inputs, validation.targets),
        callbacks=[stop],
        verbose=0,
    )
    seconds = time.perf_counter() - started
    return seconds, _area(np.asarray(model(validation.inputs)), validation), len(history.epoch)


def _data() -> tuple[Rows, Rows]:
    generator = np.random.default_rng(1)
    count = _ROWS + _ROWS // 5
    inputs = generator.standard_normal((count, _WIDTH)).astype(np.float32)
    score = inputs[:, :6].sum(axis=1) / 3 + inputs[:, 6] * inputs[:, 7] + 0.8 * generator.standard_normal(count)
    targets = (score > _THRESHOLD).astype(np.float32)
    parts = slice(0, _ROWS), slice(_ROWS, None)
    fitted, validation = (Rows(inputs[part], targets[part], np.ones(len(targets[part]))) for part in parts)
    return fitted, validation


def _area(outputs: NDArray[np.float32], rows: Rows) -> float:
    return area_under_curve(outputs[:, 0].astype(np.float64), rows.targets.astype(np.float64))


def _median(runs: list[Outputs], per_epoch: bool) -> float:
    return statistics.median(seconds / (epochs if per_epoch else 1) for seconds, _, epochs in runs)


if __name__ == "__main__":
    main()
