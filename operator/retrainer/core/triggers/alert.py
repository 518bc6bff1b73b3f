"""The alert trigger: an alert is a level, and one episode of it starts one run."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.run import Evidence
from retrainer.api.v1alpha1.triggers import Trigger
from retrainer.core.alert import Alert
from retrainer.core.observation import Observation
from retrainer.core.triggers.finding import Finding

ALERT_FIRING: Final = "AlertFiring"


def look(trigger: Trigger, seen: Observation) -> list[Finding]:
    """Return a finding for each episode that fires, or one that says that none does."""
    assert trigger.alert is not None
    firing = [alert for alert in seen.alerts if matches(alert, trigger.alert.match_labels) and _fires(alert, trigger, seen)]
    if not firing:
        return [Finding(trigger.name, "NotFiring", "no matching alert fires")]
    return [_finding(trigger, alert, seen) for alert in sorted(firing, key=lambda alert: (alert.starts_at, alert.fingerprint))]


def matches(alert: Alert, labels: dict[str, str]) -> bool:
    """Say whether the alert carries all the labels."""
    return labels.items() <= set(alert.labels)


def is_over(evidence: Evidence, trigger: Trigger, seen: Observation) -> bool | None:
    """Say whether the alert of some evidence fires no more; None where nothing has been heard of it, as after a restart."""
    heard = next((alert for alert in seen.alerts if alert.fingerprint == evidence.fingerprint), None)
    return None if heard is None else not _fires(heard, trigger, seen)


def handled_episodes(seen: Observation) -> frozenset[tuple[str, datetime]]:
    """Return the episodes for which a run exists, or existed before history was pruned."""
    evidence: Iterable[Evidence] = (item for run in seen.runs for item in (*run.spec.evidence, *run.status.evidence))
    in_runs = {(item.fingerprint, item.starts_at) for item in evidence if item.fingerprint}
    pruned = {(item.fingerprint, item.starts_at) for item in seen.policy.status.handled_alerts}
    return frozenset(in_runs | pruned)


def _fires(alert: Alert, trigger: Trigger, seen: Observation) -> bool:
    assert trigger.alert is not None
    return alert.firing and (seen.now - alert.received_at).total_seconds() < seconds(trigger.alert.stale_after)


def _finding(trigger: Trigger, alert: Alert, seen: Observation) -> Finding:
    if alert.episode in handled_episodes(seen):
        return Finding(trigger.name, "AlreadyHandled", f"the episode since {alert.starts_at:%Y-%m-%d %H:%M:%S} UTC has had its run")
    champion = seen.policy.status.champion
    if champion is not None and champion.since is not None and alert.starts_at < champion.since:
        told = f"the alert fires since {alert.starts_at:%Y-%m-%d %H:%M:%S} UTC, before {champion.version} was promoted"
        return Finding(trigger.name, "EvidencePredatesChampion", told)
    evidence = Evidence(trigger=trigger.name, fingerprint=alert.fingerprint, starts_at=alert.starts_at, message=cut(alert.message))
    labels = ", ".join(f"{name}={value}" for name, value in alert.labels)
    return Finding(trigger.name, ALERT_FIRING, alert.message or "a matching alert fires", evidence, labels=labels)
