"""Policies and runs that a person gives, in place of asking the API server."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from trainer.errors import BadConfiguration
from trainer.monitor.cluster import namespace_objects
from trainer.monitor.objects import Cluster, Document

_POLICY, _RUN = "ModelRetrainPolicy", "ModelRetrainRun"


@dataclass(frozen=True, slots=True)
class GivenObjects:
    """The namespace's objects as they were when `kubectl get mrp,mrr -o json` printed them."""

    documents: Sequence[Document]

    async def policies(self) -> Sequence[Document]:
        """Return the policies."""
        return [document for document in self.documents if document["kind"] == _POLICY]

    async def runs(self) -> Sequence[Document]:
        """Return the runs."""
        return [document for document in self.documents if document["kind"] == _RUN]


def given_objects(path: Path, namespace: str) -> GivenObjects:
    """Return those of the namespace in a file, `-` for standard input; BadConfiguration if it has no such list."""
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        items = orjson.loads(content)["items"]
        return GivenObjects([item for item in items if item["metadata"].get("namespace") == namespace and item["kind"]])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadConfiguration(f"--objects is not a list of objects as kubectl gives it: {fault}") from None


@asynccontextmanager
async def objects_of(namespace: str, path: Path | None) -> AsyncIterator[Cluster]:
    """Yield the namespace's objects: those in the file, else those that the pod's ServiceAccount sees."""
    if path is not None:
        yield given_objects(path, namespace)
        return
    async with namespace_objects(namespace) as asked:
        yield asked
