"""The kinds of object the operator reads or writes, and how one of them is named."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from typing_extensions import override

Manifest = dict[str, Any]
"""An object of the API as JSON-ready data; only `manifests/` and `adapters/` look inside one."""


class Kind(Enum):
    """A kind, with what its path in the API is made of."""

    POLICY = ("retrainer.dev/v1alpha1", "ModelRetrainPolicy", "modelretrainpolicies")
    RUN = ("retrainer.dev/v1alpha1", "ModelRetrainRun", "modelretrainruns")
    JOB = ("batch/v1", "Job", "jobs")
    CRON_JOB = ("batch/v1", "CronJob", "cronjobs")
    POD = ("v1", "Pod", "pods")
    SERVICE = ("v1", "Service", "services")
    SERVICE_ACCOUNT = ("v1", "ServiceAccount", "serviceaccounts")
    VOLUME_CLAIM = ("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
    HTTP_ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
    GATEWAY = ("gateway.networking.k8s.io/v1", "Gateway", "gateways")
    GATEWAY_CLASS = ("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses")
    DEPLOYMENT = ("apps/v1", "Deployment", "deployments")
    ROLE_BINDING = ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
    EVENT = ("events.k8s.io/v1", "Event", "events")

    @property
    def api_version(self) -> str:
        """Group and version as an object carries them, e.g. `apps/v1`."""
        return self.value[0]

    @property
    def kind(self) -> str:
        """The kind as an object carries it, e.g. `Deployment`."""
        return self.value[1]

    @property
    def plural(self) -> str:
        """The resource's name in paths and RBAC rules, e.g. `deployments`."""
        return self.value[2]

    @property
    def namespaced(self) -> bool:
        """Whether its objects are in namespaces; the namespace of a reference to any other is empty."""
        return self is not Kind.GATEWAY_CLASS

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @classmethod
    def of(cls, manifest: Manifest) -> "Kind":
        """Return the kind of an object; ValueError for one the operator has no business with."""
        for kind in cls:
            if kind.kind == manifest["kind"] and kind.api_version == manifest["apiVersion"]:
                return kind
        raise ValueError(f"not a kind of ours: {manifest['apiVersion']} {manifest['kind']}")


@dataclass(frozen=True, slots=True)
class Ref:
    """One object: its kind, namespace and name."""

    kind: Kind
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Ref":
        """Return the reference of an object."""
        metadata = manifest["metadata"]
        return cls(Kind.of(manifest), metadata["namespace"], metadata["name"])

    @override
    def __str__(self) -> str:
        return f"{self.kind.kind} {self.namespace}/{self.name}"
