"""AwaitingApproval, in both of its places: after a gate that asks, before any pod, and after the canary, at the weight of its last step.

Whoever approves names the version. An approval is heard once: where the gate has asked already, the promotion needs another.
"""

from datetime import datetime, timedelta
from typing import Any, assert_never

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.rollout import Rollout
from retrainer.core import naming
from retrainer.core.commands import approval_is_given, approval_is_used
from retrainer.core.holding import weight_is_held
from retrainer.core.judging import due_at
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run.analysis import analysed_at_rest
from retrainer.core.run.gate import deploy_when_free
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.rollback import roll_back, unreachable
from retrainer.core.run.step import Step, end, move, wait

ASKED_OF_ROLLOUT = "RolloutApproval"


def awaiting_approval(run: RunSeen, seen: Observation) -> Step:
    """Wait for a person to approve this very version, as long as the policy lets it wait."""
    return _of_rollout(run, seen) if run.status.template is not None else _of_gate(run, seen)


def to_promotion(run: RunSeen, seen: Observation, reason: str, message: str, **changes: Any) -> Step:  # noqa: ANN401 - fields of the status
    """Go on to the promotion, or first to whoever has to approve it."""
    status, now = run.status, seen.now
    if run.redeploys or not _is_required(run, frozen_of(status).rollout):
        return move(status, now, Phase.PROMOTING, reason, message, **changes)
    told = f"{message}; {how_to_approve(run)}"
    return move(status, now, Phase.AWAITING_APPROVAL, ASKED_OF_ROLLOUT, told, **changes)


def how_to_approve(run: RunSeen) -> str:
    """Return the command that approves, as a clause."""
    value = f"{run.status.version}@promotion --overwrite" if approval_is_used(run) else run.status.version
    return f"approve with: kubectl annotate mrr {run.name} {naming.APPROVE}={value}"


def _is_required(run: RunSeen, rollout: Rollout) -> bool:
    match rollout.approval.required:
        case "Never":
            return False
        case "Always":
            return True
        case "OnEmergency":
            return run.spec.emergency is not None
        case unknown:
            assert_never(unknown)


def _of_gate(run: RunSeen, seen: Observation) -> Step:
    status, now = run.status, seen.now
    if approval_is_given(run):
        return deploy_when_free(run, seen, "Approved", f"version {status.version} was approved by annotation")
    until = _until(run)
    if now >= until:
        return end(status, now, Outcome.GATE_REJECTED, "ApprovalTimedOut", _nobody(run))
    return wait(status, now, status.reason, status.message, after=(until - now).total_seconds())


def _of_rollout(run: RunSeen, seen: Observation) -> Step:
    """The weight stays and the analysis goes on: a candidate may still fail while it waits for its approval."""
    status, now = run.status, seen.now
    if (step := unreachable(run, seen, " while it waited for its approval") or analysed_at_rest(run, seen)) is not None:
        return step
    if approval_is_given(run):
        if (halt := weight_is_held(seen, status.phase)) is not None:
            return wait(status, now, halt.reason, f"approved; {halt.message}: the candidate is promoted once {halt.until}")
        return move(status, now, Phase.PROMOTING, "Approved", f"version {status.version} was approved by annotation")
    until = _until(run)
    if now >= until:
        return roll_back(run, seen, "ApprovalTimedOut", _nobody(run))
    return wait(status, now, status.reason, status.message, after=min((until - now).total_seconds(), _next_analysis(run, now)))


def _until(run: RunSeen) -> datetime:
    assert run.status.phase_since is not None
    return run.status.phase_since + timedelta(seconds=seconds(frozen_of(run.status).rollout.approval.timeout))


def _next_analysis(run: RunSeen, now: datetime) -> float:
    analysis, rollout = run.status.analysis, frozen_of(run.status).rollout
    return max(0.0, (due_at(analysis, rollout) - now).total_seconds()) if analysis is not None else float("inf")


def _nobody(run: RunSeen) -> str:
    return f"nobody approved {run.status.version} within {frozen_of(run.status).rollout.approval.timeout}"
