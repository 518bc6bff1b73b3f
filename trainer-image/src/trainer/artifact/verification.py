"""Proves a version sound: read as a server would read it, and asked once with each of its weights."""

import math

import numpy as np

from trainer.artifact.errors import ArtifactRejected
from trainer.artifact.files import Files
from trainer.artifact.loading import Artifact, load
from trainer.runtime import Predictor


def verified(files: Files, digest: str | None = None) -> Artifact:
    """Return the version in the files; ArtifactRejected if it is not sound, or not the one that has this digest."""
    artifact = load(files)
    if digest is not None and artifact.digest != digest:
        raise ArtifactRejected("AnotherVersion", f"{files.location} has the digest {artifact.digest}, not {digest:.80}")
    require_sane_predictions(artifact)
    return artifact


def require_sane_predictions(artifact: Artifact) -> None:
    """Raise ArtifactRejected if some weights do not answer, with a confidence, for a row of which nothing is known."""
    for weights in ("shipped", "evaluated"):
        predictor = Predictor(artifact, weights)
        try:
            with np.errstate(over="raise", invalid="raise"):
                answer = predictor.predict([dict.fromkeys(predictor.task.needs, 1.0)])[0]
        except FloatingPointError as overflow:
            raise ArtifactRejected("InsanePrediction", f"the {weights} weights overflow: {overflow}") from None
        if not (math.isfinite(answer.value) and 0 <= answer.confidence <= 1):
            raise ArtifactRejected("InsanePrediction", f"the {weights} weights give {answer.value}")
