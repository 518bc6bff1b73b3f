"""What is done on a schedule for a policy: CronJobs of the chart's trainer image, with the monitor's account and database."""

import hashlib
from typing import Final

from retrainer.api.v1alpha1.report import Report
from retrainer.core import naming
from retrainer.core.chore import ChoreSeen
from retrainer.core.identity import Identity
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import Component, PolicySeen
from retrainer.manifests import artifacts
from retrainer.manifests.metadata import RESTRICTED, UNPRIVILEGED, digest, metadata, owned_by
from retrainer.manifests.monitor import ROLE

# A chore that could not be started for an hour is late enough to wait for the next.
_STARTING_DEADLINE_S: Final = 3600
_DEADLINE_S: Final = 1800
_DAY_MINUTES: Final = 24 * 60
_RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "256Mi"}}


def chores(policy: PolicySeen, image: str) -> tuple[Manifest, ...]:
    """Return the CronJobs that the policy has: one that prunes, and one that reports if it asks for that."""
    report = policy.spec.report
    wanted = [_prune(policy, image), *([_report(policy, report, image)] if report is not None else [])]
    for manifest in wanted:
        manifest["metadata"]["annotations"] = {naming.MANIFEST_DIGEST: digest(manifest)}
    return tuple(wanted)


def compared(policy: PolicySeen, image: str, seen: list[ChoreSeen]) -> tuple[bool, tuple[Identity, ...]]:
    """Return whether all that the policy asks for is there as it should be, and what is there though it asks for it no longer."""
    wanted = {
        manifest["metadata"]["name"]: manifest["metadata"]["annotations"][naming.MANIFEST_DIGEST] for manifest in chores(policy, image)
    }
    present = {chore.identity.name: chore.digest for chore in seen}
    unwanted = tuple(chore.identity for chore in seen if chore.identity.name not in wanted)
    return wanted.items() <= present.items(), unwanted


def _prune(policy: PolicySeen, image: str) -> Manifest:
    """Once a day, each policy in a minute of its own: a thousand of them must not start at once."""
    of_the_day = int(hashlib.sha256(f"{policy.identity.namespace}/{policy.identity.name}".encode()).hexdigest(), 16) % _DAY_MINUTES
    schedule = f"{of_the_day % 60} {of_the_day // 60} * * *"
    return _cron_job(policy, image, Component.PRUNE, schedule, "Etc/UTC", [{"name": "POLICY", "value": policy.identity.name}])


def _report(policy: PolicySeen, report: Report, image: str) -> Manifest:
    secret = policy.spec.monitor.database_secret
    environment: list[Manifest] = [
        {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}},
        {"name": "DATABASE_SECRET", "value": f"{secret.name}/{secret.key}"},
        {"name": "REPORT_TIME_ZONE", "value": report.time_zone},
    ]
    return _cron_job(policy, image, Component.REPORT, report.schedule, report.time_zone, environment)


def _cron_job(policy: PolicySeen, image: str, component: Component, schedule: str, time_zone: str, environment: list[Manifest]) -> Manifest:
    """Return the CronJob that runs the component's command, where the policy's versions are, with the monitor's account."""
    namespace, name, kept = policy.identity.namespace, policy.identity.name, policy.spec.artifacts
    labels = {naming.COMPONENT: component.value}
    container: Manifest = {
        "name": component.value,
        "image": image,
        "args": [component.value],
        "env": [
            *environment,
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "ARTIFACTS_PATH", "value": artifacts.location(kept, namespace, name)},
            *artifacts.environment(kept),
        ],
        "securityContext": RESTRICTED,
        "resources": _RESOURCES,
        "volumeMounts": [*artifacts.mounts(kept), {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - an emptyDir
    }
    pod: Manifest = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _DEADLINE_S,
        "serviceAccountName": ROLE,
        "securityContext": UNPRIVILEGED,
        "containers": [container],
        "volumes": [*artifacts.volumes(kept), {"name": "tmp", "emptyDir": {}}],
    }
    # The Jobs and their pods carry no label of a policy's: they are no run's, and nothing of ours need watch them.
    job = {"backoffLimit": 2, "template": {"metadata": {"labels": labels}, "spec": pod}}
    meta = metadata(namespace, naming.chore(name, component.value), name, component=component)
    return {
        "apiVersion": Kind.CRON_JOB.api_version,
        "kind": Kind.CRON_JOB.kind,
        "metadata": meta | {"ownerReferences": [owned_by(Kind.POLICY, policy.identity)]},
        "spec": {
            "schedule": schedule,
            "timeZone": time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": _STARTING_DEADLINE_S,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"metadata": {"labels": labels}, "spec": job},
        },
    }
