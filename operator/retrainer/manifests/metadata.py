"""Metadata of the objects we make: an allow-list. Nothing is copied from a policy's own labels, least of all Argo CD's tracking marks."""

import hashlib
import json

from retrainer.core import naming
from retrainer.core.identity import Identity
from retrainer.core.kinds import Kind, Manifest


def metadata(namespace: str, name: str, policy: str, **labels: str) -> Manifest:
    """Return metadata with our labels; keyword arguments are further `retrainer.dev/` labels, underscores read as dashes."""
    ours = {naming.MANAGED_BY: "retrainer", naming.POLICY: policy}
    ours |= {f"retrainer.dev/{key.replace('_', '-')}": value for key, value in labels.items()}
    return {"namespace": namespace, "name": name, "labels": ours}


def owned_by(kind: Kind, owner: Identity, *, controller: bool = True) -> Manifest:
    """Return an ownerReference: the object is collected with its owner, and never holds the owner's deletion up."""
    reference = {"apiVersion": kind.api_version, "kind": kind.kind, "name": owner.name, "uid": owner.uid}
    return reference | ({"controller": True} if controller else {})


def digest(manifest: Manifest) -> str:
    """Return a short digest of a manifest: what carries it is as it should be, whatever defaults the API server filled in."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""The container's part of Pod Security "restricted"."""

UNPRIVILEGED: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The pod's part of it."""
