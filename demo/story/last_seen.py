"""What was last seen when the story did not go on."""

from collections.abc import Sequence
from pathlib import Path

from demo.story.kubectl import Kubectl
from demo.story.stage import NAMESPACE, SYSTEM
from demo.story.waiting import StoryError

_WITHIN = f"--namespace={NAMESPACE}"
_QUESTIONS: Sequence[Sequence[str]] = (
    ("get", "mrp,mrr,deployments,pods,jobs,services", _WITHIN, "--output=wide"),
    ("describe", "modelretrainpolicies", _WITHIN),
    ("describe", "modelretrainruns", _WITHIN),
    ("get", "events", _WITHIN, "--sort-by=.lastTimestamp"),
    ("describe", "pods", _WITHIN),
    ("get", "pods", f"--namespace={SYSTEM}", "--output=wide"),
    ("logs", f"--namespace={SYSTEM}", "--selector=app.kubernetes.io/name=retrainer", "--tail=200"),
    ("logs", f"--namespace={SYSTEM}", "--selector=app.kubernetes.io/name=retrainer", "--tail=100", "--previous"),
    ("logs", _WITHIN, "--selector=retrainer.dev/component", "--tail=50", "--prefix"),
)


def write_last_seen(kubectl: Kubectl, path: Path) -> str:
    """Write everything that may tell why to a file; returns the part of it that a person wants to see at once."""
    answers = [_answer(kubectl, question) for question in _QUESTIONS]
    path.write_text("\n\n".join(answers))
    return "\n".join((answers[0], *answers[6].splitlines()[-15:]))


def _answer(kubectl: Kubectl, question: Sequence[str]) -> str:
    try:
        answer = kubectl(*question, timeout=30)
    except StoryError as error:
        answer = str(error)
    return f"$ kubectl {' '.join(question)}\n{answer}"
