"""What people say to a run or a policy, what it does, and why it does nothing."""

from dataclasses import replace

import pytest

from retrainer.api.v1alpha1 import ModelRetrainPolicyStatus
from retrainer.core.actions import SendTraffic
from retrainer.core.commands import is_paused, policy_commands
from retrainer.core.decide import decide
from retrainer.core.observation import Observation, PolicySeen, RunSeen
from retrainer.core.phases import Phase
from tests.builders import CANDIDATE, CHAMPION, NOW, Part, a_policy, a_run, a_service, an_analysis, answers, seen

GOOD = {CANDIDATE: (0.0, 500.0), CHAMPION: (0.0, 500.0)}
BAD = {CANDIDATE: (50.0, 500.0), CHAMPION: (0.0, 500.0)}


def a_canary(**parts: Part) -> RunSeen:
    parts.setdefault("analysis", an_analysis())
    return a_run(Phase.CANARY, **parts)


def in_canary(run: RunSeen, policy: PolicySeen | None = None, figures: Part = None) -> Observation:
    said = answers(run, ErrorRate=figures) if figures is not None else {}
    world = {"backends": {CHAMPION: 3, CANDIDATE: 1}, "service": a_service(shared=True), "answers": said}
    return seen(policy or a_policy(), run, **world)


def heard(world: Observation, verb: str) -> tuple[str, str]:
    """Return what the one run was told to have come of a command."""
    [status] = decide(world).runs.values()
    return next((one.value, one.reason) for one in status.commands if one.verb == verb)


def remembered(policy: PolicySeen, **commands: str) -> PolicySeen:
    """Return the policy after a round, with other annotations since."""
    status = decide(seen(policy)).policy
    return replace(policy, status=ModelRetrainPolicyStatus.model_validate(status.wire()), **commands)  # type: ignore[arg-type]


def paused(policy: PolicySeen) -> bool:
    return is_paused(seen(policy))


def test_promote_skips_the_rest_of_the_analysis() -> None:
    world = in_canary(a_canary(promote=CANDIDATE))
    [status] = decide(world).runs.values()
    assert (status.phase, status.reason) == (Phase.PROMOTING, "PromotedByHand")
    assert heard(world, "promote") == (CANDIDATE, "Taken")


def test_promote_releases_a_canary_that_is_held_for_lack_of_data() -> None:
    run = a_canary(promote=CANDIDATE, reason="Inconclusive")
    assert decide(in_canary(run, figures={})).runs[run.name].phase is Phase.PROMOTING


@pytest.mark.parametrize("stale", ["true", CHAMPION, CANDIDATE[:-1], "churn-risk-57"])
@pytest.mark.parametrize("verb", ["promote", "approve"])
def test_a_command_that_names_another_version_does_nothing_and_says_why(verb: str, stale: str) -> None:
    run = a_canary(**{verb: stale})
    decision = decide(in_canary(run, figures=GOOD))
    assert decision.runs[run.name].phase is Phase.CANARY
    [told] = [one for one in decision.announcements if one.reason == f"{verb.capitalize()}Stale"]
    assert told.message == f"{verb} {stale}: it names {stale}, and this run makes {CANDIDATE}: nothing is done"


def test_a_command_is_announced_once() -> None:
    run = a_canary(promote="stale", analysis=an_analysis(last_at=NOW))
    first = decide(in_canary(run))
    again = decide(in_canary(replace(run, status=first.runs[run.name])))
    assert [one.reason for one in first.announcements if one.on_run] == ["PromoteStale"]
    assert again.announcements == ()


@pytest.mark.parametrize("phase", [Phase.VALIDATING, Phase.TRAINING, Phase.AWAITING_APPROVAL, Phase.DEPLOYING])
def test_promote_given_early_skips_neither_gate_nor_smoke_test(phase: Phase) -> None:
    run = a_run(phase, promote=CANDIDATE, reason="BothBelowFloor", phase_since=NOW)
    world = seen(a_policy(), run)
    assert decide(world).runs[run.name].phase is phase
    assert heard(world, "promote") == (CANDIDATE, "Waits")


def test_promote_given_early_leads_from_the_smoke_test_to_the_promotion() -> None:
    run = a_run(Phase.SMOKE_TESTING, promote=CANDIDATE)
    passed = seen(a_policy(), run, backends={CHAMPION: 3, CANDIDATE: 1})
    assert decide(passed).runs[run.name].phase is Phase.PROMOTING


def test_promote_does_not_pass_a_gate_that_fails() -> None:
    result = {"version": CANDIDATE, "metrics": {"candidate": {"accuracy": 0.5}, "champion": {"accuracy": 0.8}}}
    run = a_run(Phase.GATING, promote=CANDIDATE, result=result)
    assert decide(seen(a_policy(), run)).runs[run.name].outcome == "GateRejected"


@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.WATCHING])
def test_promote_never_cuts_a_watch_short(phase: Phase) -> None:
    run = a_run(phase, promote=CANDIDATE)
    world = seen(a_policy(), run, service=a_service(CANDIDATE, previous=CHAMPION), backends={CANDIDATE: 3, CHAMPION: 3})
    assert decide(world).runs[run.name].phase is Phase.WATCHING
    assert heard(world, "promote") == (CANDIDATE, "NothingToSkip")


def test_a_run_that_has_ended_hears_nothing() -> None:
    run = a_run(Phase.FINISHED, outcome="RolledBack", reason="AnalysisFailed", completed_at=NOW, promote=CANDIDATE, approve=CANDIDATE)
    world = seen(a_policy(), run)
    assert decide(world).effects == decide(seen(a_policy(), replace(run, promote="", approve=""))).effects
    assert (heard(world, "promote"), heard(world, "approve")) == ((CANDIDATE, "TooLate"), (CANDIDATE, "TooLate"))


def test_what_came_of_a_command_stays_on_record_when_the_run_has_ended() -> None:
    run = a_run(Phase.TRAINING, abort=CANDIDATE)
    ended = replace(run, status=decide(seen(a_policy(), run)).runs[run.name])
    assert [(one.verb, one.reason) for one in ended.status.commands] == [("abort", "Taken")]
    assert decide(seen(a_policy(), ended)).runs[run.name] == ended.status


def test_an_approval_is_told_to_be_taken() -> None:
    run = a_run(Phase.AWAITING_APPROVAL, approve=CANDIDATE, reason="BothBelowFloor")
    assert heard(seen(a_policy(), run), "approve") == (CANDIDATE, "Taken")


def test_a_paused_policy_keeps_the_weight_though_a_person_promotes() -> None:
    run = a_canary(promote=CANDIDATE)
    world = in_canary(run, a_policy(commands={"pause": "1"}), GOOD)
    assert decide(world).runs[run.name].phase is Phase.CANARY
    assert heard(world, "promote") == (CANDIDATE, "Waits")


def test_a_paused_canary_is_still_judged_and_rolled_back() -> None:
    run = a_canary(analysis=an_analysis(passed=4))
    paused_policy = a_policy(commands={"pause": "1"})
    good, bad = (decide(in_canary(run, paused_policy, figures)) for figures in (GOOD, BAD))
    assert (good.runs[run.name].phase, good.runs[run.name].reason) == (Phase.CANARY, "Paused")
    assert bad.runs[run.name].outcome == "RolledBack"
    assert SendTraffic(CHAMPION, "") in bad.effects


def test_a_paused_policy_starts_nothing_and_says_so() -> None:
    run = a_run(Phase.PENDING)
    decision = decide(seen(a_policy(commands={"pause": "1"}), run))
    told = decision.runs[run.name]
    assert (told.phase, told.reason) == (Phase.PENDING, "Paused")
    ready = next(one for one in decision.policy.conditions if one.type == "Ready")
    assert (ready.status, ready.reason) == ("True", "Paused")


def test_a_pause_lasts_until_a_resume_gets_another_value() -> None:
    policy = remembered(a_policy(commands={"pause": "mon", "resume": "earlier"}))
    assert paused(policy)
    assert paused(remembered(policy, resume="earlier"))
    assert not paused(remembered(policy, resume="now"))


def test_a_pause_ends_when_its_annotation_is_taken_away() -> None:
    policy = remembered(a_policy(commands={"pause": "1"}))
    gone = replace(policy, pause="")
    assert not paused(gone)
    assert paused(remembered(remembered(gone), pause="1"))


def test_another_pause_is_heard_after_a_resume() -> None:
    resumed = remembered(remembered(a_policy(commands={"pause": "1"})), resume="1")
    assert not paused(remembered(resumed))
    assert paused(replace(resumed, pause="2"))


def test_pause_and_resume_seen_at_once_are_paused_unless_they_name_each_other() -> None:
    assert paused(a_policy(commands={"pause": "2", "resume": "1"}))
    assert not paused(a_policy(commands={"pause": "2", "resume": "2"}))


def test_a_resume_of_what_was_not_paused_says_so_and_is_heard_once() -> None:
    policy = a_policy(commands={"resume": "1"})
    [told] = policy_commands(seen(policy))
    assert (told.reason, told.at) == ("NothingPaused", NOW)
    later = replace(seen(remembered(policy)), now=NOW.replace(hour=18))
    assert policy_commands(later) == (told,)
