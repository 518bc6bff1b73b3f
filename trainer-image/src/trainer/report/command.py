"""`trainer report`."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    *,
    days: Annotated[int, typer.Option(min=1, max=92, help="How many days back the report looks.")] = 7,
    time_zone: Annotated[
        str, typer.Option(envvar="REPORT_TIME_ZONE", help="Whose days they are, such as Europe/Berlin.")
    ] = "UTC",
    page: Annotated[
        Path | None, typer.Option(help="Write the page to this file, and not to ARTIFACTS_PATH.", show_default=False)
    ] = None,
    objects: Annotated[
        Path | None,
        typer.Option(help="Policies and runs as `kubectl get mrp,mrr -o json` gives them; - reads standard input."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the digest as JSON.")] = False,
) -> None:
    """Report what each model did: one HTML page with plots, and a digest on standard output.

    Policies and runs are read as the pod's ServiceAccount, or from --objects; without either there are no checklists.

    Environment:

    * DATABASE_URL: the platform's database.
    * POD_NAMESPACE (default): whose policies and runs are told of.
    * DATABASE_SECRET: name/key; policies that name another Secret are left out.
    * ARTIFACTS_PATH: a directory or s3://bucket/prefix; the page goes to reports/DATE.html there, or to --page.
    * AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: for a bucket.
    * DRY_RUN: no page is written.
    """
    import asyncio  # noqa: PLC0415 - nothing of this is imported for --help

    from trainer.progress import say  # noqa: PLC0415
    from trainer.report.digest import digest, document  # noqa: PLC0415
    from trainer.report.gathering import gathered, read_report_settings  # noqa: PLC0415
    from trainer.report.publishing import publish  # noqa: PLC0415
    from trainer.settings import read_settings  # noqa: PLC0415

    settings = read_report_settings(days, time_zone, objects)
    told = asyncio.run(gathered(settings))
    place = None if read_settings().dry_run else publish(told, page)
    say("\n".join([digest(told), *([f"page: {place}"] if place else [])]), document(told, place), as_json)
