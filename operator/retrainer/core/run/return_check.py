"""After a rollback the smoke test's own call proves that the Service answers with the version that came back. It holds nothing up."""

from datetime import timedelta
from typing import Any, Final

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.api.v1alpha1.rollout import SmokeTest
from retrainer.api.v1alpha1.run_status import ReturnCheck
from retrainer.core.observation import Observation, ProbeSeen, RunSeen
from retrainer.core.run.step import Step, hold, note

PENDING: Final = "Pending"
# Long enough for every node's kube-proxy and for a server that is slow to its first answer.
_WITHIN: Final = timedelta(seconds=30)
_ASK_AGAIN_S: Final = 1.0


def to_be_checked(status: ModelRetrainRunStatus, seen: Observation, version: str) -> dict[str, Any]:
    """Return the status's field that asks for the check, where the policy has a smoke test and a Service that clients call.

    A gateway is not called: which address and certificate it has for whom is its owner's business.
    """
    if seen.by_route or status.frozen is None or status.frozen.rollout.smoke_test is None:
        return {}
    return {"return_check": ReturnCheck(version=version, since=seen.now)}


def question(run: RunSeen, seen: Observation) -> tuple[str, SmokeTest, str] | None:
    """Return what is to be asked now: the Service's URL, the smoke test, and the version that should answer."""
    check, frozen, service = run.status.return_check, run.status.frozen, seen.service
    if check is None or check.reason != PENDING or frozen is None or frozen.rollout.smoke_test is None or service is None:
        return None
    address, port = service.cluster_ip, frozen.serving.service.port
    if not address or address == "None":
        address = f"{service.identity.name}.{service.identity.namespace}.svc"
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}{frozen.rollout.smoke_test.path}", frozen.rollout.smoke_test, check.version


def finished(run: RunSeen, seen: Observation) -> Step:
    """Nothing is left to do but to hear the Service once, where that was asked for."""
    check = run.status.return_check
    if check is None or check.reason != PENDING:
        return hold(run.status)
    if seen.champion != check.version:
        return _told(run, seen, check, "Superseded", f"{seen.champion} serves by now: the Service was not heard with {check.version}")
    probe = seen.service_probe
    if probe is not None and probe.passed and probe.named:
        return _told(run, seen, check, "Verified", f"the Service answers {probe.status}, and with {check.version}")
    if seen.now < check.since + _WITHIN:
        not_asked_yet = probe is None and question(run, seen) is not None
        return hold(run.status, after=0.0 if not_asked_yet else _ASK_AGAIN_S)
    if probe is not None and probe.passed:
        return _told(
            run, seen, check, "VersionNotNamed", f"the Service answers {probe.status}, but its answer does not name {check.version}"
        )
    return _told(run, seen, check, "NotVerified", f"{check.version} serves, but the Service was not heard to answer: {_why(probe)}")


def _why(probe: ProbeSeen | None) -> str:
    return probe.message if probe is not None else "nobody could be asked"


def _told(run: RunSeen, seen: Observation, check: ReturnCheck, reason: str, message: str) -> Step:
    return note(run.status, seen.now, f"Return{reason}", message, return_check=check.model_copy(update={"reason": reason}))
