"""What a run under way does when people name the version that shall serve: the table in `core/phases.py`, carried out."""

from retrainer.core.named_version import PINNED, Named, named_version
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Event, Outcome, Phase, Reaction, reaction
from retrainer.core.run.rollback import return_to_previous, roll_back
from retrainer.core.run.step import Step, end


def displaced(run: RunSeen, seen: Observation) -> Step | None:
    """Return the end of a run that gives way to the named version, or None where it goes on."""
    named = named_version(seen)
    if named is None or not run.live:
        return None
    match reaction(Event.VERSION_NAMED, run.status.phase):
        case Reaction.GIVES_WAY if not _has_switched(run, seen):
            return _given_way(run, seen, named)
        case Reaction.GIVES_WAY | Reaction.ENDS_ROLLED_BACK:
            return _ended(run, seen, named)
        case _:
            return None


def _has_switched(run: RunSeen, seen: Observation) -> bool:
    """A run is still Promoting in the round that finds its switch done: by then its version is the champion."""
    return run.status.phase is Phase.PROMOTING and seen.champion == run.status.version


def _given_way(run: RunSeen, seen: Observation, named: Named) -> Step | None:
    if run.redeploys and run.spec.version == named.version:
        return None
    return roll_back(run, seen, named.reason, f"{named.message}: {run.status.phase} ended there", Outcome.ABORTED)


def _ended(run: RunSeen, seen: Observation, named: Named) -> Step | None:
    status, now = run.status, seen.now
    if named.version == status.version:
        if named.reason != PINNED or run.redeploys:
            return None
        return end(status, now, Outcome.SUCCEEDED, PINNED, f"{named.message}: it serves and is watched no longer")
    if named.version == seen.previous and seen.backend(named.version).ready:
        return return_to_previous(run, seen, named.reason, f"{named.message}, and it was warm: it serves again")
    return end(status, now, Outcome.ROLLED_BACK, named.reason, f"{named.message}: {status.version} serves until that one is ready")
