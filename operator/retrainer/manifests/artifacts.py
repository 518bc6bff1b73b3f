"""(where versions are kept) → what a pod of ours needs to reach them."""

from typing import Final

from retrainer.api.v1alpha1.artifacts import Artifacts
from retrainer.core.kinds import Manifest

MOUNT: Final = "/artifacts"
_VOLUME: Final = "artifacts"
_SECRET_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def location(artifacts: Artifacts, namespace: str, policy: str) -> str:
    """Return the policy's own place: a directory below the mount, or `s3://bucket/prefix/…`."""
    if artifacts.s3 is None:
        return f"{MOUNT}/{namespace}/{policy}"
    return "/".join(part for part in (f"s3://{artifacts.s3.bucket}", artifacts.s3.prefix, namespace, policy) if part)


def environment(artifacts: Artifacts) -> list[Manifest]:
    """Return the variables that every S3 client reads; the kubelet takes the credentials from the Secret. None for a volume."""
    s3 = artifacts.s3
    if s3 is None:
        return []
    secret = [{"name": key, "valueFrom": {"secretKeyRef": {"name": s3.secret_name, "key": key}}} for key in _SECRET_KEYS]
    return [{"name": "AWS_ENDPOINT_URL", "value": s3.endpoint}, {"name": "AWS_REGION", "value": s3.region}, *secret]


def mounts(artifacts: Artifacts) -> list[Manifest]:
    """Return the container's mount of the volume; none for a bucket."""
    return [] if artifacts.s3 is not None else [{"name": _VOLUME, "mountPath": MOUNT}]


def volumes(artifacts: Artifacts) -> list[Manifest]:
    """Return the pod's volume; none for a bucket."""
    if artifacts.s3 is not None:
        return []
    return [{"name": _VOLUME, "persistentVolumeClaim": {"claimName": artifacts.persistent_volume_claim}}]
