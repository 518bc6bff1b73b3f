"""Writes a version to a store, where it is whole as soon as it has its name."""

from trainer.artifact import Artifact, Held, load
from trainer.store.interface import Store


def write(store: Store, packed: Held) -> Artifact:
    """Write the version to the store under its manifest's name, and return it as it was read back from there.

    ArtifactRejected if what would be written is not sound, or if it does not come back as it was written;
    FileExistsError if the version is there.
    """
    version = load(packed).manifest.version
    store.create(version, packed.contents)
    return load(store.version(version))
