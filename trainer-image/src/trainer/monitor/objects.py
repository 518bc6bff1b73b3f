"""What the monitor knows of policies and runs: the few fields it projects, read from untyped objects."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

Document = Mapping[str, Any]

DEFAULT_SECRET_KEY = "url"  # noqa: S105 - the name of a key, and the schema's default
_ROLES = ("champion", "candidate", "previous")


class ClusterUnavailable(Exception):  # noqa: N818 - a condition, not a bug
    """The API server did not answer, or not with the objects."""


class Cluster(Protocol):
    """Where policies and runs come from; all methods raise ClusterUnavailable."""

    async def policies(self) -> Sequence[Document]:
        """Return the namespace's ModelRetrainPolicies as the API server gives them."""

    async def runs(self) -> Sequence[Document]:
        """Return the namespace's ModelRetrainRuns as the API server gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy; `champion` serves, None before the first version, and `live` are all versions that may be asked.

    `allow` and `deny` are patterns of feature columns.
    """

    name: str
    created: str
    model_type: str
    database_secret: tuple[str, str]
    champion: str | None = None
    champion_digest: str | None = None
    champion_since: datetime | None = None
    live: tuple[str, ...] = ()
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run; `trigger` and `cause` say why it began, `reason` and `message` how it stands or ended.

    `weights` are the shares of traffic, in percent, that were asked for its version, and since when.
    """

    name: str
    policy: str
    version: str
    trigger: str = ""
    cause: str = ""
    outcome: str | None = None
    reason: str = ""
    message: str = ""
    promoted_at: datetime | None = None
    completed_at: datetime | None = None
    digest: str | None = None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    weights: tuple[tuple[datetime, int], ...] = ()


def read_policy(document: Document) -> Policy:
    """Return the policy in an object of the API; what is absent has its default."""
    metadata, spec = document["metadata"], document["spec"]
    champion = _at(document, "status", "champion")
    secret = _at(spec, "monitor", "databaseSecret")
    features = _at(spec, "training", "data", "features")
    return Policy(
        name=metadata["name"],
        created=str(metadata.get("creationTimestamp") or ""),
        model_type=spec["modelType"],
        database_secret=(str(secret.get("name", "")), str(secret.get("key") or DEFAULT_SECRET_KEY)),
        champion=champion.get("version") or None,
        champion_digest=champion.get("digest") or None,
        champion_since=_time(champion.get("since")),
        live=tuple(version for role in _ROLES if (version := _at(document, "status", role).get("version"))),
        allow=tuple(features.get("allow") or ("*",)),
        deny=tuple(features.get("deny") or ()),
    )


def read_run(document: Document) -> Run:
    """Return the run in an object of the API; its version is the status's, else the spec's, else empty."""
    spec, status = document["spec"], document.get("status") or {}
    result = status.get("result") or {}
    return Run(
        name=document["metadata"]["name"],
        policy=_at(spec, "policyRef").get("name", ""),
        version=status.get("version") or spec.get("version") or "",
        trigger=_text(spec.get("trigger")),
        cause=_text(spec.get("message")) or _text(spec.get("reason")),
        outcome=status.get("outcome") or None,
        reason=_text(status.get("reason")),
        message=_text(status.get("message")),
        promoted_at=_time(status.get("promotedAt")),
        completed_at=_time(status.get("completedAt")),
        digest=result.get("digest") or None,
        metrics={side: _figures(figures) for side, figures in (result.get("metrics") or {}).items() if figures},
        weights=_weights(status),
    )


def _weights(status: Document) -> tuple[tuple[datetime, int], ...]:
    """Return when each of the canary's weights came, from the run's timeline and the steps that it froze.

    Reason `Step<n>` says that the n-th weight is in place. Requests reach a candidate some seconds earlier, from the
    first `ShiftingTraffic` on; which of the later ones is for which step the timeline does not say. What was shifted
    before `Shadow` were copies of requests, which have no weight.
    """
    steps = _at(status, "frozen", "rollout").get("stepWeights") or ()
    found: dict[int, datetime] = {}
    for entry in status.get("timeline") or ():
        at, reason = _time(entry.get("at")), _text(entry.get("reason"))
        if at is None or entry.get("phase") != "Canary":
            continue
        if reason == "Shadow":
            found.clear()
        elif reason == "ShiftingTraffic":
            found.setdefault(1, at)
        elif reason.removeprefix("Step").isdecimal():
            found.setdefault(int(reason.removeprefix("Step")), at)
    return tuple((at, int(steps[step - 1])) for step, at in sorted(found.items()) if step <= len(steps))


def _at(document: Document, *path: str) -> Document:
    for key in path:
        document = document.get(key) or {}
    return document


def _text(value: Any) -> str:
    # A text of Postgres holds no NUL.
    return "" if value is None else str(value).replace("\x00", "")


def _time(value: Any) -> datetime | None:
    """Return an RFC 3339 time; None for what is absent or is none."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _figures(figures: Any) -> dict[str, float]:
    """Return the finite numbers among a trainer's figures."""
    found: dict[str, float] = {}
    for name, value in dict(figures).items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            found[_text(name)] = number
    return found
