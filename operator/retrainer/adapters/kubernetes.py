"""`Cluster` on the API server: server-side apply under one field manager, JSON throughout."""

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import quote

from typing_extensions import override

from retrainer.adapters.api_server import JSON, ApiServer, Body, Limits, Observe, Request
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.errors import Conflict, FieldConflict, NotFound, Refused
from retrainer.ports import Cluster

FIELD_MANAGER = "retrainer"
PAGE = 500

_APPLY = "application/apply-patch+yaml"  # JSON is YAML
_METADATA = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_MERGE = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"


class KubernetesCluster(Cluster):
    """The objects of one API server.

    To the API server, fields written by `create` and `patch` belong to another manager than applied ones, though the name is the same
    (the operation is part of the identity). A conflict with nobody but ourselves is none: the apply is repeated with force.
    """

    def __init__(self, api: ApiServer, *, field_manager: str = FIELD_MANAGER) -> None:
        self._api = api
        self._field_manager = field_manager

    @classmethod
    async def load(
        cls,
        kubeconfig: Path | None = None,
        *,
        field_manager: str = FIELD_MANAGER,
        limits: Limits | None = None,
        observe: Observe = lambda *_: None,
    ) -> "KubernetesCluster":
        """Return the cluster of a kubeconfig's current context, or, without one, the cluster this pod runs in; Refused where neither is."""
        return cls(await ApiServer.load(kubeconfig, limits=limits, observe=observe), field_manager=field_manager)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    @override
    async def get(self, ref: Ref) -> Manifest | None:
        try:
            return await self._send("get", "GET", ref)
        except NotFound:
            return None

    @override
    async def apply(self, manifest: Manifest, *, force: bool = False) -> Manifest:
        ref, uid = Ref.of(manifest), manifest["metadata"].get("uid")
        query = self._as_manager(force="true" if force else "false", fieldValidation="Strict")
        try:
            return await self._send("apply", "PATCH", ref, query, manifest, _APPLY)
        except FieldConflict as conflict:
            if _managers_in(conflict) == {self._field_manager}:
                return await self.apply(manifest, force=True)
            raise
        except Refused as refused:  # another UID than the object's is told as an invalid value, not as a conflict
            if uid and await self._is_another(ref, uid):
                raise Conflict(str(refused)) from refused
            raise

    @override
    async def create(self, manifest: Manifest) -> Manifest:
        ref = Ref.of(manifest)
        query = self._as_manager(fieldValidation="Strict")
        collection = _collection(ref.kind, _checked(ref).namespace)
        return await self._api.send(Request("create", ref.kind.kind, str(ref), "POST", collection, query, manifest))

    @override
    async def patch(self, ref: Ref, merge: Manifest) -> Manifest:
        return await self._send("patch", "PATCH", ref, self._as_manager(), merge, _MERGE)

    @override
    async def write_status(self, ref: Ref, status: Manifest) -> Manifest:
        # `add` on an object's member replaces it, and needs no status to be there yet (RFC 6902, 4.1).
        operations = [{"op": "add", "path": "/status", "value": status}]
        return await self._send("patch-status", "PATCH", ref, self._as_manager(), operations, _JSON_PATCH, "/status")

    @override
    async def delete(self, ref: Ref, *, uid: str | None = None) -> None:
        options: Manifest = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._send("delete", "DELETE", ref, body=options)
        except NotFound:
            return
        except Conflict:
            if not uid or not await self._is_another(ref, uid):
                raise

    async def _is_another(self, ref: Ref, uid: str) -> bool:
        """Return whether what the name stands for now is not (or no longer) the object of that UID."""
        there = await self.get(ref)
        return there is None or there["metadata"]["uid"] != uid

    async def _send(
        self,
        verb: str,
        method: str,
        ref: Ref,
        query: dict[str, str] | None = None,
        body: Body = None,
        content_type: str = "application/json",
        subresource: str = "",
    ) -> Manifest:
        path = f"{_collection(ref.kind, _checked(ref).namespace)}/{quote(ref.name, safe='')}{subresource}"
        return await self._api.send(Request(verb, ref.kind.kind, str(ref), method, path, query or {}, body, content_type))

    def _as_manager(self, **query: str) -> dict[str, str]:
        return {"fieldManager": self._field_manager, **query}

    @override
    async def list(self, kind_of: Ref, labels: str = "") -> list[Manifest]:
        kind = kind_of.kind
        # Built-in kinds come without their name in a list.
        named = {"apiVersion": kind.api_version, "kind": kind.kind}
        return [{**named, **item} async for page in self._pages(kind_of, labels) for item in page]

    @override
    async def uids(self, kind_of: Ref, labels: str = "") -> set[str]:
        return {item["metadata"]["uid"] async for page in self._pages(kind_of, labels, _METADATA) for item in page}

    async def _pages(self, kind_of: Ref, labels: str, accept: str = JSON) -> AsyncIterator[Sequence[Manifest]]:
        kind = kind_of.kind
        query = {"limit": str(PAGE)} | ({"labelSelector": labels} if labels else {})
        about = f"{kind.plural} of {kind_of.namespace or 'all namespaces'}"
        while True:
            request = Request("list", kind.kind, about, "GET", _collection(kind, kind_of.namespace), query, accept=accept)
            page = await self._api.send(request)
            yield page["items"] or ()  # null where there is nothing
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following


def _managers_in(conflict: FieldConflict) -> set[str]:
    """Return who owns the fields, as the API server's sentence says; it may name but a part where it is cut off."""
    said = str(conflict)
    return set(re.findall(r'conflicts? with "([^"]+)"', said)) | ({""} if said.endswith("…") else set())


def _collection(kind: Kind, namespace: str) -> str:
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"
    return f"{root}/namespaces/{quote(namespace, safe='')}/{kind.plural}" if namespace else f"{root}/{kind.plural}"


def _checked(ref: Ref) -> Ref:
    """Return the reference; Refused for what would be another path than that of one object."""
    for part in (ref.namespace, ref.name) if ref.kind.namespaced else (ref.name,):
        if part in ("", ".", ".."):
            raise Refused(f"{ref}: {part!r} is not a name")
    return ref
