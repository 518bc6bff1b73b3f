"""The way back: traffic to the champion first, the candidate's pods after. It needs nothing but the Service and a warm champion."""

from retrainer.core.actions import Effect, ScaleVersion, SendTraffic
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome
from retrainer.core.run.return_check import to_be_checked
from retrainer.core.run.step import Step, end
from retrainer.core.traffic import mode_of


def roll_back(run: RunSeen, seen: Observation, reason: str, message: str, outcome: Outcome = Outcome.ROLLED_BACK) -> Step:
    """End a rollout: one write returns the traffic where a candidate shared it, then its pods are recycled away."""
    effects = way_back(seen, run.status.version)
    returned = next((effect.champion for effect in effects if isinstance(effect, SendTraffic)), None)
    checked = to_be_checked(run.status, seen, returned) if returned else {}
    return end(run.status, seen.now, outcome, reason, message, *effects, **checked)


def way_back(seen: Observation, candidate: str | None) -> tuple[Effect, ...]:
    """Return the effects that leave the champion alone with the traffic."""
    effects: list[Effect] = []
    if seen.champion is not None and mode_of(seen.policy).is_shared(seen):
        effects.append(SendTraffic(seen.champion, seen.previous or ""))
    if candidate and candidate != seen.champion and seen.backend(candidate).deployment is not None:
        effects.append(ScaleVersion(candidate, 0))
    return tuple(effects)


def return_to_previous(run: RunSeen, seen: Observation, reason: str, message: str) -> Step:
    """End a watch: the warm previous champion gets all traffic back in one write."""
    previous, version = seen.previous, run.status.version
    assert previous is not None, "only a version with a predecessor is watched"
    assert version is not None, "a watched run has made a version"
    effects = (SendTraffic(previous, version), ScaleVersion(version, 0))
    checked = to_be_checked(run.status, seen, previous)
    return end(run.status, seen.now, Outcome.ROLLED_BACK, reason, message, *effects, **checked)
