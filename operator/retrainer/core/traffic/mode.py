"""The seam between what is decided and how traffic obeys: the core asks a share for each version, a mode turns it into writes."""

from typing import Protocol

from retrainer.core.actions import Effect, SendTraffic
from retrainer.core.observation import Observation


class TrafficMode(Protocol):
    """How a policy's versions get their shares of the traffic. No state: everything is read from what was seen."""

    shares_by: str
    """What makes the effective weight, in the words of a message."""
    reaches_every_version: bool
    """Whether a canary's traffic reaches every live version, so that a warm previous one must leave before it."""
    keeps_connections: bool
    """Whether a connection outlives a change of traffic, so that the pods of the side that lost must be recycled."""

    def pods_for(self, weight: int, full: int) -> int:
        """Return how many pods a candidate needs for `weight` percent beside a champion of `full` pods: 1 to `full`."""

    def carries(self, seen: Observation, asked: SendTraffic) -> bool:
        """Say whether the traffic goes where it is asked to go."""

    def is_shared(self, seen: Observation) -> bool:
        """Say whether another version than the champion is reached by requests."""

    def can_reach(self, seen: Observation, version: str) -> bool:
        """Say whether requests sent to a version would find its pods."""

    def refusal(self, seen: Observation) -> str:
        """Return why what was asked last is not in force and more must not be asked, or nothing."""

    def left_by_the_other(self, seen: Observation) -> tuple[Effect, ...]:
        """Return what takes the other mode's object away, for a policy whose traffic this mode carries."""

    def effective_weight(self, seen: Observation, candidate: str) -> int:
        """Return the share that a candidate gets of new traffic as things are, in whole percent."""
