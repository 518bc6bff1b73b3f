"""`trainer monitor`."""


def monitor() -> None:
    """Export what the database knows of models, and project policies and runs into it, until SIGTERM.

    Environment: DATABASE_URL, POD_NAMESPACE, DATABASE_SECRET (name/key: policies with another Secret are ignored),
    MONITOR_INTERVAL (15s), PORT (9101, for /metrics and /healthz). Reads policies and runs as the pod's ServiceAccount.
    """
    import asyncio  # noqa: PLC0415 - nothing of this is imported for --help
    import time  # noqa: PLC0415

    from trainer.daemon.json_log import log_as_json  # noqa: PLC0415
    from trainer.daemon.listener import Listener, bind, new_event_loop  # noqa: PLC0415
    from trainer.daemon.signals import stop_on_signals  # noqa: PLC0415
    from trainer.monitor.app import MonitorApp  # noqa: PLC0415
    from trainer.monitor.cluster import namespace_objects  # noqa: PLC0415
    from trainer.monitor.exposition import Exposition  # noqa: PLC0415
    from trainer.monitor.process import Monitor  # noqa: PLC0415
    from trainer.monitor.settings import read_monitor_settings  # noqa: PLC0415
    from trainer.settings import read_settings  # noqa: PLC0415

    log_as_json(debug=read_settings().debug)
    settings = read_monitor_settings()
    database = settings.database

    async def run() -> None:
        stop = stop_on_signals(asyncio.get_running_loop())
        exposition = Exposition(settings.stale_seconds, time.time)
        async with namespace_objects(settings.namespace) as objects, asyncio.TaskGroup() as tasks:
            rounds = Monitor(settings, database, objects, exposition)
            listener = Listener(MonitorApp(exposition, rounds.is_alive))
            tasks.create_task(listener.run_on(bind(settings.port)))
            await rounds.run(stop)
            listener.stop()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run())
