"""What an object of the API is known by."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells an object from its namesakes: a name may return, a UID never does."""

    namespace: str
    name: str
    uid: str
    created: datetime
    resource_version: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name
