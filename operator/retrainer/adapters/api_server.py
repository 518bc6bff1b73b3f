"""One call to the API server: authenticated, bounded in time, repeated where it may help, and told in the words of `errors.py`.

Only the lower half of the official client is used (its configuration and its REST layer): raw paths, JSON in, JSON out. The generated
models are never loaded, and nothing is discovered.
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from retrainer.adapters.unreachable import why
from retrainer.core.kinds import Manifest
from retrainer.errors import Conflict, FieldConflict, NotFound, Refused, RetrainerError, Unavailable

Body = Manifest | Sequence[Manifest] | None
Observe = Callable[[str, str, str], None]
"""Told of every request sent: verb, kind, and HTTP status as text (`0` where there was none)."""

JSON = "application/json"
LONGEST_MESSAGE = 1000
_NO_STATUS = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often one call is tried, and over how many connections."""

    request_s: float = 10.0
    attempts: int = 4
    first_pause_s: float = 0.05
    longest_pause_s: float = 2.0
    connections: int = 32
    keepalive_s: float = 60.0  # below the API server's own 90 s, so that it is never the server who hangs up on a request

    def pause(self, attempt: int, asked_s: float, chance: float) -> float:
        """Return the seconds to wait after an attempt (0 is the first): what the server asked for, or 50–100 ms doubled each time."""
        return asked_s or min(self.longest_pause_s, self.first_pause_s * 2**attempt * (1 + chance))


@dataclass(frozen=True, slots=True)
class Request:
    """A call: `verb` as RBAC names it, `kind` for the metric, `about` for messages, the rest for HTTP."""

    verb: str
    kind: str
    about: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Body = None
    content_type: str = JSON
    accept: str = JSON


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back: an object, or a status and a sentence; status 0 means that nothing came back."""

    status: int
    content: Any = None
    message: str = ""
    retry_after_s: float = 0.0

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def transient(self) -> bool:
        return self.status in (_NO_STATUS, 429) or self.status >= 500


class ApiServer:
    """The API server at the configuration's address; construct inside the event loop."""

    def __init__(self, configuration: Configuration, *, limits: Limits | None = None, observe: Observe = lambda *_: None) -> None:
        self._configuration = configuration
        self._limits = limits or Limits()
        self._observe = observe
        self._rest = RESTClientObject(configuration)
        self._connector = aiohttp.TCPConnector(
            limit=self._limits.connections, ssl=self._rest.ssl_context, keepalive_timeout=self._limits.keepalive_s
        )
        self._timeout = aiohttp.ClientTimeout(total=self._limits.request_s)
        configuration.client_session_kwargs = {"connector": self._connector, "cookie_jar": aiohttp.DummyCookieJar()}

    @classmethod
    async def load(
        cls, kubeconfig: Path | None, *, context: str | None = None, limits: Limits | None = None, observe: Observe = lambda *_: None
    ) -> "ApiServer":
        """Return the API server of a kubeconfig's context (the current one unless named), or, without one, of the cluster this pod runs in.

        Raises Refused where there is neither. A service account's token is read again as the kubelet replaces it; one that a kubeconfig's
        `exec` plugin gave is not.
        """
        configuration = Configuration()
        try:
            if kubeconfig:
                await config.load_kube_config(str(kubeconfig), context=context, client_configuration=configuration, persist_config=False)
            else:
                config.load_incluster_config(configuration)
        except config.ConfigException as error:
            raise Refused(f"no way to the API server: {error}") from error
        return cls(configuration, limits=limits, observe=observe)

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()
        await self._connector.close()

    async def send(self, request: Request) -> Manifest:
        """Return the JSON object of a 2xx answer; raises what `errors.py` names.

        What may pass (429, 5xx, time-outs, broken connections) is tried again a few times, so a call may have taken effect before the
        attempt that is answered: every call here names its object, which makes the worst of it a Conflict.
        """
        attempt = 0
        while True:
            answer = await self._ask(request)
            if answer.good:
                return dict(answer.content)
            attempt += 1
            if not answer.transient or attempt >= self._limits.attempts or answer.retry_after_s > self._limits.longest_pause_s:
                raise _problem(request, answer)
            await asyncio.sleep(self._limits.pause(attempt - 1, answer.retry_after_s, random.random()))  # noqa: S311 - jitter is no secret

    async def _ask(self, request: Request) -> _Answer:
        try:
            answer = await self._ask_once(request)
        except TimeoutError:
            answer = _Answer(_NO_STATUS, message=f"no answer within {self._limits.request_s:g} s")
        except aiohttp.ClientConnectorError as error:
            answer = _Answer(_NO_STATUS, message=f"no connection: {why(error)}")
        except (aiohttp.ClientError, OSError) as error:
            answer = _Answer(_NO_STATUS, message=f"no answer: {type(error).__name__}")
        self._observe(request.verb, request.kind, str(answer.status))
        return answer

    async def _ask_once(self, request: Request) -> _Answer:
        url = self._configuration.host + request.path + ("?" + urlencode(request.query) if request.query else "")
        headers = {"Accept": request.accept, "Content-Type": request.content_type, "User-Agent": "retrainer"}
        for setting in (await self._configuration.auth_settings()).values():  # reads a rotated service-account token again
            headers[setting["key"]] = setting["value"]
        response = await self._rest.request(request.method, url, headers=headers, body=request.body, _request_timeout=self._timeout)
        return _read(response.status, await response.read(), response.headers.get("Retry-After", ""))


def _read(status: int, data: bytes, retry_after: str) -> _Answer:
    try:
        content = json.loads(data)
    except ValueError:
        content = None
    if 200 <= status < 300 and not isinstance(content, dict):
        return _Answer(_NO_STATUS, message="the answer is no JSON object")
    message = content.get("message") if isinstance(content, dict) else None
    seconds = float(retry_after) if retry_after.isdigit() else 0.0
    return _Answer(status, content, _cut(str(message or f"HTTP {status}")), seconds)


def _problem(request: Request, answer: _Answer) -> RetrainerError:
    said = f"{request.verb} {request.about}: {answer.message}"
    # Two refusals that pass by themselves: 401, until the kubelet has replaced an expired token; 410, a list that took too long to page.
    if answer.transient or answer.status in (401, 410):
        return Unavailable(said)
    if answer.status == 409:
        return FieldConflict(said) if _is_about_fields(answer.content) else Conflict(said)
    return NotFound(said) if answer.status == 404 else Refused(said)


def _is_about_fields(status: Any) -> bool:  # noqa: ANN401 - any JSON
    causes = (status.get("details") or {}).get("causes") or () if isinstance(status, dict) else ()
    return any(cause.get("reason") == "FieldManagerConflict" for cause in causes)


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
