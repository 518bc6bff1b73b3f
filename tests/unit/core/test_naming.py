from datetime import datetime, timedelta, timezone

import pytest

from retrainer.core import naming

LONGEST_POLICY, LONGEST_RUN, LONGEST_REF = "p" * 35, "r" * 48, "d" * 40


def test_every_derived_name_fits_a_label() -> None:
    at = datetime(2026, 11, 23, 3, 0, tzinfo=timezone(timedelta(hours=2)))
    version = naming.version_name(at, "999999")
    assert version == "20261123-010000-999999"
    names = [
        naming.run_name(LONGEST_POLICY, 999_999),
        naming.validation_job(LONGEST_RUN, 99_999),
        naming.training_job(LONGEST_RUN, 5),
        naming.version_deployment(LONGEST_REF, version),
        naming.monitor_name("s" * 253, "k" * 253),
    ]
    assert [name for name in names if len(name) > 63] == []
    assert len(naming.run_name(LONGEST_POLICY, 999_999)) <= 48
    assert len(version) <= 32


@pytest.mark.parametrize(
    ("name", "number"),
    [("churn-risk-7", 7), ("churn-risk-007", 7), ("churn-risk-x", None), ("churn-risk", None), ("other-7", None), ("churn-risk-b-7", None)],
)
def test_a_number_is_read_from_a_name_of_the_operators_own_pattern(name: str, number: int | None) -> None:
    assert naming.run_number("churn-risk", name) == number


def test_databases_never_share_a_monitor_by_accident() -> None:
    secrets = [("a-b", "c"), ("a", "b-c"), ("a", "b.c"), ("a", "b_c"), ("a", "B-C"), ("a.b", "c")]
    assert len({naming.monitor_name(*secret) for secret in secrets}) == len(secrets)


@pytest.mark.parametrize(
    ("secret", "key"), [("platform-db", "url"), ("db", "url_"), ("db", "-._"), ("d.b", "URL."), ("s" * 253, "_" * 253)]
)
def test_a_monitors_name_is_one_whatever_the_key(secret: str, key: str) -> None:
    name = naming.monitor_name(secret, key)
    assert name == name.lower()
    assert name.replace("-", "").isalnum()
    assert name[0].isalnum()
    assert name[-1].isalnum()
    assert len(name) <= 63
