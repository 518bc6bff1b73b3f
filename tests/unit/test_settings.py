from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from retrainer.settings import Settings

NEEDED = {"TRAINER_IMAGE": "trainer:1", "POD_NAME": "retrainer-0"}
Given = Callable[..., Settings]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Return a function that reads the settings out of these variables."""

    def read(**variables: str) -> Settings:
        for name, value in (NEEDED | variables).items():
            monkeypatch.setenv(f"RETRAINER_{name}", value)
        return Settings()

    return read


def test_the_least_that_must_be_said_gives_sensible_defaults(given: Given) -> None:
    settings = given()
    assert settings.watch_namespaces == ()
    assert settings.metrics_sources == {}
    assert settings.webhook_token_file is None
    assert not settings.alerts_across_namespaces
    assert (settings.webhook_listen_port, settings.health_listen_port) == (8080, 8081)
    assert (settings.log_level, settings.log_format) == ("info", "json")


@pytest.mark.parametrize("missing", NEEDED)
def test_what_has_no_default_must_be_said(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(f"RETRAINER_{name}", value if name != missing else "")
    with pytest.raises(ValidationError, match=missing.lower()):
        Settings()


def test_namespaces_are_separated_by_commas(given: Given) -> None:
    assert given(WATCH_NAMESPACES="shop, care ,").watch_namespaces == ("shop", "care")


def test_a_metrics_source_is_a_url_or_a_url_with_a_token(given: Given) -> None:
    sources = given(
        METRICS_SOURCES='{"default": "http://prometheus:9090", "other": {"url": "https://p.example/prom", "tokenFile": "/t"}}'
    ).metrics_sources
    assert sources["default"].url == "http://prometheus:9090"
    assert sources["default"].token_file is None
    assert sources["other"].token_file == Path("/t")
    assert not any(source.allow_queries for source in sources.values())
    assert given(METRICS_SOURCES='{"default": {"url": "http://p", "allowQueries": true}}').metrics_sources["default"].allow_queries


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("METRICS_SOURCES", '{"default": "prometheus:9090"}'),
        ("METRICS_SOURCES", '{"default": "file:///etc/passwd"}'),
        ("METRICS_SOURCES", '{"default": "http://p/?query=1"}'),
        ("METRICS_SOURCES", '{"default": {"url": "http://p", "tokenfile": "/t"}}'),
        ("METRICS_SOURCES", '{"Not A Name": "http://p"}'),
        ("WATCH_NAMESPACES", "shop,Not_A_Name"),
        ("WEBHOOK_LISTEN_PORT", "70000"),
        ("LOG_LEVEL", "loud"),
        ("MONITOR_INTERVAL_S", "0"),
        ("RESYNC_INTERVAL_S", "inf"),
        ("ALERTS_ACROSS_NAMESPACES", "perhaps"),
    ],
)
def test_what_cannot_be_honoured_is_refused(given: Given, variable: str, value: str) -> None:
    with pytest.raises(ValidationError, match=variable.lower()):
        given(**{variable: value})


def test_a_password_in_a_url_is_shown_neither_by_the_settings_nor_by_an_error(given: Given) -> None:
    assert "s3cret" not in repr(given(METRICS_SOURCES='{"default": "http://user:s3cret@p"}'))
    with pytest.raises(ValidationError) as refused:
        given(METRICS_SOURCES='{"default": "ftp://user:s3cret@p"}')
    assert "s3cret" not in str(refused.value)
