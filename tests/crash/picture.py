"""What a story came to: every object that matters, without what differs from one run to the next, so that two endings can be compared."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from retrainer.core.naming import CHAMPION, COMPONENT, WITHDRAWN
from tests.integration.stage import Stage

Picture = Mapping[str, Any]

# A watch of two seconds may pass while the operator is away: then there was nothing to observe it by.
_WATCHED: Final = ("Watched", "Unobserved")
_OF_A_UID: Final = 5
_VERSION: Final = re.compile(r"\d{8}-\d{6}-(\w+)")


def picture_of(stage: Stage) -> Picture:
    """Return the ending as it is now; versions are named by their run's number."""
    see = stage.seen
    return _plain(
        {
            "runs": {one["metadata"]["name"]: _run(one) for one in see.all("modelretrainruns")},
            "jobs": {one["metadata"]["name"]: "ttlSecondsAfterFinished" in one["spec"] for one in see.all("jobs")},
            "cronjobs": {one["metadata"]["name"]: "due" for one in see.all("cronjobs")},
            "deployments": {one["metadata"]["name"]: one["spec"]["replicas"] for one in see.all("deployments")},
            "pods": Counter(one["metadata"]["labels"]["retrainer.dev/version"] for one in see.all("pods", component="serve")),
            "services": {one["metadata"]["name"]: _service(one) for one in see.all("services")},
            "routes": {one["metadata"]["name"]: _route(one) for one in see.all("httproutes")},
            "policies": {one["metadata"]["name"]: _policy(one.get("status") or {}) for one in see.all("modelretrainpolicies")},
            "trained": Counter(stage.kubelet.trained),
        }
    )


def differences(expected: Picture, found: Picture) -> list[str]:
    """Return what is otherwise, part by part, one line each."""
    return [
        f"{part} {name}: expected {expected[part].get(name)}, found {found[part].get(name)}"
        for part in expected
        for name in sorted(expected[part].keys() | found[part].keys())
        if expected[part].get(name) != found[part].get(name)
    ]


def _labels(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return manifest["metadata"].get("labels") or {}


def _run(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """The phases it went through, how it ended, and the episodes it stands for."""
    status = run.get("status") or {}
    phases = [entry["phase"] for entry in status.get("timeline") or ()]
    # Whether a run is on record as waiting depends on how soon another round comes.
    entered = [phase for phase, before in zip(phases, ["", *phases], strict=False) if phase not in {before, "Pending"}]
    evidence = [*run["spec"].get("evidence", ()), *status.get("evidence", ())]
    told = {name: status.get(name) for name in ("version", "outcome", "reason", "attempt")}
    told["heard"] = (status.get("returnCheck") or {}).get("reason")
    if told["reason"] in _WATCHED:
        told["reason"] = " or ".join(_WATCHED)
    return told | {"phases": entered, "episodes": sorted(one.get("fingerprint", "") for one in evidence)}


def _service(service: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"selector": service["spec"].get("selector"), "annotations": _marks(service)}


def _route(route: Mapping[str, Any]) -> Mapping[str, Any]:
    rule = route["spec"]["rules"][-1]  # the only one without a cookie
    shares = {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
    return {"shares": shares, "copies": len(rule.get("filters", ())), "annotations": _marks(route)}


def _marks(carrier: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the annotations, where a run has no UID: a run of the same name has another one."""
    annotations = carrier["metadata"].get("annotations") or {}
    return {name: json.loads(value) | {"run": ""} if name == WITHDRAWN else value for name, value in annotations.items()}


def _policy(status: Mapping[str, Any]) -> Mapping[str, Any]:
    roles = {role: (status.get(role) or {}).get("version") for role in ("champion", "previous", "candidate")}
    conditions = {one["type"]: (one["status"], one["reason"], one["message"]) for one in status.get("conditions") or ()}
    slots = {slot: status.get(slot) for slot in ("trainingRun", "servingRun", "lastRunNumber", "score", "traffic")}
    handled = sorted(one["fingerprint"] for one in status.get("handledAlerts") or ())
    return roles | slots | {"conditions": conditions, "handled": handled}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return _VERSION.sub(lambda found: _named(found[1]), value)
    if isinstance(value, Mapping):
        return {_plain(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_plain(one) for one in value)
    return value


def _named(suffix: str) -> str:
    """Name a version by its run's number; a person's run, of which a story has one, ends in five characters of its UID."""
    return f"v{suffix}" if len(suffix) < _OF_A_UID else "of-a-person"


def is_settled(stage: Stage) -> bool:
    """Say whether nothing is left to do: runs ended, Jobs left to expire, and pods where they are asked for and nowhere else."""
    see, status = stage.seen, stage.policy_status()
    if not see.all("modelretrainpolicies"):
        made = [one for kind in ("cronjobs", "deployments", "pods") for one in see.all(kind)]
        return not see.all("modelretrainruns") and not any(COMPONENT in _labels(one) for one in made)
    runs, jobs, deployments = see.all("modelretrainruns"), see.all("jobs"), see.all("deployments", component="serve")
    idle = any(one["type"] == "Reconciling" and one["reason"] == "Idle" for one in status.get("conditions") or ())
    statuses = [one.get("status") or {} for one in runs]
    ended = all(one.get("phase") == "Finished" and (one.get("returnCheck") or {}).get("reason") != "Pending" for one in statuses)
    expiring = all("ttlSecondsAfterFinished" in one["spec"] and "deletionTimestamp" not in one["metadata"] for one in jobs)
    asked = Counter({one["metadata"]["labels"]["retrainer.dev/version"]: one["spec"]["replicas"] for one in deployments})
    pods = Counter(one["metadata"]["labels"]["retrainer.dev/version"] for one in see.all("pods", component="serve"))
    roles = {role: (status.get(role) or {}).get("version") for role in ("champion", "previous", "candidate")}
    told = roles["candidate"] is None and roles["champion"] == _carried(stage)
    counted = (status.get("traffic") or {}).get("championReady") == asked[roles["champion"]]
    alone = (+asked).keys() == {roles["champion"]} and asked.keys() <= {roles["champion"], roles["previous"]}
    return idle and ended and expiring and told and counted and alone and +asked == pods


def _carried(stage: Stage) -> str | None:
    """Return the version that the route, or the Service, says it carries the traffic to."""
    marks = [_marks(one).get(CHAMPION) for resource in ("httproutes", "services") for one in stage.seen.all(resource)]
    return next((version for version in marks if version), None)
