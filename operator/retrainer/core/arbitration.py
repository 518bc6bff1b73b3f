"""Which trigger, if any, starts a run now. Every trigger ends with exactly one reason, whatever is done or not done."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from retrainer.api.v1alpha1 import ModelRetrainRunSpec, seconds
from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.policy_status import TriggerStatus
from retrainer.api.v1alpha1.run import Evidence, PolicyRef
from retrainer.api.v1alpha1.triggers import Trigger
from retrainer.core import naming
from retrainer.core.acceptance import problem
from retrainer.core.actions import StartRun
from retrainer.core.holding import held
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Event, Outcome, Phase, Reaction, reaction
from retrainer.core.run.interruption import is_interrupted
from retrainer.core.triggers import alert, schedule
from retrainer.core.triggers.finding import Finding

INITIAL: Final = "initial"
_EVIDENCE_LIMIT: Final = 32
_COOLED: Final = frozenset({Outcome.ROLLED_BACK, Outcome.TRAINING_FAILED, Outcome.GATE_REJECTED, Outcome.DATA_REJECTED})


@dataclass(frozen=True, slots=True)
class Arbitration:
    """What the triggers come to together."""

    start: StartRun | None
    joins: tuple[Evidence, ...]
    """Evidence that the run `waiting` takes up."""
    waiting: str | None
    triggers: tuple[TriggerStatus, ...]
    look_again_in: float | None


def arbitrate(seen: Observation) -> Arbitration:
    """Judge all triggers together: at most one run starts, further evidence joins the run that waits."""
    findings = [finding for trigger in seen.policy.spec.triggers for finding in _look(trigger, seen)]
    asking = [finding for finding in findings if finding.evidence is not None]
    refused = _refusal(seen) if asking else None
    waiting = next((run for run in seen.runs if run.status.phase is Phase.PENDING and not is_interrupted(run)), None)
    start: StartRun | None = None
    joins: tuple[Evidence, ...] = ()
    if refused is None and asking and waiting is None:
        start = _start(seen, asking)
    elif refused is None and asking and waiting is not None and reaction(Event.TRIGGER, waiting.status.phase) is Reaction.COALESCES:
        joins = tuple(finding.evidence for finding in asking if finding.evidence is not None)[:_EVIDENCE_LIMIT]
    elif (refused is not None or not asking) and _needs_first_version(seen):
        start = _first(seen)
    told = tuple(_told(trigger, findings, refused, start, waiting, seen) for trigger in seen.policy.spec.triggers)
    again = [finding.look_again_in for finding in findings if finding.look_again_in is not None]
    if refused is not None and refused.look_again_in is not None:
        again.append(refused.look_again_in)
    return Arbitration(start, joins, waiting.name if waiting else None, told, min(again, default=None))


def _look(trigger: Trigger, seen: Observation) -> list[Finding]:
    if trigger.schedule is not None:
        return schedule.look(trigger, seen)
    return alert.look(trigger, seen)


def _refusal(seen: Observation) -> Finding | None:
    """Return why no trigger may start a run now; the name in it is of no trigger, since it holds for all of them."""
    if (halt := held(seen)) is not None:
        return Finding("", halt.reason, halt.message)
    if (found := problem(seen)) is not None:
        return Finding("", found.reason, found.message)
    until = cools_until(seen)
    if until is not None and seen.now < until:
        told = f"the last training or rollback is younger than {seen.policy.spec.trigger_policy.cooldown}; until {until:%H:%M:%S} UTC"
        return Finding("", "CoolingDown", told, look_again_in=(until - seen.now).total_seconds())
    return None


def cools_until(seen: Observation) -> datetime | None:
    """Return the end of the cooldown, counted from the end of the last training or rollback; None before the first."""
    ends = [at for run in seen.runs if (at := _training_ended(run)) is not None]
    return max(ends) + timedelta(seconds=seconds(seen.policy.spec.trigger_policy.cooldown)) if ends else None


def _training_ended(run: RunSeen) -> datetime | None:
    status = run.status
    if status.outcome in _COOLED and status.completed_at is not None:
        return status.completed_at
    return status.gated_at


def _needs_first_version(seen: Observation) -> bool:
    """Nothing serves, nobody is at it, and this generation of the policy has not been tried yet."""
    if seen.champion is not None or held(seen) is not None or problem(seen) is not None:
        return False
    tried = any(run.by_operator and run.spec.policy_generation == seen.policy.generation for run in seen.runs)
    return not tried and not any(run.live for run in seen.runs)


def _first(seen: Observation) -> StartRun:
    return _new_run(seen, trigger=INITIAL, reason="NoChampion", message="no version serves yet")


def _start(seen: Observation, asking: list[Finding]) -> StartRun:
    first = asking[0]
    trigger = next(trigger for trigger in seen.policy.spec.triggers if trigger.name == first.trigger)
    evidence = tuple(finding.evidence for finding in asking if finding.evidence is not None)[:_EVIDENCE_LIMIT]
    return _new_run(seen, trigger.name, first.reason, first.message, trigger, evidence)


def _new_run(
    seen: Observation, trigger: str, reason: str, message: str, cause: Trigger | None = None, evidence: tuple[Evidence, ...] = ()
) -> StartRun:
    policy = seen.policy
    numbers = [naming.run_number(policy.identity.name, run.name) or 0 for run in seen.runs]
    number = max([policy.status.last_run_number, *numbers]) + 1
    overrides = {"hyperparameters": cause.hyperparameters, "data": cause.data} if cause else {}
    spec = ModelRetrainRunSpec(
        policy_ref=PolicyRef(name=policy.identity.name),
        version=naming.version_name(seen.now, str(number)),
        trigger=trigger,
        reason=reason,
        message=cut(message),
        policy_generation=policy.generation,
        evidence=evidence,
        **overrides,
    )
    return StartRun(naming.run_name(policy.identity.name, number), spec)


def _told(
    trigger: Trigger, findings: list[Finding], refused: Finding | None, start: StartRun | None, waiting: RunSeen | None, seen: Observation
) -> TriggerStatus:
    """Return the trigger's state; `since` and the whole entry stay as they were while state and reason do."""
    mine = [finding for finding in findings if finding.trigger == trigger.name]
    asking = next((finding for finding in mine if finding.evidence is not None), None)
    before = next((status for status in seen.policy.status.triggers if status.name == trigger.name), None)
    slot = asking.evidence.starts_at if asking and asking.evidence and trigger.schedule else None
    last_slot = slot if slot and refused is None else (before.last_slot if before else None)
    if asking is None:
        state, reason, message = _quiet(mine[0])
    elif refused is not None:
        state, reason, message = "Refused", refused.reason, f"{asking.message}; {refused.message}"
    elif start is not None:
        state, reason, message = "Started", asking.reason, f"{start.name}: {asking.message}"
    else:
        state, reason, message = "Firing", "Coalesced", f"joins {waiting.name if waiting else 'the waiting run'}: {asking.message}"
    if before is not None and (before.state, before.reason, before.last_slot) == (state, reason, last_slot):
        return before
    if before is not None and before.state == "Started" and reason in {"AlreadyHandled", "NotDue"}:
        return before
    return TriggerStatus(name=trigger.name, state=state, reason=reason, message=cut(message), since=seen.now, last_slot=last_slot)


def _quiet(finding: Finding) -> tuple[str, str, str]:
    state = "Refused" if finding.reason in {"EvidencePredatesChampion", "SlotMissed", "ScheduleInvalid"} else "Armed"
    return state, finding.reason, finding.message
