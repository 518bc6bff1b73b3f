"""Raw samples out of Prometheus, for the observer's own judgement."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from tests.observer.checks.rollout import Fall, Rise
from tests.observer.judgement import COUNTERS, Figures, Samples, Verdict, grown, judge

# Evidence may have come in this long before the weight was seen to rise: the candidate's further Pods had to become ready first.
READY_WITHIN = 60.0
# A series that existed before a span is known by a sample up to this much older.
STALENESS = 300.0
TIMEOUT = aiohttp.ClientTimeout(total=5)


class PrometheusError(Exception):
    """Prometheus did not answer, or said that it cannot."""


class Prometheus:
    """Asks one Prometheus for samples as they were scraped."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def series(self, selector: str, since: float, until: float) -> Sequence[tuple[Mapping[str, str], Samples]]:
        """Return every series of a selector, its labels and its samples from shortly before `since` to `until`."""
        query = f"{selector}[{until - since + STALENESS:.0f}s]"
        parameters = {"query": query, "time": f"{until:.3f}"}
        try:
            async with self._session.get(f"{self._url}/api/v1/query", params=parameters, timeout=TIMEOUT) as answer:
                document: Any = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as fault:
            raise PrometheusError(f"{query}: {fault!r}") from fault
        if document.get("status") != "success":
            raise PrometheusError(f"{query}: {document.get('error', document)}")
        return [(one["metric"], [(float(at), float(value)) for at, value in one["values"]]) for one in document["data"]["result"]]


async def judged(rise: Rise, prometheus: Prometheus) -> Verdict:
    """Return the latest analysis that passes among all that could have raised the weight, else the earliest of them."""
    candidate = await _counters(rise, rise.candidate, prometheus)
    champion = await _counters(rise, rise.champion, prometheus)
    verdict = Verdict(False, "the step was not measured")
    for until in _moments(rise):
        verdict = judge(rise.policy, _figures(candidate, rise.measured_from, until), _figures(champion, rise.measured_from, until))
        if verdict.passes:
            break
    return verdict


async def first_failure(fall: Fall, prometheus: Prometheus) -> tuple[float, Verdict] | None:
    """Return the first scrape at which the samples showed that the candidate fails, None where they never did."""
    candidate = await _counters(fall, fall.candidate, prometheus)
    champion = await _counters(fall, fall.champion, prometheus)
    scrapes = {at for series in (*candidate.values(), *champion.values()) for samples in series for at, _ in samples}
    for until in sorted(at for at in scrapes if at > fall.measured_from):
        verdict = judge(fall.policy, _figures(candidate, fall.measured_from, until), _figures(champion, fall.measured_from, until))
        if verdict.fails:
            return until, verdict
    return None


def _moments(rise: Rise) -> Sequence[float]:
    earliest = max(rise.measured_from, rise.at - READY_WITHIN - 2 * rise.policy.interval)
    return [rise.at - half_seconds / 2 for half_seconds in range(int(2 * (rise.at - earliest)) + 1)]


async def _counters(span: Rise | Fall, version: str, prometheus: Prometheus) -> Mapping[str, Sequence[Samples]]:
    labels = f'namespace="{span.policy.key[0]}", model_type="{span.policy.model_type}", model_version="{version}"'
    counters: dict[str, Sequence[Samples]] = {}
    for figure, counter in COUNTERS.items():
        found = await prometheus.series(f"{counter.metric}{{{labels}{counter.matcher}}}", span.measured_from, span.at)
        counters[figure] = merged(found) if counter.one_exporter else [samples for _, samples in found]
    return counters


def merged(found: Sequence[tuple[Mapping[str, str], Samples]]) -> Sequence[Samples]:
    """Return series that differ only in the scraped Pod as one: what such an exporter counts outlives its restarts."""
    series: dict[str, list[tuple[float, float]]] = {}
    for labels, samples in found:
        series.setdefault(labels.get("correct", ""), []).extend(samples)
    return [sorted(samples) for samples in series.values()]


def _figures(counters: Mapping[str, Sequence[Samples]], since: float, until: float) -> Figures:
    return Figures(**{figure: grown(series, since, until) for figure, series in counters.items()})
