"""How many, on a day to come: three quantiles, pinball loss, a widened interval; the baseline is seasonal naive.

A network of this task corrects a plain forecast and does not make one: it learns, in units of the series' recent
level, how far the actual number is from what is typical for the season (the `level` and `typical` of
`trainer.windows`). So one network serves small series and large ones, and regularisation draws it to something
sensible instead of to zero.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.tasks.base import Calibration, Columns, Floats, skill
from trainer.weighting import weighted_quantile
from trainer.windows import LEVEL, NAIVE, TYPICAL

# The interval between the outer quantiles holds 80 % of outcomes.
QUANTILES = (0.1, 0.5, 0.9)
COVERAGE = 0.8
_MOST_WIDENING = 10.0


class Forecast(NamedTuple):
    """The median, the 80 % interval around it, and 1 − min(1, half its width ÷ the forecast) as the confidence."""

    forecast: float
    low: float
    high: float
    confidence: float

    @property
    def value(self) -> float:
        """The median."""
        return self.forecast

    @property
    def positive(self) -> None:
        """Nothing: a number is not a yes or no."""
        return

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 80 % interval."""
        return self.low, self.high


class _Forecast:
    name = "forecast"
    outputs = len(QUANTILES)
    needs: tuple[str, ...] = (LEVEL, TYPICAL)
    # Sizes of units go with their numbers of cases, day for day far less closely than this.
    leak = 0.98
    label_is_boolean = False

    def standardisation(self, labels: Floats, columns: Columns, weights: Floats) -> Calibration:
        """Return the weighted mean and deviation of the correction that is to be learnt."""
        corrections = labels / columns[LEVEL] - columns[TYPICAL]
        mean = float(np.average(corrections, weights=weights))
        deviation = float(np.sqrt(np.average((corrections - mean) ** 2, weights=weights)))
        return Calibration(location=mean, scale=max(deviation, 1e-3))

    def targets(self, labels: Floats, columns: Columns, standardisation: Calibration) -> Floats:
        corrections: Floats = labels / columns[LEVEL] - columns[TYPICAL]
        standardised: Floats = (corrections - standardisation.location) / standardisation.scale
        return standardised

    def fitting_weights(self, labels: Floats, weights: Floats) -> Floats:
        scaled: Floats = weights * (len(labels) / weights.sum())
        return scaled

    def calibrated(
        self, outputs: Floats, labels: Floats, columns: Columns, weights: Floats, standardisation: Calibration
    ) -> Calibration:
        """Return the slope by which the interval must be widened, around the median, to hold 80 % of the labels.

        Split-conformal, by the ratio of each miss to the interval's half on that side (Romano et al. 2019).
        """
        low, median, high = ordered(outputs.astype(np.float64))
        targets = self.targets(labels, columns, standardisation)
        half = np.where(targets >= median, high - median, median - low)
        needed = np.abs(targets - median) / np.maximum(half, 1e-9)
        slope = weighted_quantile(np.minimum(needed, _MOST_WIDENING), weights, COVERAGE)
        return Calibration(slope=slope, location=standardisation.location, scale=standardisation.scale)

    def answers(
        self,
        outputs: NDArray[np.float32],
        rows: Sequence[Mapping[str, object]],
        calibration: Calibration,
        cut: float,  # noqa: ARG002
    ) -> list[Forecast]:
        columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in self.needs}
        low, median, high = self._numbers(outputs, columns, calibration)
        confidence = 1 - np.minimum(1, (high - low) / 2 / np.maximum(median, 1e-9))
        return [Forecast(*row) for row in np.stack([median, low, high, confidence], axis=1).tolist()]

    def values(self, outputs: NDArray[np.float32], columns: Columns, calibration: Calibration) -> Floats:
        return self._numbers(outputs, columns, calibration)[1]

    def figures(self, answers: Sequence[Forecast], labels: Floats, columns: Columns) -> dict[str, float]:
        """Return accuracy (1 − WAPE), mae, bias and coverage of the interval, and the seasonal naive's accuracy."""
        median, low, high, confidence = np.array(answers, dtype=np.float64).T
        naive = np.where(np.isnan(columns[NAIVE]), columns[TYPICAL], columns[NAIVE]) * columns[LEVEL]
        accuracy, baseline = _accuracy(median, labels), _accuracy(naive, labels)
        return {
            "accuracy": accuracy,
            "mae": float(np.abs(median - labels).mean()),
            "bias": float((median - labels).sum() / max(1e-9, labels.sum())),
            "coverage": float(((low <= labels) & (labels <= high)).mean()),
            "confidence": float(confidence.mean()),
            "baseline_accuracy": baseline,
            "skill_vs_baseline": skill(accuracy, baseline),
        }

    def association(self, scores: Floats, labels: Floats) -> float:
        """Return the absolute rank correlation (Spearman)."""
        ranks, label_ranks = _ranks(scores), _ranks(labels)
        if ranks.std() == 0 or label_ranks.std() == 0:
            return 0.0
        return abs(float(np.corrcoef(ranks, label_ranks)[0, 1]))

    def _numbers(
        self, outputs: NDArray[np.float32], columns: Columns, calibration: Calibration
    ) -> tuple[Floats, Floats, Floats]:
        low, median, high = ordered(outputs.astype(np.float64))
        level, typical = columns[LEVEL], columns[TYPICAL]
        widened = (median - calibration.slope * (median - low), median, median + calibration.slope * (high - median))
        numbers = (level * (typical + calibration.location + calibration.scale * each) for each in widened)
        # There are no fewer than no cases.
        low, median, high = (np.maximum(each, 0.0) for each in numbers)
        return low, median, high


def ordered(outputs: Floats) -> tuple[Floats, Floats, Floats]:
    """Return low, median and high from outputs [n, 3]: the median, and the logarithms of the two halves' widths.

    Quantiles made so never cross. The network's loss in `trainer.training.losses` reads outputs the same way.
    """
    widths = np.exp(np.clip(outputs[:, 1:], -10.0, 10.0))
    return outputs[:, 0] - widths[:, 0], outputs[:, 0], outputs[:, 0] + widths[:, 1]


def _accuracy(forecasts: Floats, labels: Floats) -> float:
    return 1 - float(np.abs(forecasts - labels).sum() / max(1e-9, np.abs(labels).sum()))


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


FORECAST = _Forecast()
