"""`spec.report`: when people are told what the models did."""

from typing import Annotated, Final

from pydantic import Field

from retrainer.api.v1alpha1.common import Model

_HOUR: Final = "([01]?[0-9]|2[0-3])"
_DAY: Final = "([1-9]|[12][0-9]|3[01])"
_MONTH: Final = "([1-9]|1[0-2])"
# What Kubernetes' CronJobs take without question, so that a report can never be what holds a policy up: whole hours of a minute, lists
# instead of ranges, Monday to Friday.
_SCHEDULE: Final = (
    rf"^[0-5]?[0-9] (\*|\*/([1-9]|1[0-2])|{_HOUR}(,{_HOUR})*) (\*|{_DAY}(,{_DAY})*) (\*|{_MONTH}(,{_MONTH})*) (\*|1-5|[0-6](,[0-6])*)$"
)


class Report(Model):
    """A report every day, or as often as the schedule says."""

    schedule: Annotated[str, Field(pattern=_SCHEDULE, max_length=128)] = Field(
        default="0 8 * * *",
        description="Five cron fields: a minute; hours (`*`, `*/n` or a list); days of the month and months (`*` or a list); weekdays (`*`, `1-5` or a list, 0 is Sunday).",
    )
    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=64)] = Field(
        default="Etc/UTC", description="An IANA time zone, of the schedule and of the days in the report."
    )
