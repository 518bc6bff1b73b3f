"""What the Metrics port promises, held by the fake and by the real adapter against a server of this process that speaks Prometheus' API."""

import asyncio
import base64
import json
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

from retrainer.adapters.prometheus import Bounds, PrometheusMetrics, Source
from retrainer.core.measurement import Answer, NoData, NoDataReason, Question, Series, Vector
from retrainer.ports import Metrics
from retrainer.server import Listener
from tests.fakes import FakeClock, FakeMetrics

QUESTION = Question("default", "sum by (model_version) (x)")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BOUNDS = Bounds(timeout_s=1.0, concurrent=2, most_bytes=10_000)


class Stage(ABC):
    """A Prometheus named `default` whose answer to everything is set by the test."""

    metrics: Metrics

    @abstractmethod
    def will_answer(self, *series: Series) -> None:
        """Have it answer with a vector, as of now."""


class FakeStage(Stage):
    def __init__(self) -> None:
        self.metrics = self._fake = FakeMetrics()

    @override
    def will_answer(self, *series: Series) -> None:
        answer = Vector(series, NOW) if series else NoData(NoDataReason.EMPTY, "no series")
        self._fake.answers[QUESTION] = answer


class RealStage(Stage):
    """The real adapter, and the server it asks."""

    def __init__(self) -> None:
        self.answers: list[web.Response | None] = []
        self.queries: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()
        self.takes_s = 0.0
        self.under_way = self.most_under_way = 0
        self.url = ""

    @override
    def will_answer(self, *series: Series) -> None:
        self.will_say([{"metric": dict(one.labels), "value": [NOW.timestamp(), str(one.value)]} for one in series])

    def will_say(self, result: object, kind: str = "vector", status: int = 200, **more: object) -> None:
        body = {"status": "success", "data": {"resultType": kind, "result": result}} | more
        self.answers.append(web.json_response(body, status=status))

    async def serve(self, request: web.Request) -> web.Response:
        self.headers = dict(request.headers)
        self.queries.append(dict(await request.post()))
        answer = self.answers[0] if self.answers[0] is None or len(self.answers) == 1 else self.answers.pop(0)
        if answer is None:
            await self.ended.wait()
            return web.Response()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.takes_s)
        self.under_way -= 1
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def refused(self) -> NoDataReason:
        answer = await self.metrics.ask(QUESTION)
        assert isinstance(answer, NoData)
        assert answer.message
        return answer.reason


@asynccontextmanager
async def metrics_of(source: Source, bounds: Bounds = BOUNDS) -> AsyncIterator[PrometheusMetrics]:
    metrics = PrometheusMetrics({"default": source}, FakeClock(NOW), bounds=bounds)
    try:
        yield metrics
    finally:
        await metrics.close()


@pytest.fixture
async def real() -> AsyncIterator[RealStage]:
    stage = RealStage()
    app = web.Application()
    app.router.add_post("/prom/api/v1/query", stage.serve)
    listener = Listener(app, 0, "127.0.0.1")
    await listener.start()
    stage.url = f"http://127.0.0.1:{listener.port}/prom"
    async with metrics_of(Source(stage.url)) as stage.metrics:
        yield stage
    stage.ended.set()
    await listener.stop()


@pytest.fixture(params=["fake", "real"])
async def stage(request: pytest.FixtureRequest, real: RealStage) -> Stage:
    return FakeStage() if request.param == "fake" else real


async def test_a_vector_is_handed_over_with_its_labels_values_and_time(stage: Stage) -> None:
    series = (Series({"model_version": "a"}, 0.91), Series({"model_version": "b"}, -2.0))
    stage.will_answer(*series)
    assert await stage.metrics.ask(QUESTION) == Vector(series, NOW)


async def test_no_series_is_no_data(stage: Stage) -> None:
    stage.will_answer()
    answer = await stage.metrics.ask(QUESTION)
    assert isinstance(answer, NoData)
    assert answer.reason is NoDataReason.EMPTY


async def test_a_source_nobody_named_is_not_known_and_refused(stage: Stage) -> None:
    assert stage.metrics.knows("default")
    assert not stage.metrics.knows("other")
    assert not stage.metrics.allows_queries("default"), "unless the administrator says so"
    answer = await stage.metrics.ask(Question("other", "x"))
    assert isinstance(answer, NoData)
    assert answer.reason is NoDataReason.REFUSED


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
async def test_a_value_that_is_not_finite_is_told_apart_and_alone_is_no_data(real: RealStage, value: str) -> None:
    spoiled = {"metric": {"a": "b"}, "value": [NOW.timestamp(), value]}
    real.will_say([{"metric": {}, "value": [NOW.timestamp(), "1"]}, spoiled])
    real.will_say([spoiled])
    assert await real.metrics.ask(QUESTION) == Vector((Series({}, 1.0),), NOW, not_finite=({"a": "b"},))
    assert await real.refused() is NoDataReason.NAN


@pytest.mark.parametrize(("kind", "result"), [("scalar", [0, "1"]), ("matrix", []), ("string", [0, "x"])])
async def test_what_is_no_vector_is_ambiguous(real: RealStage, kind: str, result: object) -> None:
    real.will_say(result, kind)
    assert await real.refused() is NoDataReason.AMBIGUOUS


async def test_a_native_histogram_is_ambiguous(real: RealStage) -> None:
    real.will_say([{"metric": {}, "histogram": [NOW.timestamp(), {"count": "3"}]}])
    assert await real.refused() is NoDataReason.AMBIGUOUS


async def test_a_warning_spoils_the_answer_and_an_info_does_not(real: RealStage) -> None:
    good = [{"metric": {}, "value": [NOW.timestamp(), "1"]}]
    real.will_say(good, warnings=["a store did not answer"])
    real.will_say(good, infos=["metric might not be a counter"])
    assert await real.refused() is NoDataReason.WARNING
    assert isinstance(await real.metrics.ask(QUESTION), Vector)


async def test_an_old_sample_is_stale(real: RealStage) -> None:
    old = (NOW - timedelta(minutes=6)).timestamp()
    real.will_say([{"metric": {}, "value": [NOW.timestamp(), "1"]}, {"metric": {"a": "b"}, "value": [old, "1"]}])
    assert await real.refused() is NoDataReason.STALE


@pytest.mark.parametrize("status", [400, 401, 422, 429, 500, 503])
async def test_a_declined_question_is_refused_in_the_servers_words(real: RealStage, status: int) -> None:
    real.answers = [web.json_response({"status": "error", "errorType": "bad_data", "error": "parse error"}, status=status)]
    answer = await real.metrics.ask(QUESTION)
    assert answer == NoData(NoDataReason.REFUSED, "default: bad_data: parse error")


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(text="<html>"),
        web.Response(text="[]"),
        web.Response(text="[" * 5000),
        web.json_response({"status": "success"}, status=204),
        web.json_response({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}}),
        web.json_response({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "x"]}]}}),
        web.Response(status=302, headers={"Location": "/elsewhere"}),
        web.Response(text=json.dumps({"status": "success", "data": {"resultType": "vector", "result": ["x" * 20_000]}})),
    ],
    ids=["html", "list", "deep", "empty", "no-value", "no-number", "redirect", "large"],
)
async def test_what_is_not_the_api_or_too_large_is_refused(real: RealStage, answer: web.Response) -> None:
    real.answers = [answer]
    assert await real.refused() is NoDataReason.REFUSED
    assert len(real.queries) == 1


async def test_a_server_that_takes_too_long_is_a_timeout(real: RealStage) -> None:
    real.answers = [None]
    assert await real.refused() is NoDataReason.TIMEOUT
    assert real.queries[0]["timeout"] == "1s"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://nowhere.invalid", "http://user:s3cret@127.0.0.1:1"])
async def test_a_server_that_is_not_there_is_unreachable_and_its_password_stays_untold(url: str) -> None:
    async with metrics_of(Source(url), Bounds(timeout_s=10)) as metrics:
        answer = await metrics.ask(QUESTION)
    assert isinstance(answer, NoData)
    assert answer.reason is NoDataReason.UNREACHABLE
    assert "s3cret" not in answer.message + repr(Source(url))


async def test_a_certificate_that_nobody_vouches_for_is_unreachable(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=_self_signed(tmp_path))
    async with server, metrics_of(Source(f"https://localhost:{server.sockets[0].getsockname()[1]}"), Bounds()) as metrics:
        answer = await metrics.ask(QUESTION)
    assert isinstance(answer, NoData)
    assert answer.reason is NoDataReason.UNREACHABLE
    assert "certificate" in answer.message


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


async def test_one_question_of_many_at_once_is_asked_once(real: RealStage) -> None:
    real.will_answer(Series({}, 1.0))
    answers: list[Answer] = await asyncio.gather(*(real.metrics.ask(QUESTION) for _ in range(20)))
    assert answers == [Vector((Series({}, 1.0),), NOW)] * 20
    assert len(real.queries) == 1
    await real.metrics.ask(QUESTION)
    assert len(real.queries) == 2


async def test_one_who_leaves_does_not_take_the_answer_away_from_the_others(real: RealStage) -> None:
    real.will_answer(Series({}, 1.0))
    leaving, staying = (asyncio.ensure_future(real.metrics.ask(QUESTION)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert isinstance(await staying, Vector)


async def test_only_so_many_questions_are_under_way_at_once(real: RealStage) -> None:
    real.will_answer(Series({}, 1.0))
    real.takes_s = 0.02
    async with metrics_of(Source(real.url), Bounds(concurrent=2)) as metrics:
        answers = await asyncio.gather(*(metrics.ask(Question("default", f"x{n}")) for n in range(6)))
    assert all(isinstance(answer, Vector) for answer in answers)
    assert real.most_under_way == 2


async def test_the_wait_for_a_turn_counts_towards_the_timeout(real: RealStage) -> None:
    real.answers = [None]
    answers = await asyncio.gather(*(real.metrics.ask(Question("default", f"x{n}")) for n in range(5)))
    assert [answer.reason for answer in answers if isinstance(answer, NoData)] == [NoDataReason.TIMEOUT] * 5


async def test_user_and_password_of_the_url_are_shown_to_the_server(real: RealStage) -> None:
    real.will_answer(Series({}, 1.0))
    async with metrics_of(Source(real.url.replace("://", "://user:s3cret@"))) as metrics:
        assert isinstance(await metrics.ask(QUESTION), Vector)
    assert real.headers["Authorization"] == "Basic " + base64.b64encode(b"user:s3cret").decode()


async def test_a_bearer_token_is_read_from_its_file(real: RealStage, tmp_path: Path) -> None:
    real.will_answer(Series({}, 1.0))
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    async with metrics_of(Source(real.url, token)) as metrics:
        assert isinstance(await metrics.ask(QUESTION), Vector)
    assert real.headers["Authorization"] == "Bearer t0ken"
