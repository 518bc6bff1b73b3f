"""The way back: traffic to the champion first, the candidate's pods after. It needs nothing but the Service and a warm champion.

The write that takes the traffic says why, so that the run ends by that also where the operator dies before its status is written. Where
no traffic is taken, nothing comes before the status: housekeeping sends the pods away once it is on record.
"""

from retrainer.core.actions import Effect, ScaleVersion, SendTraffic
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome
from retrainer.core.run.return_check import to_be_checked
from retrainer.core.run.step import Step, end
from retrainer.core.traffic import mode_of
from retrainer.core.withdrawal import Withdrawal


def roll_back(run: RunSeen, seen: Observation, reason: str, message: str, outcome: Outcome = Outcome.ROLLED_BACK) -> Step:
    """End a rollout: one write returns the traffic where a candidate shared it, then its pods are recycled away."""
    if seen.champion is None or not mode_of(seen.policy).is_shared(seen):
        return end(run.status, seen.now, outcome, reason, message)
    return _returned(run, seen, SendTraffic(seen.champion, seen.previous or "", withdrawal=_why(run, outcome, reason, message)))


def unreachable(run: RunSeen, seen: Observation, when: str = "") -> Step | None:
    """Return the end of a candidate that has no ready pod, or a share of a route that a gateway refuses; None for any other.

    What a gateway serves by a route that it refuses nobody knows: no figure would be one of the share that was asked.
    """
    if not seen.backend(run.status.version or "").ready:
        return roll_back(run, seen, "CandidateNotReady", f"the candidate lost its last ready pod{when}")
    mode = mode_of(seen.policy)
    refusal = mode.refusal(seen)
    return roll_back(run, seen, "RouteNotAccepted", refusal) if refusal and mode.is_shared(seen) else None


def return_to_previous(run: RunSeen, seen: Observation, reason: str, message: str) -> Step:
    """End a watch: the warm previous champion gets all traffic back in one write."""
    previous, version = seen.previous, run.status.version
    assert previous is not None, "only a version with a predecessor is watched"
    assert version is not None, "a watched run has made a version"
    return _returned(run, seen, SendTraffic(previous, version, withdrawal=_why(run, Outcome.ROLLED_BACK, reason, message)))


def withdrawn(run: RunSeen, seen: Observation) -> Step | None:
    """Return the end of a run whose traffic was taken by a round that did not live to record it; None for any other."""
    told = seen.carrier.withdrawal if seen.carrier is not None else None
    if told is None or not run.live or told.run != run.identity.uid:
        return None
    return _ended(run, seen, told, seen.champion or "")


def _why(run: RunSeen, outcome: Outcome, reason: str, message: str) -> Withdrawal:
    return Withdrawal(run.identity.uid, outcome, reason, message)


def _returned(run: RunSeen, seen: Observation, asked: SendTraffic) -> Step:
    assert asked.withdrawal is not None
    effects: list[Effect] = [asked]
    version = run.status.version
    if version and version != asked.champion and seen.backend(version).deployment is not None:
        effects.append(ScaleVersion(version, 0))
    return _ended(run, seen, asked.withdrawal, asked.champion, *effects)


def _ended(run: RunSeen, seen: Observation, why: Withdrawal, champion: str, *effects: Effect) -> Step:
    checked = to_be_checked(run.status, seen, champion)
    return end(run.status, seen.now, why.outcome, why.reason, why.message, *effects, **checked)
