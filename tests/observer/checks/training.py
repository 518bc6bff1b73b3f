"""One training at a time, and none lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.observer.checks.endpoints import SKEW, Lasting
from tests.observer.world import COMPONENT, POLICY, TRAIN, Job, Key, Violation, World

# A training that ended so shortly before the observer did may not be on record yet.
RECORDED_WITHIN = 5.0
UNREADABLE = ""


class OneTraining:
    """At most one training Job of a policy is active, and at most one training Pod of it runs."""

    name = "OneTrainingPerPolicy"

    def __init__(self) -> None:
        self._several = Lasting()

    def look(self, world: World) -> Sequence[Violation]:
        """Return the policies with more than one."""
        violations = []
        subjects: set[object] = set()
        for what, owners in (("jobs", _active_jobs(world)), ("pods", _running_pods(world))):
            for policy, names in owners.items():
                subject = (what, policy)
                if len(names) > 1:
                    subjects.add(subject)
                    if self._several.tell(subject, world.at, SKEW) is not None:
                        violations.append(Violation(world.at, self.name, "/".join(policy), f"training {what} {sorted(names)}"))
        self._several.keep(subjects)
        return violations


def _active_jobs(world: World) -> Mapping[Key, list[str]]:
    active: dict[Key, list[str]] = {}
    for job in world.jobs.values():
        if job.component == TRAIN and job.condition is None and not job.deleting:
            active.setdefault((job.key[0], job.policy), []).append(job.key[1])
    return active


def _running_pods(world: World) -> Mapping[Key, list[str]]:
    running: dict[Key, list[str]] = {}
    for pod in world.pods.values():
        if pod.labels.get(COMPONENT) == TRAIN and POLICY in pod.labels and not pod.finished:
            running.setdefault((pod.key[0], pod.labels[POLICY]), []).append(pod.key[1])
    return running


@dataclass(slots=True)
class _Training:
    job: Job
    completed_at: float
    reported: str | None = None
    recorded: bool = False


class TrainingsOnRecord:
    """Every succeeded training's version ends up on record, in its run's result.

    A trainer that ended well with a result that nobody can read has not succeeded; one whose result was lost has.
    """

    name = "TrainingOnRecord"

    def __init__(self) -> None:
        self._trainings: dict[str, _Training] = {}

    def look(self, world: World) -> Sequence[Violation]:
        """Remember succeeded trainings and what is on record for them; nothing is wrong before the end."""
        for job in world.jobs.values():
            if job.component == TRAIN and job.condition == "Complete":
                self._trainings.setdefault(job.uid, _Training(job, world.at))
        for training in self._trainings.values():
            self._update(training, world)
        return ()

    @property
    def versions(self) -> Sequence[str]:
        """The versions of all succeeded trainings."""
        return sorted({one.reported or one.job.version or "?" for one in self._trainings.values()})

    def finish(self, at: float) -> Sequence[Violation]:
        """Return the trainings that succeeded and are not on record."""
        return [
            Violation(at, self.name, "/".join(one.job.key), f"{one.reported or one.job.version} was trained and is on record nowhere")
            for one in self._trainings.values()
            if not one.recorded and one.reported != UNREADABLE and at - one.completed_at > RECORDED_WITHIN
        ]

    @staticmethod
    def _update(training: _Training, world: World) -> None:
        namespace, job_name = training.job.key
        for pod in world.pods.values():
            if pod.key[0] == namespace and pod.labels.get("batch.kubernetes.io/job-name") == job_name and pod.reported is not None:
                training.reported = pod.reported
        run = world.runs.get((namespace, training.job.run))
        wanted = training.reported or training.job.version
        if run is not None and run.recorded is not None and run.recorded == wanted:
            training.recorded = True
