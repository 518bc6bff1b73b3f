"""`lint`: what the API server would refuse, told without one; and what it would accept though it is hardly meant.

The schema and its CEL rules are the CRDs' own, so that nothing is said twice. Unknown fields are errors here, as they are for kubectl and
for server-side apply; a plain POST would drop them in silence.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cel
import yaml
from jsonschema import Draft202012Validator

from retrainer.api.crd import policy_crd, run_crd
from retrainer.api.v1alpha1 import API_VERSION, ModelRetrainPolicySpec
from retrainer.cli.advice import advice

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, or hardly meant, and where."""

    level: Literal["error", "warning"]
    place: str
    message: str

    @property
    def is_error(self) -> bool:
        """Whether the API server would refuse the object."""
        return self.level == "error"

    def wire(self) -> dict[str, str]:
        """Return it as JSON-ready data."""
        return {"level": self.level, "place": self.place, "message": self.message}


def of_file(path: Path) -> list[Finding]:
    """Return what is to be said of every policy and run in a YAML file (`-` is standard input); other kinds are passed over."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        documents = list(yaml.safe_load_all(text))
    except (OSError, UnicodeDecodeError) as error:
        return [Finding("error", str(path), str(error))]
    except yaml.YAMLError as error:
        return [Finding("error", str(path), f"not YAML: {' '.join(str(error).split())}")]
    ours = [document for document in documents if isinstance(document, dict) and document.get("apiVersion") == API_VERSION]
    if not ours:
        return [Finding("warning", str(path), f"holds no object of {API_VERSION}")]
    return [finding for document in ours for finding in of_object(document)]


def of_object(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is to be said of one object."""
    kind = str(document.get("kind"))
    name = f"{kind}/{(document.get('metadata') or {}).get('name', '?')}"
    schema = _schemas().get(kind)
    if schema is None:
        yield Finding("error", name, f"{API_VERSION} has no kind {kind}: it has {', '.join(_schemas())}")
        return
    refused = list(_refused(schema, {**document, "status": {}}))
    for place, message in refused:
        yield Finding("error", f"{name} {place}".rstrip(), message)
    if kind == "ModelRetrainPolicy" and not refused:
        spec = ModelRetrainPolicySpec.model_validate(document["spec"])
        for place, message in advice(spec):
            yield Finding("warning", f"{name} {place}", message)


@cache
def _schemas() -> Mapping[str, Schema]:
    crds = (policy_crd(), run_crd())
    return {crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for crd in crds}


def _refused(schema: Schema, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the place and the reason of each refusal; rules are asked once the shape is right, as the API server does."""
    wrong = list(Draft202012Validator(_strict(schema)).iter_errors(document))
    for error in sorted(wrong, key=lambda error: [str(part) for part in error.absolute_path]):
        yield _path(error.absolute_path), error.message
    if not wrong:
        yield from _broken_rules(schema, _defaulted(schema, document), ())


def _strict(node: Schema) -> Schema:
    """Return the schema as a validator of Git's files takes it: closed where it is structural, and blind to Kubernetes' extensions."""
    strict = {key: value for key, value in node.items() if not key.startswith("x-kubernetes-") and key not in {"format", "default"}}
    if "properties" in strict:
        strict["properties"] = {name: _strict(child) for name, child in strict["properties"].items()}
        strict["additionalProperties"] = False
    for inner in ("items", "additionalProperties"):
        if isinstance(strict.get(inner), dict):
            strict[inner] = _strict(strict[inner])
    if node.get("x-kubernetes-int-or-string"):
        strict |= {"type": ["integer", "string"]}
    return strict


def _defaulted(node: Schema, value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the value as the API server would store it: defaults filled in, numbers as the schema has them (CEL tells int from double)."""
    if node.get("type") == "number" and isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return [_defaulted(node.get("items", {}), item) for item in value]
    if not isinstance(value, dict):
        return value
    known = node.get("properties", {})
    filled = {name: child["default"] for name, child in known.items() if "default" in child} | dict(value)
    other = node.get("additionalProperties")
    return {name: _defaulted(known.get(name, other if isinstance(other, dict) else {}), item) for name, item in filled.items()}


def _broken_rules(node: Schema, value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    for rule in node.get("x-kubernetes-validations", ()):
        # A transition rule is about two states of an object; a file has one.
        if "oldSelf" not in rule["rule"] and (broken := _broken(rule, value)):
            yield _path(place), broken
    if isinstance(value, dict):
        other = node.get("additionalProperties")
        for name, child in value.items():
            inner = node.get("properties", {}).get(name, other if isinstance(other, dict) else None)
            if inner is not None:
                yield from _broken_rules(inner, child, (*place, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _broken_rules(node.get("items", {}), child, (*place, str(index)))


def _broken(rule: Mapping[str, str], value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return why a rule is broken, or nothing; one that cannot be evaluated is a refusal, as it is to the API server."""
    try:
        return "" if cel.evaluate(rule["rule"], {"self": value}) else rule["message"]
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        return f"the rule behind {rule['message']!r} cannot be evaluated: {error}"


def _path(parts: Any) -> str:  # noqa: ANN401 - a deque or a tuple
    return ".".join(str(part) for part in parts)
