"""Step 6: the books: what the database, the client and the observer say of it all."""

from demo.story.answers import violations
from demo.story.callers import end_client
from demo.story.stage import Stage
from demo.story.waiting import must

_HISTORY = """
select version, coalesce(round(accuracy::numeric, 3)::text, ''), is_active, coalesce(run, '') from model_metadata
where namespace = 'members' and model_type = 'churn_risk' order by trained_at
"""
_LEDGER = "select version, event, reason from model_ledger where namespace = 'members' and model_type = 'churn_risk' order by at, id"


def close_books(stage: Stage) -> None:
    """Check the history, stop the client and the observer, and see that neither has anything to complain about."""
    check_history(stage)
    for version, accuracy, active, run in stage.database.ask(_HISTORY):
        stage.tell(f"model_metadata: {version}, accuracy {accuracy}, run {run}{', active' if active == 't' else ''}")
    for version, event, reason in stage.database.ask(_LEDGER):
        stage.tell(f"model_ledger: {version} {event} {reason}")
    stop_client(stage)
    stop_observer(stage)


def check_history(stage: Stage) -> None:
    """Wait until the database knows every version, and the champion as the only active one."""
    champion = stage.versions[-2]
    stage.wait("the history in model_metadata", lambda: _history(stage, champion), 30)


def stop_client(stage: Stage) -> None:
    """End the client; no request of it may have failed."""
    counted = end_client(stage)
    must(counted.get("failed") == 0, f"client requests failed: {counted}; see {stage.client_log}")
    times = f"p50 {counted['p50_ms']} ms, p99 {counted['p99_ms']} ms"
    stage.tell(f"client: {counted['requests']} requests, none failed; {times}; {counted['versions']}")


def stop_observer(stage: Stage) -> None:
    """End the observer; no invariant may have been broken."""
    code = stage.companions.end("observer")
    broken = violations(stage.observer_record)
    must(code == 0 and not broken, f"the observer saw {len(broken)} broken invariants, first {broken[:1]}; see {stage.observer_record}")
    stage.tell(f"observer: no invariant was broken; see {stage.observer_record}")


def _history(stage: Stage, champion: str) -> tuple[bool | None, str]:
    rows = stage.database.ask(_HISTORY)
    active = [version for version, _, is_active, _ in rows if is_active == "t"]
    there = set(stage.versions) <= {version for version, *_ in rows}
    return (active == [champion] and there) or None, f"{len(rows)} versions, active: {active}"
