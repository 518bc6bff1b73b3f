"""What a prediction request says: whose features to look up, or the features themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

FeatureValue = float | str | bool | None
"""One feature as a body or a table gives it; None is a missing value, which the model imputes."""

MAX_FEATURES = 1_000
MAX_TEXT = 256


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818 - an answer to the client, not a fault of ours
    """Why a request is not answered with a prediction: the HTTP status, a CamelCase reason and one sentence."""

    status: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """Whom to look up, or features; with both, the features count and the id is what the log names."""

    entity_id: str | None
    features: Mapping[str, Any] | None


def read_features(features: Any) -> Mapping[str, FeatureValue]:
    """Return the features of one row; raises Refusal 422 for anything else."""
    if not isinstance(features, dict) or len(features) > MAX_FEATURES:
        raise Refusal(422, "InvalidRequest", f"features must be an object of at most {MAX_FEATURES} members")
    for name, value in features.items():
        if not (value is None or isinstance(value, int | float) or _is_text(value)):
            kinds = f"a number, a boolean, null or a string of 1 to {MAX_TEXT} characters"
            raise Refusal(422, "InvalidFeature", f"feature {name[:MAX_TEXT]!r} must be {kinds}")
    return features


def read_request(
    body: bytes, key: str = "memberId", read: Callable[[Any], Mapping[str, Any]] = read_features
) -> PredictionRequest:
    """Return what the body asks for; raises Refusal (400 not JSON, 422 JSON of another shape).

    `key` names the id of the entity to look up; `read` checks features.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(400, "MalformedJSON", "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refusal(422, "InvalidRequest", f"the body must be an object with {key} or features")
    entity_id, features = document.get(key), document.get("features")
    if entity_id is None and features is None:
        raise Refusal(422, "InvalidRequest", f"{key} or features is required")
    if entity_id is not None and not _is_text(entity_id):
        raise Refusal(422, "InvalidRequest", f"{key} must be a string of 1 to {MAX_TEXT} characters")
    return PredictionRequest(entity_id, None if features is None else read(features))


def _is_text(value: Any) -> bool:
    # Postgres stores no NUL in text or jsonb: let through, one request would make a whole batch of logs unwritable.
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and "\x00" not in value
