"""The environment, read once by whatever command needs it; nothing else reads `os.environ`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from trainer.duration import duration
from trainer.errors import BadConfiguration

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})
# A killed training loses at most this much time; writing a checkpoint takes milliseconds.
_CHECKPOINT_INTERVAL = timedelta(minutes=5)
_MIB = 1 << 20
# Beside TensorFlow's half a gigabyte this is little; a membership's years fit it, a nation's are streamed.
RESIDENT_BYTES = 12 * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The variables of the trainer contract and of the guide; None where one is not set."""

    database_url: str | None
    retrain_request: str | None
    model_epochs: int | None
    model_batch_size: int | None
    dry_run: bool
    debug: bool
    require_gpu: bool
    checkpoint_interval: timedelta
    resident_bytes: int
    termination_log: Path

    def needed_database_url(self) -> str:
        """Return the database's URL; BadConfiguration if there is none."""
        if self.database_url is None:
            raise BadConfiguration("DATABASE_URL is not set")
        return self.database_url


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return what the environment says; BadConfiguration for a value that cannot be read."""
    return Settings(
        database_url=environment.get("DATABASE_URL") or None,
        retrain_request=environment.get("RETRAIN_REQUEST") or None,
        model_epochs=_positive(environment, "MODEL_EPOCHS"),
        model_batch_size=_positive(environment, "MODEL_BATCH_SIZE"),
        dry_run=_switch(environment, "DRY_RUN"),
        debug=_switch(environment, "DEBUG"),
        require_gpu=_switch(environment, "REQUIRE_GPU"),
        checkpoint_interval=_duration(environment, "CHECKPOINT_INTERVAL", _CHECKPOINT_INTERVAL),
        resident_bytes=(_positive(environment, "RESIDENT_MIB") or RESIDENT_BYTES // _MIB) * _MIB,
        termination_log=Path(environment.get("TERMINATION_LOG", "/dev/termination-log")),
    )


def _positive(environment: Mapping[str, str], name: str) -> int | None:
    value = environment.get(name, "")
    if not value:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise BadConfiguration(f"{name} must be a whole number of at least 1, not {value!r}")
    return int(value)


def _duration(environment: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    try:
        return duration(environment[name]) if environment.get(name) else default
    except ValueError as error:
        raise BadConfiguration(f"{name}: {error}") from None


def _switch(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "").strip().lower()
    if value not in _TRUE | _FALSE:
        raise BadConfiguration(f"{name} must be true or false, not {value!r}")
    return value in _TRUE
