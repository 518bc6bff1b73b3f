"""The serving process itself, without the command line: `python -m trainer.serve`."""

import asyncio
import logging
import sys

from trainer.daemon.listener import bind, new_event_loop
from trainer.daemon.logs import start_daemon_logging
from trainer.daemon.signals import stop_on_signals
from trainer.errors import BadConfiguration
from trainer.outcome import ExitCode, write_termination_message
from trainer.serve.model import load_served_model
from trainer.serve.process import ServingProcess
from trainer.serve.settings import ServeSettings, read_serve_settings
from trainer.settings import Settings, read_settings

logger = logging.getLogger("trainer.serve")


def main(*arguments: str) -> ExitCode:
    """Serve until told to stop; returns the exit code of the trainer contract. The one argument there is is --json."""
    as_json = "--json" in arguments
    start_daemon_logging(as_json=as_json, debug=False)
    try:
        common = read_settings()
    except BadConfiguration as error:
        return _refused(error)
    try:
        _serve(read_serve_settings(), as_json=as_json, debug=common.debug)
    except BadConfiguration as error:
        return _refused(error, common)
    except Exception:
        logger.exception("failed")
        return ExitCode.FAULT
    return ExitCode.OK


def _serve(settings: ServeSettings, *, as_json: bool, debug: bool) -> None:
    model = load_served_model(settings.artifacts_path, settings.model_version, settings.model_type)
    start_daemon_logging(as_json=as_json, debug=debug, model_type=model.model_type, model_version=model.version)
    process = ServingProcess(settings, model)

    async def run() -> None:
        await process.run(bind(settings.port), stop_on_signals(asyncio.get_running_loop()))

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run())


def _refused(error: BadConfiguration, common: Settings | None = None) -> ExitCode:
    logger.error("%s: %s", error.reason, error)
    if common is not None:
        document = {"reason": error.reason, "message": str(error), "warnings": []}
        write_termination_message(common.termination_log, document)
    return ExitCode.BAD_CONFIGURATION


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
