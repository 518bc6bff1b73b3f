"""Alertmanager's webhook payload, version 4: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.

Fields that are of no use here are not read, and fields that are not known are ignored: Alertmanager adds some now and then. The parser
itself refuses JSON nested deeper than 200 levels, before any of it is looked at.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from retrainer.core.alert import Alert

_LONGEST_MESSAGE = 1024


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class AlertItem(_Payload):
    """One alert of the group. `startsAt` keeps microseconds: two notifications of one episode agree on them."""

    status: Literal["firing", "resolved"]
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
    starts_at: Annotated[AwareDatetime, AfterValidator(_in_utc), Field(alias="startsAt")]
    labels: dict[str, str]
    annotations: dict[str, str] = {}

    def received(self, at: datetime) -> Alert:
        """Return the alert as the core knows it, with its labels sorted."""
        return Alert(
            fingerprint=self.fingerprint,
            firing=self.status == "firing",
            labels=tuple(sorted(self.labels.items())),
            starts_at=self.starts_at,
            received_at=at,
            message=(self.annotations.get("summary") or self.annotations.get("description") or "")[:_LONGEST_MESSAGE],
        )


class Notification(_Payload):
    """A notification: the alerts of one group."""

    version: Literal["4"]
    alerts: Annotated[tuple[AlertItem, ...], Field(min_length=1)]

    def alerts_received(self, at: datetime) -> tuple[Alert, ...]:
        """Return the alerts as received at the given time."""
        return tuple(item.received(at) for item in self.alerts)
