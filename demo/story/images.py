"""The images that the story runs: ours are built here, the platform's wherever they cannot be pulled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.story.stage import ROOT
from tests.cluster.interface import Cluster, Way

OPERATOR: Final = "localhost/retrainer-operator:dev"
TRAINER: Final = "localhost/retrainer-trainer:dev"
PUBLIC: Final[Mapping[str, str]] = {
    "postgres": "postgres:15-bookworm",
    "prometheus": "prom/prometheus:v3.13.4",
    "alertmanager": "prom/alertmanager:v0.25.0",
}
# What the files in demo/ and the chart name, where a registry has it.
RELEASED_TRAINER: Final = "retrainer/trainer:0.1.0"


@dataclass(frozen=True, slots=True)
class Image:
    """An image to build: its tag and where its Dockerfile is."""

    tag: str
    context: Path


def ours() -> tuple[Image, ...]:
    """Return the images of this repository."""
    return Image(OPERATOR, ROOT), Image(TRAINER, ROOT / "trainer-image")


def platform(cluster: Cluster) -> Mapping[str, str]:
    """Return the image of each part of the platform: the public one, or on a local cluster, which pulls none, a stand-in."""
    if cluster.way is not Way.LOCAL:
        return PUBLIC
    return {part: f"localhost/demo-{part}:dev" for part in PUBLIC}


def build_and_load(cluster: Cluster) -> None:
    """Have every image on the node."""
    parts = [Image(tag, ROOT / "demo/platform/images" / part) for part, tag in platform(cluster).items() if tag != PUBLIC[part]]
    for image in (*parts, *ours()):
        cluster.build_image(image.tag, image.context)
        cluster.load_image(image.tag)
