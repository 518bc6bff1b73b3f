"""What decides a world: the same parameters give the same world, day by day, however often it is continued."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Self

from trainer.errors import BadConfiguration

NUMERIC_COLUMNS = (
    "union_tenure_years",
    "member_age",
    "engagement_score",
    "meetings_attended",
    "open_cases",
    "case_resolution_days",
    "late_dues",
)
COLUMNS = (*NUMERIC_COLUMNS, "is_steward", "contract_type")
WORKLOAD_COLUMNS = ("members", "is_holiday", "dues_run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """A world from `start` to `until`, both inclusive, and the dates from which it drifts (None: never).

    `new_column` is the name under which a factor that was always at work on members is recorded from the world's start,
    `new_workload_column` that of a factor of the units' cases. `missing_column` is one of either table.
    """

    seed: int
    members: int
    start: date
    until: date
    concept_drift_from: date | None = None
    covariate_drift_from: date | None = None
    missing_column: str | None = None
    missing_from: date | None = None
    missing_ratio: float = 0.4
    new_column: str | None = None
    new_workload_column: str | None = None
    units: int = 12

    @property
    def days(self) -> int:
        """The number of days from start to end."""
        return (self.until - self.start).days + 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The feature columns, in the order of the tables."""
        return COLUMNS if self.new_column is None else (*COLUMNS, self.new_column)

    @property
    def workload_columns(self) -> tuple[str, ...]:
        """What is known ahead of a unit's day, in the order of the table."""
        more = () if self.new_workload_column is None else (self.new_workload_column,)
        return (*WORKLOAD_COLUMNS, *more)

    def has_begun(self, drift_from: date | None, day: int) -> bool:
        """Return whether a drift from that date is on, on day `day` counted from the start."""
        return drift_from is not None and self.start + timedelta(days=day) >= drift_from

    def continued(self, changes: Mapping[str, Any]) -> Self:
        """Return this world with a later end and further drifts.

        BadConfiguration if that would rewrite days that have been.
        """
        for name in ("concept_drift_from", "covariate_drift_from", "missing_from"):
            begins = changes.get(name)
            if begins is not None and begins < self.until:
                raise BadConfiguration(f"{name} {begins} is past: the world is seeded until {self.until}")
        for name in ("new_column", "new_workload_column"):
            recorded = getattr(self, name)
            if recorded is not None and changes.get(name, recorded) != recorded:
                raise BadConfiguration(f"the world has one unrecorded factor there, and it is recorded as {recorded}")
        if changes.get("until", self.until) < self.until:
            raise BadConfiguration(f"the world is already seeded until {self.until}")
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` gives the same parameters back."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the parameters that `to_dict` wrote."""
        dates = {"start", "until", "concept_drift_from", "covariate_drift_from", "missing_from"}
        values: dict[str, Any] = dict(document)
        for name in dates:
            values[name] = None if values[name] is None else date.fromisoformat(values[name])
        return cls(**values)
