"""A small world in which anything may happen in any order, and what no round may do in it."""

import json
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec
from retrainer.core.actions import SendTraffic, StartRun
from retrainer.core.alert import Alert
from retrainer.core.holding import held
from retrainer.core.observation import RunSeen
from retrainer.core.phases import TRANSITIONS, Outcome, Phase, Slot, slot
from tests.builders import UNREACHABLE, Part, a_result, a_run, by_route
from tests.simulation import Simulation
from tests.stories import a_simulation, first_version, saying


class RandomWorld(RuleBasedStateMachine):
    """Whatever people, clusters and databases do, in any order."""

    world: Simulation
    by_hand = 0

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
        reachable = world.observation().addressed.keys() if world.observation().by_route else ready.keys()
        decision = world.round()
        for effect in decision.effects:
            assert not (held_back and isinstance(effect, StartRun) and effect.spec.redeploy is None)
            if isinstance(effect, SendTraffic):
                assert effect.champion == serving or ready.get(effect.champion, 0) > 0
                assert not (effect.weight or effect.mirrored) or (ready.get(effect.candidate, 0) > 0 and effect.candidate in reachable)
                if held_back and not lost:  # a Service that somebody deleted is put back as it was
                    assert (effect.weight, effect.mirrored) == (0, False)
                    assert effect.champion in {serving, self._previous(runs), *self._named(runs)}
        told = world.policy.status.champion
        assert lost or (told.version if told else None) == world.observation().champion, "the status names who serves by now"
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
    def a_round_dies_before_it_records(self) -> None:
        self.world.round(dies=True)

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
        self.by_hand += 1
        run = a_run(Phase.PENDING, name=f"by-hand-{self.by_hand}", by_operator=False, created=self.world.now, spec={"version": None})
        # Its version ends in the first five characters: those of two runs are never the same.
        run = replace(run, identity=replace(run.identity, uid=f"{self.by_hand:05}-{run.identity.uid}"))
        self.world.runs[run.name] = run

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
