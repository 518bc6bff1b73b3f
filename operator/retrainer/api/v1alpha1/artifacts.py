"""`spec.artifacts`: where versions are kept."""

from typing import Annotated

from pydantic import Field

from retrainer.api.v1alpha1.common import Model, Name, rules

SecretName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]


class S3(Model):
    """A bucket of S3, or of a server that speaks its protocol and honours conditional writes (`If-None-Match`)."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", max_length=63)] = Field(description="The bucket's name.")
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*)?$", max_length=128)] = Field(
        default="", description="Goes before `<namespace>/<policy>/<version>` in every key."
    )
    endpoint: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$", max_length=253)] = Field(
        description="The server's URL without a path, such as `https://s3.eu-central-1.amazonaws.com`; addressed path-style."
    )
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=32)] = Field(
        default="us-east-1", description="The region to sign for."
    )
    secret_name: SecretName = Field(
        description="A Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; the operator never reads it, the kubelet mounts it."
    )


class Artifacts(Model):
    """Where versions are kept: a volume or a bucket."""

    model_config = rules(
        (
            "[has(self.persistentVolumeClaim), has(self.s3)].filter(x, x).size() == 1",
            "artifacts are in exactly one of persistentVolumeClaim, s3: remove the other",
        ),
        ("!has(self.s3) || !self.singleNode", "singleNode is about a volume: remove it, a bucket is reached from every node"),
    )

    persistent_volume_claim: Name | None = Field(
        default=None, description="A claim in the policy's namespace, ReadWriteMany unless `singleNode` is set."
    )
    single_node: bool = Field(
        default=False, description="Accept a ReadWriteOnce claim: everything that mounts it must then run on one node."
    )
    s3: S3 | None = Field(
        default=None, description="A bucket; the server's pods are told of it by the template, see docs/trainer-contract.md."
    )
