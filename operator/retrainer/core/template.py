"""The pod template that versions are built from, as it is seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TemplateSeen:
    """The pod template of `serving.deploymentRef`."""

    generation: int
    replicas: int
    pod: Mapping[str, Any]
    progress_deadline_s: int = 600

    @property
    def labels(self) -> Mapping[str, str]:
        """The template's labels."""
        return dict(self.pod.get("metadata", {}).get("labels", {}))

    @property
    def containers(self) -> tuple[str, ...]:
        """The names of its containers."""
        return tuple(container["name"] for container in self.pod.get("spec", {}).get("containers", []))
