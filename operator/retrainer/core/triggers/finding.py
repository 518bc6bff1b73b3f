"""What one trigger saw in this round."""

from dataclasses import dataclass

from retrainer.api.v1alpha1.run import Evidence


@dataclass(frozen=True, slots=True)
class Finding:
    """A trigger's finding: `evidence` that asks for a run, or None with the reason why it asks for nothing."""

    trigger: str
    reason: str
    message: str
    evidence: Evidence | None = None
    look_again_in: float | None = None
    labels: str = ""
    """What an alert is about, as the reason of an emergency."""
