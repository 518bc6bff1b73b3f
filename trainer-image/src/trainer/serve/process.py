"""One serving process from its first breath to exit code 0: load, become ready, answer, drain, flush."""

import asyncio
import logging
import socket
from contextlib import suppress

from trainer.daemon.listener import Listener
from trainer.daemon.postgres import Database
from trainer.serve.app import PredictionApp
from trainer.serve.lifecycle import Lifecycle
from trainer.serve.metrics import ServerMetrics
from trainer.serve.model import ServedModel
from trainer.serve.prediction_log import PredictionLog
from trainer.serve.profiles import Profiles
from trainer.serve.settings import ServeSettings

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0


class ServingProcess:
    """The parts of a serving process and the order in which they start and stop; `model` is loaded and has answered."""

    def __init__(self, settings: ServeSettings, model: ServedModel) -> None:
        self._settings = settings
        self._model = model
        self._lifecycle = Lifecycle()
        self._metrics = ServerMetrics(model.model_type, model.version)
        self._profiles: Profiles | None = None
        self._log: PredictionLog | None = None
        if settings.database_url is not None:
            database = Database(settings.database_url, application="retrainer-serve")
            self._profiles = Profiles(database, model.live, model.columns)
            self._log = PredictionLog(database, model.model_type, model.version, self._metrics.logs_dropped)
        self._listener = Listener(PredictionApp(model, self._lifecycle, self._metrics, self._profiles, self._log))

    async def run(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain; setting it again while draining ends the drain."""
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._become_ready())]
            if self._profiles is not None:
                background.append(tasks.create_task(self._profiles.run()))
            writing = tasks.create_task(self._log.run()) if self._log is not None else None
            answering = tasks.create_task(self._listener.run_on(listening))
            await stop.wait()
            await self._drain(stop)
            self._listener.stop()
            await answering
            for task in background:
                task.cancel()
            if self._log is not None and writing is not None:
                await _flush(self._log, writing)

    async def _become_ready(self) -> None:
        if self._profiles is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.profiles_seconds):
                    await self._profiles.loaded.wait()
        self._lifecycle.become_ready()
        logger.info("ready: %s %s", self._model.model_type, self._model.version)

    async def _drain(self, stop: asyncio.Event) -> None:
        self._lifecycle.drain()
        stop.clear()
        logger.info("draining for %g s", self._settings.drain_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_seconds):
                await stop.wait()


async def _flush(log: PredictionLog, writing: asyncio.Task[None]) -> None:
    log.close()
    _, unfinished = await asyncio.wait([writing], timeout=FLUSH_SECONDS)
    if unfinished:
        writing.cancel()
        logger.warning("%d predictions could not be logged before the end", log.abandon())
