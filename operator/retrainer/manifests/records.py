"""Runs and Events: the objects that say what was decided."""

from datetime import UTC, datetime

from retrainer.core import naming
from retrainer.core.actions import Announcement, StartRun
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import PolicySeen
from retrainer.manifests.metadata import metadata, owned_by

REPORTER = "retrainer.dev/operator"
_NOTE_LIMIT = 1024


def run(policy: PolicySeen, wanted: StartRun) -> Manifest:
    """Return the ModelRetrainRun, owned by its policy."""
    meta = metadata(policy.identity.namespace, wanted.name, policy.identity.name)
    return {
        "apiVersion": Kind.RUN.api_version,
        "kind": Kind.RUN.kind,
        "metadata": meta | {"ownerReferences": [owned_by(Kind.POLICY, policy.identity)]},
        "spec": wanted.spec.wire(),
    }


def event(announcement: Announcement, now: datetime, instance: str) -> Manifest:
    """Return an Event about a policy or a run, under a name no other Event of the object has."""
    about, kind = announcement.about, Kind.RUN if announcement.on_run else Kind.POLICY
    stamp = now.astimezone(UTC)
    microseconds = int(stamp.timestamp()) * 1_000_000 + stamp.microsecond
    reason_digest = naming.bounded(announcement.reason.lower())[:20].strip("-_:,")
    return {
        "apiVersion": Kind.EVENT.api_version,
        "kind": Kind.EVENT.kind,
        "metadata": {"namespace": about.namespace, "name": f"{about.name}.{reason_digest}.{microseconds:x}"},
        "eventTime": stamp.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": REPORTER,
        "reportingInstance": instance,
        "action": "Reconcile",
        "type": announcement.severity.value,
        "reason": announcement.reason,
        "note": announcement.message[:_NOTE_LIMIT],
        "regarding": {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
    }
