"""How traffic is shared between versions: one file a mode. `mode_of` is the only door."""

from typing import Final

from retrainer.core.observation import PolicySeen
from retrainer.core.traffic.mode import TrafficMode
from retrainer.core.traffic.replicas import Replicas

_REPLICAS: Final = Replicas()


def mode_of(_policy: PolicySeen) -> TrafficMode:
    """Return the mode a policy asks for."""
    return _REPLICAS
