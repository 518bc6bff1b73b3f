"""The policy's status: conditions and roles, derived in every round from what was seen and what the runs came to."""

from collections.abc import Mapping
from datetime import datetime

from retrainer.api.v1alpha1 import Condition, ModelRetrainPolicyStatus, ModelRetrainRunStatus
from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.policy_status import LastOutcome, TrafficStatus, TriggerStatus, VersionStatus
from retrainer.core import adoption, naming
from retrainer.core.acceptance import problem
from retrainer.core.data_quality import data_quality
from retrainer.core.drift import baselines_on_record, figures_told, with_baselines
from retrainer.core.holding import held
from retrainer.core.limits import circuit_is_open
from retrainer.core.named_version import pin_problem
from retrainer.core.observation import Observation
from retrainer.core.phases import Phase, Slot, slot
from retrainer.core.traffic import mode_of
from retrainer.core.triggers.schedule import next_start

RunStatuses = Mapping[str, ModelRetrainRunStatus]


def policy_status(seen: Observation, runs: RunStatuses, triggers: tuple[TriggerStatus, ...]) -> ModelRetrainPolicyStatus:
    """Return the policy's next status; equal to the present one when nothing in it changed."""
    before = seen.policy.status
    training, serving = _holder(runs, Slot.TRAINING), _holder(runs, Slot.SERVING)
    candidate = _candidate(seen, runs, serving)
    champion = with_baselines(_role(seen, seen.champion, before.champion, runs), seen)
    newest = max(seen.runs, key=lambda run: run.identity.created, default=None)
    numbers = [naming.run_number(seen.policy.identity.name, run.name) or 0 for run in seen.runs]
    return before.model_copy(
        update={
            "observed_generation": seen.policy.generation,
            "champion": champion,
            "previous": _role(seen, seen.previous, before.previous, runs),
            "candidate": candidate,
            "traffic": _traffic(seen, runs, serving),
            "training_run": training,
            "serving_run": serving,
            "last_run_number": max([before.last_run_number, *numbers]),
            "last_trigger": newest.spec.trigger if newest else before.last_trigger,
            "last_outcome": _last_outcome(runs) or before.last_outcome,
            "score": _score(champion, runs, before),
            "next_schedule": next_start(seen.policy, seen.now),
            "triggers": triggers,
            "conditions": _conditions(seen, runs, triggers, training, serving),
        }
    )


def condition(
    before: tuple[Condition, ...], kind: str, holds: bool | None, reason: str, message: str, generation: int, now: datetime
) -> Condition:
    """Return a condition whose `lastTransitionTime` moves only when its status does."""
    status = "Unknown" if holds is None else str(holds)
    old = next((entry for entry in before if entry.type == kind), None)
    since = old.last_transition_time if old is not None and old.status == status else now
    return Condition.model_validate(
        {"type": kind, "status": status, "reason": reason, "message": cut(message),
         "observed_generation": generation, "last_transition_time": since}
    )  # fmt: skip


def _conditions(
    seen: Observation, runs: RunStatuses, triggers: tuple[TriggerStatus, ...], training: str | None, serving: str | None
) -> tuple[Condition, ...]:
    before, generation, now = seen.policy.status.conditions, seen.policy.generation, seen.now

    def told(kind: str, holds: bool | None, reason: str, message: str) -> Condition:
        return condition(before, kind, holds, reason, message, generation, now)

    busy = serving or training
    return (
        told("Ready", *_ready(seen)),
        told("Serving", *_serving(seen)),
        told(
            "Reconciling",
            bool(busy),
            "RunUnderWay" if busy else "Idle",
            f"{busy} is in {runs[busy].phase}" if busy else "no run is under way",
        ),
        told("DataQuality", *data_quality(seen, runs)),
        told("CircuitOpen", *_circuit(seen)),
        told("AwaitingApproval", *_approval(runs)),
        told("Stalled", False, "NothingInTheWay", "every effect could be carried out"),
        *(told(kind, *said) for kind, said in figures_told(seen, triggers)),
    )


def _ready(seen: Observation) -> tuple[bool, str, str]:
    """Ready means accepted, and nothing it serves unhealthy; not that nothing is training."""
    if (found := problem(seen)) is not None:
        return False, found.reason, found.message
    if (unmet := pin_problem(seen)) is not None:
        return False, *unmet
    if seen.champion is None:
        return True, "NoVersionYet", "the policy is accepted; no version serves yet"
    if not seen.backend(seen.champion).ready:
        return False, "ChampionNotReady", f"no pod of {seen.champion} is ready"
    if refusal := mode_of(seen.policy).refusal(seen):
        return False, "RouteNotAccepted", refusal
    if seen.template is not None and seen.template.replicas > 0:
        name = seen.policy.spec.serving.deployment_ref.name
        return True, "TemplateStillRunning", f"Deployment {name} is only a template by now: set its replicas to 0 in Git"
    if (halt := held(seen)) is not None:
        return True, halt.reason, f"{seen.champion} serves; {halt.message}: nothing starts until {halt.until}"
    return True, "Accepted", f"{seen.champion} serves{adoption.nothing_to_hand_back(seen)}"


def _serving(seen: Observation) -> tuple[bool, str, str]:
    if seen.champion is None:
        return False, "NoVersionYet", "no version serves yet"
    ready = len(seen.backend(seen.champion).ready)
    if ready == 0:
        return False, "NoReadyPods", f"no pod of {seen.champion} is ready"
    return True, "PodsReady", f"{seen.champion} serves"


def _circuit(seen: Observation) -> tuple[bool, str, str]:
    if (found := circuit_is_open(seen)) is not None:
        return True, "UncuredRuns", found.message
    return False, "Closed", "triggers may start runs as far as their outcomes go"


def _approval(runs: RunStatuses) -> tuple[bool, str, str]:
    waiting = next(((name, status) for name, status in runs.items() if status.phase is Phase.AWAITING_APPROVAL), None)
    if waiting is None:
        return False, "NothingToApprove", "no run waits for approval"
    return True, waiting[1].reason, f"{waiting[0]}: {waiting[1].message}"


def _holder(runs: RunStatuses, wanted: Slot) -> str | None:
    """Return the run that holds a slot; a watch may go on beside the emergency that is about to end it, which is the one to tell of."""
    holders = [name for name, status in runs.items() if slot(status.phase) is wanted]
    return min(holders, key=lambda name: runs[name].phase is Phase.WATCHING, default=None)


def _candidate(seen: Observation, runs: RunStatuses, serving: str | None) -> VersionStatus | None:
    status = runs[serving] if serving else None
    if status is None or status.version in {None, seen.champion} or status.phase is Phase.WATCHING or status.template is None:
        return None
    return _role(seen, status.version, seen.policy.status.candidate, runs)


def _role(seen: Observation, version: str | None, before: VersionStatus | None, runs: RunStatuses) -> VersionStatus | None:
    if version is None or (before is not None and before.version == version):
        return before if version is not None else None
    remembered = (seen.policy.status.champion, seen.policy.status.previous, seen.policy.status.candidate)
    known = next((role for role in remembered if role is not None and role.version == version), None)
    for name, status in runs.items():
        if status.version == version:
            digest = status.result.digest if status.result else ""
            baseline = known.baseline if known else baselines_on_record(runs, version)
            return VersionStatus(version=version, digest=digest, run=name, since=_since(status, before, seen.now), baseline=baseline)
    return known.model_copy(update={"since": seen.now}) if known else VersionStatus(version=version, since=seen.now)


def _since(status: ModelRetrainRunStatus, before: VersionStatus | None, now: datetime) -> datetime:
    """Return when a version took its role: when it was promoted, though this is written later; now, when an older one comes back."""
    promoted = status.promoted_at
    comes_back = before is not None and before.since is not None and promoted is not None and promoted <= before.since
    return now if promoted is None or comes_back else promoted


def _traffic(seen: Observation, runs: RunStatuses, serving: str | None) -> TrafficStatus | None:
    if seen.champion is None:
        return None
    champion_ready = len(seen.backend(seen.champion).ready)
    status = runs[serving] if serving else None
    if status is None or status.version in {None, seen.champion}:
        return TrafficStatus(champion_ready=champion_ready)
    candidate_ready = len(seen.backend(status.version or "").ready)
    mode = mode_of(seen.policy)
    shared = mode.is_shared(seen) and status.phase in {Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.PROMOTING}
    return TrafficStatus(
        candidate_weight=(status.analysis.weight if status.analysis else 0) if shared else 0,
        effective_weight=mode.effective_weight(seen, status.version or "") if shared else 0,
        champion_ready=champion_ready,
        candidate_ready=candidate_ready,
    )


def _last_outcome(runs: RunStatuses) -> LastOutcome | None:
    ended = [(status.completed_at, name, status) for name, status in runs.items() if status.completed_at and status.outcome]
    if not ended:
        return None
    at, name, status = max(ended, key=lambda entry: (entry[0], entry[1]))
    return LastOutcome(run=name, outcome=str(status.outcome), reason=status.reason, at=at)


def _score(champion: VersionStatus | None, runs: RunStatuses, before: ModelRetrainPolicyStatus) -> str | None:
    made_by = next((status for status in runs.values() if champion and status.version == champion.version), None)
    if made_by is not None:
        return made_by.score
    unchanged = champion is not None and before.champion is not None and champion.version == before.champion.version
    return before.score if unchanged else None
