"""What one trigger saw in this round."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retrainer.api.v1alpha1.run import Evidence
from retrainer.core.triggers.evaluation import Figure, State


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
    state: State | None = None
    """Where the trigger itself knows it."""
    episode: datetime | None = None
    """Since when what it sees has lasted, for the record."""
    figure: Figure | None = None

    @property
    def on_record(self) -> dict[str, Any]:
        """What the trigger's status keeps of it, as it is at this transition."""
        figure = self.figure
        if figure is None:
            return {"episode": self.episode}
        return {"episode": self.episode, "value": figure.value, "threshold": figure.threshold, "samples": figure.samples}
