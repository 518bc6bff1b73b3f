"""A version's own live figures, frozen: on record in the policy while it has a role, and in its run for when it comes back."""

from typing import Annotated

from pydantic import Field, FiniteFloat

from retrainer.api.v1alpha1.common import Model, Time
from retrainer.api.v1alpha1.triggers import TriggerName


class Baseline(Model):
    """A version's own figure, frozen: what `maxDrop` and `maxRise` of one trigger count from."""

    trigger: TriggerName = Field(description="The trigger whose figure it is.")
    figure: Annotated[str, Field(max_length=40)] = Field(description="Which figure, over which window; another one has no baseline yet.")
    value: FiniteFloat = Field(description="The figure, in its preset's unit.")
    samples: Annotated[FiniteFloat, Field(ge=0)] = Field(description="From how many samples.")
    from_: Time = Field(alias="from", description="The beginning of the window it was taken over.")
    to: Time = Field(description="The end of the window: when the version had `minSamples`.")


Baselines = Annotated[
    tuple[Baseline, ...],
    Field(
        max_length=8,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["trigger"]},
    ),
]
