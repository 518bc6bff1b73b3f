"""`spec.triggers[].metric`: a live figure and the bound that it must keep."""

from typing import Annotated, Final, Literal

from pydantic import Field

from retrainer.api.v1alpha1.common import Duration, Model, rules

TriggerPreset = Literal["Accuracy", "Confidence", "FeatureDrift", "PredictionDrift", "Latency", "ErrorRate"]
DEFAULT_WINDOW: Final = "1d"
DEFAULT_MIN_SAMPLES: Final = 100
_BOUNDS = "[has(self.min), has(self.max), has(self.maxDrop), has(self.maxRise)]"
_HIGHER_IS_BETTER = "has(self.preset) && self.preset in ['Accuracy', 'Confidence']"
_LOWER_IS_BETTER = "has(self.preset) && self.preset in ['FeatureDrift', 'PredictionDrift', 'Latency', 'ErrorRate']"
_IS_RATIO = "has(self.preset) && self.preset in ['Accuracy', 'Confidence', 'ErrorRate']"
_WITHIN_1 = " && ".join(f"(!has(self.{name}) || self.{name} <= 1.0)" for name in ("min", "max", "maxDrop", "maxRise"))
_NOT_NEGATIVE = " && ".join(f"(!has(self.{name}) || self.{name} >= 0.0)" for name in ("min", "max"))


class MetricTrigger(Model):
    """A live figure of the champion, and the one bound that it must keep."""

    model_config = rules(
        ("has(self.preset) != has(self.query)", "a metric is either a preset or a query: set one of the two"),
        (f"{_BOUNDS}.filter(x, x).size() == 1", "set exactly one of min, max, maxDrop and maxRise; another bound is another trigger"),
        (
            f"!({_LOWER_IS_BETTER}) || (!has(self.min) && !has(self.maxDrop))",
            "this preset is better when lower: set max, or maxRise against the champion's baseline",
        ),
        (
            f"!({_HIGHER_IS_BETTER}) || (!has(self.max) && !has(self.maxRise))",
            "this preset is better when higher: set min, or maxDrop against the champion's baseline",
        ),
        (
            "!has(self.query) || (!has(self.maxDrop) && !has(self.maxRise))",
            "a query is not told apart by version, so the champion has no baseline of it: set min or max",
        ),
        (
            "!has(self.query) || (!has(self.window) && !has(self.minSamples))",
            "a query says its own window and guards its own samples: write them into the query",
        ),
        (f"!({_IS_RATIO}) || ({_WITHIN_1})", "this preset is a ratio between 0 and 1: 5 points are 0.05"),
        (f"!has(self.preset) || ({_NOT_NEGATIVE})", "no preset is ever negative: a bound below 0 is never passed"),
    )

    preset: TriggerPreset | None = Field(default=None, description="The figure, as docs/metrics-contract.md defines it.")
    query: Annotated[str, Field(min_length=1, max_length=2048)] | None = Field(
        default=None,
        description="PromQL that comes to one series, where the administrator allows it for the metrics source.",
    )
    min: float | None = Field(default=None, description="The figure must not fall below this.")
    max: float | None = Field(default=None, description="The figure must not rise above this.")
    max_drop: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="How far the figure may fall below the champion's baseline, in the preset's unit."
    )
    max_rise: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="How far the figure may rise above the champion's baseline, in the preset's unit."
    )
    window: Duration | None = Field(
        default=None, description=f"The time over which a preset is taken, up to now; {DEFAULT_WINDOW} when absent."
    )
    min_samples: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description=f"The fewest samples of the champion in the window that the figure counts with; {DEFAULT_MIN_SAMPLES} when absent.",
    )
    for_: Duration = Field(default="0s", alias="for", description="For how long the bound must be passed before a run is asked for.")
