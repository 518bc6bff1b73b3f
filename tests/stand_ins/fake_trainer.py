"""What runs in a training pod, without the training: a request of the trainer contract in, how the container ends out.

Pure: the artifact directory is an argument, and how long something takes is data. See docs/trainer-contract.md.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Request = Mapping[str, Any]
"""RETRAIN_REQUEST, decoded."""

DATA_REJECTED: Final = 42
BAD_CONFIGURATION: Final = 43
_KEPT_BY_THE_KUBELET: Final = 4096


@dataclass(frozen=True, slots=True)
class Ended:
    """The container ended after `after` seconds; `trained` says whether it made the version, or found it made."""

    exit_code: int
    message: str = ""
    trained: bool = False
    after: float = 0.0
    pod_reason: str = ""
    """`status.reason` of the pod, as the kubelet gives it when it was not the container's own end: `DeadlineExceeded`, `Evicted`."""

    @property
    def kept_message(self) -> str:
        """The message as the kubelet keeps it: the last 4096 bytes."""
        return self.message.encode()[-_KEPT_BY_THE_KUBELET:].decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Runs:
    """The container runs and does not end."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The pod has no node yet, and why."""

    message: str = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


Answer = Ended | Runs | Waits
Behaviour = Callable[[Request], Answer]

HANGS: Final[Behaviour] = lambda _: Runs()  # noqa: E731 - a constant among behaviours
UNSCHEDULABLE: Final[Behaviour] = lambda _: Waits()  # noqa: E731 - as above


def passes(request: Request) -> Answer:
    """Find nothing wrong with the data."""
    return Ended(0, json.dumps({"reason": "ChecksPassed", "message": f"the data of {request['modelType']} is sound", "warnings": []}))


def trains(*, after: float = 0.0, champion: float = 0.8, **figures: float) -> Behaviour:
    """Train a version with these figures (accuracy 0.9 unless given) beside a champion of that accuracy."""
    candidate = {"accuracy": 0.9} | figures

    def train(request: Request) -> Answer:
        version = request["version"]
        result = {
            "version": version,
            "artifact": f"{request['namespace']}/{request['policy']}/{version}",
            "digest": f"sha256:{hashlib.sha256(version.encode()).hexdigest()}",
            "metrics": {"candidate": candidate} | ({"champion": {"accuracy": champion}} if request["champion"] else {}),
            "data": {"from": "2025-11-23", "to": "2026-11-22", "holdoutFrom": "2026-10-23", "trainRows": 5210, "holdoutRows": 480},
            "warnings": [],
        }
        return Ended(0, json.dumps(result), trained=True, after=after)

    return train


def rejects(code: int, reason: str, message: str) -> Behaviour:
    """End with 42 or 43 and say why."""
    return lambda _: Ended(code, json.dumps({"reason": reason, "message": message, "warnings": []}))


def says(message: str, *, exit_code: int = 0, pod_reason: str = "") -> Behaviour:
    """End with a termination message of any kind."""
    return lambda _: Ended(exit_code, message, trained=exit_code == 0, pod_reason=pod_reason)


@dataclass(frozen=True, slots=True)
class FakeTrainer:
    """A trainer that does what the test says, and is idempotent by version as the contract asks."""

    validate: Behaviour = passes
    train: Behaviour = field(default_factory=trains)

    def answer(self, request: Request, complete: Collection[str]) -> Answer:
        """Return how the container ends; of a version that is complete the result is repeated and nothing trained."""
        if request["action"] == "validate":
            return self.validate(request)
        answer = self.train(request)
        if isinstance(answer, Ended) and request["version"] in complete:
            return Ended(answer.exit_code, answer.message, after=answer.after, pod_reason=answer.pod_reason)
        return answer
