"""A store in a bucket of S3, or of whatever speaks its protocol: path-style requests, conditional writes."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from trainer.artifact.files import Files, missing, too_large
from trainer.artifact.manifest import FILE_NAMES, MANIFEST_NAME
from trainer.errors import BadConfiguration
from trainer.store.interface import CHECKPOINTS, Contents, StoreUnavailable

_LIMITS = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(seconds=120),
}
_RETRIES = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}
# At least 5 MiB, and 10,000 of them are one file at most: the protocol's limits.
_PART_BYTES = 8 << 20
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_REFUSED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BucketStore:
    """Versions are prefixes below the URL's; the manifest is written last, once, and is what makes one.

    Credentials, endpoint and region are the environment's, by the names that every S3 client reads.
    """

    location: str
    bucket: S3Store

    def version(self, name: str) -> Files:
        return _Version(self, name)

    def holds(self, name: str) -> bool:
        # Not HEAD: its answer has no body, and so does not say whether the version or the whole bucket is missing.
        return self._asked(lambda: obstore.get(self.bucket, f"{name}/{MANIFEST_NAME}")) is not None

    def create(self, name: str, files: Mapping[str, bytes]) -> None:
        if self.holds(name):
            raise FileExistsError(f"{self.location}/{name}")
        *parts, last = files
        for file in parts:
            self._put(f"{name}/{file}", files[file])
        self._put_first(f"{name}/{last}", files[last])

    def read(self, key: str, limit: int) -> bytes | None:
        found = self._asked(lambda: obstore.get(self.bucket, key))
        if found is None or found.meta["size"] > limit:
            return None
        with _translated(self.location):
            return bytes(found.bytes())

    def replace(self, key: str, content: bytes) -> None:
        self._put(key, content)

    def remove(self, key: str) -> None:
        # Without its manifest a version is none any more, whenever this is interrupted.
        self._asked(lambda: obstore.delete(self.bucket, [f"{key}/{MANIFEST_NAME}"]))
        keys = [key, *(key for chunk in self._listed(f"{key}/") for key in chunk)]
        self._asked(lambda: obstore.delete(self.bucket, keys))

    def contents(self) -> Contents:
        keys = [key.split("/") for chunk in self._listed(None) for key in chunk]
        versions = frozenset(first for first, *rest in keys if rest == [MANIFEST_NAME])
        leftovers = {}
        for first, *rest in keys:
            if first == CHECKPOINTS and rest:
                leftovers[f"{first}/{rest[0]}"] = rest[0]
            elif first not in versions and len(rest) == 1 and rest[0] in FILE_NAMES:
                leftovers[first] = first
        return Contents(versions, leftovers)

    def _put(self, key: str, content: bytes) -> None:
        """Write the file; it is there whole or not at all.

        In parts if it is long, so that a lost connection costs one of them. An upload that is ended by an error or a
        signal takes its parts away again; those of a killed one are in no listing, and stay until a rule of the bucket
        ends the upload.
        """
        with _translated(self.location):
            if len(content) <= _PART_BYTES:
                obstore.put(self.bucket, key, content, use_multipart=False)
                return
            # One part at a time: the next `write` waits for it, and says in here what went wrong.
            with obstore.open_writer(self.bucket, key, buffer_size=_PART_BYTES, max_concurrency=1) as upload:
                for start in range(0, len(content), _PART_BYTES):
                    upload.write(content[start : start + _PART_BYTES])

    def _put_first(self, key: str, content: bytes) -> None:
        """Write the file in one request; FileExistsError if there is one."""
        with _translated(self.location):
            obstore.put(self.bucket, key, content, mode="create")

    def _listed(self, prefix: str | None) -> Iterator[list[str]]:
        with _translated(self.location):
            for chunk in obstore.list(self.bucket, prefix):
                yield [entry["path"] for entry in chunk]

    def _asked(self, request: Callable[[], _T]) -> _T | None:
        """Return the answer, None if nothing is there."""
        try:
            with _translated(self.location):
                return request()
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class _Version:
    store: BucketStore
    name: str

    @property
    def location(self) -> str:
        return f"{self.store.location}/{self.name}"

    def read(self, name: str, limit: int) -> bytes:
        try:
            with _translated(self.store.location):
                found = obstore.get(self.store.bucket, f"{self.name}/{name}")
                if found.meta["size"] > limit:
                    raise too_large(name, limit)
                return bytes(found.bytes())
        except FileNotFoundError:
            raise missing(name, self.location) from None


def open_bucket(location: str, environment: Mapping[str, str]) -> BucketStore:
    """Return the store at `s3://bucket/prefix`; BadConfiguration if that, or the environment, cannot be read."""
    name, _, prefix = location.removeprefix("s3://").strip("/").partition("/")
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    if not name:
        raise BadConfiguration(f"{location!r:.200} names no bucket")
    wanted = {
        "prefix": prefix,
        "endpoint": endpoint,
        "region": environment.get("AWS_REGION", "") or "us-east-1",
        "access_key_id": _needed(environment, "AWS_ACCESS_KEY_ID"),
        "secret_access_key": _needed(environment, "AWS_SECRET_ACCESS_KEY"),
        "session_token": environment.get("AWS_SESSION_TOKEN", ""),
    }
    options: dict[str, Any] = {
        **{option: value for option, value in wanted.items() if value},
        "virtual_hosted_style_request": False,
        "client_options": {**_LIMITS, "allow_http": endpoint.startswith("http://")},
        "retry_config": _RETRIES,
    }
    try:
        bucket = S3Store(name, **options)
    except (BaseError, ValueError):
        raise BadConfiguration(f"{location!r:.200} at {endpoint!r:.200} (AWS_ENDPOINT_URL) is not a bucket") from None
    return BucketStore(f"s3://{name}/{prefix}".rstrip("/"), bucket)


def _needed(environment: Mapping[str, str], name: str) -> str:
    if not (value := environment.get(name, "")):
        raise BadConfiguration(f"{name} is not set, and artifacts are in a bucket")
    return value


@contextmanager
def _translated(location: str) -> Iterator[None]:
    """Raise our own errors for the library's, with the code of the answer and nothing else that was in it.

    An answer of S3 may repeat what was signed. FileNotFoundError passes, unless it is the bucket that is missing.
    """
    try:
        yield
    except AlreadyExistsError:
        raise FileExistsError(location) from None
    except (BaseError, FileNotFoundError) as error:
        code = _code(error)
        if code == "NoSuchBucket":
            raise BadConfiguration(f"{location}: there is no such bucket") from None
        if code in _REFUSED or isinstance(error, PermissionDeniedError | UnauthenticatedError):
            raise BadConfiguration(f"{location}: the credentials are refused ({code})") from None
        if isinstance(error, FileNotFoundError):
            raise
        raise StoreUnavailable(f"{location}: {code}") from None


def _code(error: Exception) -> str:
    found = _CODE.search(str(error)) or _STATUS.search(str(error))
    return found[1] if found else "no answer"
