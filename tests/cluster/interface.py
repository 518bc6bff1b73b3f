"""What a cluster offers, whichever way it is had."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Way(StrEnum):
    """How a cluster is had."""

    EXISTING = "existing"
    KIND = "kind"
    LOCAL = "local"


class ClusterError(Exception):
    """What went wrong, in words for the person at the terminal: what was last seen and where to look."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that `up` will install or change.

    `system` is true for what lies outside the cache directory: only that needs a yes where nobody can be asked.
    """

    what: str
    system: bool = True


class Cluster(Protocol):
    """One cluster with a name.

    Every method raises `ClusterError`; `up` and `down` may be called again at any time, also after a crash.
    """

    @property
    def name(self) -> str:
        """The name it was asked for under; several may be up at once."""

    @property
    def way(self) -> Way:
        """Which of the three ways this is."""

    @property
    def has_node(self) -> bool:
        """Whether Pods run, or only the API answers."""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig whose current context is this cluster, with all rights."""

    @property
    def audit_log(self) -> Path | None:
        """The API server's audit log, one JSON event a line; None where it cannot be had."""

    def plan(self) -> Sequence[Change]:
        """What `up` would install or change now; empty when nothing is missing."""

    def up(self) -> None:
        """Return when the API answers and, where there is a node, it is Ready."""

    def down(self, *, purge: bool = False) -> None:
        """Leave nothing running or changed; with `purge` the caches and images go too."""

    def status(self) -> Sequence[str]:
        """Lines for a person: what runs, where, and what this way cannot do."""

    def build_image(
        self,
        tag: str,
        context: Path,
        dockerfile: Path | None = None,
        build_args: Mapping[str, str] | None = None,
    ) -> None:
        """Build `tag` from the Dockerfile (by default the context's own)."""

    def load_image(self, tag: str) -> None:
        """Make the built `tag` runnable by the node, under exactly that name (imagePullPolicy IfNotPresent)."""

    def advertise(self, resource: str, quantity: int) -> None:
        """Let the node claim `quantity` of a resource that is not there, such as nvidia.com/gpu; 0 takes it back."""

    def binary(self, name: str) -> Path:
        """The path of a program that matches this cluster, such as kubectl or helm."""
