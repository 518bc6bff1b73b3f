import json
import logging

import pytest

from retrainer.telemetry import JsonFormatter, Telemetry, TextFormatter, log_about, without_credentials


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def test_rounds_are_counted_by_result_and_failed_ones_by_reason() -> None:
    telemetry = Telemetry()
    telemetry.ended(0.1, None)
    telemetry.ended(0.2, ValueError("no"))
    assert value(telemetry, "retrainer_operator_reconcile_seconds_count", result="success") == 1
    assert value(telemetry, "retrainer_operator_reconcile_seconds_sum", result="error") == pytest.approx(0.2)
    assert value(telemetry, "retrainer_operator_reconcile_errors_total", reason="ValueError") == 1


def test_a_policy_that_is_gone_takes_all_its_series_and_only_its_own_along() -> None:
    telemetry = Telemetry()
    for policy in ("churn", "load"):
        telemetry.show_policy("shop", policy, ready=True, candidate_weight=10)
        telemetry.show_share("shop", policy, 0.25)
        telemetry.count_run("shop", policy, "Succeeded")
    telemetry.forget_policy("shop", "churn")
    policies = {
        sample.labels["policy"] for metric in telemetry.registry.collect() for sample in metric.samples if "policy" in sample.labels
    }
    assert policies == {"load"}


def test_requests_questions_alerts_and_rollbacks_are_counted() -> None:
    telemetry = Telemetry()
    telemetry.count_request("apply", "Service", "200")
    telemetry.count_query("Empty")
    telemetry.count_alerts("accepted", 3)
    telemetry.count_rollback(0.004)
    assert value(telemetry, "retrainer_operator_api_requests_total", verb="apply", kind="Service", code="200") == 1
    assert value(telemetry, "retrainer_operator_prometheus_queries_total", result="Empty") == 1
    assert value(telemetry, "retrainer_operator_alerts_total", result="accepted") == 3
    assert value(telemetry, "retrainer_rollback_seconds_bucket", le="0.005") == 1


def test_a_log_line_is_one_object_with_what_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_about(logging.getLogger("retrainer.test"), "shop", "churn", "churn-7", "Canary").info("weight is now %d", 10)
    entry = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "info",
        "logger": "retrainer.test",
        "message": "weight is now 10",
        "namespace": "shop",
        "policy": "churn",
        "run": "churn-7",
        "phase": "Canary",
    }
    assert TextFormatter().format(caplog.records[-1]) == "weight is now 10 [shop/churn/churn-7/Canary]"


@pytest.mark.parametrize("form", [JsonFormatter(), TextFormatter("%(message)s")])
def test_an_exception_is_told_without_the_password_in_its_url(form: logging.Formatter) -> None:
    error = ConnectionError("cannot reach http://user:s3cret@prometheus:9090/api")
    told = form.format(logging.LogRecord("retrainer", logging.ERROR, __file__, 1, "it failed", (), (type(error), error, None)))
    assert "s3cret" not in told
    assert "http://prometheus:9090/api" in told


def test_an_address_without_credentials_stays_as_it_is() -> None:
    text = "asked http://prometheus:9090/a?mail=a@b and https://x/@y"
    assert without_credentials(text) == text
