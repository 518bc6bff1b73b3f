"""Yes or no: one logit, cross-entropy, Platt scaling; the baseline always gives the more frequent outcome."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import area_under_curve, binary_metrics
from trainer.tasks.base import Calibration, Columns, Floats, skill
from trainer.tasks.platt import platt_scaling


class Prediction(NamedTuple):
    """The calibrated probability of the positive class, the label it means, and max(p, 1 − p) as the confidence."""

    probability: float
    label: bool
    confidence: float

    @property
    def value(self) -> float:
        """The probability."""
        return self.probability

    @property
    def positive(self) -> bool:
        """The label."""
        return self.label

    @property
    def interval(self) -> None:
        """Nothing: the probability is all there is."""
        return


class _Binary:
    name = "binary"
    outputs = 1
    needs: tuple[str, ...] = ()
    # Real features of people's behaviour stay far below; a copy of the outcome, or of a consequence of it, does not.
    leak = 0.995
    label_is_boolean = True

    def standardisation(self, labels: Floats, columns: Columns, weights: Floats) -> Calibration:  # noqa: ARG002
        return Calibration()

    def targets(self, labels: Floats, columns: Columns, standardisation: Calibration) -> Floats:  # noqa: ARG002
        return labels

    def fitting_weights(self, labels: Floats, weights: Floats) -> Floats:
        """Return the weights scaled so that both outcomes weigh the same and the mean is 1; calibration undoes it."""
        positive = float(weights[labels == 1].sum())
        negative = float(weights[labels == 0].sum())
        balanced: Floats = weights * np.where(labels == 1, 0.5 / positive, 0.5 / negative) * len(labels)
        return balanced

    def calibrated(
        self,
        outputs: Floats,
        labels: Floats,
        columns: Columns,  # noqa: ARG002
        weights: Floats,
        standardisation: Calibration,  # noqa: ARG002
    ) -> Calibration:
        return platt_scaling(outputs[:, 0].astype(np.float64), labels, weights)

    def answers(
        self,
        outputs: NDArray[np.float32],
        rows: Sequence[Mapping[str, object]],  # noqa: ARG002
        calibration: Calibration,
        cut: float,
    ) -> list[Prediction]:
        probabilities = calibrated_probabilities(outputs[:, 0], calibration)
        return [Prediction(p, p >= cut, max(p, 1.0 - p)) for p in probabilities.tolist()]

    def values(self, outputs: NDArray[np.float32], columns: Columns, calibration: Calibration) -> Floats:  # noqa: ARG002
        return calibrated_probabilities(outputs[:, 0], calibration)

    def figures(self, answers: Sequence[Prediction], labels: Floats, columns: Columns) -> dict[str, float]:  # noqa: ARG002
        """Return `binary_metrics`, the skill and the mean confidence."""
        predicted = np.array([answer.label for answer in answers])
        figures = binary_metrics(np.array([answer.probability for answer in answers]), labels, predicted)
        skilled = skill(figures["accuracy"], figures["baseline_accuracy"])
        confidence = float(np.mean([answer.confidence for answer in answers]))
        return figures | {"skill_vs_baseline": skilled, "confidence": confidence}

    def association(self, scores: Floats, labels: Floats) -> float:
        """Return the area under the ROC curve."""
        area = area_under_curve(scores, labels)
        return max(area, 1 - area)


def calibrated_probabilities(logits: NDArray[np.float32], calibration: Calibration) -> Floats:
    """Return the probabilities that Platt scaling makes of logits, without overflow for large ones."""
    scores = calibration.slope * logits.astype(np.float64) + calibration.intercept
    probabilities: Floats = 0.5 * (1.0 + np.tanh(0.5 * scores))
    return probabilities


BINARY = _Binary()
