"""`trainer serve`."""


def serve() -> None:
    """Answer predictions of one version over HTTP until SIGTERM, then drain.

    Environment: MODEL_VERSION and ARTIFACTS_PATH (the version's directory and its parent), MODEL_TYPE (the manifest's),
    DATABASE_URL (without it, features must be in the body and nothing is logged), DRAIN_SECONDS (15), PORT (8080).
    """
    import asyncio  # noqa: PLC0415 - nothing of this is imported for --help

    from trainer.serve.json_log import log_as_json  # noqa: PLC0415
    from trainer.serve.listener import bind, new_event_loop  # noqa: PLC0415
    from trainer.serve.model import load_served_model  # noqa: PLC0415
    from trainer.serve.process import ServingProcess, stop_on_signals  # noqa: PLC0415
    from trainer.serve.settings import read_serve_settings  # noqa: PLC0415
    from trainer.settings import read_settings  # noqa: PLC0415

    log_as_json(debug=read_settings().debug)
    settings = read_serve_settings()
    model = load_served_model(settings.artifacts_path, settings.model_version, settings.model_type)
    log_as_json(debug=read_settings().debug, model_type=model.model_type, model_version=model.version)

    async def run() -> None:
        stop = stop_on_signals(asyncio.get_running_loop())
        await ServingProcess(settings, model).run(bind(settings.port), stop)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run())
