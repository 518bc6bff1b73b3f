"""Presets: what a named figure asks Prometheus, in which unit, and which direction is better. See docs/metrics-contract.md.

Every query answers for all versions of a model at once, by `model_version`, so candidate and champion are always read from the same answer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from retrainer.core.measurement import Answer, Counts, Measurement, NoData, NoDataReason, Question, Value, Vector


@dataclass(frozen=True, slots=True)
class Preset:
    """One row of the contract. `{s}` is the series selector, `{w}` the window in seconds."""

    name: str
    higher_is_better: bool
    figure: str
    """Of a ratio its hits, else the figure itself."""
    samples: str
    """Of a ratio its total, else the samples the figure was taken from."""
    is_ratio: bool


_BY: Final = "by (model_version)"
PRESETS: Final[Mapping[str, Preset]] = {
    preset.name: preset
    for preset in (
        Preset(
            name="Accuracy",
            higher_is_better=True,
            figure=f'sum {_BY} (increase(retrainer_outcomes_total{{{{{{s}},correct="true"}}}}[{{w}}s]))',
            samples=f"sum {_BY} (increase(retrainer_outcomes_total{{{{{{s}}}}}}[{{w}}s]))",
            is_ratio=True,
        ),
        Preset(
            name="ErrorRate",
            higher_is_better=False,
            figure=f"sum {_BY} (increase(retrainer_prediction_errors_total{{{{{{s}}}}}}[{{w}}s]))",
            samples=f"sum {_BY} (increase(retrainer_predictions_total{{{{{{s}}}}}}[{{w}}s]))",
            is_ratio=True,
        ),
        Preset(
            name="Confidence",
            higher_is_better=True,
            figure=(
                f"sum {_BY} (increase(retrainer_prediction_confidence_sum{{{{{{s}}}}}}[{{w}}s]))"
                f" / sum {_BY} (increase(retrainer_prediction_confidence_count{{{{{{s}}}}}}[{{w}}s]))"
            ),
            samples=f"sum {_BY} (increase(retrainer_prediction_confidence_count{{{{{{s}}}}}}[{{w}}s]))",
            is_ratio=False,
        ),
        Preset(
            name="Latency",
            higher_is_better=False,
            figure=("histogram_quantile(0.95, sum by (model_version, le) (increase(retrainer_prediction_seconds_bucket{{{s}}}[{w}s])))"),
            samples=f"sum {_BY} (increase(retrainer_prediction_seconds_count{{{{{{s}}}}}}[{{w}}s]))",
            is_ratio=False,
        ),
    )
}


def questions(preset: Preset, source: str, namespace: str, model_type: str, window_s: int) -> tuple[Question, Question]:
    """Return the questions for the figure (or the hits) and for the samples (or the total) over the last `window_s` seconds."""
    # A JSON string is a PromQL string: quotes and backslashes in a label value cannot end it.
    selector = f"namespace={json.dumps(namespace)},model_type={json.dumps(model_type)}"
    figure, samples = (template.format(s=selector, w=window_s) for template in (preset.figure, preset.samples))
    return Question(source, figure), Question(source, samples)


def measurement(preset: Preset, version: str, figure: Answer, samples: Answer) -> Measurement:
    """Return one version's figure out of the answers for all of them."""
    if isinstance(samples, NoData):
        return samples
    if isinstance(figure, NoData):
        return figure
    total, hits = _of(version, samples), _of(version, figure)
    if total is None or hits is None or total <= 0:
        return NoData(NoDataReason.EMPTY, f"no {preset.name} samples of {version} yet")
    return Counts(hits, total) if preset.is_ratio else Value(hits, total)


def _of(version: str, vector: Vector) -> float | None:
    return next((series.value for series in vector.series if series.labels.get("model_version") == version), None)
