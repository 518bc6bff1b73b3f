"""The annotation that says why a version lost its traffic: JSON, in the same write that takes the traffic."""

import json

from retrainer.api.v1alpha1.common import cut
from retrainer.core.phases import Outcome
from retrainer.core.withdrawal import Withdrawal


def written(withdrawal: Withdrawal) -> str:
    """Return the annotation's value, of at most some 700 bytes."""
    told = {"run": withdrawal.run, "outcome": withdrawal.outcome, "reason": withdrawal.reason, "message": cut(withdrawal.message)}
    return json.dumps(told, ensure_ascii=False)


def read(value: str) -> Withdrawal | None:
    """Return what an annotation says; one that somebody has made unreadable says nothing."""
    try:
        told = json.loads(value) if value else None
        return Withdrawal(str(told["run"]), Outcome(told["outcome"]), str(told["reason"]), str(told["message"])) if told else None
    except (ValueError, KeyError, TypeError):
        return None
