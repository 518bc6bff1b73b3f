"""`trainer migrate`."""

from typing import Annotated

import typer

from trainer.migrations import migrate as apply
from trainer.migrations import pending_revisions
from trainer.progress import say
from trainer.settings import read_settings


def migrate(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Bring the database at DATABASE_URL to this image's schema.

    Safe to run twice and by several pods at once. With DRY_RUN=true it only says what is pending.
    """
    settings = read_settings()
    url = settings.needed_database_url()
    revisions = pending_revisions(url) if settings.dry_run else apply(url)
    verb = "pending" if settings.dry_run else "applied"
    say(f"{verb}: {', '.join(revisions)}" if revisions else "the schema is up to date", {verb: revisions}, as_json)
