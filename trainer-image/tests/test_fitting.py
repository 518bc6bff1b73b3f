"""A network is fitted as the hyperparameters say: when it stops, what it keeps, and what a rare outcome weighs."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.artifact import Weights
from trainer.request import Hyperparameters
from trainer.tasks import BINARY
from trainer.tasks.base import Calibration
from trainer.training.rows import Rows

SIZES = (6, 16, 1)


def network(**wishes: Any) -> Any:
    from trainer.training.network import Network  # noqa: PLC0415 - TensorFlow

    return Network(SIZES, "binary", Hyperparameters(**{"batch_size": 32, "epochs": 80, **wishes}))


def drawn(rows: int, seed: int, bias: float = 0.0) -> Rows:
    """Rows whose outcome depends on two of six inputs, and on chance as much."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(rows, SIZES[0])).astype(np.float32)
    logits = 1.5 * inputs[:, 0] - inputs[:, 1] + bias
    labels = (generator.random(rows) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    return Rows(inputs, labels, np.ones(rows))


def loss_of(weights: Weights, rows: Rows) -> float:
    """The cross-entropy of these weights, computed without Keras."""
    hidden = np.maximum(rows.inputs @ weights["layer0.kernel"] + weights["layer0.bias"], 0)
    logits = (hidden @ weights["layer1.kernel"] + weights["layer1.bias"])[:, 0]
    return float(np.mean(np.logaddexp(0, logits) - rows.targets * logits))


def norm(weights: Weights) -> float:
    return float(np.sqrt(np.square(weights["layer0.kernel"]).sum()))


@pytest.mark.parametrize("patience", [2, 5])
def test_it_stops_so_many_epochs_after_the_best_and_gives_the_best_back(patience: int) -> None:
    told: list[str] = []
    # So few rows are soon learnt by heart.
    fit = network(early_stopping_patience=patience, dropout=0, l2=0, learning_rate=0.02).fit_until_it_stops_improving(
        drawn(60, seed=1), validation := drawn(400, seed=2), told.append
    )
    losses = [float(note.split()[-1]) for note in told]
    assert len(losses) == fit.epochs + patience < 80
    assert fit.validation_loss == pytest.approx(min(losses), abs=1e-4)
    assert losses[-1] > losses[fit.epochs - 1]
    assert loss_of(fit.weights, validation) == pytest.approx(fit.validation_loss, abs=1e-5)


def test_the_penalty_on_weights_makes_them_small() -> None:
    free, penalised = (network(l2=l2, dropout=0).fit_for("x", drawn(400, seed=1), 20, _ignore) for l2 in (0, 0.01))
    assert norm(penalised) < 0.7 * norm(free)


def test_dropout_is_of_the_training_alone() -> None:
    kept, dropped = (network(l2=0, dropout=rate).fit_for("x", drawn(400, seed=1), 20, _ignore) for rate in (0, 0.3))
    rows = drawn(50, seed=3)
    assert loss_of(kept, rows) != loss_of(dropped, rows)
    again = network(dropout=0.3)
    assert (again.outputs(dropped, rows.inputs) == again.outputs(dropped, rows.inputs)).all()


def test_the_probabilities_of_a_rare_outcome_are_as_rare_as_it_is() -> None:
    rows, held_out = drawn(4000, seed=1, bias=-4), drawn(4000, seed=2, bias=-4)
    assert rows.targets.mean() < 0.06
    balanced = Rows(rows.inputs, rows.targets, BINARY.fitting_weights(_floats(rows.targets), rows.weights))
    fitting = network()
    weights = fitting.fit_for("x", balanced, 15, _ignore)

    def mean_probability(calibration: Calibration) -> float:
        outputs = fitting.outputs(weights, held_out.inputs)
        return float(BINARY.values(outputs, {}, calibration).mean())

    outputs = _floats(fitting.outputs(weights, rows.inputs))
    calibration = BINARY.calibrated(outputs, _floats(rows.targets), {}, rows.weights, Calibration())
    assert mean_probability(Calibration()) > 0.2
    assert mean_probability(calibration) == pytest.approx(held_out.targets.mean(), abs=0.015)


def _floats(values: NDArray[Any]) -> NDArray[np.float64]:
    return values.astype(np.float64)


def _ignore(_note: str) -> None: ...
