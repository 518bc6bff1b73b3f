"""Answers about all models at once, found by model: what one question to Prometheus says to every policy that asks it."""

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from string import Template
from typing import Final, NamedTuple

from typing_extensions import override

from retrainer.core.measurement import Answer, Measurement, NoData, NoDataReason, Question, Series, Value
from retrainer.core.presets import FLEET, Preset, figure_of
from retrainer.core.triggers.schema import SchemaSeen

_CHANGES: Final = Template(f"max by ({FLEET}, column, change) (retrainer_schema_change{{${{s}}}})")
_ACCEPTED: Final = Template(f"max by ({FLEET}) (retrainer_schema_accepted{{${{s}}}})")


_SPOILED: Final = frozenset({NoDataReason.WARNING, NoDataReason.AMBIGUOUS})


class Model(NamedTuple):
    """One version of one model, as its series are labelled."""

    namespace: str
    model_type: str
    version: str

    @override
    def __str__(self) -> str:
        """Name it for a person."""
        return f"{self.model_type} {self.version}"


class FleetAnswer:
    """One answer, looked up by model in constant time; NoData stands for every model."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._no_data = answer if isinstance(answer, NoData) else None
        self._series: dict[Model, list[Series]] = {}
        self._not_finite: frozenset[Model] = frozenset()
        if isinstance(answer, NoData):
            return
        for series in answer.series:
            self._series.setdefault(_model(series.labels), []).append(series)
        self._not_finite = frozenset(_model(labels) for labels in answer.not_finite)

    @cached_property
    def _known(self) -> set[tuple[str, str]]:
        return {(model.namespace, model.model_type) for model in (*self._series, *self._not_finite)}

    @property
    def is_spoiled(self) -> bool:
        """Whether Prometheus answered, but with something that may be about anybody's series: asked more narrowly, it may do better."""
        return self._no_data is not None and self._no_data.reason in _SPOILED

    def of(self, model: Model) -> list[Series] | NoData:
        """Return a model's series, at least one, or why there is none."""
        if self._no_data is not None and self._no_data.reason is not NoDataReason.EMPTY:
            return self._no_data
        if model in self._not_finite:
            return NoData(NoDataReason.NAN, f"the figure of {model} is no number")
        if found := self._series.get(model):
            return found
        if (model.namespace, model.model_type) in self._known:
            return NoData(NoDataReason.EMPTY, f"there are no series of {model} yet")
        told = f"there are no series of {model.model_type} in {model.namespace}: see whether its servers and its monitor are scraped"
        return NoData(NoDataReason.NO_SERIES, told)

    def one(self, model: Model) -> Series | NoData:
        """Return a model's only series, or why there is none."""
        found = self.of(model)
        if isinstance(found, NoData) or len(found) == 1:
            return found if isinstance(found, NoData) else found[0]
        return NoData(NoDataReason.AMBIGUOUS, f"there are {len(found)} series of {model}")


def measured(preset: Preset, model: Model, figure: FleetAnswer, samples: FleetAnswer) -> Measurement:
    """Return one model's figure out of the answers for all."""
    total, value = samples.one(model), figure.one(model)
    if isinstance(total, NoData):
        return total
    if total.value <= 0:
        return NoData(NoDataReason.EMPTY, f"there are no {preset.name} samples of {model} in the window")
    if isinstance(value, NoData):
        return value
    return figure_of(preset, value, total.value)


def single(answer: Answer) -> Measurement:
    """Return what a query of a policy's own comes to: one series, whatever its labels."""
    if isinstance(answer, NoData):
        return answer
    if answer.not_finite:
        return NoData(NoDataReason.NAN, "the query comes to no number")
    if len(answer.series) > 1:
        return NoData(NoDataReason.AMBIGUOUS, f"the query comes to {len(answer.series)} series: aggregate them to one")
    return Value(answer.series[0].value, 0)


@lru_cache(maxsize=1024)
def schema_questions(source: str, only: str = "") -> tuple[Question, Question]:
    """Return the questions for every changed column, and for whether champions still accept their table, which always has an answer.

    They are about all models, or about those alone that a `selector` of presets selects.
    """
    return Question(source, _CHANGES.substitute(s=only)), Question(source, _ACCEPTED.substitute(s=only))


def schema_seen(model: Model, changes: FleetAnswer, accepted: FleetAnswer) -> SchemaSeen | NoData:
    """Return one model's changed columns; none where the monitor has looked at its table and shows none."""
    fits = accepted.one(model)
    if isinstance(fits, NoData):
        return fits
    found = changes.of(model)
    if isinstance(found, NoData):
        absent = found.reason in {NoDataReason.EMPTY, NoDataReason.NO_SERIES}
        return SchemaSeen(frozenset(), accepted=True) if absent else found
    return SchemaSeen(_columns(found), accepted=fits.value > 0)


def _columns(found: Iterable[Series]) -> frozenset[tuple[str, str]]:
    return frozenset((one.labels.get("column", ""), one.labels.get("change", "")) for one in found if one.value > 0)


def _model(labels: Mapping[str, str]) -> Model:
    return Model(labels.get("namespace", ""), labels.get("model_type", ""), labels.get("model_version", ""))
