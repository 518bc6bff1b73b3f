"""What the Prober port promises, held by the fake and by the real adapter on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from retrainer.adapters.prober import HttpProber
from retrainer.ports import Probe, Prober
from retrainer.server import Listener
from tests.fakes import FakeProber


@dataclass
class Pod:
    """A server that answers by its path: a status, `/slow` never, `/large` with far more than is read."""

    url: str = ""
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.headers.get("Content-Type", ""), await request.text()))
        match request.path:
            case "/slow":
                await self.ended.wait()
                return web.Response()
            case "/large":
                return web.Response(body=b"x" * 10_000_000)
            case "/gone":
                raise web.HTTPFound("/200")
            case path:
                return web.Response(status=int(path.removeprefix("/")), text="secret of the model")


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    pod = Pod()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pod.answer)
    listener = Listener(app, 0, "127.0.0.1")
    await listener.start()
    pod.url = f"http://127.0.0.1:{listener.port}"
    yield pod
    pod.ended.set()
    await listener.stop()


@pytest.fixture
async def real() -> AsyncIterator[HttpProber]:
    prober = HttpProber()
    yield prober
    await prober.close()


@pytest.fixture(params=["fake", "real"])
async def prober(request: pytest.FixtureRequest, real: HttpProber, pod: Pod) -> Prober:
    answers = {f"{pod.url}/{status}": Probe(status, f"HTTP {status}") for status in (200, 404, 503)}
    texts = dict.fromkeys(answers, "secret of the model")
    return FakeProber(answers, texts) if request.param == "fake" else real


@pytest.mark.parametrize(("status", "passed"), [(200, True), (404, False), (503, False)])
async def test_the_status_is_what_counts(prober: Prober, pod: Pod, status: int, passed: bool) -> None:
    probe = await prober.probe(f"{pod.url}/{status}", None, 5)
    assert probe == Probe(status, f"HTTP {status}")
    assert probe.passed is passed


@pytest.mark.parametrize(("expected", "named"), [("", False), ("secret", True), ("another", False)])
async def test_an_answer_is_searched_for_what_is_expected_and_never_returned(prober: Prober, pod: Pod, expected: str, named: bool) -> None:
    probe = await prober.probe(f"{pod.url}/200", "{}", 5, expected)
    assert probe == Probe(200, "HTTP 200", named)


async def test_nobody_there_is_no_status(prober: Prober) -> None:
    probe = await prober.probe("http://127.0.0.1:1/", None, 5)
    assert probe == Probe(0, "no connection: Connection refused")
    assert not probe.passed


async def test_a_body_is_posted_as_json_and_none_is_a_get(real: HttpProber, pod: Pod) -> None:
    await real.probe(f"{pod.url}/200", '{"memberId": "ä"}', 5)
    await real.probe(f"{pod.url}/200", None, 5)
    assert pod.seen == [("POST", "application/json", '{"memberId": "ä"}'), ("GET", "", "")]


async def test_a_redirect_is_not_followed(real: HttpProber, pod: Pod) -> None:
    assert (await real.probe(f"{pod.url}/gone", None, 5)).status == 302
    assert len(pod.seen) == 1


async def test_who_takes_too_long_has_no_status(real: HttpProber, pod: Pod) -> None:
    assert await real.probe(f"{pod.url}/slow", None, 0.2) == Probe(0, "no answer within 0.2 s")


async def test_a_large_answer_is_not_read_to_its_end(real: HttpProber, pod: Pod) -> None:
    assert (await real.probe(f"{pod.url}/large", None, 5)).passed


async def test_what_is_no_url_has_no_status(real: HttpProber) -> None:
    assert (await real.probe("http://[", None, 5)).status == 0
