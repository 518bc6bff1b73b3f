"""The HTTP interface: a raw ASGI application, because a framework would double the time of an answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from trainer.serve.lifecycle import Lifecycle
from trainer.serve.metrics import CONTENT_TYPE, ServerMetrics
from trainer.serve.model import Predicted, ServedModel
from trainer.serve.prediction_log import LoggedPrediction, PredictionLog
from trainer.serve.profiles import Profiles
from trainer.serve.request import PredictionRequest, Refusal, read_request

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
JSON = "application/json"

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ClientLeft(Exception):  # noqa: N818 - nobody is there to answer
    """The client closed its connection before its request was whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer; `closes` asks the client for a new connection."""

    status: int
    body: bytes
    content_type: str = JSON
    allow: str = ""
    closes: bool = False


class PredictionApp:
    """Answers predictions of one version, the kubelet's probes and Prometheus.

    Without `profiles` features must be in the body; without `log` nothing is logged.
    """

    def __init__(
        self,
        model: ServedModel,
        lifecycle: Lifecycle,
        metrics: ServerMetrics,
        profiles: Profiles | None = None,
        log: PredictionLog | None = None,
    ) -> None:
        self._model = model
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._profiles = profiles
        self._log = log
        self._predictions = f"/api/ml/predictions/{model.model_type.replace('_', '-')}"
        self._probes: Mapping[str, Callable[[], Answer]] = {
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/metrics": self._exposition,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every path of it ends in exactly one answer, unless the client has left."""
        try:
            if scope["path"] != self._predictions:
                answer = self._probe(scope["path"], scope["method"])
            elif scope["method"] != "POST":
                answer = _refused(Refusal(405, "MethodNotAllowed", "use POST"), allow="POST")
            else:
                answer = await self._prediction(scope, receive)
        except ClientLeft:
            return
        await self._send(answer, send)

    async def _prediction(self, scope: Scope, receive: Receive) -> Answer:
        """Answer a prediction request and count it; the time to answer begins when the request is whole."""
        started = time.perf_counter()
        try:
            body = await _read_body(scope["headers"], receive)
            started = time.perf_counter()
            answer = self._predict(self._request(body), started)
        except Refusal as refusal:
            answer = _refused(refusal)
        except ClientLeft:
            raise
        except Exception:
            logger.exception("a prediction failed")
            answer = _refused(Refusal(500, "PredictionFailed", "the prediction failed; the server's log says why"))
        self._metrics.answered(answer.status, time.perf_counter() - started)
        return answer

    def _request(self, body: bytes) -> PredictionRequest:
        return read_request(body, self._model.live.key, self._model.read_features)

    def _predict(self, request: PredictionRequest, started: float) -> Answer:
        predicted = self._model.predicted(self._features(request))
        version = {"modelType": self._model.model_type, "modelVersion": self._model.version}
        body = orjson.dumps({**version, **self._model.document(predicted)})
        self._log_all(predicted, request.entity_id, (time.perf_counter() - started) * 1000)
        return Answer(200, body)

    def _log_all(self, predicted: Iterable[Predicted], entity_id: str | None, milliseconds: float) -> None:
        if self._log is None:
            return
        now = time.time()
        for one in predicted:
            low, high = one.answer.interval or (None, None)
            self._log.add(
                LoggedPrediction(
                    id=one.id,
                    user_id=entity_id,
                    at=now,
                    prediction=one.answer.value,
                    label=one.answer.positive,
                    confidence=one.answer.confidence,
                    milliseconds=milliseconds,
                    features=one.features,
                    low=low,
                    high=high,
                )
            )

    def _features(self, request: PredictionRequest) -> Mapping[str, Any]:
        if request.features is not None:
            return request.features
        noun = self._model.live.key.removesuffix("Id")
        if self._profiles is None:
            message = f"this server has no database to look {noun}s up in; send features"
            raise Refusal(422, "FeaturesRequired", message)
        if not self._profiles.loaded.is_set():
            raise Refusal(503, "ProfilesNotLoaded", f"the {noun}s have not been read from the database yet")
        features = self._profiles.features_of(request.entity_id or "")
        if features is None:
            raise Refusal(404, f"Unknown{noun.capitalize()}", f"there is no such {noun}")
        return features

    def _probe(self, path: str, method: str) -> Answer:
        probe = self._probes.get(path)
        if probe is None:
            return _refused(Refusal(404, "UnknownPath", f"predictions are at {self._predictions}"))
        if method != "GET":
            return _refused(Refusal(405, "MethodNotAllowed", "use GET"), allow="GET")
        return probe()

    def _health(self) -> Answer:
        return Answer(200, orjson.dumps({"phase": self._lifecycle.phase}))

    def _readiness(self) -> Answer:
        return Answer(200 if self._lifecycle.is_ready else 503, orjson.dumps({"phase": self._lifecycle.phase}))

    def _exposition(self) -> Answer:
        return Answer(200, self._metrics.exposition(), CONTENT_TYPE)

    async def _send(self, answer: Answer, send: Send) -> None:
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            (b"x-model-version", self._model.version.encode()),
        ]
        if answer.allow:
            headers.append((b"allow", answer.allow.encode()))
        if answer.closes or self._lifecycle.is_draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _refused(refusal: Refusal, allow: str = "") -> Answer:
    # What is left of an unread body would be taken for the next request, so that connection must end.
    closes = refusal.status in {408, 413}
    body = orjson.dumps({"reason": refusal.reason, "message": refusal.message})
    return Answer(refusal.status, body, allow=allow, closes=closes)


async def _read_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> bytes:
    """Return the whole body; Refusal 413 beyond 64 KiB (unread if the client says so before), 408 for a slow one."""
    for name, value in headers:
        if name == b"content-length" and int(value) > MAX_BODY_BYTES:
            raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                body += message["body"]
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
                if not message["more_body"]:
                    return bytes(body)
    except TimeoutError:
        raise Refusal(408, "RequestTimeout", f"the body did not arrive within {BODY_SECONDS:.0f} s") from None


def _too_large() -> Refusal:
    return Refusal(413, "BodyTooLarge", f"the body is longer than {MAX_BODY_BYTES} bytes")
