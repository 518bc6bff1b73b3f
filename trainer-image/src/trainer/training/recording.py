"""Tells the monitor of a new version: its feature schema and reference, in `model_metadata`."""

from psycopg import Connection
from psycopg.types.json import Jsonb

from trainer.artifact import Artifact
from trainer.request import RetrainRequest


def record(connection: Connection, artifact: Artifact, request: RetrainRequest) -> None:
    """Write the version's row, inactive; whether a row is active is the monitor's business, and stays as it is."""
    manifest = artifact.manifest
    connection.execute(
        """insert into model_metadata
             (namespace, model_type, version, accuracy, trained_at, is_active, metrics, run, digest, feature_schema,
              reference)
           values (%(namespace)s, %(model_type)s, %(version)s, %(accuracy)s, %(trained_at)s, false, %(metrics)s,
                   %(run)s, %(digest)s, %(feature_schema)s, %(reference)s)
           on conflict (namespace, model_type, version) do update set
             accuracy = excluded.accuracy, trained_at = excluded.trained_at, metrics = excluded.metrics,
             run = excluded.run, digest = excluded.digest, feature_schema = excluded.feature_schema,
             reference = excluded.reference""",
        {
            "namespace": request.namespace,
            "model_type": manifest.model_type,
            "version": manifest.version,
            "accuracy": manifest.metrics["candidate"].get("accuracy"),
            "trained_at": manifest.created_at,
            "metrics": Jsonb({side: dict(figures) for side, figures in manifest.metrics.items()}),
            "run": request.run or None,
            "digest": artifact.digest,
            "feature_schema": Jsonb(manifest.feature_schema),
            "reference": Jsonb(artifact.reference.to_document()),
        },
    )
