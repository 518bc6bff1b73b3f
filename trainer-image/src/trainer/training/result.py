"""What `train` answers: the contract's result, the same however often the version is asked for."""

from pathlib import Path
from typing import Any

from trainer.artifact import Artifact
from trainer.request import RetrainRequest


def result_of(artifact: Artifact, request: RetrainRequest) -> dict[str, Any]:
    """Return the termination message of a trained version, all of it from its manifest."""
    manifest = artifact.manifest
    return {
        "version": manifest.version,
        "artifact": str(Path(request.namespace, request.policy, manifest.version)),
        "digest": artifact.digest,
        "metrics": {side: dict(figures) for side, figures in manifest.metrics.items()},
        "championNotComparable": manifest.champion_not_comparable,
        "data": dict(manifest.data),
        "warnings": list(manifest.warnings),
    }


def sentences_of(artifact: Artifact) -> str:
    """Return what a person wants to know of the version."""
    manifest = artifact.manifest
    data = manifest.data
    lines = [f"{manifest.version}: {artifact.files.location}"]
    for side, figures in manifest.metrics.items():
        shown = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
        lines.append(f"  {side}: {shown}")
    if manifest.champion_not_comparable:
        lines.append(f"  champion not comparable: {manifest.champion_not_comparable}")
    lines.append(
        f"  trained on {data['trainRows']} rows from {data['from']}, held out {data['holdoutRows']} "
        f"from {data['holdoutFrom']} to {data['to']}"
    )
    lines += [f"  warning: {warning}" for warning in manifest.warnings]
    return "\n".join(lines)
