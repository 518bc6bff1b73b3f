"""What was last seen when the story did not go on."""

from collections.abc import Sequence
from pathlib import Path

from demo.story.kubectl import Kubectl
from demo.story.stage import NAMESPACE, SYSTEM
from demo.story.waiting import StoryError

_OPERATOR = ("logs", f"--namespace={SYSTEM}", "--selector=app.kubernetes.io/name=retrainer", "--prefix")
_TAIL = 15
_WIDTH = 400


def write_last_seen(kubectl: Kubectl, path: Path, *, all_namespaces: bool = False) -> str:
    """Write everything that may tell why to a file; returns the part of it that a person wants to see at once."""
    answers = [_answer(kubectl, question) for question in _questions("--all-namespaces" if all_namespaces else f"--namespace={NAMESPACE}")]
    path.write_text("\n\n".join(answers))
    operator = _answer(kubectl, (*_OPERATOR, f"--tail={_TAIL}")).splitlines()
    return "\n".join((answers[0], *(line[:_WIDTH] for line in operator)))


def _questions(where: str) -> Sequence[Sequence[str]]:
    return (
        ("get", "mrp,mrr,deployments,pods,jobs,services", where, "--output=wide"),
        ("describe", "modelretrainpolicies", where),
        ("describe", "modelretrainruns", where),
        ("get", "events", where, "--sort-by=.lastTimestamp"),
        ("describe", "pods", where),
        (*_OPERATOR, "--tail=300"),
        (*_OPERATOR, "--tail=100", "--previous"),
        ("logs", f"--namespace={NAMESPACE}", "--selector=retrainer.dev/component", "--tail=50", "--prefix"),
    )


def _answer(kubectl: Kubectl, question: Sequence[str]) -> str:
    try:
        answer = kubectl(*question, timeout=30)
    except StoryError as error:
        answer = str(error)
    return f"$ kubectl {' '.join(question)}\n{answer}"
