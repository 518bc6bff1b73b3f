"""After a rollback the smoke test's own call proves that the Service answers with the version that came back. It holds nothing up.

A gateway itself is not called: which address and certificate it has for whom is its owner's business. The Service that its route sends
everything to is.
"""

from datetime import timedelta
from typing import Any, Final

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.api.v1alpha1.rollout import SmokeTest
from retrainer.api.v1alpha1.run_status import ReturnCheck
from retrainer.core import naming
from retrainer.core.observation import Observation, ProbeSeen, RunSeen
from retrainer.core.run.step import Step, hold, note

PENDING: Final = "Pending"
# Long enough for every node's kube-proxy and for a server that is slow to its first answer.
_WITHIN: Final = timedelta(seconds=30)
_ASK_AGAIN_S: Final = 1.0


def to_be_checked(status: ModelRetrainRunStatus, seen: Observation, version: str) -> dict[str, Any]:
    """Return the status's field that asks for the check, where the policy has a smoke test."""
    if status.frozen is None or status.frozen.rollout.smoke_test is None:
        return {}
    return {"return_check": ReturnCheck(version=version, since=seen.now)}


def question(run: RunSeen, seen: Observation) -> tuple[str, SmokeTest, str] | None:
    """Return what is to be asked now: the Service's URL, the smoke test, and the version that should answer."""
    check, frozen = run.status.return_check, run.status.frozen
    if check is None or check.reason != PENDING or frozen is None or frozen.rollout.smoke_test is None:
        return None
    if (found := _service(seen, check.version)) is None:
        return None
    name, address = found
    if not address or address == "None":
        address = f"{name}.{seen.policy.identity.namespace}.svc"
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{frozen.serving.service.port}{frozen.rollout.smoke_test.path}", frozen.rollout.smoke_test, check.version


def _service(seen: Observation, version: str) -> tuple[str, str] | None:
    """Return name and address of the Service that has all the requests: the one clients call, or the version's own behind the route."""
    if seen.by_route:
        name = naming.version_service(seen.policy.spec.serving.service.name, version)
        return (name, seen.addressed[version]) if version in seen.addressed else None
    return (seen.service.identity.name, seen.service.cluster_ip) if seen.service is not None else None


def finished(run: RunSeen, seen: Observation) -> Step:
    """Nothing is left to do but to hear the Service once, where that was asked for."""
    check = run.status.return_check
    if check is None or check.reason != PENDING:
        return hold(run.status)
    heard = "the Service behind the route" if seen.by_route else "the Service"
    if seen.champion != check.version:
        return _told(run, seen, check, "Superseded", f"{seen.champion} serves by now: {heard} was not heard with {check.version}")
    probe = seen.service_probe
    if probe is not None and probe.passed and probe.named:
        return _told(run, seen, check, "Verified", f"{heard} answers {probe.status}, and with {check.version}")
    if seen.now < check.since + _WITHIN:
        not_asked_yet = probe is None and question(run, seen) is not None
        return hold(run.status, after=0.0 if not_asked_yet else _ASK_AGAIN_S)
    if probe is not None and probe.passed:
        return _told(run, seen, check, "VersionNotNamed", f"{heard} answers {probe.status}, but its answer does not name {check.version}")
    return _told(run, seen, check, "NotVerified", f"{check.version} serves, but {heard} was not heard to answer: {_why(probe)}")


def _why(probe: ProbeSeen | None) -> str:
    return probe.message if probe is not None else "nobody could be asked"


def _told(run: RunSeen, seen: Observation, check: ReturnCheck, reason: str, message: str) -> Step:
    return note(run.status, seen.now, f"Return{reason}", message, return_check=check.model_copy(update={"reason": reason}))
