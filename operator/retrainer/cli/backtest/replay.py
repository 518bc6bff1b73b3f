"""Decides, step by step, what a policy would have done over the past, assuming that no retraining changed it.

Nothing here judges: at each step the figures go through the evaluation that the operator's loop calls, and whenever that, an alert or the
clock brings news, a whole round through `decide`. What is made up is only what the past cannot tell: that the champion's pods were ready,
and that a run took so long and ended well. The figures stay as they were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec, ModelRetrainPolicyStatus, ModelRetrainRunStatus
from retrainer.api.v1alpha1.policy_status import TriggerStatus, VersionStatus
from retrainer.api.v1alpha1.traffic import ByReplicas, Traffic
from retrainer.cli.backtest.tracks import Track
from retrainer.core import naming
from retrainer.core.actions import Decision, DeleteRun, StartRun
from retrainer.core.alert import Alert
from retrainer.core.asking import Asking, asked_by, evaluated
from retrainer.core.decide import decide
from retrainer.core.fleet import FleetAnswer
from retrainer.core.identity import Identity
from retrainer.core.measurement import Question
from retrainer.core.observation import Component, Observation, PodSeen, PolicySeen, RunSeen, ServiceSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.presets import selector
from retrainer.core.surroundings import Surroundings
from retrainer.core.template import TemplateSeen
from retrainer.core.triggers.evaluation import Evaluation

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_ROUNDS_A_STEP: Final = 8
"""A round may ask for another at once; more than these would be a round that never comes to rest."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of the past: the steps, and at each of them the answers, the champion and the alerts that fired."""

    moments: Sequence[datetime]
    tracks: Mapping[Question, Track]
    champions: Mapping[datetime, str]
    alerts: Mapping[datetime, tuple[Alert, ...]]


@dataclass(frozen=True, slots=True)
class Transition:
    """A trigger came to another state, or to the same one for another reason."""

    at: datetime
    status: TriggerStatus


@dataclass(frozen=True, slots=True)
class Point:
    """A trigger's live value and its bound at a step; None where there was none."""

    value: float | None
    threshold: float | None


@dataclass(slots=True)
class Replay:
    """What would have happened."""

    transitions: list[Transition] = field(default_factory=list)
    runs: dict[str, RunSeen] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)


def replay(policy: PolicySeen, past: Past, *, run_takes: timedelta) -> Replay:
    """Return what the policy would have done over the past."""
    world = _World(policy, run_takes)
    for moment in past.moments:
        world.step(moment, past)
    return world.replay


def a_policy(namespace: str, name: str, spec: ModelRetrainPolicySpec, created: datetime) -> PolicySeen:
    """Return a policy as if it had been applied then.

    `dryRun`, `suspend` and a pin are set aside, as they would hide what is asked for; traffic is left to the simplest mode, as no canary is
    replayed.
    """
    serving = spec.serving.model_copy(update={"traffic": Traffic(replicas=ByReplicas()), "pinned_version": ""})
    acting = spec.model_copy(update={"suspend": False, "dry_run": False, "serving": serving})
    return PolicySeen(Identity(namespace, name, "backtest", created), 1, acting, ModelRetrainPolicyStatus())


class _World:
    """The policy and its runs, as they would have been."""

    def __init__(self, policy: PolicySeen, run_takes: timedelta) -> None:
        self.replay = Replay(points={trigger.name: [] for trigger in policy.spec.triggers})
        self._policy = policy
        self._asking: tuple[Asking, ...] = asked_by(
            policy, allows_queries=True, only=selector(policy.identity.namespace, policy.spec.model_type)
        )
        self._run_takes = run_takes
        self._evaluations: dict[str, Evaluation] = {}
        self._alerts: tuple[Alert, ...] = ()
        self._due = policy.identity.created
        self._template = _template(policy.spec)
        self._pruned: set[str] = set()

    def step(self, now: datetime, past: Past) -> None:
        """Take up what was new at `now`, and decide if anything was."""
        news = [
            self._has_champion(past.champions.get(now), now),
            self._evaluate(now, past.tracks),
            self._hear(past.alerts.get(now, ())),
            self._end_runs(now),
            now >= self._due,
        ]
        if any(news):
            self._decide(now)

    def _has_champion(self, version: str | None, now: datetime) -> bool:
        known = self._policy.status.champion
        if version is None or (known is not None and known.version == version):
            return False
        self._keep(champion=VersionStatus(version=version, since=now))
        return True

    def _evaluate(self, now: datetime, tracks: Mapping[Question, Track]) -> bool:
        answers = {question: FleetAnswer(track.at(now)) for question, track in tracks.items()}
        news = False
        for one in self._asking:
            before = self._evaluations.get(one.trigger)
            after = self._evaluations[one.trigger] = evaluated(one, self._policy, answers, before, now)
            self.replay.points[one.trigger].append(Point(after.live_value, after.figure.threshold if after.figure else None))
            news = news or after.is_news_after(before)
        return news

    def _hear(self, firing: tuple[Alert, ...]) -> bool:
        news = {alert.episode for alert in firing} != {alert.episode for alert in self._alerts}
        self._alerts = firing
        return news

    def _end_runs(self, now: datetime) -> bool:
        news = False
        for name, run in self.replay.runs.items():
            since = run.status.phase_since
            if run.live and run.status.phase is not Phase.PENDING and since is not None and now >= since + self._run_takes:
                ended = {"phase": Phase.FINISHED, "outcome": Outcome.SUCCEEDED, "gated_at": now, "completed_at": now, "phase_since": now}
                self.replay.runs[name] = replace(run, status=run.status.model_copy(update=ended))
                news = True
        return news

    def _decide(self, now: datetime) -> None:
        for _ in range(_ROUNDS_A_STEP):
            decision = decide(self._observation(now))
            self._due = now + timedelta(seconds=decision.requeue_after) if decision.requeue_after is not None else _NEVER
            if not self._record(decision, now) and decision.requeue_after != 0:
                return

    def _observation(self, now: datetime) -> Observation:
        policy, runs = self._policy, tuple(run for run in self.replay.runs.values() if run.name not in self._pruned)
        champion = policy.status.champion
        return Observation(
            now=now,
            policy=policy,
            runs=runs,
            pods=_ready_pod(policy.identity, champion.version) if champion else (),
            service=_service(policy, champion.version if champion else ""),
            template=self._template,
            surroundings=Surroundings(monitor_owners=(policy.identity,)),
            alerts=self._alerts,
            evaluations=dict(self._evaluations),
        )

    def _record(self, decision: Decision, now: datetime) -> bool:
        """Take the round's statuses and new runs over; say whether another round could come to something else."""
        fresh = [status for status in decision.policy.triggers if status not in self._policy.status.triggers]
        self.replay.transitions += [Transition(now, status) for status in fresh]
        self._policy, changed = replace(self._policy, status=decision.policy), False
        for name, after in decision.runs.items():
            run = self.replay.runs[name]
            changed = changed or after.phase is not run.status.phase
            self.replay.runs[name] = replace(run, status=after)
        for effect in decision.effects:
            if isinstance(effect, DeleteRun):
                self._pruned.add(effect.run.name)
            elif isinstance(effect, StartRun):
                self.replay.runs[effect.name] = _started(effect, self._policy.identity, now)
                changed = True
        return changed

    def _keep(self, **changes: object) -> None:
        self._policy = replace(self._policy, status=self._policy.status.model_copy(update=changes))


def _started(effect: StartRun, policy: Identity, now: datetime) -> RunSeen:
    identity = Identity(policy.namespace, effect.name, f"backtest-{effect.name}", now)
    return RunSeen(identity, effect.spec, ModelRetrainRunStatus(), by_operator=True)


def _template(spec: ModelRetrainPolicySpec) -> TemplateSeen:
    return TemplateSeen(1, 0, {"metadata": {"labels": {}}, "spec": {"containers": [{"name": spec.serving.model_env.container}]}})


def _service(policy: PolicySeen, champion: str) -> ServiceSeen:
    name = policy.spec.serving.service.name
    identity = replace(policy.identity, name=name, uid=f"backtest-{name}")
    selector = {naming.SERVES: name, naming.VERSION: champion} if champion else {}
    return ServiceSeen(identity, selector, claimed_by=policy.identity.uid, policy=policy.identity.name, champion=champion)


def _ready_pod(policy: Identity, version: str) -> tuple[PodSeen, ...]:
    identity = replace(policy, name=f"{version}-0", uid=f"backtest-{version}")
    return (PodSeen(identity, Component.SERVE, version, phase="Running", ready=True),)
