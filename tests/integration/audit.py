"""What the operator did, as the API server's audit log tells it."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.integration.account import OPERATOR
from tests.observer.following import FollowedFile
from tests.stand_ins.api import Api

WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
Entry = Mapping[str, Any]


class Audit:
    """The operator's requests from the moment this is made."""

    def __init__(self, log: Path, api: Api) -> None:
        self._file = FollowedFile(log, from_end=True)
        self._api = api
        self._entries: list[Entry] = []

    async def requests(self, namespace: str = "") -> Sequence[Entry]:
        """Return all requests so far, of a namespace where one is given; none of them is still on its way to the log."""
        mark = f"mark-{uuid.uuid4().hex}"
        await self._api.get("configmaps", "default", mark)
        while not self._read_up_to(mark):
            pass
        return [one for one in self._entries if not namespace or one.get("objectRef", {}).get("namespace") == namespace]

    async def writes(self, namespace: str = "", resource: str = "", subresource: str = "") -> Sequence[Entry]:
        """Return the writes so far that had an effect, those of a resource and subresource where one is given."""
        found = []
        for one in await self.requests(namespace):
            about = one.get("objectRef", {})
            wanted = not resource or (about.get("resource"), about.get("subresource", "")) == (resource, subresource)
            if one["verb"] in WRITES and wanted and one["responseStatus"]["code"] < 300:
                found.append(one)
        return found

    def _read_up_to(self, mark: str) -> bool:
        found = False
        for line in self._file.lines():
            found = found or mark in line
            if OPERATOR in line:
                entry = json.loads(line)
                if entry["user"]["username"] == OPERATOR:
                    self._entries.append(entry)
        return found


def asked_at(entry: Entry) -> datetime:
    """Return when a request reached the API server."""
    return datetime.fromisoformat(entry["requestReceivedTimestamp"])


def summary(entry: Entry) -> str:
    """Return a request as a line of a failed test."""
    about = entry.get("objectRef", {})
    place = "/".join(part for part in (about.get("resource"), about.get("subresource"), about.get("namespace"), about.get("name")) if part)
    return f"{entry['verb']} {place} {entry['responseStatus']['code']}"
