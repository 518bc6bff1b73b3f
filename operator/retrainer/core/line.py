"""The runs that wait for the training slot: who goes first, who gives way, and which of them takes up further evidence."""

from collections.abc import Iterable
from datetime import datetime

from retrainer.core.commands import is_interrupted
from retrainer.core.observation import RunSeen
from retrainer.core.phases import Event, Phase, Reaction, reaction
from retrainer.core.places import Standing

Rank = tuple[bool, int]
"""An emergency outranks every priority."""
Place = tuple[bool, int, datetime, str]


def rank_of(run: RunSeen) -> Rank:
    """Return a run's rank; the greater goes first."""
    return run.spec.emergency is not None, run.spec.priority


def waiting(runs: Iterable[RunSeen]) -> list[RunSeen]:
    """Return the runs in Pending that are to train and that somebody still wants, the first to go first: by rank, then by age."""
    pending = [run for run in runs if run.status.phase is Phase.PENDING and not run.redeploys]
    return sorted((run for run in pending if not is_interrupted(run)), key=_place)


def superseded_by(run: RunSeen, runs: Iterable[RunSeen]) -> RunSeen | None:
    """Return the waiting run that takes a run's place, or None. A dry run trains nothing, so it neither takes a place nor is in the way."""
    if run.spec.dry_run:
        return None
    return next((other for other in waiting(runs) if not other.spec.dry_run and gives_way(run, rank_of(other))), None)


def gives_way(run: RunSeen, rank: Rank) -> bool:
    """Say whether a run in Pending gives way to one of this rank, which trains on the same data.

    A person's run, which may train differently, only waits longer for a higher priority; for an emergency it gives way as well.
    """
    if run.spec.emergency is not None:
        return False
    emergency, _ = rank
    return emergency or (run.by_operator and rank > rank_of(run))


def standing(run: RunSeen) -> Standing:
    """Return where a run stands among all that wait for a place of the fleet."""
    return run.spec.emergency is None, run.identity.created, *run.identity.key


def taking_evidence(runs: Iterable[RunSeen]) -> RunSeen | None:
    """Return the run that evidence joins: the first that waits, for the slot or in it for a node; a dry run stands for no evidence."""
    joinable = [run for run in runs if reaction(Event.TRIGGER, run.status.phase) is Reaction.COALESCES and not run.redeploys]
    return min((run for run in joinable if not is_interrupted(run) and not run.spec.dry_run), key=_joined_first, default=None)


def _place(run: RunSeen) -> Place:
    emergency, priority = rank_of(run)
    return not emergency, -priority, run.identity.created, run.name


def _joined_first(run: RunSeen) -> tuple[bool, Place]:
    """A run in Pending first: what has its slot already may begin to train at any moment."""
    return run.status.phase is not Phase.PENDING, _place(run)
