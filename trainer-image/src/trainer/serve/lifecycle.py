"""What the server tells the kubelet: not yet, ready, or leaving."""

from enum import StrEnum


class Phase(StrEnum):
    """The three states of a serving process; it only ever moves forward."""

    LOADING = "Loading"
    READY = "Ready"
    DRAINING = "Draining"


class Lifecycle:
    """The one mutable fact that every answer looks at."""

    def __init__(self) -> None:
        self.phase = Phase.LOADING

    def become_ready(self) -> None:
        """Take traffic from now on, unless the process is already leaving."""
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY

    def drain(self) -> None:
        """Ask clients to go elsewhere from now on."""
        self.phase = Phase.DRAINING

    @property
    def is_ready(self) -> bool:
        """Whether the version is loaded, verified and has answered once, and the process is not leaving."""
        return self.phase is Phase.READY

    @property
    def is_draining(self) -> bool:
        """Whether every answer must ask the client to close its connection."""
        return self.phase is Phase.DRAINING
