"""Reading the environment: what is needed, seconds, ports."""

import math
from collections.abc import Mapping

from trainer.errors import BadConfiguration

_LARGEST_PORT = 65_535


def needed(environment: Mapping[str, str], name: str) -> str:
    """Return the variable's value; BadConfiguration if it is not set."""
    if not (value := environment.get(name, "")):
        raise BadConfiguration(f"{name} is not set")
    return value


def seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    """Return a number of seconds, 0 or more, written as `2`, `0.5` or `15s`."""
    text = environment.get(name, "").removesuffix("s")
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise BadConfiguration(f"{name} must be a number of seconds of at least 0")
    return value


def port(environment: Mapping[str, str], default: int) -> int:
    """Return PORT; 0 asks the kernel for a free one."""
    text = environment.get("PORT", "") or str(default)
    if not text.isdecimal() or int(text) > _LARGEST_PORT:
        raise BadConfiguration(f"PORT must be a whole number up to {_LARGEST_PORT}")
    return int(text)
