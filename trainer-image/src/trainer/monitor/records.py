"""Reads and writes `model_metadata` and `model_ledger`, one transaction a round."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

from psycopg.types.json import Jsonb

from trainer.daemon.postgres import Connection
from trainer.monitor.entries import ALL, AppendEntry
from trainer.monitor.objects import Policy, Run
from trainer.monitor.projection import Activate, Change, Present, RecordVersion, changes
from trainer.monitor.reigns import Reign

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('retrainer-monitor'), hashtext(%s))"

_VERSIONS = """
    SELECT model_type, version, is_active, metrics IS NULL AS lacks
    FROM model_metadata WHERE namespace = %s AND (is_active OR version = ANY(%s))
"""

_ENTRIES = """
    SELECT run, version, event, CASE WHEN event = 'Weighted' THEN weight END
    FROM model_ledger WHERE namespace = %s AND run = ANY(%s)
"""

# Those who had all traffic, or lost it: a champion that was rolled back, or a candidate in its canary.
_REIGNS = """
    SELECT model_type, version, at, weight FROM model_ledger
    WHERE namespace = %s AND weight IN (0, 100) ORDER BY model_type, id
"""

_RECORD = """
    INSERT INTO model_metadata AS present (namespace, model_type, version, accuracy, trained_at, metrics, run, digest)
    VALUES (%(namespace)s, %(model_type)s, %(version)s, %(accuracy)s, coalesce(%(trained_at)s, now()), %(metrics)s,
            %(run)s, %(digest)s)
    ON CONFLICT (namespace, model_type, version) DO UPDATE SET
        accuracy = coalesce(present.accuracy, excluded.accuracy), metrics = coalesce(present.metrics, excluded.metrics),
        run = coalesce(present.run, excluded.run), digest = coalesce(present.digest, excluded.digest)
"""

# First off, then on: the index that allows one active row is checked row by row.
_DEACTIVATE = """
    UPDATE model_metadata SET is_active = false
    WHERE namespace = %s AND model_type = %s AND is_active AND version <> %s
"""
_ACTIVATE = "UPDATE model_metadata SET is_active = true WHERE namespace = %s AND model_type = %s AND version = %s"

_APPEND = """
    INSERT INTO model_ledger (namespace, model_type, version, event, reason, message, run, at, weight)
    VALUES (%s, %s, %s, %s, %s, %s, %s, coalesce(%s, now()), %s)
"""


async def project(
    connection: Connection, namespace: str, policies: Sequence[Policy], runs: Sequence[Run]
) -> list[Change]:
    """Bring the tables to what the objects say, all or nothing; returns what was written.

    The rows are read under a lock that every monitor of the namespace takes, so that two of them, as there are for a
    moment when a Deployment rolls, do not write an entry twice.
    """
    async with connection.transaction():
        await connection.execute(_LOCK, (namespace,))
        written = changes(policies, runs, await _present(connection, namespace, policies, runs))
        for change in written:
            await _write(connection, namespace, change)
    return written


async def _present(connection: Connection, namespace: str, policies: Sequence[Policy], runs: Sequence[Run]) -> Present:
    champions = [policy.champion for policy in policies if policy.champion is not None]
    versions = sorted({*champions, *(run.version for run in runs)})
    rows = await (await connection.execute(_VERSIONS, (namespace, versions))).fetchall()
    entries = await (await connection.execute(_ENTRIES, (namespace, [run.name for run in runs]))).fetchall()
    return Present(
        complete=frozenset((model_type, version) for model_type, version, _, lacks in rows if not lacks),
        incomplete=frozenset((model_type, version) for model_type, version, _, lacks in rows if lacks),
        active=frozenset((model_type, version) for model_type, version, is_active, _ in rows if is_active),
        entries=frozenset((run, version, event, weight) for run, version, event, weight in entries),
        reigns=_reigns(await (await connection.execute(_REIGNS, (namespace,))).fetchall()),
    )


def _reigns(rows: Iterable[tuple[str, str, datetime, int]]) -> dict[str, list[Reign]]:
    found: dict[str, list[Reign]] = {}
    for model_type, version, at, weight in rows:
        reigns = found.setdefault(model_type, [])
        if weight == ALL:
            reigns.append(Reign(at, version))
        elif reigns and reigns[-1].version == version:
            reigns.append(Reign(at, None))
    return found


async def _write(connection: Connection, namespace: str, change: Change) -> None:
    match change:
        case RecordVersion():
            columns = {
                "namespace": namespace,
                "model_type": change.model_type,
                "version": change.version,
                "accuracy": change.accuracy,
                "trained_at": change.trained_at,
                "metrics": Jsonb(dict(change.metrics)) if change.metrics else None,
                "run": change.run,
                "digest": change.digest,
            }
            await connection.execute(_RECORD, columns)
        case Activate():
            await connection.execute(_DEACTIVATE, (namespace, change.model_type, change.version))
            await connection.execute(_ACTIVATE, (namespace, change.model_type, change.version))
        case AppendEntry(model_type, version, event, reason, message, run, at, weight):
            row = (namespace, model_type, version, event, reason, message, run or None, at, weight)
            await connection.execute(_APPEND, row)
        case _:
            assert_never(change)
