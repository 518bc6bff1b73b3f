"""Where claims find room: volumes made beforehand, any access mode, one directory each."""

import json
from collections.abc import Callable
from pathlib import Path

STORAGE_CLASS = "standard"
VOLUMES = 40


def offer_volumes(folder: Path, kubectl: Callable[..., str]) -> None:
    """Make the default storage class and its volumes.

    A volume serves one claim and is not used again: its files may still be of interest to who made them.
    """
    items = [_storage_class()]
    for number in range(VOLUMES):
        place = folder / f"volume-{number:02d}"
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o777)  # Pods write as whoever they are
        items.append(_volume(place))
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(listed))


def _storage_class() -> dict[str, object]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
    }


def _volume(place: Path) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": place.name},
        "spec": {
            "storageClassName": STORAGE_CLASS,
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(place), "type": "Directory"},
        },
    }
