"""`spec.notifications`: who is told of the policy's transitions, beside the Events."""

from typing import Literal

from pydantic import Field

from retrainer.api.v1alpha1.common import Model, Name


class Notification(Model):
    """One notifier, and what it is told."""

    notifier: Name = Field(description="By the name the administrator gave it (chart value `notifiers`).")
    min_severity: Literal["Info", "Warning"] = Field(
        default="Info", description="Info: every transition. Warning: what went wrong, and what waits for a person."
    )
