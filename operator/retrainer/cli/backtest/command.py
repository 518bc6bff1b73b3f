"""From a policy's file and a Prometheus to what would have happened."""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from retrainer.adapters.api_server import ApiServer, Limits
from retrainer.api.v1alpha1 import API_VERSION, ModelRetrainPolicySpec
from retrainer.cli.backtest.history import AtUrl, BehindApiServer, History, Prometheus, Span
from retrainer.cli.backtest.replay import Past, Replay, a_policy, replay
from retrainer.cli.backtest.tracks import Track
from retrainer.cli.lint import of_object
from retrainer.cli.session import Place, kubeconfig_of, namespace_of
from retrainer.core.alert import Alert
from retrainer.core.asking import asked_by
from retrainer.core.measurement import Question
from retrainer.core.observation import PolicySeen
from retrainer.core.presets import selector
from retrainer.core.triggers.alert import matches
from retrainer.errors import Refused

_LEAD = timedelta(minutes=5)
"""A version that has answered nothing in the latest step or five minutes is not the champion of that step."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """A policy, the span it was replayed over, what was found, and how long the deciding took."""

    policy: PolicySeen
    span: Span
    champions: Mapping[datetime, str]
    replay: Replay
    decided_in_s: float


def policies_in(path: Path, namespace: str) -> list[tuple[str, str, ModelRetrainPolicySpec]]:
    """Return namespace, name and spec of each policy in a file; Refused with the first mistake where one is wrong."""
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refused(f"{path}: {' '.join(str(error).split())}") from error
    ours = [
        one
        for one in documents
        if isinstance(one, dict) and (one.get("apiVersion"), one.get("kind")) == (API_VERSION, "ModelRetrainPolicy")
    ]
    if not ours:
        raise Refused(f"{path} holds no ModelRetrainPolicy")
    return [_read(document, namespace) for document in ours]


def _read(document: Mapping[str, Any], namespace: str) -> tuple[str, str, ModelRetrainPolicySpec]:
    wrong = next((finding for finding in of_object(document) if finding.is_error), None)
    if wrong is not None:
        raise Refused(f"{wrong.place}: {wrong.message}")
    try:
        spec = ModelRetrainPolicySpec.model_validate(document["spec"])
    except ValidationError as error:
        raise Refused(f"{document['metadata']['name']}: {error.errors(include_url=False)[0]['msg']}") from error
    return document["metadata"].get("namespace", namespace), document["metadata"]["name"], spec


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants replayed."""

    file: Path
    since: timedelta
    step: timedelta
    run_takes: timedelta


async def backtests(asked: Asked, place: Place, url: str | None, service: str, now: datetime) -> list[Backtest]:
    """Return a backtest of each policy in the file, over the Prometheus at a URL, or behind the API server where none is given."""
    span = span_until(now, asked.since, asked.step)
    kubeconfig = kubeconfig_of(place)
    namespace = place.namespace or (namespace_of(kubeconfig, place.context) if kubeconfig is None or kubeconfig.exists() else "default")
    found = policies_in(asked.file, namespace)
    async with AsyncExitStack() as closing:
        if url is not None:
            prometheus: Prometheus = await closing.enter_async_context(AtUrl.open(url))
        else:
            api = await ApiServer.load(kubeconfig, context=place.context, limits=Limits(request_s=120))
            closing.push_async_callback(api.close)
            prometheus = BehindApiServer(api, service)
        history = History(prometheus)
        return [await backtest(as_applied_then(*one, span), span, history, run_takes=asked.run_takes) for one in found]


async def backtest(policy: PolicySeen, span: Span, history: History, *, run_takes: timedelta) -> Backtest:
    """Ask for the past of one policy's figures and decide over it."""
    past = await _past(policy, span, history)
    began = asyncio.get_running_loop().time()
    found = replay(policy, past, run_takes=run_takes)
    return Backtest(policy, span, past.champions, found, asyncio.get_running_loop().time() - began)


def as_applied_then(namespace: str, name: str, spec: ModelRetrainPolicySpec, span: Span) -> PolicySeen:
    """Return the policy as if it had been applied when the span begins."""
    return a_policy(namespace, name, spec, span.start)


async def _past(policy: PolicySeen, span: Span, history: History) -> Past:
    model = selector(policy.identity.namespace, policy.spec.model_type)
    wanted = {question for one in asked_by(policy, allows_queries=True, only=model) for question in one.questions}
    step_s = max(span.step, _LEAD).total_seconds()
    served = f"sum by (model_version) (increase(retrainer_predictions_total{{{model}}}[{step_s:.0f}s]))"
    firing = f'ALERTS{{alertstate="firing",namespace={json.dumps(policy.identity.namespace)}}}'
    asked = [*sorted(question.promql for question in wanted), served, firing]
    *matrices, serving, alerts = await asyncio.gather(*(history.ask(promql, span) for promql in asked))
    tracks = dict(zip(asked, (Track(matrix, span) for matrix in matrices), strict=False))
    return Past(
        moments=span.moments,
        tracks={Question(policy.spec.metrics_source, promql): tracks[promql] for promql in asked[: len(matrices)]},
        champions=_champions(Track(serving, span), span.moments),
        alerts=_alerts(policy, Track(alerts, span), span.moments),
    )


def _champions(served: Track, moments: Iterable[datetime]) -> dict[datetime, str]:
    """Return, for each step, the version that answered most; where none answered, the one before goes on."""
    champions: dict[datetime, str] = {}
    latest = ""
    for moment in moments:
        answer = served.at(moment)
        counts = {one.labels.get("model_version", ""): one.value for one in getattr(answer, "series", ())}
        latest = max(counts, key=lambda version: counts[version]) if any(counts.values()) else latest
        if latest:
            champions[moment] = latest
    return champions


def _alerts(policy: PolicySeen, firing: Track, moments: Iterable[datetime]) -> dict[datetime, tuple[Alert, ...]]:
    """Return the alerts of the policy's triggers at each step; an episode lasts for as long as no step lacks it."""
    wanted = [trigger.alert.match_labels for trigger in policy.spec.triggers if trigger.alert is not None]
    since: dict[tuple[tuple[str, str], ...], datetime] = {}
    heard: dict[datetime, tuple[Alert, ...]] = {}
    for moment in moments if wanted else ():
        here = [_labels(one.labels) for one in getattr(firing.at(moment), "series", ())]
        since = {labels: since.get(labels, moment) for labels in here}
        alerts = (_alert(labels, since[labels], moment) for labels in here)
        heard[moment] = tuple(alert for alert in alerts if any(matches(alert, labels) for labels in wanted))
    return heard


def _labels(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels.items() if name not in {"__name__", "alertstate"}))


def _alert(labels: tuple[tuple[str, str], ...], since: datetime, now: datetime) -> Alert:
    fingerprint = hashlib.sha256(repr(labels).encode()).hexdigest()[:16]
    return Alert(fingerprint, True, labels, since, now, dict(labels).get("alertname", "an alert"))


def span_until(now: datetime, since: timedelta, step: timedelta) -> Span:
    """Return the span of the last `since`, on whole steps, so that the same question is asked again of the same moments."""
    step_s = step.total_seconds()
    end = datetime.fromtimestamp(now.timestamp() // step_s * step_s, UTC)
    return Span(end - since, end, step)
