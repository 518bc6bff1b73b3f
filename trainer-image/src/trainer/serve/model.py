"""The one version that this process serves: verified when it was loaded, and proved by a first prediction."""

import math
from collections.abc import Mapping

from trainer.artifact import ArtifactRejected, load
from trainer.encoding import InvalidFeature
from trainer.errors import BadConfiguration
from trainer.models import find_model
from trainer.models.base import LiveTable
from trainer.runtime import Predictor
from trainer.serve.request import FeatureValue, Refusal
from trainer.store.fetching import fetched
from trainer.tasks import Prediction


class ServedModel:
    """A loaded version: its names, its features, and predictions in some ten microseconds."""

    def __init__(self, predictor: Predictor, live: LiveTable) -> None:
        manifest = predictor.artifact.manifest
        self._predictor = predictor
        self.live = live
        self.model_type = manifest.model_type
        self.version = manifest.version
        self.features = tuple(feature.name for feature in manifest.features)

    def predict(self, features: Mapping[str, FeatureValue]) -> Prediction:
        """Return the prediction for one row; Refusal 422 for a value of a wrong type.

        Names that the model does not know are ignored: in a canary one client talks to two versions of one schema each.
        """
        try:
            prediction: Prediction = self._predictor.predict([features])[0]
        except InvalidFeature as invalid:
            raise Refusal(422, "InvalidFeature", str(invalid)) from None
        if not math.isfinite(prediction.value):
            raise ArithmeticError("the prediction is not finite")
        return prediction

    def known(self, features: Mapping[str, FeatureValue]) -> dict[str, FeatureValue]:
        """Return what the model looked at: each of its features, None where the row has none."""
        return {name: features.get(name) for name in self.features}


def load_served_model(location: str, version: str, model_type: str | None) -> ServedModel:
    """Return the version at the policy's directory or bucket URL; BadConfiguration if it must never serve, and why."""
    try:
        artifact = load(fetched(location, version))
    except ArtifactRejected as rejected:
        raise BadConfiguration(f"version {version} cannot be served: {rejected}") from None
    manifest = artifact.manifest
    if manifest.version != version:
        raise BadConfiguration(f"under the name {version} is version {manifest.version}")
    if model_type is not None and manifest.model_type != model_type:
        raise BadConfiguration(f"version {version} is a {manifest.model_type} model, MODEL_TYPE says {model_type}")
    definition = find_model(manifest.model_type)
    if definition is None:
        raise BadConfiguration(f"model type {manifest.model_type} is not known to this image")
    model = ServedModel(Predictor(artifact), definition.live)
    # The first prediction touches every weight; a network that cannot answer "nothing known" cannot serve.
    model.predict({})
    return model
