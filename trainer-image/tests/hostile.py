"""A corpus of hostile and broken versions: each a change of a sound one, and the reason for which it must be rejected.

The forgers among them know all about the format: where they change a file they also change its entry in the manifest,
and where they change the manifest they seal it anew.
"""

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import orjson
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from trainer.artifact.documents import canonical
from trainer.artifact.loading import MAX_FILE_BYTES, MAX_MANIFEST_BYTES
from trainer.artifact.manifest import EVALUATED_NAME, FILE_NAMES, MANIFEST_NAME, REFERENCE_NAME, SHIPPED_NAME, sealed

Contents = dict[str, bytes]
Damage = Callable[[Contents], object]
Document = dict[str, Any]


class Ran(Exception):  # noqa: N818 - what must never happen
    """Code from an artifact was executed."""


class Trap:
    """Raises when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_spring, ())


def _spring() -> None:
    raise Ran


def forge(name: str, change: Callable[[bytes], bytes]) -> Damage:
    """Replace a file, and let the manifest name the new one."""

    def damage(contents: Contents) -> None:
        contents[name] = change(contents[name])
        entry = {"sha256": hashlib.sha256(contents[name]).hexdigest(), "size": len(contents[name])}
        rewrite(lambda document: document["files"].update({name: entry}))(contents)

    return damage


def rewrite(change: Callable[[Document], object]) -> Damage:
    """Change the manifest, and seal it anew."""

    def damage(contents: Contents) -> None:
        document = orjson.loads(contents[MANIFEST_NAME])
        change(document)
        contents[MANIFEST_NAME] = sealed(document)

    return damage


def rewrite_weights(change: Callable[[dict[str, Any]], object], name: str = SHIPPED_NAME) -> Damage:
    def changed(content: bytes) -> bytes:
        weights = dict(load_tensors(content))
        weights = {key: value.copy() for key, value in weights.items()}
        change(weights)
        return save_tensors(weights)

    return forge(name, changed)


def rewrite_reference(change: Callable[[Document], object]) -> Damage:
    def changed(content: bytes) -> bytes:
        document = orjson.loads(content)
        change(document)
        return canonical(document)

    return forge(REFERENCE_NAME, changed)


def replace(name: str, content: bytes) -> Damage:
    return lambda contents: contents.update({name: content})


def say_twice(contents: Contents) -> None:
    """A key twice: readers that take the first and readers that take the last see two models."""
    text = contents[MANIFEST_NAME].decode()
    contents[MANIFEST_NAME] = text.replace('{\n  "', '{\n  "threshold": 0.0,\n  "', 1).encode()


def safetensors(header: Mapping[str, object] | bytes, body: bytes = b"") -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + body


def archive(**members: bytes) -> bytes:
    """A ZIP file, as `.keras` and `.npz` are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


LAMBDA = {"class_name": "Lambda", "config": {"function": "gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAR0cnVllIWUUpQu"}}
KERAS = archive(**{"config.json": json.dumps({"class_name": "Sequential", "layers": [LAMBDA]}).encode()})
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(512)
NPY = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"
DEEP = b"[" * 100_000
OVERLAP = {
    "layer0.bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    "layer0.kernel": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
}
HUGE = {"layer0.kernel": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 4]}}
BFLOAT = {"layer0.bias": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}


def _first_feature(**changes: object) -> Damage:
    return rewrite(lambda document: document["features"][0].update(changes))


def _set(**changes: object) -> Damage:
    return rewrite(lambda document: document.update(changes))


def _path_outside(document: Document) -> None:
    document["files"]["../../etc/passwd"] = document["files"].pop(SHIPPED_NAME)


def _many_features(document: Document) -> None:
    document["features"] = [document["features"][0] | {"name": f"f{number}"} for number in range(513)]


def _unordered(document: Document) -> None:
    document["prediction"]["edges"].reverse()


def _drop(name: str) -> Damage:
    return lambda contents: contents.pop(name)


def _nan(weights: dict[str, Any]) -> None:
    weights["layer0.bias"].fill(np.nan)


def _infinite(weights: dict[str, Any]) -> None:
    weights["layer1.kernel"][0, 0] = np.inf


def _overflowing(weights: dict[str, Any]) -> None:
    for value in weights.values():
        value.fill(3e38)


def _of_64_bits(weights: dict[str, Any]) -> None:
    weights["layer0.bias"] = weights["layer0.bias"].astype(np.float64)


MISSING: dict[str, tuple[Damage, str]] = {
    f"{name} is gone": (_drop(name), "FileMissing") for name in (MANIFEST_NAME, *FILE_NAMES)
}
MANIFESTS: dict[str, tuple[Damage, str]] = {
    "no JSON": (replace(MANIFEST_NAME, b"{"), "ManifestUnreadable"),
    "empty": (replace(MANIFEST_NAME, b""), "ManifestUnreadable"),
    "not UTF-8": (replace(MANIFEST_NAME, b'{"a": "\xff"}'), "ManifestUnreadable"),
    "a number that is none": (replace(MANIFEST_NAME, b'{"threshold": NaN}'), "ManifestUnreadable"),
    "nested without end": (replace(MANIFEST_NAME, DEEP), "ManifestUnreadable"),
    "nested deeper than it can be written": (
        replace(MANIFEST_NAME, b'{"a":' * 300 + b"1" + b"}" * 300),
        "ManifestUnreadable",
    ),
    "a list": (replace(MANIFEST_NAME, b"[]"), "ManifestInvalid"),
    "beyond the limit": (replace(MANIFEST_NAME, b" " * (MAX_MANIFEST_BYTES + 1)), "FileTooLarge"),
    "a key twice": (say_twice, "ManifestAltered"),
    "written otherwise": (
        lambda contents: contents.update({MANIFEST_NAME: orjson.dumps(orjson.loads(contents[MANIFEST_NAME]))}),
        "ManifestAltered",
    ),
    "a path out of the directory": (rewrite(_path_outside), "ManifestInvalid"),
    "a version with a path": (_set(version="../x"), "ManifestInvalid"),
    "a version of two lines": (_set(version="v1\n"), "ManifestInvalid"),
    "a model with a path": (_set(model_type="../../models"), "ManifestInvalid"),
    "a newer schema": (_set(schema_version=99), "ManifestUnknown"),
    "a layer of code": (_set(architecture="Lambda"), "ManifestUnknown"),
    "an unknown task": (_set(task="__import__('os')"), "ManifestUnknown"),
    "huge layers": (_set(hidden_layers=[10**9]), "ManifestInvalid"),
    "a layer of no units": (_set(hidden_layers=[0]), "ManifestInvalid"),
    "a layer of true": (_set(hidden_layers=[True]), "ManifestInvalid"),
    "too many layers": (_set(hidden_layers=[1] * 9), "ManifestInvalid"),
    "too many parameters": (_set(hidden_layers=[4096] * 4), "TooManyParameters"),
    "another shape": (_set(hidden_layers=[8, 5]), "ShapeMismatch"),
    "too many features": (rewrite(_many_features), "ManifestInvalid"),
    "no features": (_set(features=[]), "ManifestInvalid"),
    "a feature twice": (rewrite(lambda d: d["features"].append(d["features"][0])), "ManifestInvalid"),
    "an unknown kind": (_first_feature(kind="date"), "ManifestInvalid"),
    "a scale of zero": (_first_feature(scale=0), "ManifestInvalid"),
    "a negative scale": (_first_feature(scale=-1.0), "ManifestInvalid"),
    "too many categories": (_first_feature(categories=[str(n) for n in range(65)]), "ManifestInvalid"),
    "a category of code": (_first_feature(categories=[{"class_name": "Lambda"}]), "ManifestInvalid"),
    "a mark that is no boolean": (_first_feature(marks_missing=1), "ManifestInvalid"),
    "a threshold above one": (_set(threshold=1.5), "ManifestInvalid"),
    "a figure that is none": (_set(metrics={"candidate": {"accuracy": "1"}}), "ManifestInvalid"),
    "rows that are none": (rewrite(lambda d: d["data"].update(trainRows=-1)), "ManifestInvalid"),
    "a negative size": (rewrite(lambda d: d["files"][SHIPPED_NAME].update(size=-1)), "ManifestInvalid"),
    "a digest that is none": (rewrite(lambda d: d["files"][SHIPPED_NAME].update(sha256="A" * 64)), "ManifestInvalid"),
    "a size that is not the file's": (
        rewrite(lambda d: d["files"][SHIPPED_NAME].update(size=1)),
        "SizeMismatch",
    ),
}
WEIGHTS: dict[str, tuple[Damage, str]] = {
    "beyond the limit": (replace(SHIPPED_NAME, bytes(MAX_FILE_BYTES + 1)), "FileTooLarge"),
    "pickle": (forge(SHIPPED_NAME, lambda _: pickle.dumps(Trap())), "WeightsUnreadable"),
    "pickle behind a length": (forge(SHIPPED_NAME, lambda _: safetensors(pickle.dumps(Trap()))), "WeightsUnreadable"),
    "a Keras archive with a Lambda": (forge(SHIPPED_NAME, lambda _: KERAS), "WeightsUnreadable"),
    "HDF5": (forge(SHIPPED_NAME, lambda _: HDF5), "WeightsUnreadable"),
    "a numpy file of objects": (forge(SHIPPED_NAME, lambda _: NPY + pickle.dumps(Trap())), "WeightsUnreadable"),
    "a numpy archive": (forge(SHIPPED_NAME, lambda _: archive(**{"layer0.kernel.npy": NPY})), "WeightsUnreadable"),
    "a tensor beyond the file": (forge(SHIPPED_NAME, lambda _: safetensors(HUGE, bytes(4))), "WeightsUnreadable"),
    "tensors over each other": (forge(SHIPPED_NAME, lambda _: safetensors(OVERLAP, bytes(4))), "WeightsUnreadable"),
    "a header beyond the file": (forge(SHIPPED_NAME, lambda _: (1 << 62).to_bytes(8, "little")), "WeightsUnreadable"),
    "numbers that numpy has not": (forge(SHIPPED_NAME, lambda _: safetensors(BFLOAT, bytes(4))), "WeightsUnreadable"),
    "bytes behind the tensors": (forge(SHIPPED_NAME, lambda content: content + b"#!/bin/sh"), "WeightsUnreadable"),
    "not a number": (rewrite_weights(_nan), "WeightsInvalid"),
    "not a number, where only the gate looks": (rewrite_weights(_nan, EVALUATED_NAME), "WeightsInvalid"),
    "infinite": (rewrite_weights(_infinite), "WeightsInvalid"),
    "64 bits": (rewrite_weights(_of_64_bits), "WeightsInvalid"),
    "a further tensor": (rewrite_weights(lambda w: w.update(more=np.zeros(1, np.float32))), "ShapeMismatch"),
    "a tensor less": (rewrite_weights(lambda w: w.pop("layer0.bias")), "ShapeMismatch"),
    "finite, and overflowing when asked": (rewrite_weights(_overflowing), "InsanePrediction"),
}
REFERENCES: dict[str, tuple[Damage, str]] = {
    "no JSON": (forge(REFERENCE_NAME, lambda _: b"["), "ReferenceUnreadable"),
    "a key twice": (forge(REFERENCE_NAME, lambda content: b'{"rows": 1,' + content[1:]), "ReferenceAltered"),
    "unordered edges": (rewrite_reference(_unordered), "ReferenceInvalid"),
    "negative shares": (rewrite_reference(lambda d: d["prediction"].update(shares=[-1, 1, 1])), "ReferenceInvalid"),
    "shares without bins": (rewrite_reference(lambda d: d["prediction"].update(shares=[1])), "ReferenceInvalid"),
    "too many bins": (rewrite_reference(lambda d: d["prediction"].update(shares=[0] * 129)), "ManifestInvalid"),
}
CORPUS: dict[str, tuple[Damage, str]] = {
    **MISSING,
    **{f"a manifest: {name}": case for name, case in MANIFESTS.items()},
    **{f"weights: {name}": case for name, case in WEIGHTS.items()},
    **{f"a reference: {name}": case for name, case in REFERENCES.items()},
}


def truncations(contents: Contents) -> list[tuple[str, Damage]]:
    """Every file, cut at a number of places from its beginning to one byte before its end."""
    return [
        (name, partial(_cut, name=name, length=length))
        for name, content in contents.items()
        for length in sorted({*range(0, len(content), max(1, len(content) // 40)), len(content) - 1})
    ]


def _cut(contents: Contents, name: str, length: int) -> None:
    contents[name] = contents[name][:length]


def flips(contents: Contents) -> list[tuple[str, Damage]]:
    """Every file with one bit flipped: in the manifest one in each byte, in the others one in every eleventh."""
    return [
        (name, partial(_flip, name=name, index=index))
        for name, content in contents.items()
        for index in range(0, len(content), 1 if name == MANIFEST_NAME else 11)
    ]


def _flip(contents: Contents, name: str, index: int) -> None:
    changed = bytearray(contents[name])
    changed[index] ^= 1 << (index % 8)
    contents[name] = bytes(changed)
