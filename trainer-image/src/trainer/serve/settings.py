"""The environment of a serving process, read once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from trainer.daemon.environment import needed, port, seconds
from trainer.errors import BadConfiguration

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Which version to serve and where.

    `model_type` None is the manifest's; without `database_url` features must be in the body and nothing is logged.
    After SIGTERM the process goes on answering for `drain_seconds`. It waits up to `profiles_seconds` for the first
    copy of the profiles before it says that it is ready without them.
    """

    model_version: str
    artifacts_path: str
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
        artifacts_path=needed(environment, "ARTIFACTS_PATH"),
        model_type=environment.get("MODEL_TYPE") or None,
        database_url=environment.get("DATABASE_URL") or None,
        drain_seconds=seconds(environment, "DRAIN_SECONDS", 15.0),
        profiles_seconds=seconds(environment, "PROFILES_SECONDS", 5.0),
        port=port(environment, 8080),
    )
