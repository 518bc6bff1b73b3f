"""`trainer serve`."""


def serve() -> None:
    """Answer predictions of one version over HTTP until SIGTERM, then drain.

    Environment: MODEL_VERSION and ARTIFACTS_PATH (the version's directory and its parent), MODEL_TYPE (the manifest's),
    DATABASE_URL (without it, features must be in the body and nothing is logged), DRAIN_SECONDS (15), PORT (8080).
    """
    import os  # noqa: PLC0415 - nothing of this is imported for --help
    import sys  # noqa: PLC0415

    # What the command line needs to parse and print takes a sixth of the pod's 60 MiB. So this process, keeping its id
    # and its environment, becomes one that never loaded it; -P, so that no file of the working directory is imported.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "trainer.serve"])  # noqa: S606 - no shell is wanted
