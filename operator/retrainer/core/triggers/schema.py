"""The schema trigger: columns of the training table against those the champion was trained on; one set of changes starts one run."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.run import Evidence
from retrainer.api.v1alpha1.triggers import Trigger
from retrainer.core.measurement import NoData
from retrainer.core.observation import Observation
from retrainer.core.triggers.evaluation import (
    ASKED_FIRST,
    NOT_ASKED,
    SCHEMA_CHANGED,
    SCHEMA_UNCHANGED,
    Evaluation,
    Figure,
    Memory,
    unheard,
)
from retrainer.core.triggers.finding import Finding

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class SchemaSeen:
    """Each column that differs from the champion's with how (`added`, `missing`, `retyped`), and whether it accepts the table still."""

    changes: frozenset[tuple[str, str]]
    accepted: bool


def evaluate(schema: SchemaSeen | NoData, version: str, before: Evaluation | None, now: datetime) -> Evaluation:
    """Return what the table comes to for the champion `version` at `now`."""
    before = before if before is not None and before.memory.version == version else replace(ASKED_FIRST, memory=Memory(version))
    if isinstance(schema, NoData):
        return unheard(before, schema.reason, schema.message, now, 0.0)
    if not schema.changes:
        told = f"the training table has the columns that {version} was trained on"
        return Evaluation(SCHEMA_UNCHANGED, told, Memory(version, seen_at=now), Figure(0.0))
    print_, memory = fingerprint(version, schema.changes), before.memory
    episode = memory.episode if memory.fingerprint in {"", print_} else None
    after = Memory(version, episode or now, firing=True, seen_at=now, fingerprint=print_)
    accepts = f"{version} {'still accepts' if schema.accepted else 'no longer accepts'} the training table"
    return Evaluation(SCHEMA_CHANGED, f"{_listed(schema.changes)}; {accepts}", after, Figure(float(len(schema.changes))))


def look(trigger: Trigger, seen: Observation) -> list[Finding]:
    """Return what the latest evaluation says; a set of changes that has had its run asks for no other."""
    found = seen.evaluations.get(trigger.name, ASKED_FIRST)
    champion, memory = seen.policy.status.champion, found.memory
    if found.reason == NOT_ASKED or memory.version != (champion.version if champion else ""):
        return [Finding(trigger.name, NOT_ASKED, ASKED_FIRST.message, state="Unknown")]
    told = Finding(trigger.name, found.reason, found.message, state=found.state, episode=memory.episode, figure=found.figure)
    if not found.asks or memory.episode is None:
        return [told]
    if memory.fingerprint in _used(trigger, seen):
        return [replace(told, reason="AlreadyHandled", message=f"has had its run: {found.message}", state="Armed")]
    evidence = Evidence(trigger=trigger.name, fingerprint=memory.fingerprint, starts_at=memory.episode, message=cut(found.message))
    return [replace(told, evidence=evidence)]


def fingerprint(version: str, changes: Collection[tuple[str, str]]) -> str:
    """Return what tells a champion's set of changes from every other."""
    text = "\n".join([version, *(f"{column} {change}" for column, change in sorted(changes))])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _listed(changes: Collection[tuple[str, str]]) -> str:
    shown = [f"{column} is {'new' if change == 'added' else change}" for column, change in sorted(changes)]
    more = [f"{len(shown) - _SHOWN} columns more"] if len(shown) > _SHOWN else []
    return ", ".join([*shown[:_SHOWN], *more])


def _used(trigger: Trigger, seen: Observation) -> frozenset[str | None]:
    in_runs = {item.fingerprint for run in seen.runs for item in (*run.spec.evidence, *run.status.evidence) if item.trigger == trigger.name}
    return frozenset(in_runs | {item.fingerprint for item in seen.policy.status.handled_alerts})
