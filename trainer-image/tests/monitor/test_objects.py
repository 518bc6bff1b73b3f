"""Objects of the API as the monitor reads them, whole or bare."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.monitor.builders import at, policy, result, run
from trainer.errors import BadConfiguration
from trainer.monitor.objects import read_policy, read_run
from trainer.monitor.settings import read_monitor_settings


def test_a_bare_policy_has_defaults() -> None:
    bare = read_policy({"metadata": {"name": "p"}, "spec": {"modelType": "churn_risk"}})
    assert (bare.champion, bare.allow, bare.deny) == (None, ("*",), ())


def test_the_secrets_key_defaults_to_the_schemas() -> None:
    assert read_policy(policy(secret={"name": "db"})).database_secret == ("db", "url")


def test_a_bare_run_has_no_outcome_and_no_metrics() -> None:
    bare = read_run({"metadata": {"name": "r"}, "spec": {"policyRef": {"name": "p"}}})
    assert (bare.version, bare.outcome, bare.promoted_at, dict(bare.metrics)) == ("", None, None, {})


def test_the_version_of_the_status_is_the_one_that_counts() -> None:
    document = run(1, "of-the-status")
    document["spec"]["version"] = "of-the-spec"
    assert read_run(document).version == "of-the-status"
    del document["status"]["version"]
    assert read_run(document).version == "of-the-spec"


def test_figures_are_numbers_whatever_a_trainer_wrote() -> None:
    figures = {"accuracy": "0.84", "auc": 0.9, "loss": "NaN", "note": "good", "big": None}
    seen = read_run(run(1, "v1", result={**result("v1"), "metrics": {"candidate": figures, "champion": None}}))
    assert seen.metrics == {"candidate": {"accuracy": 0.84, "auc": 0.9}}


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (at(0), datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ("2026-11-23T12:00:00.5+01:00", datetime(2026, 11, 23, 12, 0, 0, 500_000, timezone(timedelta(hours=1)))),
        ("soon", None),
        (None, None),
    ],
)
def test_times_are_rfc_3339_or_nothing(text: str | None, time: datetime | None) -> None:
    assert read_run(run(1, "v1", promotedAt=text)).promoted_at == time


def test_text_that_postgres_cannot_store_is_made_storable() -> None:
    assert read_run(run(1, "v1", message="a\x00b")).message == "ab"


def test_the_environment_of_a_monitor() -> None:
    settings = read_monitor_settings(
        {
            "DATABASE_URL": "postgresql://u:s3cret@h/d",
            "POD_NAMESPACE": "ns",
            "DATABASE_SECRET": "db/url",
            "MONITOR_INTERVAL": "2s",
        }
    )
    assert (settings.database_secret, settings.interval_seconds, settings.port) == (("db", "url"), 2.0, 9101)
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    "changed", [{"DATABASE_URL": ""}, {"POD_NAMESPACE": ""}, {"DATABASE_SECRET": "db"}, {"MONITOR_INTERVAL": "0"}]
)
def test_an_environment_that_cannot_work_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(BadConfiguration):
        read_monitor_settings({"DATABASE_URL": "postgresql://h/d", "POD_NAMESPACE": "ns", **changed})
