"""`trainer serve`."""

from typing import Annotated

import typer


def serve(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Log one JSON object a line on a terminal, too, as in a pod.")
    ] = False,
) -> None:
    """Answer predictions of one version over HTTP until SIGTERM, then drain.

    Environment:

    * MODEL_VERSION: the version to serve.
    * ARTIFACTS_PATH: where it is, a directory or s3://bucket/prefix, without the version.
    * AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: for a bucket.
    * MODEL_TYPE: the model type that the version must be of; its manifest's if not set.
    * DATABASE_URL: where members and units are looked up and predictions are logged; without it, features must be in
      the body and nothing is logged.
    * PORT (8080), DRAIN_SECONDS (15), PROFILES_SECONDS (5: how long readiness waits for the first copy of the
      profiles), DEBUG.

    Exit codes: 0 stopped, 43 bad configuration or a version that is not sound, else a fault that may go away.
    """
    import os  # noqa: PLC0415 - nothing of this is imported for --help
    import sys  # noqa: PLC0415

    # What the command line needs to parse and print takes a sixth of the pod's 60 MiB. So this process, keeping its id
    # and its environment, becomes one that never loaded it; -P, so that no file of the working directory is imported.
    command = [sys.executable, "-P", "-m", "trainer.serve", *(["--json"] if as_json else [])]
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted
