"""Frozen pydantic models → CustomResourceDefinitions, as `crds/*.yaml`.

Pydantic's JSON schema is not *structural* in Kubernetes' sense: it has `$ref`, `anyOf [X, null]`, `const`, `title` and numeric
`exclusiveMinimum`. `structural` rewrites those and nothing else; everything a user sees comes from the models.
"""

import argparse
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from retrainer.api import v1alpha1

Schema = dict[str, Any]

_POLICY_NAME_LIMIT: Final = 35
_RUN_NAME_LIMIT: Final = 48
_FIXED: Final = ("modelType", "serving.deploymentRef.name", "serving.service.name")
# Kubernetes has no bound on the keys of a map but their number, hence `propertyNames` goes too.
_DROPPED: Final = frozenset({"title", "$defs", "discriminator", "propertyNames"})


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> Schema:
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if wide else {})


POLICY_COLUMNS: Final = (
    _column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
    _column("Status", '.status.conditions[?(@.type=="Ready")].reason'),
    _column("Champion", ".status.champion.version"),
    _column("Candidate", ".status.candidate.version"),
    _column("Weight", ".status.traffic.candidateWeight", "integer"),
    _column("Last-Trigger", ".status.lastTrigger"),
    _column("Age", ".metadata.creationTimestamp", "date"),
    _column("Next", ".status.nextSchedule", wide=True),
    _column("Score", ".status.score", wide=True),
    _column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
)
RUN_COLUMNS: Final = (
    _column("Policy", ".spec.policyRef.name"),
    _column("Trigger", ".spec.trigger"),
    _column("Phase", ".status.phase"),
    _column("Version", ".status.version"),
    _column("Score", ".status.score"),
    _column("Outcome", ".status.outcome"),
    _column("Age", ".metadata.creationTimestamp", "date"),
    _column("Reason", ".status.reason", wide=True),
    _column("Message", ".status.message", wide=True),
)


def policy_crd() -> Schema:
    """Return the CustomResourceDefinition of ModelRetrainPolicy."""
    return _crd(
        kind="ModelRetrainPolicy",
        plural=v1alpha1.POLICIES,
        short="mrp",
        description="When to retrain a model, how, what is good enough, and how to roll the new version out.",
        spec=v1alpha1.ModelRetrainPolicySpec,
        status=v1alpha1.ModelRetrainPolicyStatus,
        columns=POLICY_COLUMNS,
        rules=(_short_name(_POLICY_NAME_LIMIT), *(_fixed_while_serving(field) for field in _FIXED)),
    )


def run_crd() -> Schema:
    """Return the CustomResourceDefinition of ModelRetrainRun."""
    return _crd(
        kind="ModelRetrainRun",
        plural=v1alpha1.RUNS,
        short="mrr",
        description="One attempt to retrain a model, from the evidence that caused it to its outcome.",
        spec=v1alpha1.ModelRetrainRunSpec,
        status=v1alpha1.ModelRetrainRunStatus,
        columns=RUN_COLUMNS,
        rules=(_short_name(_RUN_NAME_LIMIT),),
    )


def structural(model: type[BaseModel]) -> Schema:
    """Return the model's schema with references inlined and every construct Kubernetes refuses rewritten."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _rewrite(schema, schema.get("$defs", {}))


def _rewrite(node: Schema, definitions: Schema) -> Schema:
    node = _resolved(node, definitions)
    rewritten = {key: value for key, value in node.items() if key not in _DROPPED}
    if "const" in rewritten:
        rewritten |= {"type": "string", "enum": [rewritten.pop("const")]}
    if "default" in rewritten:
        rewritten["default"] = _without_none(rewritten["default"])
    if "properties" in rewritten:
        rewritten["properties"] = {name: _rewrite(child, definitions) for name, child in rewritten["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(rewritten.get(inner), dict):
            rewritten[inner] = _rewrite(rewritten[inner], definitions)
    if rewritten.get("type") == "integer":
        rewritten.setdefault("format", "int64")
    return rewritten


def _resolved(node: Schema, definitions: Schema) -> Schema:
    """Follow references and take the one variant that is not null, as often as one leads to the other."""
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            target = definitions[node["$ref"].removeprefix("#/$defs/")]
            node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        else:
            node = _without_null(node)
    return node


def _without_none(default: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Leave out what is absent: a structural schema has no null."""
    if isinstance(default, dict):
        return {key: _without_none(value) for key, value in default.items() if value is not None}
    return default


def _without_null(node: Schema) -> Schema:
    """Turn `anyOf [X, null]` into X: an absent field says what null would."""
    [variant] = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
    rest = {key: value for key, value in node.items() if key != "anyOf" and not (key == "default" and value is None)}
    return {**variant, **rest}


def _crd(  # noqa: PLR0913 - a CRD has this many parts, each given by name
    *,
    kind: str,
    plural: str,
    short: str,
    description: str,
    spec: type[BaseModel],
    status: type[BaseModel],
    columns: tuple[Schema, ...],
    rules: tuple[Schema, ...],
) -> Schema:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{v1alpha1.GROUP}"},
        "spec": {
            "group": v1alpha1.GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["mlops"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": v1alpha1.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(columns),
                    "schema": {"openAPIV3Schema": _root(description, spec, status, rules)},
                }
            ],
        },
    }


def _short_name(limit: int) -> Schema:
    return {
        "rule": f"self.metadata.name.size() <= {limit}",
        "message": f"the name may have at most {limit} characters, so that every name derived from it fits",
    }


def _fixed_while_serving(field: str) -> Schema:
    """What the pods of a version and its history are found by."""
    return {
        "rule": f"!has(oldSelf.status) || !has(oldSelf.status.champion) || self.spec.{field} == oldSelf.spec.{field}",
        "message": f"spec.{field} cannot change while a version serves: create another policy",
    }


def _root(description: str, spec: type[BaseModel], status: type[BaseModel], rules: tuple[Schema, ...]) -> Schema:
    return {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this representation of the object."},
            "kind": {"type": "string", "description": "The kind of the object."},
            "metadata": {"type": "object"},
            "spec": structural(spec),
            "status": structural(status),
        },
        "x-kubernetes-validations": list(rules),
    }


def main() -> None:
    """Write both CRDs into the folder named on the command line."""
    import yaml  # noqa: PLC0415 - a development dependency; the operator itself reads and writes no YAML

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where crds/*.yaml are written")
    folder: Path = parser.parse_args().folder
    for crd in (policy_crd(), run_crd()):
        text = yaml.safe_dump(crd, sort_keys=False, width=120, allow_unicode=True)
        path = folder / f"{crd['metadata']['name']}.yaml"
        path.write_text("# Generated by `make generate` from operator/retrainer/api; do not edit.\n" + text, encoding="utf-8")


if __name__ == "__main__":
    main()
