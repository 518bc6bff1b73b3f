"""The composition root: reads the settings, builds the adapters, and runs kopf until it is told to stop. Only it knows both sides."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import kopf
import uvloop
from pydantic import ValidationError
from pydantic_settings import SettingsError

from retrainer import waking
from retrainer.adapters.alertmanager import AlertmanagerWebhook
from retrainer.adapters.clock import SystemClock
from retrainer.adapters.kubernetes import KubernetesCluster
from retrainer.adapters.nobody import Nobody
from retrainer.adapters.prober import HttpProber
from retrainer.adapters.prometheus import Bounds, PrometheusMetrics, Source
from retrainer.adapters.token_file import TokenFile
from retrainer.adapters.world import WatchedWorld
from retrainer.discovery import forget_what_is_gone, kinds_to_watch, until_all_have_come, until_routes_are_missed
from retrainer.errors import RetrainerError
from retrainer.evaluation import Evaluator
from retrainer.handlers import register
from retrainer.inbox import Inbox
from retrainer.index import Index
from retrainer.intake import QueueIntake
from retrainer.ports import Defaults, Key, Sources
from retrainer.reconcile import Reconciler
from retrainer.server import Listener, health_app
from retrainer.settings import Settings
from retrainer.telemetry import Telemetry, configure_logging
from retrainer.workqueue import WorkQueue

if TYPE_CHECKING:
    from retrainer.adapters.slack import Slack

_logger = logging.getLogger(__name__)
# A cycle of evaluations makes tens of thousands of objects that end with it and are in no reference cycle: by default Python would look
# for cycles among them forty times, and now and then among everything that is known of every policy.
_COLLECT_AFTER = 10_000
# All that a round waits for has a time-out of seconds: one that takes minutes hangs, and its policy with it. Let the kubelet restart us.
_STUCK_AFTER_S = 180.0


def main() -> None:
    """Run the operator; exit code 2 when a setting is missing or wrong."""
    try:
        settings = Settings()
    except (ValidationError, SettingsError) as error:
        sys.exit(f"settings: {error}")
    configure_logging(settings.log_level, settings.log_format)
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # it tells of every event that it was handled
    if settings.kubeconfig:
        os.environ["KUBECONFIG"] = str(settings.kubeconfig)  # where kopf's own login looks
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Operator(settings).run())


class Operator:
    """Everything one process holds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._telemetry = Telemetry()
        self._clock = SystemClock()
        self._world = WatchedWorld()
        self._inbox = Inbox(across_namespaces=settings.alerts_across_namespaces)
        self._synced = asyncio.Event()

    async def run(self) -> None:
        """Watch, decide and act until cancelled."""
        settings, telemetry = self._settings, self._telemetry
        cluster = await KubernetesCluster.load(settings.kubeconfig, observe=telemetry.count_request)
        named = {name: Source(one.url, one.token_file, one.allow_queries) for name, one in settings.metrics_sources.items()}
        bounds = Bounds(timeout_s=settings.query_timeout_s)
        metrics = PrometheusMetrics(named, self._clock, bounds=bounds, observe=telemetry.count_query)
        prober = HttpProber()
        notifier = self._notifier()
        defaults = Defaults(
            trainer_image=settings.trainer_image,
            monitor_interval_s=int(settings.monitor_interval_s),
            instance=settings.pod_name,
            max_concurrent_runs=settings.max_concurrent_runs,
            gateway_features=settings.gateway_features,
        )
        evaluator = Evaluator(self._world, metrics, self._clock, wake=lambda key: queue.add(key), gauges=telemetry)  # noqa: PLW0108 - made below
        sources = Sources(self._world, cluster, metrics, prober, self._clock, self._inbox, evaluator, notifier, defaults)
        queue = WorkQueue[Key](Reconciler(sources, telemetry), observer=telemetry, expected=(RetrainerError,))
        listeners = self._listeners(queue)
        for listener in listeners:
            await listener.start()
        registry = kopf.OperatorRegistry()
        watched = await kinds_to_watch(cluster, self._a_namespace)
        indices = {name: Index(waking.INDICES[name]) for name in watched}
        self._world.attach(indices)
        register(registry, lambda keys: _add(queue, keys), self._world, indices)
        begin_again = asyncio.create_task(until_routes_are_missed(cluster, self._a_namespace, self._world))
        background = [
            asyncio.create_task(self._resync(cluster, indices, queue)),
            asyncio.create_task(self._begin(cluster, indices, queue)),
            asyncio.create_task(self._evaluate(evaluator)),
            begin_again,
        ]
        for task in background:
            task.add_done_callback(_tell)
        try:
            everywhere = not settings.watch_namespaces
            await kopf.operator(
                registry=registry, standalone=True, clusterwide=everywhere, namespaces=settings.watch_namespaces, stop_flag=begin_again
            )
        finally:
            for task in background:
                task.cancel()
            await queue.stop()
            for closing in (*(one.stop() for one in listeners), *(one.close() for one in (metrics, prober, notifier, cluster))):
                await closing

    @property
    def _a_namespace(self) -> str:
        """Where to ask what the API server knows: a namespace in which the operator has rights, or all of them."""
        return next(iter(self._settings.watch_namespaces), "")

    def _notifier(self) -> "Slack | Nobody":
        if not self._settings.notifiers:
            return Nobody()
        from retrainer.adapters.slack import Channel, Slack  # noqa: PLC0415 - 8 MiB, for those alone who tell Slack

        named = {name: one.slack for name, one in self._settings.notifiers.items()}
        channels = {name: Channel(one.channel, one.token_file, one.url) for name, one in named.items()}
        notifier = Slack(channels, observe=self._telemetry.count_notices)
        notifier.start()
        return notifier

    def _listeners(self, queue: WorkQueue[Key]) -> list[Listener]:
        settings = self._settings
        health = health_app(self._telemetry.registry, alive=lambda: queue.longest_round_s() < _STUCK_AFTER_S, ready=self._synced.is_set)
        listeners = [Listener(health, settings.health_listen_port)]
        if settings.webhook_token_file is not None:
            intake = QueueIntake(self._inbox, self._world, self._clock, settled=queue.settled, synced=self._synced.is_set)
            token = TokenFile(settings.webhook_token_file)
            webhook = AlertmanagerWebhook(intake, token, self._clock, observe=self._telemetry.count_alerts)
            listeners.append(Listener(webhook.app(), settings.webhook_listen_port))
        return listeners

    async def _begin(self, cluster: KubernetesCluster, indices: Mapping[str, Index], queue: WorkQueue[Key]) -> None:
        """Let rounds begin once all has come: one that knew of no champion yet would train a first version."""
        kinds = dict.fromkeys(waking.KINDS[name] for name in indices)
        namespaces = self._settings.watch_namespaces
        await until_all_have_come(cluster, kinds, namespaces, lambda uid: any(index.has(uid) for index in indices.values()))
        queue.start()
        self._synced.set()

    async def _evaluate(self, evaluator: Evaluator) -> None:
        await self._synced.wait()
        await evaluator.run(self._settings.evaluation_interval_s)

    async def _resync(self, cluster: KubernetesCluster, indices: Mapping[str, Index], queue: WorkQueue[Key]) -> None:
        """Look at every policy now and then though nothing happened: it covers an event that was lost, also of a policy that is gone."""
        while True:
            await asyncio.sleep(self._settings.resync_interval_s)
            keys = self._world.keys()
            await forget_what_is_gone(cluster, indices, self._settings.watch_namespaces)
            _add(queue, keys)


def _tell(task: asyncio.Task[None]) -> None:
    """A task that lives as long as the process and fails would be missed by nobody but its users."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger.critical("a task of the operator has failed", exc_info=error)


def _add(queue: WorkQueue[Key], keys: list[Key]) -> None:
    for key in keys:
        queue.add(key)


if __name__ == "__main__":
    main()
