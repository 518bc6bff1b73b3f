"""Which trigger, if any, starts a run now. Every finding ends with exactly one reason, whatever is done or not done.

What holds for the whole policy comes first, then the run that waits, which further evidence joins at no cost, then the limits on starting.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from retrainer.api.v1alpha1 import ModelRetrainRunSpec
from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.policy_status import TriggerStatus
from retrainer.api.v1alpha1.run import Emergency, Evidence, PolicyRef
from retrainer.api.v1alpha1.triggers import Trigger
from retrainer.core import naming
from retrainer.core.acceptance import problem
from retrainer.core.actions import StartRun
from retrainer.core.circuit import INITIAL
from retrainer.core.holding import held
from retrainer.core.limits import Limit, circuit_is_open, limit
from retrainer.core.line import Rank, gives_way, taking_evidence
from retrainer.core.named_version import named_version
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.triggers import alert, metric, schedule, schema
from retrainer.core.triggers.evaluation import NOT_ASKED, SCHEMA_CHANGED, THRESHOLD_CROSSED
from retrainer.core.triggers.finding import Finding

EVIDENCE_LIMIT: Final = 32
_HAS_HAD_ITS_RUN: Final = frozenset({"AlreadyHandled", "NotDue"})


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of one finding: the trigger's state, and why, as people read it."""

    finding: Finding
    state: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Arbitration:
    """What the triggers come to together."""

    start: StartRun | None
    joins: tuple[Evidence, ...]
    """Evidence that the run `waiting` takes up."""
    waiting: str | None
    rulings: tuple[Ruling, ...]
    """One for each finding, in the order of the triggers."""
    triggers: tuple[TriggerStatus, ...]
    look_again_in: float | None


@dataclass(frozen=True, slots=True)
class _Outcome:
    start: StartRun | None = None
    joined: RunSeen | None = None
    taken: tuple[Finding, ...] = ()
    """The findings whose evidence a run takes up."""
    refused: Limit | None = None
    """Why all others are left."""


def arbitrate(seen: Observation) -> Arbitration:
    """Judge all triggers together: at most one run starts, further evidence joins the run that waits."""
    findings = [finding for trigger in seen.policy.spec.triggers for finding in _look(trigger, seen)]
    asking = sorted(
        (finding for finding in findings if finding.evidence is not None), key=lambda one: _rank(_cause(one, seen)), reverse=True
    )
    outcome = _outcome(asking, seen) if asking else _Outcome()
    start = outcome.start or (None if outcome.joined else _first_version(seen))
    rulings = tuple(_ruling(finding, outcome, seen) for finding in findings)
    waits = [finding.look_again_in for finding in findings]
    waits.append(outcome.refused.seconds_left(seen.now) if outcome.refused is not None else None)
    return Arbitration(
        start=start,
        joins=tuple(finding.evidence for finding in outcome.taken if finding.evidence is not None) if outcome.joined else (),
        waiting=outcome.joined.name if outcome.joined else None,
        rulings=rulings,
        triggers=tuple(_status(trigger, rulings, seen) for trigger in seen.policy.spec.triggers),
        look_again_in=min((wait for wait in waits if wait is not None), default=None),
    )


def _look(trigger: Trigger, seen: Observation) -> list[Finding]:
    if trigger.schedule is not None:
        return schedule.look(trigger, seen)
    if trigger.metric is not None:
        return metric.look(trigger, seen)
    if trigger.schema_ is not None:
        return schema.look(trigger, seen)
    return alert.look(trigger, seen)


def _outcome(asking: list[Finding], seen: Observation) -> _Outcome:
    """Return what becomes of findings that ask for a run, the highest priority first."""
    if (never := _may_not_act(seen)) is not None:
        return _Outcome(refused=never)
    waiting = taking_evidence(seen.runs)
    rank = _rank(_cause(asking[0], seen))
    if seen.policy.spec.dry_run:
        return _Outcome(refused=limit(seen, emergency=rank[0]) or Limit("DryRun", "spec.dryRun is set, or a run would start"))
    if waiting is not None and not _takes_its_place(rank, waiting):
        return _joining(waiting, asking)
    if (limited := limit(seen, emergency=rank[0])) is not None:
        return _joining(waiting, asking) if waiting is not None else _Outcome(refused=limited)
    taken = tuple(asking[:EVIDENCE_LIMIT])
    start = _start(seen, taken)
    return _Outcome(start=start, taken=taken, refused=_full(start.name))


def _may_not_act(seen: Observation) -> Limit | None:
    """Return what holds for every trigger, and for a run that waits as well."""
    if (halt := held(seen)) is not None:
        return Limit(halt.reason, halt.message)
    found = problem(seen)
    return Limit(found.reason, found.message) if found is not None else None


def _takes_its_place(rank: Rank, waiting: RunSeen) -> bool:
    """Say whether a trigger of this rank is worth a run of its own that the waiting one gives way to."""
    if waiting.status.phase is Phase.PENDING:
        return gives_way(waiting, rank)
    emergency, _ = rank
    return emergency and waiting.spec.emergency is None


def _joining(run: RunSeen, asking: list[Finding]) -> _Outcome:
    return _Outcome(joined=run, taken=tuple(asking[: EVIDENCE_LIMIT - len(run.status.evidence)]), refused=_full(run.name))


def _full(run: str) -> Limit:
    return Limit("EvidenceFull", f"{run} carries as much evidence as a run may; looked at again once it is under way")


def _first_version(seen: Observation) -> StartRun | None:
    """Start a first version where nothing serves, nobody is at it, and this generation of the policy has not been tried yet.

    Where people name a version there is nothing to train: that one is deployed, and a pin that cannot be honoured is told as such.
    """
    if seen.champion is not None or any(run.live for run in seen.runs) or named_version(seen) is not None:
        return None
    if seen.policy.spec.dry_run or _may_not_act(seen) is not None or circuit_is_open(seen) is not None:
        return None
    if any(run.by_operator and run.spec.policy_generation == seen.policy.generation for run in seen.runs):
        return None
    return _new_run(seen, INITIAL, "NoChampion", "no version serves yet")


def _start(seen: Observation, taken: tuple[Finding, ...]) -> StartRun:
    first, cause = taken[0], _cause(taken[0], seen)
    given: dict[str, Any] = {
        "evidence": tuple(finding.evidence for finding in taken if finding.evidence is not None),
        "priority": cause.priority,
        "hyperparameters": cause.hyperparameters,
        "data": cause.data,
    }
    if cause.emergency is not None:
        given["emergency"] = Emergency(reason=cut(first.labels), max_weight=cause.emergency.max_weight)
    return _new_run(seen, first.trigger, first.reason, first.message, **given)


def _new_run(seen: Observation, trigger: str, reason: str, message: str, **given: Any) -> StartRun:  # noqa: ANN401 - fields of the spec
    policy = seen.policy
    number = next_run_number(seen)
    spec = ModelRetrainRunSpec(
        policy_ref=PolicyRef(name=policy.identity.name),
        version=naming.version_name(seen.now, str(number)),
        trigger=trigger,
        reason=reason,
        message=cut(message),
        policy_generation=policy.generation,
        **given,
    )
    return StartRun(naming.run_name(policy.identity.name, number), spec)


def next_run_number(seen: Observation) -> int:
    """Return the number of the next run that the operator makes."""
    numbers = [naming.run_number(seen.policy.identity.name, run.name) or 0 for run in seen.runs]
    return max([seen.policy.status.last_run_number, *numbers]) + 1


def _cause(finding: Finding, seen: Observation) -> Trigger:
    return next(trigger for trigger in seen.policy.spec.triggers if trigger.name == finding.trigger)


def _rank(trigger: Trigger) -> Rank:
    return trigger.emergency is not None, trigger.priority


def _ruling(finding: Finding, outcome: _Outcome, seen: Observation) -> Ruling:
    if finding.evidence is None:
        return _begun(finding, seen) or Ruling(finding, *_quiet(finding))
    if finding in outcome.taken and outcome.start is not None:
        return Ruling(finding, "Started", finding.reason, f"{outcome.start.name}: {finding.message}")
    if finding in outcome.taken and outcome.joined is not None:
        return Ruling(finding, "Firing", "Coalesced", f"joins {outcome.joined.name}: {finding.message}")
    assert outcome.refused is not None, "what no run takes up is refused"
    return Ruling(finding, "Refused", outcome.refused.reason, f"{finding.message}; {outcome.refused.message}")


def _begun(finding: Finding, seen: Observation) -> Ruling | None:
    """Return what became of a trigger by whose evidence a run began of which the policy's status does not know yet."""
    if finding.reason not in _HAS_HAD_ITS_RUN:
        return None
    me, known = seen.policy.identity.name, seen.policy.status.last_run_number
    fresh = (run for run in seen.runs if run.by_operator and (naming.run_number(me, run.name) or 0) > known)
    for run in fresh:
        if (item := next((item for item in run.spec.evidence if item.trigger == finding.trigger), None)) is not None:
            told = f"{run.name}: {item.message or run.spec.message}"
            return Ruling(replace(finding, evidence=item), "Started", _asks_as(_cause(finding, seen)), told)
    return None


def _asks_as(trigger: Trigger) -> str:
    """Return the reason for which a trigger asks for a run."""
    if trigger.schedule is not None:
        return schedule.SCHEDULE_DUE
    if trigger.metric is not None:
        return THRESHOLD_CROSSED
    return SCHEMA_CHANGED if trigger.schema_ is not None else alert.ALERT_FIRING


def _status(trigger: Trigger, rulings: tuple[Ruling, ...], seen: Observation) -> TriggerStatus:
    """Return the trigger's state; `since` and the whole entry stay as they were while state and reason do."""
    mine = [ruling for ruling in rulings if ruling.finding.trigger == trigger.name]
    # Of many alerts some may have had their run and others be too old: what asks is told first, then what is refused.
    told = min(mine, key=lambda ruling: (ruling.finding.evidence is None, ruling.state != "Refused"))
    before = next((status for status in seen.policy.status.triggers if status.name == trigger.name), None)
    last_slot = before.last_slot if before else None
    if trigger.alert is None and told.finding.evidence is not None and told.state != "Refused":
        last_slot = told.finding.evidence.starts_at
    same = (told.state, told.reason, last_slot, told.finding.episode)
    if before is not None and (before.state, before.reason, before.last_slot, before.episode) == same:
        return before
    if before is not None and before.state == "Started" and told.reason in _HAS_HAD_ITS_RUN:
        return before
    if before is not None and told.reason == NOT_ASKED:
        return before
    status = TriggerStatus(
        name=trigger.name, state=told.state, reason=told.reason, message=cut(told.message), since=seen.now, last_slot=last_slot
    )
    return status.model_copy(update=told.finding.on_record)


def _quiet(finding: Finding) -> tuple[str, str, str]:
    if finding.state is not None:
        return finding.state, finding.reason, finding.message
    state = "Refused" if finding.reason in {"EvidencePredatesChampion", "SlotMissed", "ScheduleInvalid"} else "Armed"
    return state, finding.reason, finding.message
