"""Presets: what a named figure asks Prometheus, in which unit, and which direction is better. See docs/metrics-contract.md.

A preset is asked in one of two ways: about one model, by `model_version`, so that candidate and champion are always read from the same
answer; or once about all models there are, for triggers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from string import Template
from typing import Final

from retrainer.core.measurement import Answer, Counts, Measurement, NoData, NoDataReason, Question, Series, Value, Vector

_CORRECT: Final = 'correct="true"'
FLEET: Final = "namespace, model_type, model_version"
"""The labels that tell one version of one model from all others."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One row of the contract. `$by` are the labels that tell answers apart, `${s}` selects series, `${w}` is the window in seconds."""

    name: str
    higher_is_better: bool
    figure: Template
    """One query, so that all of it is of one instant: what `increase()` adds at the ends of a window is then the same above and below."""
    samples: Template
    """The samples that the figure is taken from; of a ratio its total."""
    is_ratio: bool
    """Whether it is a ratio of counters."""
    best: float | None = None
    """The best value that there can be."""


def _increase(series: str, labels: str = "") -> str:
    return f"sum by ($by) (increase({series}{{${{s}}{labels}}}[${{w}}s]))"


def _ratio(above: str, below: str, labels: str = "") -> str:
    return f"{_increase(above, labels)} / {_increase(below)}"


def _counted(series: str) -> Template:
    """Samples in the window, of versions that are still exported: a range goes on answering for a week after its exporter has died."""
    return Template(f"{_increase(series)} and count by ($by) ({series}{{${{s}}}})")


# A forecaster's accuracy is 1 − WAPE, which is no ratio of counts: its series says so by a label, and is taken as it is.
_FORECASTS: Final = f"label_replace(1 - {_ratio('retrainer_absolute_error_sum', 'retrainer_actual_sum')}, 'of', '1 - WAPE', '', '')"
_LOGGED: Final = _counted("retrainer_prediction_confidence_count")
PRESETS: Final[Mapping[str, Preset]] = {
    preset.name: preset
    for preset in (
        Preset(
            name="Accuracy",
            higher_is_better=True,
            figure=Template(f"{_ratio('retrainer_outcomes_total', 'retrainer_outcomes_total', _CORRECT)} or {_FORECASTS}"),
            samples=Template(
                f"({_counted('retrainer_outcomes_total').template}) or ({_counted('retrainer_interval_outcomes_total').template})"
            ),
            is_ratio=True,
            best=1.0,
        ),
        Preset(
            name="ErrorRate",
            higher_is_better=False,
            figure=Template(_ratio("retrainer_prediction_errors_total", "retrainer_predictions_total")),
            samples=_counted("retrainer_predictions_total"),
            is_ratio=True,
            best=0.0,
        ),
        Preset(
            name="Confidence",
            higher_is_better=True,
            figure=Template(_ratio("retrainer_prediction_confidence_sum", "retrainer_prediction_confidence_count")),
            samples=_LOGGED,
            is_ratio=False,
            best=1.0,
        ),
        Preset(
            name="Latency",
            higher_is_better=False,
            figure=Template("histogram_quantile(0.95, sum by ($by, le) (increase(retrainer_prediction_seconds_bucket{${s}}[${w}s])))"),
            samples=_counted("retrainer_prediction_seconds_count"),
            is_ratio=False,
            best=0.0,
        ),
        # A feature's index with its name: of two monitors that overlap for a scrape, the higher counts.
        Preset(
            name="FeatureDrift",
            higher_is_better=False,
            figure=Template("topk by ($by) (1, max by ($by, feature) (retrainer_feature_psi{${s}}))"),
            samples=_LOGGED,
            is_ratio=False,
            best=0.0,
        ),
        Preset(
            name="PredictionDrift",
            higher_is_better=False,
            figure=Template("max by ($by) (retrainer_prediction_psi{${s}})"),
            samples=_LOGGED,
            is_ratio=False,
            best=0.0,
        ),
    )
}


def questions(preset: Preset, source: str, namespace: str, model_type: str, window_s: int) -> tuple[Question, Question]:
    """Return the questions for the figure and for its samples, of one model over the last `window_s` seconds."""
    return _questions(preset, source, window_s, "model_version", selector(namespace, model_type))


@lru_cache(maxsize=1024)
def fleet_questions(preset: Preset, source: str, window_s: int, only: str = "") -> tuple[Question, Question]:
    """Return the same two questions about all models at once, or about those alone that a `selector` selects."""
    return _questions(preset, source, window_s, FLEET, only)


def window_of(since: datetime, now: datetime) -> int:
    """Return the seconds from `since` to `now` as the window of a question, which is never empty."""
    return max(1, round((now - since).total_seconds()))


def selector(namespace: str, model_type: str = "") -> str:
    """Return what selects the series of one model, or of a namespace's, as it stands before further matchers between braces."""
    # A JSON string is a PromQL string: quotes and backslashes in a label value cannot end it.
    model = f"model_type={json.dumps(model_type)}," if model_type else ""
    return f"namespace={json.dumps(namespace)},{model}"


def measurement(preset: Preset, version: str, figure: Answer, samples: Answer) -> Measurement:
    """Return one version's figure out of the answers for all of a model's."""
    if isinstance(samples, NoData):
        return samples
    total = _of(version, samples)
    if total is None or total.value <= 0:
        return NoData(NoDataReason.EMPTY, f"no {preset.name} samples of {version} yet")
    if isinstance(figure, NoData):
        return figure
    if any(labels.get("model_version") == version for labels in figure.not_finite):
        return NoData(NoDataReason.NAN, f"{preset.name} of {version} is no number")
    found = _of(version, figure)
    if found is None:
        return NoData(NoDataReason.EMPTY, f"no {preset.name} of {version} yet")
    return figure_of(preset, found, total.value)


def figure_of(preset: Preset, series: Series, samples: float) -> Counts | Value:
    """Return what a version's series comes to: a ratio of counts, or a figure as it is, with what it is of."""
    of = series.labels.get("of") or series.labels.get("feature", "")
    return Counts(series.value * samples, samples) if preset.is_ratio and not of else Value(series.value, samples, of)


def _questions(preset: Preset, source: str, window_s: int, by: str, selector: str) -> tuple[Question, Question]:
    figure, samples = (template.substitute(by=by, s=selector, w=window_s) for template in (preset.figure, preset.samples))
    return Question(source, figure), Question(source, samples)


def _of(version: str, vector: Vector) -> Series | None:
    return next((series for series in vector.series if series.labels.get("model_version") == version), None)
