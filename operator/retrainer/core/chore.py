"""What is done for a policy on a schedule, as it was seen."""

from dataclasses import dataclass

from retrainer.core.identity import Identity


@dataclass(frozen=True, slots=True)
class ChoreSeen:
    """A CronJob of ours, with the digest of the manifest that it was made from."""

    identity: Identity
    digest: str = ""
