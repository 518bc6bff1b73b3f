"""What an emergency does to other runs. The table in `core/phases.py` says what that is in each phase; a run in Pending sees to itself."""

from retrainer.core.acceptance import problem
from retrainer.core.holding import held
from retrainer.core.limits import circuit_is_open
from retrainer.core.line import waiting
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Event, Outcome, Phase, Reaction, reaction
from retrainer.core.run.interruption import taken_out
from retrainer.core.run.step import Step


def overtaken(run: RunSeen, seen: Observation) -> Step | None:
    """Return the end of a run that an emergency does not wait for, or None; what people bring back is left to them."""
    if not run.live or run.spec.emergency is not None or run.redeploys or (urgent := emergency(seen)) is None:
        return None
    match reaction(Event.EMERGENCY, run.status.phase):
        case Reaction.SUPERSEDES if run.status.phase is Phase.QUEUED:
            return _ended(run, seen, urgent, Outcome.SUPERSEDED, "nothing is trained yet")
        case Reaction.RETRAINS_AFTER if run.status.recheck_at is not None:
            return _ended(run, seen, urgent, Outcome.SUPERSEDED, "its data was rejected and it only waits to look again")
        case Reaction.TAKES_ITS_SLOT if seen.champion != run.status.version:
            return _ended(run, seen, urgent, Outcome.ABORTED, f"its rollout was in {run.status.phase}")
        case _:
            return None


def emergency(seen: Observation) -> RunSeen | None:
    """Return the emergency that waits to train and that nothing but another run keeps from it."""
    if held(seen) is not None or problem(seen) is not None or circuit_is_open(seen) is not None:
        return None
    first = next(iter(waiting(seen.runs)), None)
    return first if first is not None and first.spec.emergency is not None and not first.spec.dry_run else None


def _ended(run: RunSeen, seen: Observation, urgent: RunSeen, outcome: Outcome, state: str) -> Step:
    assert urgent.spec.emergency is not None
    told = f"gives way to the emergency {urgent.name} ({urgent.spec.emergency.reason}); {state}"
    return taken_out(run, seen, "Emergency", told, outcome)
