"""The monitor of a database: the only thing that touches Postgres on the operator's behalf, in the tenant's namespace."""

from functools import lru_cache
from typing import Final

from retrainer.core import naming
from retrainer.core.actions import EnsureMonitor
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import Component
from retrainer.manifests.metadata import RESTRICTED, UNPRIVILEGED, digest, metadata, owned_by

ROLE: Final = "retrainer-monitor"
PORT: Final = 9101
OWNERS: Final = 8
"""How many policies own a monitor at most: one would do, and several let it outlive any of them without a gap."""


def monitor(namespace: str, wanted: EnsureMonitor, image: str, interval_s: int) -> tuple[Manifest, ...]:
    """Return ServiceAccount, RoleBinding and Deployment, the last with the owners that it is to have.

    The RoleBinding is to the chart's read-only ClusterRole, the only one the operator may bind. An init container migrates the schema.
    """
    owners = [owned_by(Kind.POLICY, owner, controller=False) for owner in sorted(wanted.owners, key=lambda owner: owner.uid)]
    deployment = _deployment(namespace, wanted.secret, wanted.key, image, interval_s)
    deployment["metadata"]["annotations"] = {naming.MANIFEST_DIGEST: digest(deployment)}
    deployment["metadata"]["ownerReferences"] = owners
    account = {
        "apiVersion": Kind.SERVICE_ACCOUNT.api_version,
        "kind": Kind.SERVICE_ACCOUNT.kind,
        "metadata": {"namespace": namespace, "name": ROLE, "labels": {naming.MANAGED_BY: "retrainer"}},
    }
    binding = {
        "apiVersion": Kind.ROLE_BINDING.api_version,
        "kind": Kind.ROLE_BINDING.kind,
        "metadata": {"namespace": namespace, "name": ROLE, "labels": {naming.MANAGED_BY: "retrainer"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": ROLE, "namespace": namespace}],
    }
    return account, binding, deployment


@lru_cache(maxsize=256)
def monitor_digest(namespace: str, secret: str, key: str, image: str, interval_s: int) -> str:
    """Return the digest that the monitor's Deployment carries when it is as it should be, whoever owns it."""
    return digest(_deployment(namespace, secret, key, image, interval_s))


def _deployment(namespace: str, secret: str, key: str, image: str, interval_s: int) -> Manifest:
    name = naming.monitor_name(secret, key)
    meta = metadata(namespace, name, "", component=Component.MONITOR)
    del meta["labels"][naming.POLICY]  # it may belong to several
    labels = meta["labels"] | {naming.MONITORS: name}
    meta["labels"] = labels
    database = {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - an emptyDir
    common = {"image": image, "securityContext": RESTRICTED, "volumeMounts": mounts}
    environment = [
        database,
        {"name": "DATABASE_SECRET", "value": f"{secret}/{key}"},
        {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "PORT", "value": str(PORT)},
        {"name": "MONITOR_INTERVAL", "value": f"{interval_s}s"},
    ]
    return {
        "apiVersion": Kind.DEPLOYMENT.api_version,
        "kind": Kind.DEPLOYMENT.kind,
        "metadata": meta,
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # no series has two exporters
            "selector": {"matchLabels": {naming.MONITORS: labels[naming.MONITORS], naming.COMPONENT: Component.MONITOR.value}},
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT), "prometheus.io/path": "/metrics"},
                },
                "spec": {
                    "serviceAccountName": ROLE,
                    "securityContext": UNPRIVILEGED,
                    "initContainers": [common | {"name": "migrate", "args": ["migrate"], "env": [database]}],
                    "containers": [
                        common
                        | {
                            "name": "monitor",
                            "args": ["monitor"],
                            "env": environment,
                            "ports": [{"name": "metrics", "containerPort": PORT}],
                            "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 5},
                            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
                        }
                    ],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }
