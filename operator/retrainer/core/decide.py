"""Everything one round decides about one policy: pure, so that the same observation always comes to the same decision."""

from dataclasses import replace

from retrainer.api.v1alpha1 import ModelRetrainPolicyStatus, ModelRetrainRunStatus
from retrainer.api.v1alpha1.command import CommandStatus
from retrainer.api.v1alpha1.policy_status import TriggerStatus
from retrainer.core.acceptance import problem
from retrainer.core.actions import Announcement, Decision, Effect, SendTraffic, Severity, StartRun
from retrainer.core.arbitration import EVIDENCE_LIMIT, Arbitration, arbitrate, next_run_number
from retrainer.core.commands import policy_commands, run_commands
from retrainer.core.cure import with_cure
from retrainer.core.drift import on_record
from retrainer.core.housekeeping import handled_alerts, tidy
from retrainer.core.named_version import redeployment
from retrainer.core.notice import CIRCUIT_OPEN
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.step import Step
from retrainer.core.status import policy_status
from retrainer.core.triggers.evaluation import NOT_ASKED
from retrainer.core.versions import kept_versions

# What a policy lacks may come without a word to it: volume claims are not watched, and another policy's end wakes only that policy.
_MENDED_WITHIN_S = 5.0
_GOOD_ENDS = frozenset({Outcome.SUCCEEDED, Outcome.DRY_RUN_PASSED})


def decide(seen: Observation) -> Decision:
    """Return the effects, the status of the policy and of each run, what to announce, and when to look again."""
    steps = {run.name: advance(run, seen) for run in seen.runs}
    arbitration = arbitrate(seen)
    runs = {name: _joined(step, run, arbitration) for (name, step), run in zip(steps.items(), seen.runs, strict=True)}
    runs = {run.name: with_cure(run, _heard(run, runs[run.name], seen), seen) for run in seen.runs}
    effects: list[Effect] = [effect for step in steps.values() for effect in step.effects]
    traffic_moves = any(isinstance(effect, SendTraffic) for effect in effects)
    effects += [effect for effect in tidy(seen, traffic_moves=traffic_moves) if effect not in effects]
    effects += _starts(seen, arbitration, effects)
    told = _once_moved(seen, effects)
    status = policy_status(told, runs, arbitration.triggers).model_copy(
        update={
            "handled_alerts": handled_alerts(seen),
            "commands": policy_commands(seen),
            "versions": kept_versions(told, runs),
        }
    )
    runs = on_record(runs, status.champion, seen)
    waits = [step.after for step in steps.values() if step.after is not None]
    if arbitration.look_again_in is not None:
        waits.append(arbitration.look_again_in)
    if problem(seen) is not None:
        waits.append(_MENDED_WITHIN_S)
    return Decision(
        effects=tuple(effects),
        policy=status,
        runs=runs,
        announcements=(
            *_about_runs(seen, runs),
            *_about_policy(seen, status.triggers),
            *_about_circuit(seen, status),
            *_about_commands(seen, runs, status.commands),
        ),
        requeue_after=min(waits, default=None),
    )


def _starts(seen: Observation, arbitration: Arbitration, effects: list[Effect]) -> list[StartRun]:
    """Return the runs to create: what the triggers come to, and the redeployment of a version that people name."""
    starts = [arbitration.start] if arbitration.start is not None else []
    returning = next((effect.champion for effect in effects if isinstance(effect, SendTraffic)), "")
    back = redeployment(seen, returning=returning, number=next_run_number(seen) + len(starts))
    return [*starts, back] if back is not None else starts


def _once_moved(seen: Observation, effects: list[Effect]) -> Observation:
    """Return what is seen, with who serves as this round makes it: its traffic has moved by the time its status is written."""
    moved = next((effect for effect in effects if isinstance(effect, SendTraffic)), None)
    if moved is None:
        return seen
    route, service = (seen.route, None) if seen.by_route else (None, seen.service)
    if route is not None:
        return replace(seen, route=replace(route, champion=moved.champion, previous=moved.previous))
    if service is not None:
        return replace(seen, service=replace(service, champion=moved.champion, previous=moved.previous))
    return seen


def _joined(step: Step, run: RunSeen, arbitration: Arbitration) -> ModelRetrainRunStatus:
    """Add evidence that arrived meanwhile to the run that waits; one that ends in this very round takes none with it."""
    if not arbitration.joins or run.name != arbitration.waiting or step.status.phase is Phase.FINISHED:
        return step.status
    known = {(item.trigger, item.fingerprint, item.starts_at) for item in (*run.spec.evidence, *step.status.evidence)}
    fresh = [item for item in arbitration.joins if (item.trigger, item.fingerprint, item.starts_at) not in known]
    return step.status.model_copy(update={"evidence": (*step.status.evidence, *fresh)[:EVIDENCE_LIMIT]})


def _heard(run: RunSeen, status: ModelRetrainRunStatus, seen: Observation) -> ModelRetrainRunStatus:
    """Add what came of the commands that people gave the run."""
    return status.model_copy(update={"commands": run_commands(run, status, seen.now)})


def _about_runs(seen: Observation, runs: dict[str, ModelRetrainRunStatus]) -> list[Announcement]:
    """One announcement a transition of a run, on the run and on its policy."""
    told: list[Announcement] = []
    for run in seen.runs:
        status = runs[run.name]
        told += _about_return(seen, run, status)
        if (status.phase, status.reason) == (run.status.phase, run.status.reason):
            continue
        bad = status.outcome is not None and status.outcome not in _GOOD_ENDS
        severity = Severity.WARNING if bad else Severity.NORMAL
        head = status.outcome or status.phase
        told.append(Announcement(run.identity, True, severity, status.reason, f"{head}: {status.message}"))
        if status.phase is not run.status.phase:
            told.append(Announcement(seen.policy.identity, False, severity, str(head), f"{run.name}: {status.message}", run.name))
    return told


def _about_return(seen: Observation, run: RunSeen, status: ModelRetrainRunStatus) -> list[Announcement]:
    """What the Service answered after a rollback, on the run and on its policy."""
    if status.return_check in {None, run.status.return_check} or status.outcome != run.status.outcome:
        return []
    severity = Severity.NORMAL if status.return_check.reason == "Verified" else Severity.WARNING
    latest = status.timeline[-1]
    return [
        Announcement(run.identity, True, severity, latest.reason, latest.message),
        Announcement(seen.policy.identity, False, severity, latest.reason, f"{run.name}: {latest.message}", run.name),
    ]


def _about_policy(seen: Observation, triggers: tuple[TriggerStatus, ...]) -> list[Announcement]:
    before = {status.name: status for status in seen.policy.status.triggers}
    changed = [
        status for status in triggers if before.get(status.name) != status and status.state != "Armed" and status.reason != NOT_ASKED
    ]
    return [
        Announcement(seen.policy.identity, False, Severity.NORMAL, status.reason, f"trigger {status.name}: {status.message}")
        for status in changed
    ]


def _about_circuit(seen: Observation, status: ModelRetrainPolicyStatus) -> list[Announcement]:
    """One warning when the circuit breaker opens; what closes it is a command, which is announced by itself."""
    before, now = (next((one for one in known.conditions if one.type == "CircuitOpen"), None) for known in (seen.policy.status, status))
    if now is None or now.status != "True" or (before is not None and before.status == "True"):
        return []
    return [Announcement(seen.policy.identity, False, Severity.WARNING, CIRCUIT_OPEN, now.message)]


def _about_commands(seen: Observation, runs: dict[str, ModelRetrainRunStatus], commands: tuple[CommandStatus, ...]) -> list[Announcement]:
    """One announcement a command that was heard, whether it did something or not, where it was given."""
    told = [(run.identity, True, one) for run in seen.runs for one in runs[run.name].commands if one not in run.status.commands]
    told += [(seen.policy.identity, False, one) for one in commands if one not in seen.policy.status.commands]
    return [
        Announcement(about, on_run, Severity.NORMAL, f"{one.verb.capitalize()}{one.reason}", f"{one.verb} {one.value}: {one.message}")
        for about, on_run, one in told
    ]
