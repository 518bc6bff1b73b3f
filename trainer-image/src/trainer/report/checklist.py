"""The guide's retraining checklist, answered for a run by what its object and the database hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trainer.report.figures import Recorded
from trainer.report.story import RunStory

_TRAINED = ("Gating", "AwaitingApproval", "Deploying", "SmokeTesting", "Canary", "Promoting", "Watching")


class Mark(StrEnum):
    """What became of one item."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist, with the evidence for its mark."""

    title: str
    mark: Mark
    evidence: str


@dataclass(frozen=True, slots=True)
class Checklist:
    """The three parts of the guide's checklist."""

    before: tuple[Item, ...]
    during: tuple[Item, ...]
    after: tuple[Item, ...]


def checklist(story: RunStory, recorded: Recorded | None) -> Checklist:
    """Return the run's checklist; `recorded` is its version's row in the database, if there is one."""
    return Checklist(tuple(_before(story)), tuple(_during(story)), tuple(_after(story, recorded)))


def _before(story: RunStory) -> Iterator[Item]:
    champion = story.frozen.get("champion")
    figures = story.run.metrics.get("champion")
    if not story.frozen:
        performance = Item("", Mark.OPEN, "the run has not begun")
    elif not champion:
        performance = Item("", Mark.DONE, "nothing served yet")
    elif figures:
        performance = Item("", Mark.DONE, f"{champion}: {_figures(figures)}")
    else:
        why = story.result.get("championNotComparable") or "taken in the gate, on the same rows as the candidate's"
        performance = Item("", Mark.FAILED if "championNotComparable" in story.result else Mark.OPEN, why)
    yield _titled("Current model performance documented", performance)
    backup = f"{champion} stays as it is: versions are never overwritten" if champion else "there is none to back up"
    yield Item("Backup of current model created", Mark.DONE if story.frozen else Mark.OPEN, backup)
    yield _titled("Training data validated", _validated(story))
    yield _titled("Sufficient data available", _sufficient(story))
    yield _titled("Test plan prepared", _plan(story.frozen))


def _validated(story: RunStory) -> Item:
    if story.run.outcome == "DataRejected" or (story.phase == "Validating" and story.reasoned("DataRejected")):
        return Item("", Mark.FAILED, story.run.message)
    passed = story.told("Queued", "Training", *_TRAINED)
    return Item("", Mark.DONE, passed.message) if passed else Item("", Mark.OPEN, "not looked at yet")


def _sufficient(story: RunStory) -> Item:
    data = story.result.get("data") or {}
    if data:
        rows = (
            f"{data.get('trainRows', 0)} rows from {data.get('from', '?')}, {data.get('holdoutRows', 0)} more held out"
        )
        return Item("", Mark.DONE, f"{rows} until {data.get('to', '?')}")
    if story.run.reason.startswith("Insufficient"):
        return Item("", Mark.FAILED, story.run.message)
    return _validated(story)


def _plan(frozen: Mapping[str, Any]) -> Item:
    if not frozen:
        return Item("", Mark.OPEN, "the run has not begun")
    rollout = frozen.get("rollout") or {}
    gates = [metric["name"] for metric in (frozen.get("gate") or {}).get("metrics") or ()]
    smoke = (rollout.get("smokeTest") or {}).get("path")
    steps = rollout.get("stepWeights") or ()
    parts = [
        f"gate on {', '.join(gates)}" if gates else "no gate",
        f"smoke test of {smoke}" if smoke else "no smoke test",
        f"canary at {', '.join(f'{step} %' for step in steps)}" if steps else "no canary",
    ]
    return Item("", Mark.DONE, "; ".join(parts))


def _during(story: RunStory) -> Iterator[Item]:
    began, trained = story.told("Training"), story.told(*_TRAINED)
    failed = story.run.outcome == "TrainingFailed"
    job = f"the log of Job {story.run.name}-train-{story.attempt}"
    yield Item("Training logs captured", Mark.DONE if began else Mark.OPEN, job if began else "training has not begun")
    candidate = story.run.metrics.get("candidate")
    watched = Item("", Mark.DONE, _figures(candidate)) if candidate else Item("", Mark.OPEN, "there are none yet")
    if failed:
        watched = Item("", Mark.FAILED, "the training ended without any")
    yield _titled("Validation metrics monitored", watched)
    warnings = [str(warning) for warning in story.result.get("warnings") or ()]
    clean = Item("", Mark.DONE, "none") if trained else Item("", Mark.OPEN, "training has not ended")
    if failed or warnings:
        clean = Item("", Mark.FAILED, story.run.message if failed else "; ".join(warnings))
    yield _titled("No errors or warnings", clean)


def _after(story: RunStory, recorded: Recorded | None) -> Iterator[Item]:
    candidate, champion = (story.run.metrics.get(side) for side in ("candidate", "champion"))
    gate = next((each for each in story.timeline if each.phase in {"Deploying", "AwaitingApproval"}), None)
    rejected = story.run.outcome == "GateRejected"
    told = story.run.message if rejected else gate.message if gate else "the gate has not decided"
    compared = Mark.DONE if candidate and (champion or not story.frozen.get("champion")) else Mark.OPEN
    yield Item("New model performance compared to old", compared, told)
    yield _titled("Accuracy meets or exceeds target", _target(story, candidate))
    yield _titled("Sample predictions tested", _sampled(story))
    artifact = story.result.get("artifact")
    saved = f"{artifact}, {str(story.result.get('digest', ''))[:19]}" if artifact else "there is none yet"
    yield Item("Model artifacts saved with version", Mark.DONE if artifact else Mark.OPEN, saved)
    row = f"{recorded.version}, {'active' if recorded.is_active else 'not active'}" if recorded else "no row yet"
    yield Item("Metadata updated in database", Mark.DONE if recorded else Mark.OPEN, row)
    ended = story.run.outcome is not None
    notice = f"{story.run.outcome}: told as an Event of the run" if ended else "told when the run ends"
    yield Item("Team notified of changes", Mark.DONE if ended else Mark.OPEN, notice)


def _target(story: RunStory, candidate: Mapping[str, float] | None) -> Item:
    metrics = (story.frozen.get("gate") or {}).get("metrics") or ()
    wanted = next((metric.get("min") for metric in metrics if metric.get("name") == "accuracy"), None)
    if candidate is None or "accuracy" not in candidate:
        return Item("", Mark.OPEN, "not measured yet")
    accuracy = candidate["accuracy"]
    if wanted is None:
        return Item("", Mark.DONE, f"{accuracy:.3f}; the policy names no target")
    return Item("", Mark.DONE if accuracy >= wanted else Mark.FAILED, f"{accuracy:.3f}, at least {wanted:g} is asked")


def _sampled(story: RunStory) -> Item:
    if passed := story.reasoned("SmokeTestPassed", "NoSmokeTest"):
        return Item("", Mark.DONE if passed.reason == "SmokeTestPassed" else Mark.OPEN, passed.message)
    if failed := story.reasoned("SmokeTestFailed", "SmokeTestUnreachable"):
        return Item("", Mark.FAILED, failed.message)
    return Item("", Mark.OPEN, "the candidate has not been asked yet")


def _titled(title: str, item: Item) -> Item:
    return Item(title, item.mark, item.evidence)


def _figures(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
