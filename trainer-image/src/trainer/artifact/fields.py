"""Reads fields of an untrusted JSON document, or rejects it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trainer.artifact.errors import ArtifactRejected


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(name, "an object")
    return value


def text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise _invalid(key, "a string")
    return value


def boolean(document: Mapping[str, Any], key: str) -> bool:
    value = document.get(key)
    if not isinstance(value, bool):
        raise _invalid(key, "true or false")
    return value


def integer(document: Mapping[str, Any], key: str, minimum: int) -> int:
    value = document.get(key)
    if type(value) is not int or value < minimum:
        raise _invalid(key, f"a whole number of at least {minimum}")
    return value


def number(document: Mapping[str, Any], key: str, minimum: float = -math.inf, maximum: float = math.inf) -> float:
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _invalid(key, "a finite number")
    if not minimum <= value <= maximum:
        raise _invalid(key, f"a number between {minimum} and {maximum}")
    return float(value)


def items(document: Mapping[str, Any], key: str, maximum: int) -> Sequence[Any]:
    value = document.get(key)
    if not isinstance(value, list) or len(value) > maximum:
        raise _invalid(key, f"a list of at most {maximum}")
    return value


def _invalid(name: str, expected: str) -> ArtifactRejected:
    return ArtifactRejected("ManifestInvalid", f"{name} must be {expected}")
