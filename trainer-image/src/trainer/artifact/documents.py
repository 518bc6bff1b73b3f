"""JSON documents of a version, in the one form that a document has.

A reader that takes the last of two equal keys, and one that takes the first, would see two manifests in the same bytes.
Here there is one way to write a document, and what is written in any other way is not read.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from trainer.artifact.errors import ArtifactRejected


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the document's one form: keys sorted, indented by two spaces, the shortest numbers."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def read_canonical(content: bytes, name: str) -> Mapping[str, Any]:
    """Return the object in these bytes; ArtifactRejected unless they are the form that `canonical` gives it."""
    reason = name.capitalize()
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ArtifactRejected(f"{reason}Unreadable", f"the {name} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ArtifactRejected(f"{reason}Invalid", f"the {name} must be an object")
    try:
        rewritten = canonical(document)
    except orjson.JSONEncodeError as error:
        raise ArtifactRejected(f"{reason}Unreadable", f"the {name} cannot be written again: {error}") from None
    if rewritten != content:
        raise ArtifactRejected(f"{reason}Altered", f"the {name} is not written as this image writes it")
    return document
