"""Which versions must stay, as the policy and its runs say when it is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trainer.monitor.objects import Document

_ROLES = ("champion", "previous", "candidate")
_FINISHED = "Finished"
_UNDER_WAY = "UnderWay"


class ProtectedSetUnknown(Exception):  # noqa: N818 - a refusal, not a fault of the program
    """What must stay is not known, so nothing may go."""


@dataclass(frozen=True, slots=True)
class Protection:
    """Why each version stays, by its name; and the versions that are still being made, whose leftovers stay too."""

    reasons: Mapping[str, str]
    under_way: frozenset[str]


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
    return Protection(reasons, frozenset(making | listed_under_way))


def _under_way(policy: str, runs: Iterable[Document]) -> set[str]:
    versions: set[str] = set()
    for run in runs:
        spec, status = run["spec"], run.get("status") or {}
        if (spec.get("policyRef") or {}).get("name") == policy and status.get("phase") != _FINISHED:
            versions |= _named(spec) | _named(status)
    return versions


def _named(part: Mapping[str, Any]) -> set[str]:
    return {part["version"]} if part.get("version") else set()
