"""The operator's own port, on a real socket."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from retrainer.server import Listener, health_app
from retrainer.telemetry import Telemetry


class Operator:
    """How the operator is, as the test says."""

    alive = True
    ready = True


@pytest.fixture
async def url() -> AsyncIterator[str]:
    telemetry = Telemetry()
    telemetry.show_policy("shop", "churn", ready=True, candidate_weight=10)
    listener = Listener(health_app(telemetry.registry, lambda: Operator.alive, lambda: Operator.ready), 0, "127.0.0.1")
    await listener.start()
    yield f"http://127.0.0.1:{listener.port}"
    await listener.stop()
    Operator.alive = Operator.ready = True


async def test_metrics_are_shown_as_prometheus_reads_them(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        text = await response.text()
    assert 'retrainer_candidate_weight{namespace="shop",policy="churn"} 10.0' in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize("fact", ["alive", "ready"])
async def test_health_is_told_by_the_status(url: str, fact: str) -> None:
    path = {"alive": "/healthz", "ready": "/readyz"}[fact]
    async with aiohttp.ClientSession() as session:
        async with session.get(url + path) as response:
            assert response.status == 200
        setattr(Operator, fact, False)
        async with session.get(url + path) as response:
            assert response.status == 503
