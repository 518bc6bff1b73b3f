"""Step 5: a candidate that is good offline and bad in production, through data alone, and the way back."""

from datetime import datetime
from pathlib import Path

from demo.story.answers import Line, answers, last_answer, observations
from demo.story.drift import canary_begins
from demo.story.kubectl import Manifest
from demo.story.runs import figures, finished, follow, trained
from demo.story.stage import VERSION_LABEL, Stage
from demo.story.trainer_jobs import run_trainer
from demo.story.waiting import must

COLUMN = "shift_percentage"
RUN = "retrain-new-feature"
_RUN_FILE = Path(__file__).with_name("retrain-new-feature.yaml")


def bad_candidate(stage: Stage) -> None:
    """Let a candidate fail in its canary and return when every request is the champion's again."""
    champion = stage.versions[-1]
    encode_live_otherwise(stage)
    stage.kubectl("create", f"--filename={_RUN_FILE}")
    stage.tell(f"a person starts a run: kubectl create -f {_RUN_FILE.name}")
    status = follow(stage, RUN, "training with the new column", trained, 240)
    stage.tell(f"good offline: {figures(status)}")
    version = status["result"]["version"]
    stage.versions.append(version)
    canary_begins(stage, RUN, champion, version)
    status = follow(stage, RUN, "the way back", finished, 180)
    must(status["outcome"] == "RolledBack", f"{RUN} ended {status['outcome']}/{status['reason']}: {status['message']}")
    must(stage.selector().get(VERSION_LABEL) == champion, f"the Service selects {dict(stage.selector())}, not {champion}")
    tell_times(stage, status, version, champion)
    hear_the_service(stage)


def hear_the_service(stage: Stage) -> None:
    """Tell what the Service answered to the smoke test's own call after the way back; it must have been the champion."""

    def look() -> tuple[Manifest | None, str]:
        status = stage.run(RUN)["status"]
        return (status if status["returnCheck"]["reason"] != "Pending" else None), "the Service has not been heard yet"

    status = stage.wait("what the Service answers after the way back", look, 60)
    told = status["timeline"][-1]
    must(told["reason"] == "ReturnVerified", f"{told['reason']}: {told['message']}")
    stage.tell(f"the smoke test's call once more: {told['message']}")


def encode_live_otherwise(stage: Stage) -> None:
    """Record a new column as a fraction where models are trained, and as a percentage where they serve."""
    run_trainer(stage, "seed-column", "seed", "--append", f"--until={stage.today}", f"--new-column={COLUMN}", "--json")
    stage.database.ask("update profiles set shift_percentage = shift_percentage * 100")
    stage.tell(f"a new column {COLUMN}: 0 to 1 in the training table, 0 to 100 in the live one; no image has a switch for it")


def tell_times(stage: Stage, status: Manifest, version: str, champion: str) -> None:
    """Tell how long the way back took, by the audit log and by the client's log; it must have been one write."""
    verdict = datetime.fromisoformat(status["analysis"]["lastAt"]).timestamp()
    stage.tell(f"{RUN}: failed verdict on {status['analysis'].get('message', '')}")
    write = stage.wait("the write in the audit log", lambda: _return_write(stage, champion, verdict), 15)
    stage.tell(f"traffic went back by one write of the Service, {write['asked'] - verdict:+.3f} s from the failed verdict (audit log)")
    failure = stage.wait("the observer's own failing query", lambda: _failure(stage, version), 15)
    stage.tell(f"the sample that showed it was in Prometheus {write['asked'] - failure['t']:.3f} s before that write: {failure['figures']}")
    last = stage.wait("the candidate's pods are gone", lambda: _last_of_all(stage, version), 60)
    from_write, from_verdict = last - write["answered"], last - verdict
    stage.tell(f"last answer by {version}: {from_write:+.3f} s from the write, {from_verdict:+.3f} s from the verdict (client's log)")
    counted = answers(stage.client_log, last)
    stage.tell(f"since then {counted[champion]} of {counted.total()} requests were answered by {champion}")


def _return_write(stage: Stage, champion: str, verdict: float) -> tuple[Line | None, str]:
    returns = [one for one in observations(stage.observer_record, "write") if one["returns"] and one["after"] == champion]
    writes = [one for one in returns if one["answered"] > verdict - 1]
    must(len(writes) < 2, f"the way back took {len(writes)} writes")
    return (writes[0] if writes else None), "no write of the Service's selector back to the champion"


def _failure(stage: Stage, version: str) -> tuple[Line | None, str]:
    return next((one for one in observations(stage.observer_record, "failure") if one["candidate"] == version), None), "none"


def _last_of_all(stage: Stage, version: str) -> tuple[float | None, str]:
    """The last answer is known once there is no Pod left that could give another."""
    pods = stage.every_pod_of(version)
    return (last_answer(stage.client_log, version) if not pods else None), f"{pods} pods of {version} are still there"
