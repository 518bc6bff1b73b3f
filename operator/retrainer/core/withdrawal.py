"""Why a version has no traffic any more, as the write that took it away says: a run that did not live to record its end has it by that."""

from dataclasses import dataclass

from retrainer.core.phases import Outcome


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The end of a run, decided by the round that took the traffic from its version."""

    run: str
    """The run's UID: after a policy was made anew its runs have the names of earlier ones."""
    outcome: Outcome
    reason: str
    message: str
