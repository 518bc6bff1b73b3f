"""The version that serves now, and whether it can be measured on the rows that the candidate is measured on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from trainer.artifact import Artifact, ArtifactRejected, load
from trainer.models.base import FeatureKind, feature_kind
from trainer.request import ADOPTED, RetrainRequest


@dataclass(frozen=True, slots=True)
class Champion:
    """The champion's artifact, or in `objection` why it cannot be compared; neither if nothing serves yet."""

    artifact: Artifact | None = None
    objection: str = ""

    @property
    def needed_columns(self) -> dict[str, FeatureKind]:
        """The columns without which it cannot predict."""
        if self.artifact is None:
            return {}
        return {feature.name: feature.kind for feature in self.artifact.manifest.features}


def find_champion(request: RetrainRequest, types: Mapping[str, str]) -> Champion:
    """Return the champion that the request names, looked for beside the candidate, for a table of these columns."""
    if request.champion is None:
        return Champion()
    version = request.champion.version
    if version == ADOPTED:
        return Champion(objection="what serves was adopted and has no artifact")
    try:
        artifact = load(request.store.version(version))
    except ArtifactRejected as rejection:
        return Champion(objection=f"the artifact of {version} cannot be used: {rejection.message}")
    if artifact.manifest.model_type != request.model_type:
        return Champion(objection=f"{version} is a model of {artifact.manifest.model_type}")
    objection = _unmet_need(artifact, types, request.model.derived)
    return Champion(objection=objection) if objection else Champion(artifact)


def _unmet_need(artifact: Artifact, types: Mapping[str, str], derived: frozenset[str]) -> str:
    version = artifact.manifest.version
    for feature in artifact.manifest.features:
        if feature.name in derived:
            continue
        column_type = types.get(feature.name)
        if column_type is None:
            return f"{version} needs the column {feature.name}, which is gone"
        if feature_kind(column_type) is not feature.kind:
            return f"{version} needs {feature.name} as {feature.kind}, and it is {column_type}"
    return ""


def first_unseen_day(artifact: Artifact) -> date | None:
    """Return the first day whose rows the version's evaluated weights have not been fitted on, None if unknown."""
    try:
        return date.fromisoformat(artifact.manifest.data["holdoutFrom"])
    except (KeyError, TypeError, ValueError):
        return None
