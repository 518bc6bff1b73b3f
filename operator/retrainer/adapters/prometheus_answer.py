"""What Prometheus said, read: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries."""

import json
import math
from datetime import UTC, datetime
from typing import Any

from retrainer.core.measurement import Answer, NoData, NoDataReason, Series, Vector

_LONGEST_MESSAGE = 300


def vector_of(source: str, data: bytes) -> Answer:
    """Return the vector in the body of a 200 answer, as of its oldest sample, or the reason why it holds none."""
    body = _object(data)
    if body.get("status") != "success":
        return refusal_of(source, 200, data)
    if warnings := body.get("warnings"):
        return NoData(NoDataReason.WARNING, _cut(f"{source}: {warnings[0]}"))
    result = body.get("data") or {}
    if result.get("resultType") != "vector":
        return NoData(NoDataReason.AMBIGUOUS, f"{source}: the answer is a {result.get('resultType')}, not an instant vector")
    if not result.get("result"):
        return NoData(NoDataReason.EMPTY, f"{source}: no series")
    try:
        return _vector(source, result["result"])
    except (KeyError, TypeError, ValueError):
        return NoData(NoDataReason.REFUSED, f"{source}: not an answer of Prometheus' API")


def refusal_of(source: str, status: int, data: bytes) -> NoData:
    """Return what a declining answer says."""
    body = _object(data)
    said = f"{body.get('errorType', 'error')}: {body['error']}" if "error" in body else f"HTTP {status}, not an answer of Prometheus' API"
    return NoData(NoDataReason.REFUSED, _cut(f"{source}: {said}"))


def _vector(source: str, result: list[dict[str, Any]]) -> Answer:
    if any("histogram" in item for item in result):
        return NoData(NoDataReason.AMBIGUOUS, f"{source}: a series is a native histogram, not a figure")
    series = [Series(item["metric"], float(item["value"][1])) for item in result]
    finite = tuple(one for one in series if math.isfinite(one.value))
    if not finite:
        return NoData(NoDataReason.NAN, f"{source}: no value is finite")
    at = datetime.fromtimestamp(min(item["value"][0] for item in result), UTC)
    return Vector(finite, at, tuple(one.labels for one in series if not math.isfinite(one.value)))


def _object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
