"""How traffic is shared between versions: one file a mode. `mode_of` is the only door."""

from typing import Final

from retrainer.core.observation import PolicySeen
from retrainer.core.traffic.gateway import Gateway
from retrainer.core.traffic.mode import TrafficMode
from retrainer.core.traffic.replicas import Replicas

_REPLICAS: Final = Replicas()
_GATEWAY: Final = Gateway()


def mode_of(policy: PolicySeen) -> TrafficMode:
    """Return the mode a policy asks for."""
    return _REPLICAS if policy.spec.serving.gateway is None else _GATEWAY
