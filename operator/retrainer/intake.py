"""Alerts from the webhook to the policies' own rounds: the answer is durable once each policy concerned has decided."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from typing_extensions import override

from retrainer.core.alert import Alert
from retrainer.core.observation import PolicySeen
from retrainer.core.triggers.alert import matches
from retrainer.inbox import Inbox
from retrainer.ports import AlertIntake, Clock, Key, Shared, World


class QueueIntake(AlertIntake):
    """Puts alerts into the inbox and waits for the next round of each policy they match."""

    def __init__(
        self, inbox: Inbox, world: World, clock: Clock, *, settled: Callable[[Key], Awaitable[object]], synced: Callable[[], bool]
    ) -> None:
        self._inbox = inbox
        self._world = world
        self._clock = clock
        self._settled = settled
        self._synced = synced

    @override
    async def receive(self, alerts: Sequence[Alert]) -> bool:
        if not self._synced():
            return False  # the policies are not known yet, so neither is who is concerned
        self._inbox.put(alerts, self._clock.now())
        # A round that fails raises here, which the webhook answers with 503: Alertmanager tries again, and so does the queue.
        await asyncio.gather(*(self._settled(key) for key in self._concerned(alerts)))
        return True

    def _concerned(self, alerts: Sequence[Alert]) -> list[Key]:
        namespaces = self._inbox.namespaces(alerts)
        if namespaces is None:
            namespaces = frozenset(namespace for namespace, _ in self._world.keys())  # noqa: SIM118 - a method, not a mapping
        heeding = (policy for namespace in namespaces for policy in self._world.policies(namespace, Shared.ALERTS, ""))
        return [policy.identity.key for policy in heeding if _wants(policy, alerts)]


def _wants(policy: PolicySeen, alerts: Sequence[Alert]) -> bool:
    wanted = [trigger.alert.match_labels for trigger in policy.spec.triggers if trigger.alert is not None]
    return any(matches(alert, labels) for alert in alerts for labels in wanted)
