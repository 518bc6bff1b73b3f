"""Names, labels and annotations of everything the operator makes: deterministic, so that an effect done twice is done once."""

import hashlib
from datetime import UTC, datetime
from typing import Final

FIELD_MANAGER: Final = "retrainer"

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
POLICY: Final = "retrainer.dev/policy"
POLICY_UID: Final = "retrainer.dev/policy-uid"
RUN: Final = "retrainer.dev/run"
COMPONENT: Final = "retrainer.dev/component"
SERVES: Final = "retrainer.dev/serves"
VERSION: Final = "retrainer.dev/version"
MONITORS: Final = "retrainer.dev/monitors"

CHAMPION: Final = "retrainer.dev/champion"
PREVIOUS: Final = "retrainer.dev/previous"
MADE: Final = "retrainer.dev/made-by-operator"
FOUND_SELECTOR: Final = "retrainer.dev/found-selector"
DELETION_POLICY: Final = "retrainer.dev/deletion-policy"
TEMPLATE_GENERATION: Final = "retrainer.dev/template-generation"
POLICY_GENERATION: Final = "retrainer.dev/policy-generation"
RETAKEN: Final = "retrainer.dev/retaken-at"
WITHDRAWN: Final = "retrainer.dev/withdrawn"
RECYCLED: Final = "retrainer.dev/recycled-by"
MANIFEST_DIGEST: Final = "retrainer.dev/manifest-digest"

APPROVE: Final = "retrainer.dev/approve"
ABORT: Final = "retrainer.dev/abort"
PROMOTE: Final = "retrainer.dev/promote"
PAUSE: Final = "retrainer.dev/pause"
RESUME: Final = "retrainer.dev/resume"
ROLLBACK: Final = "retrainer.dev/rollback"

ADOPTED: Final = "adopted"
_NAME_LIMIT: Final = 63
_NUMBER_LIMIT: Final = 6


def version_name(at: datetime, suffix: str) -> str:
    """Return a version's name: the UTC time its run was created, then the run's number or the start of its UID."""
    return f"{at.astimezone(UTC):%Y%m%d-%H%M%S}-{suffix}"


def run_name(policy: str, number: int) -> str:
    """Return the name of the policy's run with that number; taken already means that somebody else decided first."""
    return f"{policy}-{number}"


def run_number(policy: str, name: str) -> int | None:
    """Return the number in a run's name, or None when the name does not follow the operator's pattern (a person's run).

    A number of more than six digits, a date for instance, is a person's: the names of what comes after it would not fit.
    """
    prefix, _, number = name.rpartition("-")
    return int(number) if prefix == policy and number.isdigit() and len(number) <= _NUMBER_LIMIT else None


def validation_job(run: str, number: int) -> str:
    """Return the name of a run's n-th validation Job."""
    return f"{run}-validate-{number}"


def training_job(run: str, attempt: int) -> str:
    """Return the name of a run's training Job in its n-th attempt."""
    return f"{run}-train-{attempt}"


def version_deployment(deployment: str, version: str) -> str:
    """Return the name of the Deployment in which a version serves."""
    return f"{deployment}-{version}"


def version_service(service: str, version: str) -> str:
    """Return the name of the Service by which a route reaches one version."""
    return f"{service}-{version}"


def monitor_name(secret: str, key: str) -> str:
    """Return the name of the monitor of a database: one per Secret and key, which may hold what a name may not, told apart by a digest."""
    digest = hashlib.sha256(f"{secret}/{key}".encode()).hexdigest()[:8]
    return bounded(f"retrainer-monitor-{secret.replace('.', '-')}-{digest}")


def chore(policy: str, component: str) -> str:
    """Return the name of a policy's CronJob; the Jobs it makes append eleven characters to it."""
    return f"{policy}-{component}"


def bounded(name: str) -> str:
    """Return the name, or where it is too long for a label its head and a digest of the whole."""
    if len(name) <= _NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _NAME_LIMIT - 9].rstrip('-')}-{digest}"
