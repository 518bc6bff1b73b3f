"""What a Job and the pods it left behind say, whichever of the two watches was the quicker."""

import re
from typing import Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from retrainer.api.v1alpha1.common import Reason
from retrainer.core.observation import JobSeen, PodSeen

_EXIT_CODE: Final = re.compile(r"exit code (\d+)")
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_REASON: Final = TypeAdapter(Reason)
_OUT_OF_TIME: Final = "DeadlineExceeded"


class Report(BaseModel):
    """What a trainer says about data or a configuration it refuses."""

    reason: object = None
    message: str = ""

    @property
    def why(self) -> str:
        """The trainer's reason where it is one: the API server refuses a status with any other, for as long as the pod lives."""
        try:
            return _REASON.validate_python(self.reason)
        except ValidationError:
            return "DataRejected"


def is_behind(job: JobSeen, pods: tuple[PodSeen, ...]) -> bool:
    """Say whether the Job has ended and the watch has not brought the end of its pods yet.

    A Job is Complete or Failed only once all its pods have ended (Kubernetes 1.31), so what a cache still shows as running is old.
    """
    return not job.active and any(pod.phase not in _ENDED and not pod.deleting for pod in pods)


def ran_out_of_time(pods: tuple[PodSeen, ...]) -> bool:
    """Say whether a pod ended by the deadline of its template."""
    return any(pod.reason == _OUT_OF_TIME for pod in pods)


def refused_by_node(pods: tuple[PodSeen, ...]) -> str | None:
    """Return why a node refused every pod before any container ran, in the kubelet's words, or None when that is not what happened.

    The kubelet admits a pod by what it knows itself, which may lag behind the scheduler (`OutOfnvidia.com/gpu`, `UnexpectedAdmissionError`
    after a device plugin has restarted). Nothing was trained and nothing is wrong with the training.
    """
    refused = [pod for pod in pods if pod.phase == "Failed" and pod.ended is None and pod.reason not in {"", _OUT_OF_TIME}]
    return refused[-1].reason if refused and len(refused) == len(pods) else None


def waiting_for(job: JobSeen, pods: tuple[PodSeen, ...], reason: str, message: str) -> tuple[str, str]:
    """Return the deepest reason why nothing runs: the pod's container, its scheduling, the Job's suspension, else what is given."""
    if job.suspended:
        return "Suspended", f"Job {job.identity.name} is suspended: whoever suspended it (a queue, a person) must resume it"
    told = next((pod.waits_for for pod in reversed(pods) if pod.waits_for is not None), None)
    return told or (reason, message)


def exit_code(job: JobSeen, pods: tuple[PodSeen, ...]) -> int | None:
    """Return the exit code that ended the Job, from its pod, or where that is gone from the condition's sentence."""
    for pod in reversed(pods):
        if pod.ended is not None and pod.ended.exit_code != 0:
            return pod.ended.exit_code
    found = _EXIT_CODE.search(job.failed[1]) if job.failed else None
    return int(found.group(1)) if found else None


def report_of(pods: tuple[PodSeen, ...]) -> Report:
    """Return what the youngest pod that said anything of the contract said."""
    for pod in reversed(pods):
        if pod.ended is not None and pod.ended.message:
            try:
                return Report.model_validate_json(pod.ended.message)
            except ValidationError:
                continue
    return Report()


def why(job: JobSeen, pods: tuple[PodSeen, ...]) -> str:
    """Return the Job's own sentence and how its last pod ended."""
    ended = next((pod.ended for pod in reversed(pods) if pod.ended is not None), None)
    last = f"; the last pod ended with exit code {ended.exit_code} ({ended.reason or 'Error'})" if ended else ""
    return f"{job.failed[1] if job.failed else 'no reason given'}{last}"
