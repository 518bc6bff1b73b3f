"""Which versions must stay, as the policy and its runs say when it is asked."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainer.monitor.objects import Document

_ROLES = ("champion", "previous", "candidate")
_FINISHED = "Finished"
_UNDER_WAY = "UnderWay"
_TIMED = re.compile(r"\d{8}-\d{6}-")


class ProtectedSetUnknown(Exception):  # noqa: N818 - a refusal, not a fault of the program
    """What must stay is not known, so nothing may go."""


@dataclass(frozen=True, slots=True)
class Protection:
    """Why each version stays, by its name; and the versions that are still being made, whose leftovers stay too."""

    reasons: Mapping[str, str]
    under_way: frozenset[str]
    since: str
    """When the policy was made, in the form in which versions begin."""

    def why_kept(self, version: str) -> str | None:
        """Return why a version stays, None where it goes.

        What is older than the policy is an earlier policy's of this name, of which this one knows nothing: somebody may
        have made the policy anew over the versions it shall go on with.
        """
        if version in self.reasons:
            return self.reasons[version]
        return "older than the policy" if _TIMED.match(version) and version < self.since else None


def protection_of(policy: str, policies: Iterable[Document], runs: Iterable[Document]) -> Protection:
    """Return what must stay of the policy's versions; ProtectedSetUnknown if the operator has not said so yet.

    The operator keeps the list (`status.versions`): the last that served, up to `versionHistoryLimit`, and the last
    that was rejected. Roles, the pin and the runs under way are read besides, in case they are newer than the list.
    """
    document = next((one for one in policies if one["metadata"]["name"] == policy), None)
    if document is None:
        raise ProtectedSetUnknown(f"there is no policy {policy}")
    status = document.get("status") or {}
    listed = status.get("versions") or ()
    if not listed:
        raise ProtectedSetUnknown(f"policy {policy} does not say in status.versions which versions it keeps")
    reasons = {str(one["version"]): str(one.get("outcome") or "kept") for one in listed}
    reasons |= {role["version"]: name for name in _ROLES if (role := status.get(name) or {}).get("version")}
    if pinned := (document["spec"].get("serving") or {}).get("pinnedVersion"):
        reasons[pinned] = "pinned"
    making = _under_way(policy, runs)
    reasons = dict.fromkeys(making, "under way") | reasons
    listed_under_way = {version for version, reason in reasons.items() if reason == _UNDER_WAY}
    return Protection(
        reasons, frozenset(making | listed_under_way), _version_form(document["metadata"]["creationTimestamp"])
    )


def _version_form(timestamp: str) -> str:
    return f"{datetime.fromisoformat(timestamp).astimezone(UTC):%Y%m%d-%H%M%S}"


def _under_way(policy: str, runs: Iterable[Document]) -> set[str]:
    versions: set[str] = set()
    for run in runs:
        spec, status = run["spec"], run.get("status") or {}
        if (spec.get("policyRef") or {}).get("name") == policy and status.get("phase") != _FINISHED:
            versions |= _named(spec) | _named(status)
    return versions


def _named(part: Mapping[str, Any]) -> set[str]:
    return {part["version"]} if part.get("version") else set()
