"""Checkpoints: where a training stands, kept in the store, so that a killed one goes on instead of starting over.

A checkpoint is one safetensors file of arrays, its metadata one JSON document: nothing in it can be executed. It holds
the last state of each stage, with everything that the next epoch depends on, so that a training that was killed ends
with the same weights as one that was not.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from trainer.artifact import Weights
from trainer.errors import BadConfiguration
from trainer.store import Store, StoreUnavailable, open_store

_LOG = logging.getLogger("trainer")
_FILE = "state.safetensors"
# Variables, two moments of each and the best weights, of the largest network that an artifact may hold.
_MAX_BYTES = 4 * (64 << 20) + (1 << 20)
_HEADER_LENGTH_BYTES = 8
_DOCUMENT, _DIGEST = "stages", "sha256"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A stage after an epoch.

    `variables` are the model's (weights and the seeds of dropout) and the optimizer's (step, moments), in order;
    `generator` the state of numpy's bit generator that draws the batches. `best` are the weights of `best_epoch`, which
    had the least validation loss so far; {}, 0 and infinity where a stage does not look for the best.
    """

    epoch: int
    variables: Sequence[NDArray[Any]]
    generator: Mapping[str, Any]
    best: Weights
    best_epoch: int = 0
    best_loss: float = np.inf


class Checkpoints:
    """The states of one training's stages. Without a store nothing is kept and nothing resumes."""

    def __init__(self, store: Store | None = None, version: str = "", interval: timedelta = timedelta()) -> None:
        self._store = store
        self._version = version
        self._interval = interval.total_seconds()
        self._written = time.monotonic()
        self._states: dict[str, tuple[str, State]] = {}

    def find(self) -> None:
        """Read what an earlier attempt kept; what cannot be read counts as nothing."""
        if self._store is None:
            return
        content = self._store.read(f"{self._version}/{_FILE}", _MAX_BYTES)
        if content is None:
            return
        try:
            self._states = _parsed(content)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            _LOG.warning("the checkpoint of %s cannot be read, the training starts over: %s", self._version, error)

    def begun(self, stage: str, fingerprint: str) -> State | None:
        """Return where an earlier attempt left the stage, if its data and wishes (`fingerprint`) were the same."""
        kept = self._states.pop(stage, None)
        if kept is None:
            return None
        if kept[0] != fingerprint:
            _LOG.warning("the data or the request changed since the checkpoint: %s starts over", stage)
            return None
        self._states[stage] = kept
        _LOG.info("%s resumes after epoch %d", stage, kept[1].epoch)
        return kept[1]

    def offer(self, stage: str, fingerprint: str, state: Callable[[], State]) -> None:
        """Keep the stage's state if the last checkpoint is older than the interval."""
        if self._store is None or time.monotonic() - self._written < self._interval:
            return
        self._states[stage] = (fingerprint, state())
        self._written = time.monotonic()
        try:
            self._store.replace(f"{self._version}/{_FILE}", _packed(self._states))
        except (OSError, StoreUnavailable, BadConfiguration) as error:
            # It is there to save time; a training that could finish must not fail for it.
            _LOG.warning("no checkpoint was written: %s", error)

    def finish(self, stage: str, fingerprint: str, state: Callable[[], State]) -> None:
        """Remember how the stage ended, for the checkpoints of the stages after it."""
        if self._store is not None:
            self._states[stage] = (fingerprint, state())

    def remove(self) -> None:
        """Remove the checkpoint: its version is complete."""
        if self._store is None:
            return
        try:
            self._store.remove(self._version)
        except (OSError, StoreUnavailable, BadConfiguration) as error:
            _LOG.warning("the checkpoint of %s is left for `trainer prune`: %s", self._version, error)


def checkpoints_at(location: str | None, interval: timedelta) -> Checkpoints:
    """Return the checkpoints at the request's `checkpoint.path`, whose last part is the version; none without one."""
    if location is None:
        return Checkpoints()
    parent, _, version = location.rstrip("/").rpartition("/")
    return Checkpoints(open_store(parent or "/"), version, interval)


def _packed(states: Mapping[str, tuple[str, State]]) -> bytes:
    document: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for stage, (fingerprint, state) in states.items():
        document[stage] = {
            "fingerprint": fingerprint,
            "epoch": state.epoch,
            "generator": _written_out(state.generator),
            "best": list(state.best),
            "bestEpoch": state.best_epoch,
            "bestLoss": state.best_loss if np.isfinite(state.best_loss) else None,
            "variables": len(state.variables),
        }
        arrays |= {f"{stage}/{index}": np.asarray(value) for index, value in enumerate(state.variables)}
        arrays |= {f"{stage}/best/{name}": value for name, value in state.best.items()}
    return save_tensors(arrays, {_DOCUMENT: orjson.dumps(document).decode(), _DIGEST: _digest(arrays)})


def _parsed(content: bytes) -> dict[str, tuple[str, State]]:
    arrays = load_tensors(content)
    metadata = _metadata(content)
    if metadata[_DIGEST] != _digest(arrays):
        raise ValueError("its arrays are not those that were written")
    document = orjson.loads(metadata[_DOCUMENT])
    return {
        stage: (
            kept["fingerprint"],
            State(
                epoch=int(kept["epoch"]),
                variables=[arrays[f"{stage}/{index}"] for index in range(kept["variables"])],
                generator=_read_back(kept["generator"]),
                best={name: arrays[f"{stage}/best/{name}"] for name in kept["best"]},
                best_epoch=int(kept["bestEpoch"]),
                best_loss=np.inf if kept["bestLoss"] is None else float(kept["bestLoss"]),
            ),
        )
        for stage, kept in document.items()
    }


def _digest(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _metadata(content: bytes) -> dict[str, str]:
    # The library gives metadata only for files on a disk; the format is a length, a JSON header, the arrays.
    length = int.from_bytes(content[:_HEADER_LENGTH_BYTES], "little")
    header: dict[str, dict[str, str]] = orjson.loads(content[_HEADER_LENGTH_BYTES : _HEADER_LENGTH_BYTES + length])
    return header["__metadata__"]


def _written_out(value: Any) -> Any:
    """Return a generator's state with its integers as text: they have 128 bits, and JSON's are read as 64."""
    if isinstance(value, Mapping):
        return {key: _written_out(below) for key, below in value.items()}
    return {"int": str(value)} if isinstance(value, int) else value


def _read_back(value: Any) -> Any:
    if isinstance(value, dict):
        return int(value["int"]) if set(value) == {"int"} else {key: _read_back(below) for key, below in value.items()}
    return value
