"""Whole stories, told by rounds over a small world, and a random one that no invariant may break in."""

import json
from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec
from retrainer.core.actions import SendTraffic, StartRun
from retrainer.core.alert import Alert
from retrainer.core.holding import held
from retrainer.core.observation import RunSeen
from retrainer.core.phases import TRANSITIONS, Outcome, Phase, Slot, slot
from tests.builders import UNREACHABLE, Part, a_result, a_run, a_template, by_route
from tests.simulation import Simulation
from tests.stories import a_second_run, a_simulation, champion, first_version, go_on, outcome, phase, saying, version


def test_a_new_policy_trains_and_serves_its_first_version() -> None:
    world = first_version()
    assert outcome(world, 1) == (Outcome.SUCCEEDED, "Promoted")
    assert (champion(world), world.ready(champion(world))) == (version(world, 1), 3)
    assert world.policy.status.champion is not None
    assert world.policy.status.champion.run == "churn-risk-1"


def test_a_drift_ends_with_a_better_version_watched_and_the_old_one_cold() -> None:
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 0)
    assert phase(world, 2) is Phase.CANARY
    go_on(world, 3)
    assert (phase(world, 2), champion(world), world.ready(version(world, 1))) == (Phase.WATCHING, version(world, 2), 3)
    go_on(world, 10)
    assert outcome(world, 2) == (Outcome.SUCCEEDED, "Watched")
    assert (world.ready(version(world, 1)), world.ready(version(world, 2))) == (0, 3)


def test_a_bad_candidate_leaves_no_trace_but_its_record() -> None:
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 100)
    go_on(world, 2)
    assert outcome(world, 2) == (Outcome.ROLLED_BACK, "AnalysisFailed")
    assert champion(world) == version(world, 1)
    assert [one.version for one in world.deployments.values()] == [version(world, 1)]


def test_a_regression_in_the_watch_brings_the_previous_version_back() -> None:
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 0)
    go_on(world, 3)
    world.prometheus = saying(world, 100)
    go_on(world, 2)
    assert outcome(world, 2) == (Outcome.ROLLED_BACK, "RegressionInWatch")
    assert (champion(world), world.ready(version(world, 1)), world.ready(version(world, 2))) == (version(world, 1), 3, 0)


def test_a_template_edited_during_a_rollout_rolls_the_new_champion_after_it() -> None:
    world = first_version()
    a_second_run(world)
    world.prometheus = saying(world, 0)
    world.template = a_template(9)
    go_on(world, 1)
    assert {one.template_generation for one in world.deployments.values()} == {5}
    go_on(world, 2)
    now_serving = next(one for one in world.deployments.values() if one.version == champion(world))
    assert (now_serving.version, now_serving.template_generation) == (version(world, 2), 9)


def test_a_deleted_run_in_its_canary_gives_the_traffic_back_first() -> None:
    world = first_version()
    a_second_run(world)
    world.delete_run("churn-risk-2")
    world.performed.clear()
    world.round()
    assert [type(effect).__name__ for effect in world.performed[:2]] == ["SendTraffic", "ScaleVersion"]
    world.alerts = ()
    world.settle()
    assert [one.version for one in world.deployments.values()] == [version(world, 1)]


@pytest.mark.parametrize("number", [1, 2])
def test_one_episode_starts_one_run_however_often_it_is_heard(number: int) -> None:
    world = first_version()
    a_second_run(world)
    for _ in range(number):
        world.alerts = tuple(replace(alert, received_at=world.now) for alert in world.alerts)
        go_on(world, 2)
    assert set(world.runs) == {"churn-risk-1", "churn-risk-2"}


def test_a_round_without_a_change_writes_announces_and_does_nothing() -> None:
    world = first_version()
    before = world.policy.status, dict(world.runs)
    world.pass_time(3600)
    decision = world.round()
    assert (decision.effects, decision.announcements) == ((), ())
    assert (world.policy.status, dict(world.runs)) == before


def test_a_transition_is_announced_once_on_the_run_and_once_on_the_policy() -> None:
    world = a_simulation()
    world.round()
    decision = world.round()
    assert [(one.on_run, one.reason) for one in decision.announcements] == [(True, "Validating"), (False, "Validating")]


def test_what_arrives_while_an_aborted_run_leaves_is_not_lost_with_it() -> None:
    world = first_version()
    pending = a_run(Phase.PENDING, number=8, abort="churn-risk-8", created=world.now)
    world.runs["churn-risk-8"] = pending
    world.pass_time(120)
    world.alerts = (Alert("f1", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now),)
    world.settle()
    assert outcome(world, 8)[0] is Outcome.ABORTED
    assert any(run.spec.evidence for run in world.runs.values())


def test_evidence_joins_one_of_the_runs_that_wait() -> None:
    world = first_version()
    world.runs |= {name: a_run(Phase.PENDING, name=name, by_operator=False, created=world.now) for name in ("a", "b")}
    world.pass_time(120)
    world.alerts = (Alert("f1", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=world.now, received_at=world.now),)
    world.settle()
    assert sorted(len(world.runs[name].status.evidence) for name in ("a", "b")) == [0, 1]


class RandomWorld(RuleBasedStateMachine):
    """Whatever people, clusters and databases do, in any order."""

    world: Simulation

    @initialize(
        serving=st.booleans(),
        mode=st.sampled_from([{}, by_route(), by_route(affinity_cookie="met")]),
        mirror=st.booleans(),
        approval=st.sampled_from(["Never", "Never", "Always"]),
    )
    def a_policy_new_or_in_service(self, mode: dict[str, Part], approval: str, *, serving: bool, mirror: bool) -> None:
        rollout = {"mirror": mirror and bool(mode), "approval": {"required": approval, "timeout": "15m"}}
        self.world = first_version(rollout=rollout, **mode) if serving else a_simulation(rollout=rollout, **mode)

    def _round(self) -> None:
        """Do one round and hold it to what no round may do."""
        world, runs = self.world, dict(self.world.runs)
        serving, lost = world.observation().champion, world.observation().carrier is None
        ready = {one.version: world.ready(one.version) for one in world.deployments.values()}
        held_back = held(world.observation()) is not None
        reachable = world.observation().addressed if world.observation().by_route else ready.keys()
        decision = world.round()
        for effect in decision.effects:
            assert not (held_back and isinstance(effect, StartRun) and effect.spec.redeploy is None)
            if isinstance(effect, SendTraffic):
                assert effect.champion == serving or ready.get(effect.champion, 0) > 0
                assert not (effect.weight or effect.mirrored) or (ready.get(effect.candidate, 0) > 0 and effect.candidate in reachable)
                if held_back and not lost:  # a Service that somebody deleted is put back as it was
                    assert (effect.weight, effect.mirrored) == (0, False)
                    assert effect.champion in {serving, self._previous(runs), *self._named(runs)}
        for name in runs.keys() & world.runs.keys():
            self._hold_to_the_rules(runs[name], world.runs[name], held_back=held_back)

    def _hold_to_the_rules(self, before: RunSeen, after: RunSeen, *, held_back: bool) -> None:
        was, is_now = before.status, after.status
        promoted_unwatched = (was.phase, is_now.outcome) == (Phase.PROMOTING, Outcome.SUCCEEDED)
        assert is_now.phase is was.phase or is_now.phase in TRANSITIONS[was.phase] or promoted_unwatched
        if held_back:
            assert (was.phase, is_now.phase) not in {(Phase.PENDING, Phase.VALIDATING), (Phase.VALIDATING, Phase.QUEUED)}
            assert (was.phase, is_now.phase) not in {(Phase.GATING, Phase.DEPLOYING), (Phase.CANARY, Phase.PROMOTING)}
        if was.analysis and is_now.analysis and is_now.phase is Phase.CANARY and is_now.analysis.step > was.analysis.step:
            assert (is_now.analysis.verdict, held_back) == ("Pass", False)
        if is_now.reason in {"AnalysisFailed", "RegressionInWatch"} and was.phase is not Phase.FINISHED:
            assert is_now.message
            assert is_now.analysis is not None
            assert is_now.analysis.verdict == "Fail"

    def _previous(self, runs: dict[str, RunSeen]) -> str:
        """Return the version that a watch may bring back."""
        watched = any(run.status.phase is Phase.WATCHING for run in runs.values())
        previous = self.world.policy.status.previous
        return previous.version if watched and previous else ""

    def _named(self, runs: dict[str, RunSeen]) -> set[str]:
        """Return the versions that people want back, which nothing holds back."""
        asked = {self.world.policy.spec.serving.pinned_version, self.world.policy.rollback.partition("@")[0]}
        return asked | {run.spec.version or "" for run in runs.values() if run.redeploys}

    @rule()
    def a_round(self) -> None:
        self._round()

    @rule()
    def controllers(self) -> None:
        self.world.control()

    @rule()
    def some_rounds(self) -> None:
        for _ in range(4):
            self._round()
            self.world.control()

    @rule(accuracy=st.sampled_from([0.95, 0.95, 0.75]))
    def a_drift_is_answered(self, accuracy: float) -> None:
        """What random steps alone would seldom come to: an alert fires, and its run trains without trouble."""
        self.world.pass_time(120)
        self.an_alert_fires(name=9)
        for _ in range(8):
            self._round()
            self.world.control()
            for job in [one for one in self.world.jobs.values() if one.active]:
                self.a_job_ends(code=0, accuracy=accuracy, message=True)
                assert not self.world.jobs[job.identity.name].active

    @rule(minutes=st.integers(1, 12))
    def minutes_pass(self, minutes: int) -> None:
        for _ in range(minutes):
            self.world.pass_time(61)
            self._round()
            self.world.control()

    @rule(seconds=st.sampled_from([1, 30, 61, 700, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(figures=st.sampled_from(["nothing", "good", "bad", "thin"]))
    def figures(self, figures: str) -> None:
        said = {"good": (0, 500), "bad": (100, 500), "thin": (0, 3)}
        self.world.prometheus = saying(self.world, *said[figures]) if figures in said else lambda _: UNREACHABLE

    @rule(
        code=st.sampled_from([0, 0, 0, 0, 0, 1, 42, 43]),
        accuracy=st.sampled_from([0.95, 0.9, 0.75, 0.5]),
        message=st.sampled_from([True, True, True, False]),
    )
    @precondition(lambda self: any(job.active for job in self.world.jobs.values()))
    def a_job_ends(self, code: int, accuracy: float, *, message: bool) -> None:
        job = next(job for job in self.world.jobs.values() if job.active)
        run = self.world.runs.get(job.run)
        made = run.status.version if run else None
        told = json.dumps(a_result(version=made or "x", candidate=accuracy, champion=0.8)) if message else ""
        self.world.finish(job.identity.name, code, told)

    @rule(name=st.integers(1, 5))
    def an_alert_fires(self, name: int) -> None:
        now = self.world.now
        alert = Alert(f"f{name}", firing=True, labels=(("alertname", "ModelDrift"),), starts_at=now, received_at=now)
        self.world.alerts = (*self.world.alerts, alert)[-6:]

    @rule()
    def alerts_resolve(self) -> None:
        self.world.alerts = ()

    @rule(suspend=st.booleans(), replicas=st.integers(1, 6))
    def the_policy_is_edited(self, *, suspend: bool, replicas: int) -> None:
        policy = self.world.policy
        wire = policy.spec.wire() | {"suspend": suspend}
        wire["serving"]["replicas"] = replicas
        self.world.policy = replace(policy, spec=ModelRetrainPolicySpec.model_validate(wire), generation=policy.generation + 1)

    @rule()
    def the_template_is_edited(self) -> None:
        self.world.template = replace(self.world.template, generation=self.world.template.generation + 1)

    @rule(value=st.sampled_from(["", "1", "2"]), verb=st.sampled_from(["pause", "resume"]))
    def a_person_pauses_or_resumes(self, verb: str, value: str) -> None:
        self.world.policy = replace(self.world.policy, **{verb: value})  # type: ignore[arg-type]

    @rule(number=st.integers(0, 6), nonce=st.integers(1, 3), pin=st.booleans())
    def a_person_names_a_version(self, number: int, nonce: int, *, pin: bool) -> None:
        """A version that is kept, or none: then a pin is taken away, and the command is nonsense."""
        kept = [one.version for one in self.world.policy.status.versions]
        named = kept[number] if number < len(kept) else ""
        if pin:
            policy, wire = self.world.policy, self.world.policy.spec.wire()
            wire["serving"]["pinnedVersion"] = named
            self.world.policy = replace(policy, spec=ModelRetrainPolicySpec.model_validate(wire), generation=policy.generation + 1)
        else:
            self.world.policy = replace(self.world.policy, rollback=f"{named}@{nonce}")

    @rule(kind=st.sampled_from(["abort", "delete", "approve", "promote"]), data=st.data())
    @precondition(lambda self: self.world.runs)
    def a_person_acts(self, kind: str, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.runs)))
        run = self.world.runs[name]
        if kind == "delete":
            self.world.delete_run(name)
        elif kind == "abort":
            self.world.runs[name] = replace(run, abort=name)
        elif kind == "promote":
            self.world.runs[name] = replace(run, promote=run.status.version or "")
        else:
            self.world.runs[name] = replace(run, approve=run.status.version or "")

    @rule()
    def a_person_starts_a_run(self) -> None:
        name = f"by-hand-{len(self.world.runs)}"
        run = a_run(Phase.PENDING, name=name, by_operator=False, created=self.world.now, spec={"version": None})
        self.world.runs.setdefault(name, run)

    @rule(data=st.data())
    @precondition(lambda self: self.world.pods)
    def a_pod_dies(self, data: st.DataObject) -> None:
        del self.world.pods[data.draw(st.sampled_from(sorted(self.world.pods)))]

    @rule(data=st.data())
    @precondition(lambda self: self.world.jobs)
    def a_job_is_deleted(self, data: st.DataObject) -> None:
        job = self.world.jobs[data.draw(st.sampled_from(sorted(self.world.jobs)))]
        del self.world.jobs[job.identity.name]

    @rule()
    def the_service_is_deleted(self) -> None:
        self.world.service = None

    @rule()
    def the_route_is_deleted(self) -> None:
        self.world.route = None

    @invariant()
    def at_most_one_training_job_may_run(self) -> None:
        assert len(self.world.active_training_jobs()) <= 1

    @invariant()
    def each_slot_holds_one_run(self) -> None:
        held = [slot(run.status.phase) for run in self.world.runs.values()]
        assert held.count(Slot.TRAINING) <= 1
        assert held.count(Slot.SERVING) <= 1 or self._an_emergency_is_on_its_way_in()

    def _an_emergency_is_on_its_way_in(self) -> bool:
        """Beside the watch that it will end."""
        one, other = sorted(
            (run for run in self.world.runs.values() if slot(run.status.phase) is Slot.SERVING),
            key=lambda run: run.status.phase is Phase.WATCHING,
        )
        before_traffic = one.status.phase in {Phase.AWAITING_APPROVAL, Phase.DEPLOYING}
        return other.status.phase is Phase.WATCHING and one.spec.emergency is not None and before_traffic

    @invariant()
    def records_stay_bounded(self) -> None:
        assert len(self.world.policy.status.handled_alerts) <= 32
        assert all(len(run.status.timeline) <= 64 for run in self.world.runs.values())
        assert len(self.world.policy.status.versions) <= 12

    @invariant()
    def what_is_needed_is_kept(self) -> None:
        """What a round before this one knew to serve, or to be under way, may not be pruned."""
        status = self.world.policy.status
        kept = {one.version for one in status.versions}
        assert {role.version for role in (status.champion, status.previous, status.candidate) if role is not None} <= kept

    @invariant()
    def a_run_that_ended_says_how(self) -> None:
        for run in self.world.runs.values():
            assert (run.status.outcome is not None) == (run.status.phase is Phase.FINISHED) == (run.status.completed_at is not None)

    @override
    def teardown(self) -> None:
        """Left alone, the world comes to rest."""
        if hasattr(self, "world"):  # not before it was made
            self.world.settle()


TestRandomWorld = RandomWorld.TestCase
