"""What a write is called: by what it says, never by what differs from one run to the next, so that the same write is found again."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_PATH: Final = re.compile(
    r"^/apis?/(?:.+/)?namespaces/(?P<namespace>[^/]+)/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)
_VERSION: Final = re.compile(r"\d{8}-\d{6}-(\w+)")
_VERBS: Final = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


@dataclass(frozen=True, slots=True, order=True)
class Write:
    """A write; the same once more (a message that counts pods, for instance) is no other one."""

    verb: str
    resource: str
    about: str
    after_first_version: bool = False

    @property
    def moves_traffic(self) -> bool:
        """Whether it is about what serves: the same words mean another thing in another story."""
        return self.resource in {"services", "deployments", "httproutes"}

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.about}"


FIRST_SERVES: Final = Write("patch", "modelretrainpolicies/status", "churn Accepted, champion v1, no run is under way")
"""The write that ends what all stories have in common."""


def write_of(method: str, path: str, body: bytes) -> tuple[str, Write] | None:
    """Return the namespace and the write that a request is, None for what writes nothing in a namespace."""
    found, verb = _PATH.match(path), _VERBS.get(method)
    if verb is None or found is None:
        return None
    resource = found["resource"] + (f"/{found['sub']}" if found["sub"] else "")
    said = json.loads(body) if body and verb != "delete" else {}
    about = _VERSION.sub(r"v\1", _about(resource, found["name"] or "", said))
    return found["namespace"], Write(verb, resource, about)


def _about(resource: str, name: str, said: Any) -> str:  # noqa: ANN401 - a manifest or a list of operations
    if resource == "modelretrainruns/status":
        status = said[0]["value"]
        return f"{name} {status['phase']}/{status['reason']}"
    if resource == "modelretrainpolicies/status":
        return f"{name} {_standing(said[0]['value'])}"
    if resource == "events":
        run = said["note"].partition(":")[0]
        return f"{said['regarding']['name']} {said['reason']}" + (f" of {run}" if run.startswith("churn-") else "")
    if said and resource in _WORDS:
        return f"{name} {_WORDS[resource](said)}"
    return name or str(said["metadata"]["name"])


def _standing(status: Mapping[str, Any]) -> str:
    """Whether the policy is ready, who has which role, and what is under way: of a policy's status, what must not be lost."""
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    roles = {role: (status.get(role) or {}).get("version") for role in ("champion", "previous", "candidate")}
    told = [f"{role} {version}" for role, version in roles.items() if version]
    return ", ".join([conditions["Ready"]["reason"], *told, conditions["Reconciling"]["message"]])


def _service(manifest: Mapping[str, Any]) -> str:
    selector, meta = manifest["spec"].get("selector"), manifest["metadata"]
    if not selector:
        ours = "retrainer.dev/made-by-operator" in meta.get("annotations", {})
        return "released" if ours and "uid" in meta else "claimed"
    if "retrainer.dev/serves" not in selector:
        return "handed back"
    return f"to {selector.get('retrainer.dev/version', 'all versions')}"


def _route(manifest: Mapping[str, Any]) -> str:
    rule, name = manifest["spec"]["rules"][-1], manifest["metadata"]["name"]
    shares = [f"{one['name'].removeprefix(f'{name}-')} {one['weight']}" for one in rule["backendRefs"]]
    return f"to {' and '.join(shares)}" + (", copied" if "filters" in rule else "")


def _deployment(manifest: Mapping[str, Any]) -> str:
    spec = manifest["spec"]
    if "replicas" not in spec:
        return "recycled"
    return f"{'deployed' if 'template' in spec else 'scaled'} with {spec['replicas']} pods"


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "services": _service,
    "httproutes": _route,
    "deployments": _deployment,
}
