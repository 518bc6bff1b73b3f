"""The environment of a serving process, read once."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainer.errors import BadConfiguration

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Which version to serve and where.

    `model_type` None is the manifest's; without `database_url` features must be in the body and nothing is logged.
    After SIGTERM the process goes on answering for `drain_seconds`. It waits up to `profiles_seconds` for the first
    copy of the profiles before it says that it is ready without them.
    """

    model_version: str
    artifacts_path: Path
    model_type: str | None = None
    database_url: str | None = field(default=None, repr=False)
    drain_seconds: float = 15.0
    profiles_seconds: float = 5.0
    port: int = 8080


def read_serve_settings(environment: Mapping[str, str] = os.environ) -> ServeSettings:
    """Return what the environment says; BadConfiguration names the variable that is missing or cannot be read."""
    version = needed(environment, "MODEL_VERSION")
    if not _VERSION.fullmatch(version):
        # It becomes a path below the policy's directory and must not lead out of it.
        raise BadConfiguration(f"MODEL_VERSION {version!r:.80} is not the name of a version")
    return ServeSettings(
        model_version=version,
        artifacts_path=Path(needed(environment, "ARTIFACTS_PATH")),
        model_type=environment.get("MODEL_TYPE") or None,
        database_url=environment.get("DATABASE_URL") or None,
        drain_seconds=seconds(environment, "DRAIN_SECONDS", 15.0),
        profiles_seconds=seconds(environment, "PROFILES_SECONDS", 5.0),
        port=port(environment, 8080),
    )


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
