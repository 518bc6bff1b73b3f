"""The small interface that a kind of answer has: from labels to targets, from outputs to answers, and to figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a network's outputs become answers; the task that fitted it says what the four numbers mean."""

    slope: float = 1.0
    intercept: float = 0.0
    location: float = 0.0
    scale: float = 1.0


class Answer(Protocol):
    """One prediction: a named tuple whose fields are the answer's JSON."""

    @property
    def value(self) -> float:
        """The number that is logged, and compared with the outcome."""

    @property
    def positive(self) -> bool | None:
        """What the number says, of a classifier; None of a forecast."""

    @property
    def confidence(self) -> float:
        """How sure the model is, 0 to 1."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the 80 % interval of a forecast; None of a classifier."""

    def _asdict(self) -> dict[str, Any]: ...


class Task(Protocol):
    """A kind of answer. Rows come as arrays: labels [n], columns by name [n], weights [n], outputs [n, `outputs`].

    `needs` are columns, besides the features, without which an output cannot be turned into an answer. A feature whose
    `association` with the label reaches `leak` knows it.
    """

    name: str
    outputs: int
    needs: tuple[str, ...]
    leak: float
    label_is_boolean: bool

    def standardisation(self, labels: Floats, columns: Columns, weights: Floats) -> Calibration:
        """Return how labels are centred and scaled before the network learns them, from the training rows."""

    def targets(self, labels: Floats, columns: Columns, standardisation: Calibration) -> Floats:
        """Return what the network learns for each row."""

    def fitting_weights(self, labels: Floats, weights: Floats) -> Floats:
        """Return how often each row is drawn while fitting, from how much it counts."""

    def calibrated(
        self, outputs: Floats, labels: Floats, columns: Columns, weights: Floats, standardisation: Calibration
    ) -> Calibration:
        """Return the calibration that makes the answers honest on rows that the network was not fitted on."""

    def answers(
        self, outputs: NDArray[np.float32], rows: Sequence[Mapping[str, object]], calibration: Calibration, cut: float
    ) -> Sequence[Answer]:
        """Return one answer a row; a classifier says yes from the probability `cut` on."""

    def values(self, outputs: NDArray[np.float32], columns: Columns, calibration: Calibration) -> Floats:
        """Return the numbers of the answers alone, for many rows at once."""

    def figures(self, answers: Sequence[Any], labels: Floats, columns: Columns) -> dict[str, float]:
        """Return the gate's figures, among them `accuracy`, `baseline_accuracy` and `skill_vs_baseline`."""

    def association(self, scores: Floats, labels: Floats) -> float:
        """Return how well scores alone tell the labels' order, 0 to 1, in their better direction."""


def skill(accuracy: float, baseline: float) -> float:
    """Return the share of the baseline's errors that the model does not make: 1 is perfect, 0 no better, < 0 worse."""
    return 1 - (1 - accuracy) / max(1e-9, 1 - baseline)
