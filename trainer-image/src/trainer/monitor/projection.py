"""Decides what the tables lack of what the objects say; pure, so that catching up is the same as keeping up.

Nothing is concluded from events: each round compares all objects with the rows there are. A monitor that was away while
several versions came and went writes every run's end, and marks the one champion of now.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from trainer.monitor.entries import AppendEntry, EntryKey
from trainer.monitor.entries import of_run as entries_of
from trainer.monitor.objects import Policy, Run
from trainer.monitor.reigns import Reign, Reigns

VersionKey: TypeAlias = tuple[str, str]
"""Model type and version."""


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """Let the version have a row, and fill in what its row lacks; what the trainer wrote there stays."""

    model_type: str
    version: str
    run: str | None = None
    digest: str | None = None
    trained_at: datetime | None = None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def accuracy(self) -> float | None:
        """The candidate's accuracy in the gate."""
        return self.metrics.get("candidate", {}).get("accuracy")


@dataclass(frozen=True, slots=True)
class Activate:
    """Make this version the one active row of its model type."""

    model_type: str
    version: str


Change: TypeAlias = RecordVersion | Activate | AppendEntry


@dataclass(frozen=True, slots=True)
class Present:
    """What the tables hold of the namespace: versions with metrics and without, the active ones, and the entries.

    `reigns` are who served all traffic of each model type by the ledger, the oldest first.
    """

    complete: frozenset[VersionKey] = frozenset()
    incomplete: frozenset[VersionKey] = frozenset()
    active: frozenset[VersionKey] = frozenset()
    entries: frozenset[EntryKey] = frozenset()
    reigns: Mapping[str, Sequence[Reign]] = field(default_factory=dict)


def changes(policies: Sequence[Policy], runs: Sequence[Run], present: Present) -> list[Change]:
    """Return what is missing, in the order in which it must be written; nothing once it has been."""
    model_types = {policy.name: policy.model_type for policy in policies}
    ours = [(model_types[run.policy], run) for run in runs if run.policy in model_types]
    champions = _champions(policies)
    versions = list(_missing_versions(ours, champions, present))
    flips = [Activate(*key) for key in champions if key not in present.active]
    entries = [entry for model_type, run in ours for entry in entries_of(model_type, run)]
    entries = [entry for entry in entries if entry.key not in present.entries]
    # Those without a time happened now, which is after all that have one.
    entries.sort(key=lambda entry: (entry.at is None, entry.at.timestamp() if entry.at else 0.0))
    reigns = Reigns(present.reigns)
    told = [each for entry in entries for each in reigns.told(entry)]
    return [*versions, *flips, *told, *reigns.unexplained(champions.values())]


def _champions(policies: Iterable[Policy]) -> dict[VersionKey, Policy]:
    """Return each model type's champion; of two policies of one type the older one serves, as the operator sees it."""
    first: dict[str, Policy] = {}
    for policy in sorted(policies, key=lambda policy: (policy.created, policy.name)):
        if policy.champion is not None:
            first.setdefault(policy.model_type, policy)
    return {(policy.model_type, policy.champion or ""): policy for policy in first.values()}


def _missing_versions(
    runs: Iterable[tuple[str, Run]], champions: Mapping[VersionKey, Policy], present: Present
) -> Iterator[RecordVersion]:
    told: set[VersionKey] = set()
    for model_type, run in runs:
        key = (model_type, run.version)
        if not run.metrics or not run.version or key in present.complete or key in told:
            continue
        told.add(key)
        since = run.promoted_at or run.completed_at
        yield RecordVersion(model_type, run.version, run.name, run.digest, since, run.metrics)
    for key, policy in champions.items():
        # Adopted, or of a run that has been pruned: nothing but its name is known.
        if key not in told | present.complete | present.incomplete:
            yield RecordVersion(*key, digest=policy.champion_digest)
