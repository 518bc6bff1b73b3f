"""`trainer prune`."""

import asyncio
import os
from typing import Annotated

import typer

from trainer.daemon.environment import needed
from trainer.errors import BadConfiguration
from trainer.monitor.cluster import namespace_objects
from trainer.monitor.objects import ClusterUnavailable
from trainer.outcome import ExitCode
from trainer.progress import say
from trainer.prune.protection import ProtectedSetUnknown
from trainer.prune.pruning import Pruned
from trainer.prune.pruning import prune as pruned
from trainer.settings import read_settings
from trainer.store import open_store


def prune(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would go and what stays; remove nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Remove the versions that a policy no longer keeps, and what killed trainings left behind.

    What stays is read when it runs, from the policy's status (status.versions, champion, previous, candidate), its pin
    and its runs, with the pod's ServiceAccount: it needs to list modelretrainpolicies and modelretrainruns in its
    namespace, which the ClusterRole retrainer-monitor allows. Where that cannot be read, or does not say anything yet,
    nothing is removed.

    Environment:

    * ARTIFACTS_PATH: the policy's own directory or s3://bucket/prefix/namespace/policy, as in the trainer's request.
    * AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: for a bucket.
    * POLICY and POD_NAMESPACE: whose versions they are.
    * DRY_RUN: the same as --dry-run.

    Exit codes: 0 done, 1 nothing was removed because what must stay is not known or the store does not answer, 43 bad
    configuration.
    """
    settings = read_settings()
    store = open_store(needed(os.environ, "ARTIFACTS_PATH"))
    policy, namespace = needed(os.environ, "POLICY"), needed(os.environ, "POD_NAMESPACE")
    if store.location.rstrip("/").rpartition("/")[2] != policy:
        raise BadConfiguration(f"ARTIFACTS_PATH {store.location} is not the place of policy {policy}")

    async def run() -> Pruned:
        async with namespace_objects(namespace) as cluster:
            return await pruned(store, policy, cluster, dry_run=dry_run or settings.dry_run)

    try:
        result = asyncio.run(run())
    except (ProtectedSetUnknown, ClusterUnavailable) as unknown:
        message = f"nothing was removed: {unknown}"
        say(f"ProtectedSetUnknown: {message}", {"reason": "ProtectedSetUnknown", "message": message}, as_json)
        raise typer.Exit(ExitCode.FAULT) from None
    say(result.sentences(), result.to_document(), as_json)
