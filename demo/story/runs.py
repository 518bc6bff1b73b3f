"""Following a run: its timeline is told as it grows."""

from collections.abc import Callable, Mapping
from typing import Any

from demo.story.kubectl import Manifest
from demo.story.stage import NAMESPACE, POLICY, Stage
from demo.story.waiting import StoryError

Until = Callable[[Manifest], bool]
"""Says whether a run's status is what was waited for."""


def follow(stage: Stage, name: str, what: str, until: Until, within: float) -> Manifest:
    """Tell each entry of a run's timeline until its status is as wanted; returns that status.

    StoryError when the run ends otherwise, or when it does not get there in time.
    """
    told = stage.told_entries.setdefault(name, set())

    def look() -> tuple[Manifest | None, str]:
        status = stage.run(name).get("status", {})
        for entry in status.get("timeline", ()):
            if (key := (entry["at"], entry["reason"])) not in told:
                told.add(key)
                stage.tell(f"{name}: {entry['phase']}/{entry['reason']}: {entry.get('message', '')}")
        if until(status):
            return status, ""
        if status.get("phase") == "Finished":
            raise StoryError(f"{what}: {name} ended {status.get('outcome')}/{status.get('reason')}: {status.get('message')}")
        return None, f"{name} is {status.get('phase')}/{status.get('reason')}: {status.get('message')}"

    return stage.wait(what, look, within)


def finished(status: Manifest) -> bool:
    """Whether a run has ended."""
    return status.get("phase") == "Finished"


def trained(status: Manifest) -> bool:
    """Whether a run's version is on record."""
    return "result" in status


def newest_run(stage: Stage, trigger: str) -> Manifest | None:
    """Return the newest run that a trigger started."""
    runs = stage.kubectl.items("modelretrainruns", f"--namespace={NAMESPACE}", "--sort-by=.metadata.creationTimestamp")
    started = [run for run in runs if run["spec"]["policyRef"]["name"] == POLICY and run["spec"].get("trigger") == trigger]
    return started[-1] if started else None


def figures(status: Mapping[str, Any]) -> str:
    """Return what the gate saw, as a sentence."""
    result = status["result"]
    candidate, champion = result["metrics"]["candidate"], result["metrics"].get("champion")
    data = result.get("data", {})
    compared = f", the champion's {champion['accuracy']:.3f} on the same rows" if champion else ", and there is no champion to compare with"
    rows = f"{data.get('holdoutRows')} held-out rows from {data.get('holdoutFrom')}, trained on {data.get('trainRows')} before"
    return f"{result['version']}: accuracy {candidate['accuracy']:.3f}{compared}; {rows}"
