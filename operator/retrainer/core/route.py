"""A policy's HTTPRoute as it is seen, and the routing it holds: everything of it that the operator decides."""

from dataclasses import dataclass
from datetime import datetime

from retrainer.api.v1alpha1.traffic import ParentRef
from retrainer.core.identity import Identity
from retrainer.core.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a route attaches and how it shares requests."""

    parents: tuple[ParentRef, ...]
    hostnames: tuple[str, ...]
    port: int
    """Of the Services of all versions."""
    weights: tuple[tuple[str, int], ...]
    """Versions and their shares of 100, the champion first. A version without a share is not in the route."""
    mirrored: str = ""
    """The version that gets a copy of every request, or none."""
    cookie: str = ""
    """The cookie that keeps a client with a version; empty where only one version has a share."""

    @property
    def shared(self) -> bool:
        """Whether requests reach more than one version."""
        return len(self.weights) > 1 or bool(self.mirrored)


@dataclass(frozen=True, slots=True)
class RouteSeen:
    """An HTTPRoute of ours: its routing, who it says serves, and what its gateways say of it."""

    identity: Identity
    routing: Routing
    policy: str = ""
    claimed_by: str = ""
    champion: str = ""
    previous: str = ""
    retaken_at: datetime | None = None
    """When somebody else's change was last undone."""
    withdrawal: Withdrawal | None = None
    """Why the last version that lost its traffic lost it, where the route's last move was that."""
    refusal: str = ""
    """Why no gateway, or not every gateway, has accepted it; empty once all that answered have."""
