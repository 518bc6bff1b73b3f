"""Candidate and champion on the same held-out rows, which neither has been fitted on."""

from dataclasses import dataclass

import numpy as np

from trainer.artifact import Artifact
from trainer.dataset.preparation import Prepared
from trainer.dataset.reading import Dataset
from trainer.models.base import ModelDefinition
from trainer.training.champion import Champion, first_unseen_day
from trainer.training.measurement import measured

_MIN_COMPARED_ROWS = 30


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures by side (`candidate`, and `champion` where it could be measured), and why it could not be."""

    metrics: dict[str, dict[str, float]]
    champion_not_comparable: str
    warnings: tuple[str, ...]


def compared(model: ModelDefinition, candidate: Artifact, champion: Champion, prepared: Prepared) -> Comparison:
    """Return the figures of both on the held-out rows that the champion has not been fitted on either.

    A champion trained with a shorter hold-out may know some of them; it must not be praised for that. If it knows
    (nearly) all, it is not comparable.
    """
    held_out = prepared.dataset.where(prepared.split.holdout)
    if champion.artifact is None:
        return Comparison({"candidate": measured(model, candidate.files, held_out)}, champion.objection, ())
    version = champion.artifact.manifest.version
    unseen = _unseen(held_out, champion)
    if len(unseen) < _MIN_COMPARED_ROWS:
        objection = f"{version} has been fitted on all but {len(unseen)} of the {len(held_out)} held-out rows"
        return Comparison({"candidate": measured(model, candidate.files, held_out)}, objection, ())
    metrics = {
        "candidate": measured(model, candidate.files, unseen),
        "champion": measured(model, champion.artifact.files, unseen),
    }
    skipped = len(held_out) - len(unseen)
    warning = f"{skipped} held-out rows are left out of the comparison: {version} has been fitted on them"
    return Comparison(metrics, "", (warning,) if skipped else ())


def _unseen(held_out: Dataset, champion: Champion) -> Dataset:
    first = first_unseen_day(champion.artifact) if champion.artifact is not None else None
    if first is None:
        return held_out.where(np.zeros(len(held_out), dtype=np.bool_))
    return held_out.where(held_out.days >= np.datetime64(first))
