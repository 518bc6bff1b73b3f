"""`trainer migrate`."""

from typing import Annotated

import typer


def migrate(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Bring the database at DATABASE_URL to this image's schema.

    Safe to run twice and by several pods at once. With DRY_RUN=true it only says what is pending.
    """
    from trainer.migrations import migrate as apply  # noqa: PLC0415 - Alembic is not imported for --help
    from trainer.migrations import pending_revisions  # noqa: PLC0415
    from trainer.progress import say  # noqa: PLC0415
    from trainer.settings import read_settings  # noqa: PLC0415

    settings = read_settings()
    url = settings.needed_database_url()
    revisions = pending_revisions(url) if settings.dry_run else apply(url)
    verb = "pending" if settings.dry_run else "applied"
    say(f"{verb}: {', '.join(revisions)}" if revisions else "the schema is up to date", {verb: revisions}, as_json)
