"""Removes from a store what is not protected."""

import logging
from dataclasses import dataclass
from typing import Any

from trainer.monitor.objects import Cluster
from trainer.prune.protection import Protection, protection_of
from trainer.store import Store

_LOG = logging.getLogger("trainer")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was found: versions that stay and why, versions that go, and what unfinished trainings left behind."""

    location: str
    kept: dict[str, str]
    removed: tuple[str, ...]
    leftovers: tuple[str, ...]
    dry_run: bool

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "artifacts": self.location,
            "dryRun": self.dry_run,
            "kept": self.kept,
            "removed": list(self.removed),
            "leftovers": list(self.leftovers),
        }

    def sentences(self) -> str:
        """Return it for people, one line a version."""
        verb = "would remove" if self.dry_run else "removed"
        lines = [f"{self.location}: {len(self.kept)} versions stay, {verb} {len(self.removed)}"]
        lines += [f"  stays    {version}  {reason}" for version, reason in self.kept.items()]
        lines += [f"  {'goes' if self.dry_run else 'gone'}     {version}" for version in self.removed]
        lines += [f"  {'goes' if self.dry_run else 'gone'}     {key}  left behind" for key in self.leftovers]
        return "\n".join(lines)


async def prune(store: Store, policy: str, cluster: Cluster, *, dry_run: bool) -> Pruned:
    """Remove, or only list, what the policy no longer keeps.

    ProtectedSetUnknown or ClusterUnavailable if that is not known; nothing is touched then.
    Where nothing is kept yet there is nothing to ask. The store is listed before the cluster is asked: a version that
    is there by then belongs to a run that is known.
    """
    found = store.contents()
    if not found.versions and not found.leftovers:
        return Pruned(store.location, {}, (), (), dry_run)
    protection = protection_of(policy, await cluster.policies(), await cluster.runs())
    why = {version: protection.why_kept(version) for version in sorted(found.versions)}
    kept = {version: reason for version, reason in why.items() if reason is not None}
    removed = tuple(version for version in why if version not in kept)
    leftovers = tuple(sorted(key for key, version in found.leftovers.items() if _is_left(version, protection)))
    for key in () if dry_run else (*removed, *leftovers):
        store.remove(key)
        _LOG.info("removed %s/%s", store.location, key)
    return Pruned(store.location, kept, removed, leftovers, dry_run)


def _is_left(version: str, protection: Protection) -> bool:
    return version not in protection.under_way
