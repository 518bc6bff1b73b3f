"""`spec.rollout.metrics[]`: a live figure that judges a candidate."""

from typing import Annotated, Literal

from pydantic import Field

from retrainer.api.v1alpha1.common import Model, rules

Preset = Literal["Accuracy", "Confidence", "ErrorRate", "Latency"]

_PRESET_IN_BOUNDS = (
    "!has(self.preset) || self.preset == 'Latency' || ((!has(self.min) || self.min <= 1.0) && (!has(self.max) || self.max <= 1.0) && "
    "(!has(self.maxRegression) || self.maxRegression <= 1.0))"
)
_NOT_NEGATIVE = "!has(self.preset) || ((!has(self.min) || self.min >= 0.0) && (!has(self.max) || self.max >= 0.0))"


class RolloutMetric(Model):
    """A live figure that judges a candidate."""

    model_config = rules(
        ("has(self.preset) != has(self.query)", "a metric is either a preset or a query: set one of the two"),
        ("has(self.min) || has(self.max) || has(self.maxRegression)", "set min, max or maxRegression: a rollout metric needs a bound"),
        ("has(self.maxRegression) == has(self.compareTo)", "compareTo and maxRegression go together"),
        (
            "!has(self.query) || !has(self.compareTo)",
            "a query compares by itself: name {{ candidate }} and {{ champion }} in it, and set min or max",
        ),
        (
            "!has(self.preset) || !(self.preset in ['ErrorRate', 'Latency']) || !has(self.min)",
            "this preset is better when lower: set max, not min",
        ),
        (
            "!has(self.preset) || !(self.preset in ['Accuracy', 'Confidence']) || !has(self.max)",
            "this preset is better when higher: set min, not max",
        ),
        (_PRESET_IN_BOUNDS, "this preset is a ratio between 0 and 1: 5 points are 0.05"),
        (_NOT_NEGATIVE, "no preset is ever negative: a bound below 0 is never passed"),
    )

    preset: Preset | None = Field(default=None, description="The figure, as docs/metrics-contract.md defines it.")
    query: Annotated[str, Field(min_length=1, max_length=2048)] | None = Field(
        default=None,
        description="PromQL that comes to one series, where the administrator allows it for the metrics source; `{{ candidate }}` and `{{ champion }}` are the versions, `{{ window }}` is the time since the step began. It guards its own samples.",
    )
    min: float | None = Field(default=None, description="The floor, for a figure that is better when higher.")
    max: float | None = Field(default=None, description="The ceiling, for a figure that is better when lower; of Latency in seconds.")
    compare_to: Literal["Champion"] | None = Field(default=None, description="Champion: compare with the champion over the same time.")
    max_regression: Annotated[float, Field(ge=0)] | None = Field(
        default=None,
        description="How much worse than the champion the candidate may be, in the preset's unit; tested one-sided at α = 0.05 ÷ iterations.",
    )
    dry_run: bool = Field(default=False, description="Judge and show what came of it, without any effect.")
