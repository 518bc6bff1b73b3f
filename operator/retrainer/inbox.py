"""Alerts as levels, in memory: each fires until it is resolved or no longer repeated. They repeat, so nothing is lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from typing_extensions import override

from retrainer.core.alert import Alert
from retrainer.ports import Alerts

_FORGOTTEN_AFTER: Final = timedelta(days=15)
"""No `staleAfter` can be longer and still tell a firing alert from one that was never resolved."""


class Inbox(Alerts):
    """The latest word on each alert, by the namespace it is labelled with."""

    def __init__(self, *, across_namespaces: bool = False) -> None:
        self._across = across_namespaces
        self._alerts: dict[str, dict[str, Alert]] = {}

    def put(self, alerts: Sequence[Alert], now: datetime) -> None:
        """Take up what a notification says; an older episode never replaces a younger one of the same alert."""
        for alert in alerts:
            known = self._alerts.setdefault(_namespace(alert), {})
            before = known.get(alert.fingerprint)
            if before is None or before.starts_at <= alert.starts_at:
                known[alert.fingerprint] = alert
        for namespace, known in list(self._alerts.items()):
            kept = {key: alert for key, alert in known.items() if now - alert.received_at < _FORGOTTEN_AFTER}
            self._alerts[namespace] = kept

    @override
    def of(self, namespace: str) -> tuple[Alert, ...]:
        if self._across:
            return tuple(alert for known in self._alerts.values() for alert in known.values())
        return tuple(self._alerts.get(namespace, {}).values())

    def namespaces(self, alerts: Sequence[Alert]) -> frozenset[str] | None:
        """Return the namespaces whose policies must look at these alerts; None stands for all."""
        return None if self._across else frozenset(_namespace(alert) for alert in alerts)


def _namespace(alert: Alert) -> str:
    return dict(alert.labels).get("namespace", "")
