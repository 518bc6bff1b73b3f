"""An API server in memory, as far as the `Cluster` port promises anything about one.

What it does is what `tests/contract/test_cluster.py` finds a real one to do. It has no defaulting, no validation and no controllers but
the garbage collector, which is immediate here; a list is one value that belongs to one manager as a whole.
"""

import itertools
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from retrainer.core.kinds import Manifest, Ref
from retrainer.errors import Conflict, FieldConflict, NotFound
from retrainer.ports import Cluster

Path = tuple[str, ...]
Manager = tuple[str, str]
"""Who wrote a field, and whether by Apply or by Update: to an API server these are two."""

_OWN = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}
_ABSENT = object()


@dataclass
class _Stored:
    content: Manifest
    owners: dict[Manager, set[Path]] = field(default_factory=dict)


class FakeApiServer:
    """The objects, which several clients may share."""

    def __init__(self) -> None:
        self.stored: dict[Ref, _Stored] = {}
        self.writes: list[tuple[str, Ref]] = []
        self._counter = itertools.count(1)

    def save(self, ref: Ref, verb: str, content: Manifest) -> Manifest:
        """Store the content under a new version if it differs from what is there, and return it."""
        before = self.stored.get(ref)
        if before and before.content == content:
            return deepcopy(content)
        metadata = content["metadata"]
        number = next(self._counter)
        if before is None:
            metadata |= {"uid": f"00000000-0000-4000-8000-{number:012}", "generation": 1, "creationTimestamp": "2026-11-23T12:00:00Z"}
        elif _desired(before.content) != _desired(content):
            metadata["generation"] += 1
        metadata["resourceVersion"] = str(number)
        self.stored.setdefault(ref, _Stored(content)).content = content
        self.writes.append((verb, ref))
        return deepcopy(content)

    def remove(self, ref: Ref) -> None:
        """Take the object away, and then what only it owned."""
        uid = self.stored.pop(ref).content["metadata"]["uid"]
        self.writes.append(("delete", ref))
        living = {one.content["metadata"]["uid"] for one in self.stored.values()}
        for dependent, stored in list(self.stored.items()):
            owners = {owner["uid"] for owner in stored.content["metadata"].get("ownerReferences", [])}
            if uid in owners and not owners & living and dependent in self.stored:
                self.remove(dependent)


class FakeCluster(Cluster):
    """One client of such a server, writing as `field_manager`."""

    def __init__(self, server: FakeApiServer | None = None, *, field_manager: str = "retrainer") -> None:
        self.server = server or FakeApiServer()
        self._field_manager = field_manager

    @override
    async def get(self, ref: Ref) -> Manifest | None:
        stored = self.server.stored.get(ref)
        return deepcopy(stored.content) if stored else None

    @override
    async def apply(self, manifest: Manifest, *, force: bool = False) -> Manifest:
        ref, me = Ref.of(manifest), (self._field_manager, "Apply")
        wanted = _leaves(manifest)
        stored = self.server.stored.get(ref)
        if stored is None:
            if "uid" in manifest["metadata"]:
                raise Conflict(f"apply {ref}: no object of that uid")
            return self._insert(ref, "apply", manifest, me)
        _check_identity(ref, stored, manifest)
        self._take_over(ref, stored, wanted, me, force=force)
        content = deepcopy(stored.content)
        others = set().union(*(paths for manager, paths in stored.owners.items() if manager != me))
        for path in stored.owners.get(me, set()) - set(wanted) - others:
            _remove(content, path)
        for path, value in wanted.items():
            _put(content, path, deepcopy(value))
        stored.owners[me] = set(wanted)
        return self.server.save(ref, "apply", content)

    @override
    async def create(self, manifest: Manifest) -> Manifest:
        ref = Ref.of(manifest)
        if ref in self.server.stored:
            raise Conflict(f"create {ref}: already exists")
        return self._insert(ref, "create", manifest, (self._field_manager, "Update"))

    @override
    async def patch(self, ref: Ref, merge: Manifest) -> Manifest:
        stored = self._stored(ref)
        _check_identity(ref, stored, merge)
        content = _merged(stored.content, {key: value for key, value in merge.items() if key != "status"})
        before, after = _leaves(stored.content), _leaves(content)
        changed = {path for path in before | after if before.get(path, _ABSENT) != after.get(path, _ABSENT)}
        for paths in stored.owners.values():
            paths.difference_update(changed)
        stored.owners.setdefault((self._field_manager, "Update"), set()).update(changed & set(after))
        content["metadata"] |= {key: value for key, value in stored.content["metadata"].items() if key in _OWN}
        return self.server.save(ref, "patch", content)

    @override
    async def write_status(self, ref: Ref, status: Manifest) -> Manifest:
        content = deepcopy(self._stored(ref).content) | {"status": deepcopy(status)}
        return self.server.save(ref, "patch-status", content)

    @override
    async def delete(self, ref: Ref, *, uid: str | None = None) -> None:
        stored = self.server.stored.get(ref)
        if stored and uid in (None, stored.content["metadata"]["uid"]):
            self.server.remove(ref)

    def _insert(self, ref: Ref, verb: str, manifest: Manifest, manager: Manager) -> Manifest:
        content = {key: deepcopy(value) for key, value in manifest.items() if key != "status"}
        saved = self.server.save(ref, verb, content)
        self.server.stored[ref].owners[manager] = set(_leaves(manifest))
        return saved

    def _take_over(self, ref: Ref, stored: _Stored, wanted: dict[Path, Any], me: Manager, *, force: bool) -> None:
        there = _leaves(stored.content)
        for manager, paths in stored.owners.items():
            disputed = {path for path in paths if manager != me and path in wanted and wanted[path] != there.get(path, _ABSENT)}
            if disputed and manager[0] != me[0] and not force:
                raise FieldConflict(f'apply {ref}: conflict with "{manager[0]}": .{".".join(min(disputed))}')
            paths.difference_update(disputed)

    def _stored(self, ref: Ref) -> _Stored:
        stored = self.server.stored.get(ref)
        if stored is None:
            raise NotFound(f"{ref} is not there")
        return stored

    @override
    async def list(self, kind_of: Ref, labels: str = "") -> list[Manifest]:
        wanted = [_requirement(one) for one in re.split(r",(?![^(]*\))", labels) if one]
        found = []
        for ref, stored in sorted(self.server.stored.items(), key=lambda item: (item[0].namespace, item[0].name)):
            here = ref.kind is kind_of.kind and kind_of.namespace in ("", ref.namespace)
            its = stored.content["metadata"].get("labels", {})
            if here and all((its.get(key) in values) is positive for key, values, positive in wanted):
                found.append(deepcopy(stored.content))
        return found

    @override
    async def uids(self, kind_of: Ref, labels: str = "") -> set[str]:
        return {one["metadata"]["uid"] for one in await self.list(kind_of, labels)}


class _Any:
    """Every value that is there."""

    def __contains__(self, value: object) -> bool:
        return value is not None


def _requirement(text: str) -> tuple[str, Any, bool]:
    """Return key, values, and whether the label's value must be (or must not be) among them."""
    if among := re.fullmatch(r"\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*", text):
        return among[1], {value.strip() for value in among[3].split(",")}, among[2] == "in"
    if equal := re.fullmatch(r"\s*([^!=\s]+)\s*(!=|==?)\s*(\S*)\s*", text):
        return equal[1], {equal[3]}, equal[2] != "!="
    key = text.strip()
    return key.removeprefix("!"), _Any(), not key.startswith("!")


def _check_identity(ref: Ref, stored: _Stored, manifest: Manifest) -> None:
    for key in ("uid", "resourceVersion"):
        given = manifest.get("metadata", {}).get(key)
        if given not in (None, stored.content["metadata"][key]):
            raise Conflict(f"{ref}: the object has been modified")


def _desired(content: Manifest) -> Manifest:
    return {key: value for key, value in content.items() if key not in ("metadata", "status")}


def _leaves(manifest: Manifest) -> dict[Path, Any]:
    """Return every field that somebody may own, by its path."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _OWN | {"name", "namespace"}}
    return dict(_walk({**_desired(manifest), "metadata": metadata}, ())) if metadata else dict(_walk(_desired(manifest), ()))


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            if path or key not in ("apiVersion", "kind"):
                yield from _walk(inner, (*path, key))
    else:
        yield path, value


def _put(content: Manifest, path: Path, value: Any) -> None:  # noqa: ANN401 - any JSON
    for key in path[:-1]:
        content = content.setdefault(key, {})
    content[path[-1]] = value


def _remove(content: Manifest, path: Path) -> None:
    parents = [content]
    for key in path[:-1]:
        parents.append(parents[-1].get(key, {}))
    parents[-1].pop(path[-1], None)
    for parent, key in zip(reversed(parents[:-1]), reversed(path[:-1]), strict=True):
        if not parent.get(key):
            parent.pop(key, None)


def _merged(target: Any, merge: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the target after a merge patch (RFC 7386, section 2)."""
    if not isinstance(merge, dict):
        return deepcopy(merge)
    result = deepcopy(target) if isinstance(target, dict) else {}
    for key, value in merge.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
