"""The container engine, where one answers."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.interface import ClusterError
from tests.cluster.progress import step

ENGINES = ("docker", "podman")


def find() -> str | None:
    """Return the engine that answers; a client without its daemon does not."""
    return next((engine for engine in ENGINES if shutil.which(engine) and _answers(engine)), None)


def find_or_refuse() -> str:
    """Return the engine that answers, or raise `ClusterError`."""
    if (found := find()) is None:
        raise ClusterError(f"no container engine answers ({' and '.join(ENGINES)} were asked)")
    return found


def build(
    engine: str,
    tag: str,
    context: Path,
    dockerfile: Path | None = None,
    build_args: Mapping[str, str] | None = None,
) -> None:
    """Build `tag` with the engine."""
    given = [f"--build-arg={key}={value}" for key, value in (build_args or {}).items()]
    file = dockerfile or context / "Dockerfile"
    seen = [""]
    with step(f"building image {tag} with {engine}", lambda: seen[0]):
        run(
            [engine, "build", *given, f"--file={file}", f"--tag={tag}", context],
            on_line=lambda line: seen.__setitem__(0, line[:160]),
        )


def _answers(engine: str) -> bool:
    try:
        # `docker info` ends well without its daemon in some versions; what only the server knows does not.
        argv = [engine, "version", "--format={{.Server.Version}}"]
        asked = subprocess.run(argv, capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0 and bool(asked.stdout.strip())
