"""Commands: annotations by which people speak to a run or a policy, what each does, and why one does nothing.

The operator never writes an annotation of a user's policy, so what has been heard is remembered in status: one entry a verb.
"""

from datetime import datetime
from typing import Final, assert_never

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.api.v1alpha1.command import CommandStatus, Verb
from retrainer.api.v1alpha1.common import cut
from retrainer.core.circuit import uncured_in_a_row
from retrainer.core.named_version import rollback_heard
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Phase, Stage, stage

TAKEN: Final = "Taken"
PAUSED: Final = "Paused"
RESUMED: Final = "Resumed"
_PAST_ANALYSIS: Final = frozenset({Phase.PROMOTING, Phase.WATCHING})


def names_this(run: RunSeen, value: str) -> bool:
    """Say whether a command names the version it is about; what follows an `@` only makes it a new command. A stale value does nothing."""
    return bool(value) and value.partition("@")[0] == (run.status.version or run.spec.version)


def promotion_is_asked(run: RunSeen) -> bool:
    """Say whether a person skips the rest of the analysis; never the gate, the smoke test or the watch."""
    return names_this(run, run.promote)


def approval_is_given(run: RunSeen) -> bool:
    """Say whether a person approves what the run asks now; an approval that was used before is none."""
    return names_this(run, run.approve) and not any((one.value, one.reason) == (run.approve, TAKEN) for one in _approvals(run))


def approval_is_used(run: RunSeen) -> bool:
    """Say whether an earlier question of the run was answered by an approval."""
    return any(one.reason == TAKEN for one in _approvals(run))


def _approvals(run: RunSeen) -> list[CommandStatus]:
    return [one for one in run.status.commands if one.verb is Verb.APPROVE]


def abort_is_asked(run: RunSeen) -> bool:
    """Say whether a person ends the run; one without a version yet is named itself."""
    return names_this(run, run.abort) or (bool(run.abort) and run.abort == run.name)


def is_interrupted(run: RunSeen) -> bool:
    """Say whether somebody ends a live run, by command or by deleting it."""
    return run.live and (run.deleting or abort_is_asked(run))


def is_paused(seen: Observation) -> bool:
    """Say whether a person has paused the policy and nobody has resumed it since."""
    return any((one.verb, one.reason) == (Verb.PAUSE, PAUSED) for one in policy_commands(seen))


def policy_commands(seen: Observation) -> tuple[CommandStatus, ...]:
    """Return what the policy's commands have come to.

    A pause lasts until its annotation is taken away or a `resume` is given another value. A `resume` that is first seen together with a
    pause ends only one of its own value: which of the two came first cannot be told, and a pause is the safer reading.
    """
    policy, now = seen.policy, seen.now
    known = {one.verb: one for one in policy.status.commands}
    paused, resumed = known.get(Verb.PAUSE), known.get(Verb.RESUME)
    told = []
    same_pause = paused is not None and paused.value == policy.pause
    pause_holds = bool(policy.pause) and not (same_pause and paused is not None and paused.reason == RESUMED)
    resume_is_new = bool(policy.resume) and (resumed is None or resumed.value != policy.resume)
    ends = pause_holds and resume_is_new and (same_pause or policy.pause == policy.resume)
    if policy.pause:
        state = PAUSED if pause_holds and not ends else RESUMED
        told.append(_kept(paused, Verb.PAUSE, policy.pause, (state, _PAUSE_TELLS[state]), now))
    if resume_is_new:
        answer = (TAKEN, "the policy goes on") if ends or _circuit_was_open(seen, resumed) else ("NothingPaused", "nothing was stopped")
        told.append(_kept(None, Verb.RESUME, policy.resume, answer, now))
    elif resumed is not None:
        told.append(resumed)
    return (*told, *_rollback(seen, known.get(Verb.ROLLBACK)))


def _rollback(seen: Observation, before: CommandStatus | None) -> tuple[CommandStatus, ...]:
    heard = rollback_heard(seen)
    if heard is None:
        return (before,) if before is not None else ()
    return (_kept(before, Verb.ROLLBACK, seen.policy.rollback, (heard.reason, heard.message), seen.now),)


def _circuit_was_open(seen: Observation, resumed: CommandStatus | None) -> bool:
    row = uncured_in_a_row(seen.runs, resumed.at if resumed is not None else None)
    return len(row) >= seen.policy.spec.trigger_policy.max_uncured_runs


def resumed_at(seen: Observation) -> datetime | None:
    """Return when a person last asked the policy to go on; whatever had stopped by itself before that may go on too."""
    return next((one.at for one in policy_commands(seen) if one.verb is Verb.RESUME), None)


def run_commands(run: RunSeen, after: ModelRetrainRunStatus, now: datetime) -> tuple[CommandStatus, ...]:
    """Return what the run's commands have come to, now that the round has led from its status to `after`."""
    known = {one.verb: one for one in run.status.commands}
    given = {Verb.APPROVE: run.approve, Verb.ABORT: run.abort, Verb.PROMOTE: run.promote}
    told = []
    for verb, value in given.items():
        before = known.get(verb)
        if not value:
            continue
        if before is not None and before.value == value and (before.reason == TAKEN or not run.live):
            told.append(before)
        else:
            told.append(_kept(before, verb, value, _answer(verb, value, run, after), now))
    return tuple(told)


def _answer(verb: Verb, value: str, run: RunSeen, after: ModelRetrainRunStatus) -> tuple[str, str]:
    """Return what comes of a run's command in this round: a reason and a sentence."""
    version = run.status.version or run.spec.version
    if not (names_this(run, value) or (verb is Verb.ABORT and abort_is_asked(run))):
        return "Stale", f"it names {value}, and this run makes {version or 'a version that has no name yet'}: nothing is done"
    if not run.live:
        return "TooLate", f"the run had ended as {run.status.outcome}: nothing is done"
    match verb:
        case Verb.ABORT:
            return TAKEN, "the run ends"
        case Verb.APPROVE:
            if run.status.phase is Phase.AWAITING_APPROVAL:
                return (TAKEN, f"{version} is approved") if after.phase is not run.status.phase else ("Waits", after.message)
            return "Waits", "it counts as soon as the run asks for approval"
        case Verb.PROMOTE:
            return _promote_answer(run, after)
        case Verb.PAUSE | Verb.RESUME | Verb.ROLLBACK:
            raise ValueError(f"{verb} is a policy's")
        case unknown:
            assert_never(unknown)


def _promote_answer(run: RunSeen, after: ModelRetrainRunStatus) -> tuple[str, str]:
    if run.status.phase in _PAST_ANALYSIS:
        return "NothingToSkip", "the rollout's analysis is over; the watch is never skipped"
    if after.phase in {Phase.PROMOTING, Phase.AWAITING_APPROVAL} and run.status.phase is Phase.CANARY:
        return TAKEN, "the rest of the analysis is skipped"
    if stage(run.status.phase) is Stage.ROLLOUT and run.status.phase is Phase.CANARY:
        return "Waits", after.message
    return "Waits", "the analysis will be skipped; the gate and the smoke test are not"


_PAUSE_TELLS: Final = {
    PAUSED: "no new phase starts and no weight rises; analysis and rollback go on, until a resume is given another value",
    RESUMED: "this pause is over",
}


def _kept(before: CommandStatus | None, verb: Verb, value: str, answer: tuple[str, str], now: datetime) -> CommandStatus:
    """Return the entry as it was while value and reason are, so that a status is written for a change only."""
    reason, message = answer
    if before is not None and (before.value, before.reason) == (value, reason):
        return before
    return CommandStatus(verb=verb, value=value, at=now, reason=reason, message=cut(message))
