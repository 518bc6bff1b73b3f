"""`spec.serving.traffic`: how versions get their shares of the requests."""

from typing import Annotated

from pydantic import Field

from retrainer.api.v1alpha1.common import Model, Name, rules

Hostname = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]


class ByReplicas(Model):
    """Shares by numbers of pods behind one Service: works everywhere, and is as fine as there are pods."""


class ParentRef(Model):
    """A Gateway, or one of its listeners, that the route attaches to."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)] = Field(description="The Gateway's name.")
    namespace: Name | None = Field(default=None, description="Its namespace, where that is not the policy's.")
    section_name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)] | None = Field(
        default=None, description="One listener of it, by name; without it every listener that admits the route."
    )
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(default=None, description="Its listeners of one port.")


class ByGateway(Model):
    """Exact shares by the weights of an HTTPRoute (Gateway API v1)."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=8)] = Field(
        description="The Gateways that the route attaches to."
    )
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=16)] = Field(
        default=(), description="The hosts that the route answers for; without any, all of its listeners'."
    )
    affinity_cookie: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$|^$", max_length=64)] = Field(
        default="",
        description="The cookie that keeps a client with the version it met first during a canary; weights then hold for new clients.",
    )


class Traffic(Model):
    """How versions get their shares; exactly one mode."""

    model_config = rules(
        ("has(self.replicas) != has(self.gatewayAPI)", "set exactly one of replicas and gatewayAPI"),
    )

    replicas: ByReplicas | None = Field(default=None, description="Shares by numbers of pods behind one Service.")
    gateway_api: ByGateway | None = Field(
        default=None, alias="gatewayAPI", description="Exact shares by an HTTPRoute of the operator; clients call the Gateway."
    )
