"""Which way a cluster is had here, and why."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from tests.cluster import components, engine
from tests.cluster.existing import ExistingCluster
from tests.cluster.interface import Cluster, ClusterError, Way
from tests.cluster.kind import KindCluster
from tests.cluster.local.cluster import LocalCluster
from tests.cluster.local.control_plane import AUDIT_POLICY
from tests.cluster.local.layout import Layout


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the choice depends on."""

    context: str | None = None
    allowed: frozenset[str] = frozenset()
    demanded: str | None = None
    engine: str | None = None
    kind_can_be_had: bool = False
    kind_made_it: bool = False
    local_made_it: bool = False
    control_plane: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A way and the reason for it, in one sentence."""

    way: Way
    why: str


def decide(seen: Circumstances) -> Choice:
    """Return the way; raise `ClusterError` for a context that is not allowed by name."""
    if seen.context is not None:
        return _existing(seen.context, seen.allowed)
    if seen.local_made_it or seen.kind_made_it:
        return Choice(Way.LOCAL if seen.local_made_it else Way.KIND, "this cluster was made so")
    if seen.control_plane:
        return Choice(Way.LOCAL, "a control plane alone needs no container engine")
    if seen.demanded:
        return Choice(_way_named(seen.demanded), f"CLUSTER_WAY={seen.demanded}")
    if seen.engine and seen.kind_can_be_had:
        return Choice(Way.KIND, f"{seen.engine} answers")
    lacking = "neither kind nor Go to build it is here" if seen.engine else "no container engine answers"
    return Choice(Way.LOCAL, lacking)


def _existing(context: str, allowed: frozenset[str]) -> Choice:
    if context in allowed:
        return Choice(Way.EXISTING, f"CLUSTER_CONTEXT={context}, which CLUSTER_ALLOWED_CONTEXTS names")
    named = ", ".join(sorted(allowed)) or "none"
    raise ClusterError(f"context {context} is not allowed: CLUSTER_ALLOWED_CONTEXTS must name it (it names {named})")


def _way_named(demanded: str) -> Way:
    if demanded not in {Way.KIND, Way.LOCAL}:
        raise ClusterError(f"CLUSTER_WAY={demanded}: it is kind or local (an existing one is named by CLUSTER_CONTEXT)")
    return Way(demanded)


def look(name: str, *, control_plane: bool, env: Mapping[str, str] = os.environ) -> Circumstances:
    """Return the circumstances on this machine."""
    context = env.get("CLUSTER_CONTEXT") or None
    demanded = env.get("CLUSTER_WAY") or None
    settled = context is not None or control_plane
    return Circumstances(
        context=context,
        allowed=frozenset(part.strip() for part in env.get("CLUSTER_ALLOWED_CONTEXTS", "").split(",") if part.strip()),
        demanded=demanded,
        engine=None if settled else engine.find(),
        kind_can_be_had=shutil.which("kind") is not None or (not settled and components.has_go()),
        kind_made_it=KindCluster(name, "", AUDIT_POLICY).kubeconfig.is_file(),
        local_made_it=Layout(name).state.is_file(),
        control_plane=control_plane,
    )


def choose(
    name: str,
    *,
    control_plane: bool = False,
    controllers: bool = False,
    fsync: bool = False,
    audit_policy: Path = AUDIT_POLICY,
) -> tuple[Cluster, str]:
    """Return the cluster of that name, not yet up, and why it is had in its way."""
    seen = look(name, control_plane=control_plane)
    choice = decide(seen)
    return _cluster(choice.way, name, seen, LocalCluster(name, control_plane, controllers, fsync, audit_policy)), choice.why


def _cluster(way: Way, name: str, seen: Circumstances, local: LocalCluster) -> Cluster:
    match way:
        case Way.EXISTING:
            assert seen.context is not None
            return ExistingCluster(name, seen.context)
        case Way.KIND:
            if seen.engine is None:
                raise ClusterError("kind needs a container engine, and none answers")
            return KindCluster(name, seen.engine, local.audit_policy)
        case Way.LOCAL:
            return local
    assert_never(way)
