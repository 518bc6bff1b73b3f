"""What a body may say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.serve.request import MAX_FEATURES, PredictionRequest, Refusal, read_request


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        (b'{"memberId": "m1"}', PredictionRequest("m1", None)),
        (b'{"features": {}}', PredictionRequest(None, {})),
        (b'{"features": {"a": 1, "b": null, "c": true, "d": "x", "e": 0.5}}', None),
        (b'{"memberId": "m1", "features": {"a": 1}}', PredictionRequest("m1", {"a": 1})),
        (b'{"memberId": "m1", "somethingElse": []}', PredictionRequest("m1", None)),
    ],
)
def test_a_body_names_a_member_or_features(body: bytes, request_: PredictionRequest | None) -> None:
    expected = request_ or PredictionRequest(None, json.loads(body)["features"])
    assert read_request(body) == expected


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "MalformedJSON"),
        (b"{", 400, "MalformedJSON"),
        (b'{"memberId": NaN}', 400, "MalformedJSON"),
        (b'{"memberId": "\xff"}', 400, "MalformedJSON"),
        (b"[]", 422, "InvalidRequest"),
        (b"{}", 422, "InvalidRequest"),
        (b'{"memberId": 7}', 422, "InvalidRequest"),
        (b'{"memberId": ""}', 422, "InvalidRequest"),
        (b'{"memberId": "a\\u0000b"}', 422, "InvalidRequest"),
        (b'{"memberId": "%s"}' % (b"x" * 257), 422, "InvalidRequest"),
        (b'{"features": [1]}', 422, "InvalidRequest"),
        (b'{"features": {"a": [1]}}', 422, "InvalidFeature"),
        (b'{"features": {"a": {}}}', 422, "InvalidFeature"),
        (b'{"features": {"a": "\\u0000"}}', 422, "InvalidFeature"),
        (json.dumps({"features": dict.fromkeys(map(str, range(MAX_FEATURES + 1)))}).encode(), 422, "InvalidRequest"),
    ],
)
def test_a_body_that_says_neither_is_refused_with_a_reason(body: bytes, status: int, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_request(body)
    assert (refused.value.status, refused.value.reason) == (status, reason)


@given(st.binary() | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(lambda x: json.dumps(x).encode()))
def test_no_body_does_worse_than_a_refusal(body: bytes) -> None:
    with pytest.raises(Refusal):
        read_request(body)
