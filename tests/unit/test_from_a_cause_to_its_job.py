"""The writes between what causes a run and the run's first Job: the run, which is the record, and the Job."""

from retrainer.core.kinds import Kind, Ref
from tests.fleet import Fleet

RUN, JOB, POLICY = (
    Ref(Kind.RUN, "members", "churn-1"),
    Ref(Kind.JOB, "members", "churn-1-validate-1"),
    Ref(Kind.POLICY, "members", "churn"),
)


async def one_policy() -> Fleet:
    fleet = Fleet(0, ["churn"])
    await fleet.starts()
    await fleet.watch()
    return fleet


async def test_the_round_that_starts_a_run_tells_of_it_by_the_run_alone() -> None:
    fleet = await one_policy()
    asks_again_after = await fleet.reconcile(("members", "churn"))
    assert (fleet.cluster.server.writes[-1], asks_again_after) == (("create", RUN), 0)
    assert not {ref for verb, ref in fleet.cluster.server.writes if verb == "patch-status"}


async def test_the_round_after_it_makes_the_job_before_it_writes_any_status() -> None:
    fleet = await one_policy()
    await fleet.round()
    before = len(fleet.cluster.server.writes)
    await fleet.round()
    writes = [one for one in fleet.cluster.server.writes[before:] if one[1].kind is not Kind.EVENT]
    assert writes == [("create", JOB), ("patch-status", RUN), ("patch-status", POLICY)]


async def test_a_job_whose_status_got_no_answer_is_taken_up_and_not_made_again() -> None:
    fleet = await one_policy()
    await fleet.round()
    fleet.cluster.loses_answers = True  # of the first status after the Job
    await fleet.round()
    fleet.cluster.loses_answers = False
    await fleet.rounds()
    assert await fleet.phases() == {"churn-1": "Validating"}
    assert [ref for verb, ref in fleet.cluster.server.writes if ref.kind is Kind.JOB] == [JOB]
