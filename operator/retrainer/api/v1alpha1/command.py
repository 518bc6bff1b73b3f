"""Commands: what a person asked of a run or a policy by annotation, and what came of it."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from retrainer.api.v1alpha1.common import Message, Model, Reason, Time

COMMAND_LIMIT: Final = 128


class Verb(StrEnum):
    """What may be asked: the annotation is `retrainer.dev/<verb>`."""

    APPROVE = "approve"
    ABORT = "abort"
    PROMOTE = "promote"
    PAUSE = "pause"
    RESUME = "resume"
    ROLLBACK = "rollback"


class CommandStatus(Model):
    """The latest command of its kind."""

    verb: Verb = Field(description="What was asked.")
    value: Annotated[str, Field(max_length=COMMAND_LIMIT)] = Field(description="The annotation's value.")
    at: Time = Field(description="When this came of it.")
    reason: Reason = Field(description="What came of it, or why nothing did.")
    message: Message = Field(default="", description="The same as a sentence.")


Commands = Annotated[
    tuple[CommandStatus, ...],
    Field(max_length=3, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["verb"]}),
]
