"""What is not the policy's own but decides whether it may act, and what it must see to."""

from dataclasses import dataclass

from retrainer.core.identity import Identity


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is not the policy's own but decides whether it may act."""

    older_same_type: str = ""
    older_same_target: str = ""
    foreign_services: tuple[str, ...] = ()
    metrics_source_known: bool = True
    queries_allowed: bool = True
    """Whether the policy's metrics source takes PromQL of the policy's own."""
    unknown_notifiers: tuple[str, ...] = ()
    """Those of the policy's notifiers that the administrator has not named."""
    volume_access: tuple[str, ...] | None = None
    """Access modes of the volume claim; None when it was not looked at, empty when it does not exist."""
    monitor_owners: tuple[Identity, ...] = ()
    """The policies that are to own the monitor of the policy's database."""
    monitor_is_current: bool = True
    chores_are_current: bool = True
    """Whether every CronJob that the policy asks for is there as it should be."""
    unwanted_chores: tuple[Identity, ...] = ()
    routes_are_watched: bool = True
    """Whether the API server knows HTTPRoutes."""
    gateway_features: frozenset[str] | None = None
    """What all Gateways of the policy say that they support; None when they were not asked."""
