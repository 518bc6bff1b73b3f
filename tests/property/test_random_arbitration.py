"""Every reason to retrain at once in the random world, and what arbitration may do in none of its rounds.

The rules are written down here anew, from the runs as they are before the round: what `core/limits.py` says of them is not asked.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from typing_extensions import override

from retrainer.api.v1alpha1.run import Evidence
from retrainer.core.actions import StartRun
from retrainer.core.alert import Alert
from retrainer.core.arbitration import Arbitration, arbitrate
from retrainer.core.measurement import NoDataReason
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase, Stage, stage
from retrainer.core.triggers.evaluation import Evaluation, Figure, Memory
from tests.builders import a_policy, a_run, alerting
from tests.property.random_world import RandomWorld
from tests.simulation import Simulation
from tests.stories import ROLLOUT, train

COOLDOWN, MOST_A_DAY, MOST_UNCURED = timedelta(minutes=5), 3, 2
FAILED = {Outcome.ROLLED_BACK, Outcome.TRAINING_FAILED, Outcome.GATE_REJECTED, Outcome.DATA_REJECTED}
NEVER_A_REASON = {*NoDataReason, "TooFewSamples", "NotAskedYet"}
TRIGGERS = [
    alerting(),
    alerting("urgent", priority=80, alert={"match_labels": {"severity": "page"}}),
    alerting("shock", alert={"match_labels": {"severity": "emergency"}}, emergency={"max_weight": 50}),
    {"name": "hourly", "schedule": {"cron": "0 * * * *", "jitter": "10m", "starting_deadline": "30m"}},
    {"name": "accuracy", "priority": 70, "metric": {"preset": "Accuracy", "min": 0.8}},
]


def a_busy_policy() -> Simulation:
    limits = {"cooldown": "5m", "max_runs_per_day": MOST_A_DAY, "max_uncured_runs": MOST_UNCURED}
    frozen = {"freeze_windows": [{"cron": "30 */3 * * *", "duration": "20m"}]}
    return Simulation(a_policy(triggers=TRIGGERS, trigger_policy=limits | frozen, rollout=ROLLOUT, run_history_limit=2))


def is_frozen(now: datetime) -> bool:
    return now.hour % 3 == 0 and 30 <= now.minute < 50


def by_a_trigger(run: RunSeen) -> bool:
    return run.by_operator and run.spec.trigger != "initial" and run.spec.redeploy is None


def cools_down(runs: Iterable[RunSeen], now: datetime) -> bool:
    ends = [run.status.completed_at if run.status.outcome in FAILED else run.status.gated_at for run in runs if not run.redeploys]
    return any(end is not None and now < end + COOLDOWN for end in ends)


def counted_today(runs: Iterable[RunSeen], now: datetime) -> int:
    counted = [run for run in runs if by_a_trigger(run) or run.spec.emergency is not None]
    began = [run for run in counted if run.live or run.status.frozen is not None]
    return sum(now - run.identity.created < timedelta(days=1) for run in began)


def circuit_is_open(seen: Observation) -> bool:
    """Only where nobody has ever resumed anything: with a resume the rule is another, and told in the unit tests."""
    if seen.policy.resume or any(one.verb == "resume" for one in seen.policy.status.commands):
        return False
    ended = sorted(
        (run for run in seen.runs if by_a_trigger(run) and run.status.completed_at), key=lambda run: run.status.completed_at or seen.now
    )
    row = 0
    for run in ended:
        if run.status.outcome in FAILED:
            row += 1
        elif run.status.outcome is Outcome.SUCCEEDED:
            row = row + 1 if run.status.cured == "False" else row if run.status.cured == "Unknown" else 0
    return row >= MOST_UNCURED


class RandomReasons(RandomWorld):
    """The random world with five triggers, an emergency among them, and every limit."""

    @initialize(serving=st.booleans())
    @override
    def a_policy_new_or_in_service(self, *, serving: bool) -> None:
        self.world = a_busy_policy()
        if serving:
            train(self.world, 1)

    @override
    def _round(self) -> None:
        before, runs = self.world.observation(), dict(self.world.runs)
        ruled = arbitrate(before)
        performed = len(self.world.performed)
        super()._round()
        self._every_finding_has_one_reason(ruled, [item for run in before.runs for item in run.spec.evidence])
        for effect in self.world.performed[performed:]:
            if isinstance(effect, StartRun) and effect.spec.redeploy is None:
                self._may_start(effect, before)
        for name in runs.keys() & self.world.runs.keys():
            self._may_begin(runs[name], self.world.runs[name], before)

    def _every_finding_has_one_reason(self, ruled: Arbitration, begun: list[Evidence]) -> None:
        taken = [*(ruled.start.spec.evidence if ruled.start else ()), *ruled.joins, *begun]
        for ruling in ruled.rulings:
            assert ruling.reason
            assert ruling.message
            evidence = ruling.finding.evidence
            assert (evidence in taken) == (ruling.state in {"Started", "Firing"} and evidence is not None)
            assert not (ruling.finding.reason in NEVER_A_REASON and evidence is not None)
            if evidence is not None and evidence not in taken:
                assert ruling.state == "Refused"
        assert sorted(status.name for status in ruled.triggers) == sorted(trigger["name"] for trigger in TRIGGERS)

    def _may_start(self, start: StartRun, before: Observation) -> None:
        runs, now, spec = before.runs, before.now, start.spec
        assert not before.policy.spec.dry_run
        assert not circuit_is_open(before)
        if spec.emergency is not None:
            assert spec.emergency.reason, "an emergency explains itself"
        elif spec.trigger != "initial":
            assert not cools_down(runs, now)
            assert not is_frozen(now)
            assert counted_today(runs, now) < MOST_A_DAY

    def _may_begin(self, was: RunSeen, is_now: RunSeen, before: Observation) -> None:
        if (was.status.phase, is_now.status.phase) == (Phase.GATING, Phase.DEPLOYING):
            assert was.spec.emergency is not None or not is_frozen(before.now)
        if (was.status.phase, is_now.status.phase) != (Phase.PENDING, Phase.VALIDATING):
            return
        others = [run for run in before.runs if run.name != was.name]
        assert not any(stage(run.status.phase) is Stage.ROLLOUT for run in others)
        assert was.spec.dry_run or not circuit_is_open(before)
        assert was.spec.dry_run or was.spec.emergency is not None or not is_frozen(before.now)
        if by_a_trigger(was):
            assert not before.policy.spec.dry_run
            assert was.spec.emergency is not None or not cools_down(others, before.now)

    @rule(name=st.integers(1, 9), severity=st.sampled_from(["info", "page", "page", "emergency"]), again=st.booleans())
    def an_alert_of_some_severity_fires(self, name: int, severity: str, *, again: bool) -> None:
        """Anew, or as Alertmanager repeats it."""
        now, labels = self.world.now, (("alertname", "ModelDrift"), ("severity", severity))
        alert = Alert(f"{severity}{name}", firing=True, labels=labels, starts_at=now, received_at=now)
        known = {one.fingerprint: one for one in self.world.alerts}
        if again and alert.fingerprint in known:
            alert = replace(known[alert.fingerprint], received_at=now)
        self.world.alerts = tuple((known | {alert.fingerprint: alert}).values())

    @rule(
        severity=st.sampled_from(["info", "info", "page", "emergency"]),
        accuracy=st.sampled_from([0.95, 0.5, 0.5]),
        wait_s=st.integers(1, 900),
    )
    def a_run_is_caused_and_ends(self, severity: str, accuracy: float, wait_s: int) -> None:
        """What random steps alone would seldom come to: an alert's run, trained without trouble, for better or worse."""
        self.world.pass_time(wait_s)
        self.an_alert_of_some_severity_fires(9, severity, again=False)
        for _ in range(7):
            self._round()
            self.world.control()
            for _ in [one for one in self.world.jobs.values() if one.active]:
                self.a_job_ends(code=0, accuracy=accuracy, message=True)

    @rule(severity=st.sampled_from(["info", "page", "emergency"]))
    def a_freeze_window_opens(self, severity: str) -> None:
        while not is_frozen(self.world.now):
            self.world.pass_time(600)
        self.an_alert_of_some_severity_fires(8, severity, again=False)
        self.some_rounds()

    @rule(count=st.integers(30, 90), severity=st.sampled_from(["info", "page", "emergency"]))
    def a_storm_of_alerts(self, count: int, severity: str) -> None:
        for name in range(count):
            self.an_alert_of_some_severity_fires(100 + name, severity, again=True)

    @rule(reason=st.sampled_from(["ThresholdCrossed", "WithinBounds", "TooFewSamples", *(one.value for one in NoDataReason)]))
    def the_figure_is(self, reason: str) -> None:
        champion = self.world.policy.status.champion
        version, now = champion.version if champion else "", self.world.now
        crossed = reason == "ThresholdCrossed"
        memory = Memory(version, now, firing=True, proof=Figure(0.7, 0.8, 500)) if crossed else Memory(version)
        self.world.evaluations = {"accuracy": Evaluation(reason, f"accuracy: {reason}", memory)}

    @rule(dry=st.booleans())
    def triggers_are_only_reported(self, *, dry: bool) -> None:
        spec = self.world.policy.spec.model_copy(update={"dry_run": dry})
        self.world.policy = replace(self.world.policy, spec=spec, generation=self.world.policy.generation + 1)

    @rule(urgent=st.booleans(), dry=st.booleans(), priority=st.integers(0, 100))
    def a_person_starts_some_run(self, *, urgent: bool, dry: bool, priority: int) -> None:
        spec = {"version": None, "priority": priority, "dry_run": dry}
        more = {"emergency": {"reason": "a strike was called", "max_weight": 30}} if urgent else {}
        name = f"by-hand-{len(self.world.runs)}"
        self.world.runs.setdefault(name, a_run(Phase.PENDING, name=name, by_operator=False, created=self.world.now, spec=spec | more))

    @invariant()
    def an_episode_is_one_runs(self) -> None:
        carried: defaultdict[tuple[str | None, datetime], set[str]] = defaultdict(set)
        for run in self.world.runs.values():
            for item in (*run.spec.evidence, *run.status.evidence):
                carried[item.fingerprint or item.trigger, item.starts_at].add(run.name)
        assert all(len(names) == 1 for names in carried.values())


TestRandomReasons = RandomReasons.TestCase
# Limits of a day and of a row of runs need longer stories than most.
TestRandomReasons.settings = settings(
    max_examples=max(60, settings.default.max_examples), stateful_step_count=max(40, settings.default.stateful_step_count)
)
