"""The words both kinds share: the base model, durations, conditions, and how a CEL rule is attached to a model."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer
from pydantic.alias_generators import to_camel
from pydantic.json_schema import WithJsonSchema
from typing_extensions import override

GROUP: Final = "retrainer.dev"
VERSION: Final = "v1alpha1"

_NOT_TOLD: Final[set[str]] = set()
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Model(BaseModel):
    """A frozen object of the API: snake_case here, camelCase on the wire, unknown fields ignored (the API server refuses or prunes them)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", use_attribute_docstrings=False)

    @override
    def model_post_init(self, context: Any, /) -> None:
        """Forget which fields were given and which are defaults: nobody asks, and for all policies it is more than half of their memory."""
        object.__setattr__(self, "__pydantic_fields_set__", _NOT_TOLD)

    def wire(self) -> dict[str, Any]:
        """Return the object as JSON-ready data, fields that are None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rules(*pairs: tuple[str, str]) -> ConfigDict:
    """Return a model configuration that carries CEL rules, each a pair of the rule and the message a user reads when it is broken."""
    validations: list[JsonValue] = [{"rule": rule, "message": message} for rule, message in pairs]
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": validations})


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as `90d`; the pattern of `Duration` has been checked by the API server."""
    return float(int(duration[:-1]) * _UNIT_SECONDS[duration[-1]])


def cut(text: str, size: int = 512) -> str:
    """Return the text in at most `size` bytes of UTF-8: the schema counts characters, but what must stay small is the object."""
    return text.encode()[:size].decode(errors="ignore")


def _parse_time(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _print_time(value: datetime) -> str:
    """Kubernetes prints RFC 3339 in UTC; microseconds are kept because analyses are seconds apart."""
    text = value.astimezone(UTC).isoformat(timespec="microseconds" if value.microsecond else "seconds")
    return text.replace("+00:00", "Z")


@lru_cache(maxsize=4096)
def _one_of(text: str) -> str:
    """Return the text, as one object wherever it stands: a thousand policies say the same things about themselves."""
    return text


Duration = Annotated[str, Field(pattern=r"^[0-9]+(s|m|h|d|w)$", max_length=10)]
"""A Prometheus duration with one number and one unit: `30s`, `5m`, `6h`, `90d`, `2w`."""

Interval = Annotated[str, Field(pattern=r"^[1-9][0-9]*(s|m|h|d|w)$", max_length=10)]
"""A duration after which something is done again, and therefore 1 s at least."""

Time = Annotated[
    datetime,
    BeforeValidator(_parse_time),
    PlainSerializer(_print_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]
Reason = Annotated[str, Field(pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", max_length=64), AfterValidator(_one_of)]
Message = Annotated[str, Field(max_length=512), AfterValidator(_one_of)]
VersionName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=32)]
Ratio = Annotated[float, Field(ge=0, le=1)]
LabelMap = Annotated[dict[Annotated[str, Field(max_length=128)], Annotated[str, Field(max_length=256)]], Field(max_length=32)]
Quantity = Annotated[int | str, WithJsonSchema({"x-kubernetes-int-or-string": True, "maxLength": 32})]
Scalar = Annotated[JsonValue, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]
"""A hyperparameter's value: the trainer's business, passed on as it is."""


class Condition(Model):
    """One condition, with the fields and meaning of metav1.Condition."""

    type: Annotated[str, Field(max_length=64), AfterValidator(_one_of)] = Field(description="What the condition is about, in CamelCase.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds: True, False or Unknown.")
    reason: Reason = Field(description="Why, in one CamelCase word, for programs.")
    message: Message = Field(default="", description="Why, in one sentence that says what to change, for people.")
    observed_generation: int = Field(default=0, ge=0, description="The generation of the spec this was concluded from.")
    last_transition_time: Time = Field(description="When `status` last changed.")


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]
