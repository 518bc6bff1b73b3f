"""kubectl, as a person would use it, for one cluster."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.story.waiting import StoryError

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl against one cluster."""

    program: Path
    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Return what kubectl printed; StoryError with its complaint when it failed."""
        try:
            done = subprocess.run(
                self.command(*arguments), input=stdin, capture_output=True, text=True, timeout=timeout, check=False, errors="replace"
            )
        except subprocess.TimeoutExpired as late:
            raise StoryError(f"kubectl {' '.join(arguments[:4])}: no answer in {timeout:.0f} s") from late
        if done.returncode != 0:
            raise StoryError(f"kubectl {' '.join(arguments[:4])}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def command(self, *arguments: str) -> Sequence[str]:
        """Return the command line, for a process that somebody else looks after."""
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", *arguments]

    def get(self, *arguments: str) -> Manifest | None:
        """Return one object, None where there is none (or not yet its kind)."""
        try:
            found: Manifest = json.loads(self("get", *arguments, "--output=json"))
        except StoryError as error:
            if "NotFound" in str(error) or "not found" in str(error) or "doesn't have a resource type" in str(error):
                return None
            raise
        return found

    def items(self, *arguments: str) -> Sequence[Manifest]:
        """Return a list of objects."""
        items: Sequence[Manifest] = json.loads(self("get", *arguments, "--output=json"))["items"]
        return items

    def apply(self, manifests: str, namespace: str | None = None) -> None:
        """Apply YAML or JSON documents under strict validation."""
        within = (f"--namespace={namespace}",) if namespace else ()
        self("apply", *within, "--validate=strict", "--filename=-", stdin=manifests)
