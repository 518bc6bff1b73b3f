"""Which versions are kept, and what became of each: what `prune` spares, and what may be redeployed."""

from collections.abc import Mapping
from typing import Final

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.api.v1alpha1.policy_status import KeptVersion, VersionOutcome
from retrainer.core import naming
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Phase

LIMIT: Final = 24


def kept_versions(seen: Observation, runs: Mapping[str, ModelRetrainRunStatus]) -> tuple[KeptVersion, ...]:
    """Return the versions that are kept after a round, the latest first: the protected ones, the last that served, the last rejected.

    Protected are champion, previous, the version of every run under way, the pinned one, and what was adopted. A version that has been let
    go never comes back by itself, though a run of it is still on record: its artifact may be gone by then.
    """
    known = {one.version: one for one in seen.policy.status.versions}
    lost = not known  # a new policy, or one whose status was lost: everything its runs tell is taken up
    for run in seen.runs:
        if (told := _told_by(run, runs[run.name], known.get(runs[run.name].version or ""), seen, lost=lost)) is not None:
            known[told.version] = told
    known = {version: _as_of_now(one, seen) for version, one in known.items()}
    if seen.champion is not None and seen.champion not in known:
        known[seen.champion] = KeptVersion(version=seen.champion, since=seen.now, outcome=VersionOutcome.SERVES)
    return _kept(sorted(known.values(), key=lambda one: (one.since, one.version), reverse=True), seen, _under_way(runs))


def _told_by(
    run: RunSeen, after: ModelRetrainRunStatus, before: KeptVersion | None, seen: Observation, *, lost: bool
) -> KeptVersion | None:
    """Return what a run newly says of the version it makes: under way, and in the round in which that ends, what came of it."""
    settled = before is not None and before.outcome is not VersionOutcome.UNDER_WAY
    if after.version is None or run.redeploys or settled:
        return None
    digest = after.result.digest if after.result else ""
    if after.promoted_at is not None:
        outcome = VersionOutcome.SERVES if after.version == seen.champion else VersionOutcome.SERVED
        since = after.promoted_at
    elif after.phase is not Phase.FINISHED:
        outcome, since = VersionOutcome.UNDER_WAY, before.since if before is not None else seen.now
    else:
        outcome, since = VersionOutcome.REJECTED, after.completed_at or seen.now
    ended = after.phase is Phase.FINISHED
    if ended and (after.result is None or not (lost or run.live)):
        return None
    return KeptVersion(version=after.version, digest=digest, run=run.name, since=since, outcome=outcome)


def _as_of_now(one: KeptVersion, seen: Observation) -> KeptVersion:
    """Return the entry with who serves now put right."""
    serves = one.version == seen.champion
    if serves == (one.outcome is VersionOutcome.SERVES):
        return one
    if serves:
        return one.model_copy(update={"outcome": VersionOutcome.SERVES, "since": seen.now})
    return one.model_copy(update={"outcome": VersionOutcome.SERVED, "since": seen.now})


def _under_way(runs: Mapping[str, ModelRetrainRunStatus]) -> frozenset[str]:
    return frozenset(status.version for status in runs.values() if status.version and status.phase is not Phase.FINISHED)


def _kept(known: list[KeptVersion], seen: Observation, under_way: frozenset[str]) -> tuple[KeptVersion, ...]:
    pinned = seen.policy.spec.serving.pinned_version
    protected = {seen.champion, seen.previous, pinned, naming.ADOPTED} | under_way
    left = {VersionOutcome.SERVED: seen.policy.spec.version_history_limit, VersionOutcome.REJECTED: 1}
    kept = []
    for one in known:
        if one.version in protected:
            kept.append(one)
        elif left.get(one.outcome, 0) > 0:
            left[one.outcome] -= 1
            kept.append(one)
    return tuple(kept[:LIMIT])
