"""The monitor of a database: the only thing that touches Postgres on the operator's behalf, in the tenant's namespace."""

from typing import Final

from retrainer.core import naming
from retrainer.core.actions import EnsureMonitor
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import Component
from retrainer.manifests.metadata import RESTRICTED, UNPRIVILEGED, digest, metadata, owned_by

ROLE: Final = "retrainer-monitor"
PORT: Final = 9101


def monitor(namespace: str, wanted: EnsureMonitor, image: str, interval_s: int) -> tuple[Manifest, ...]:
    """Return ServiceAccount, RoleBinding and Deployment, owned by every policy that shares the database.

    The RoleBinding is to the chart's read-only ClusterRole, the only one the operator may bind. An init container migrates the schema.
    """
    owners = [owned_by(Kind.POLICY, owner, controller=False) for owner in sorted(wanted.owners, key=lambda owner: owner.uid)]
    name = naming.monitor_name(wanted.secret, wanted.key)
    deployment = _deployment(namespace, name, wanted, image, interval_s)
    deployment["metadata"]["ownerReferences"] = owners
    deployment["metadata"]["annotations"] = {naming.MANIFEST_DIGEST: digest(deployment)}
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


def monitor_digest(namespace: str, wanted: EnsureMonitor, image: str, interval_s: int) -> str:
    """Return the digest that the monitor's Deployment carries when it is as it should be."""
    found: str = monitor(namespace, wanted, image, interval_s)[-1]["metadata"]["annotations"][naming.MANIFEST_DIGEST]
    return found


def _deployment(namespace: str, name: str, wanted: EnsureMonitor, image: str, interval_s: int) -> Manifest:
    meta = metadata(namespace, name, wanted.owners[0].name, component=Component.MONITOR)
    del meta["labels"][naming.POLICY]  # it may belong to several
    labels = meta["labels"] | {naming.MONITORS: name}
    meta["labels"] = labels
    database = {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": wanted.secret, "key": wanted.key}}}
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - an emptyDir
    common = {"image": image, "securityContext": RESTRICTED, "volumeMounts": mounts}
    environment = [
        database,
        {"name": "DATABASE_SECRET", "value": f"{wanted.secret}/{wanted.key}"},
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
