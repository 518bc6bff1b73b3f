"""Gathers one report: the database's figures, and policies and runs from the API server or a file."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trainer.daemon.environment import needed
from trainer.daemon.postgres import Connection, Database
from trainer.errors import BadConfiguration
from trainer.monitor.given import objects_of
from trainer.monitor.objects import ClusterUnavailable, Document
from trainer.monitor.settings import database_secret
from trainer.monitor.training_table import TrainingTables
from trainer.report.anomalies import anomalies
from trainer.report.figures import Period, read_figures
from trainer.report.page import Report
from trainer.report.story import of_period, read_policy_story, read_run_story

logger = logging.getLogger("trainer.report")

# A week of ten million predictions takes some seconds; a busy database may take longer.
STATEMENT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """What to report on; `objects` None asks the API server, `secret` None takes every policy."""

    database: Database
    namespace: str
    secret: tuple[str, str] | None
    days: int
    zone: ZoneInfo
    objects: Path | None


def read_report_settings(
    days: int, time_zone: str, objects: Path | None, environment: Mapping[str, str] = os.environ
) -> ReportSettings:
    """Return what options and environment say; BadConfiguration for what cannot be."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadConfiguration(f"{time_zone!r:.80} is no time zone") from None
    return ReportSettings(
        database=Database(needed(environment, "DATABASE_URL"), "retrainer-report", STATEMENT_SECONDS),
        namespace=environment.get("POD_NAMESPACE") or "default",
        secret=database_secret(environment.get("DATABASE_SECRET", "")),
        days=days,
        zone=zone,
        objects=objects,
    )


async def gathered(settings: ReportSettings) -> Report:
    """Return the report of the days up to now; raises psycopg.Error where the database does not answer."""
    found = await _objects(settings)
    policies = [read_policy_story(document) for document in found[0]] if found else []
    ours = [story for story in policies if settings.secret in {None, story.policy.database_secret}]
    names = {story.policy.name for story in ours}
    async with await settings.database.connect() as connection:
        period = await _period(connection, settings)
        types = sorted({story.policy.model_type for story in ours}) or await _recorded_types(connection, settings)
        tables = await TrainingTables().measure(connection, settings.namespace, [story.policy for story in ours])
        figures = await read_figures(connection, settings.namespace, types, period, tables)
    stories = [read_run_story(document) for document in found[1]] if found else []
    runs = of_period([story for story in stories if story.run.policy in names], period.since, period.until)
    return Report(
        namespace=settings.namespace,
        figures=figures,
        anomalies=anomalies(figures, ours, runs),
        policies=ours,
        runs=runs if found else None,
    )


async def _objects(settings: ReportSettings) -> tuple[Sequence[Document], Sequence[Document]] | None:
    """Return policies and runs; None where there is nobody to ask: what the database knows is a report, too."""
    try:
        async with objects_of(settings.namespace, settings.objects) as objects:
            return await objects.policies(), await objects.runs()
    except (BadConfiguration, ClusterUnavailable) as fault:
        if settings.objects is not None:
            raise
        logger.warning("policies and runs cannot be read, so there are no checklists: %s", fault)
        return None


async def _period(connection: Connection, settings: ReportSettings) -> Period:
    [(now,)] = await (await connection.execute("SELECT now()")).fetchall()
    return Period(since=now - timedelta(days=settings.days), until=now, zone=settings.zone)


async def _recorded_types(connection: Connection, settings: ReportSettings) -> list[str]:
    query = "SELECT DISTINCT model_type FROM model_metadata WHERE namespace = %s ORDER BY 1"
    return [model_type for (model_type,) in await (await connection.execute(query, (settings.namespace,))).fetchall()]
