"""The world itself: who the members are, how they change from day to day, and who lapses.

Each member has a character (drawn once) and moods (autoregressive, a few weeks long), which show in the features.
Whether a member lapses at the next dues run depends on them by a rule, `_RULES`, that a model can learn but for a
factor that is not recorded and for chance. A concept drift replaces the rule: before it, engaged members stay; after
it, as in a strike that the union calls off, it is they who leave.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.seed.parameters import Parameters

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]

_DAYS_BETWEEN_SNAPSHOTS = 7
# Moods: engagement, meetings, cases, resolution, dues, and the factor that nothing records until it is a new column.
_MOODS = 6
_MEMORY = 0.97
_CHARACTER_SHARE = 0.8
_CHANCE = 0.3
_ALWAYS_MISSING = 0.02
_CONTRACTS = np.array(["permanent", "fixed_term", "agency"])


@dataclass(frozen=True, slots=True)
class _Rule:
    """Weights of standardised features in the score; members whose score exceeds the threshold lapse."""

    engagement: float
    unrecorded: float
    threshold: float


_BEFORE = _Rule(engagement=-0.8, unrecorded=0.5, threshold=0.45)
_AFTER = _Rule(engagement=1.2, unrecorded=0.7, threshold=0.5)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of some members on a day (`members` are indices), and who of them will lapse."""

    day: date
    members: NDArray[np.intp]
    features: Columns
    lapses: NDArray[np.bool_]


def snapshots(parameters: Parameters) -> Iterator[Snapshot]:
    """Yield each day's snapshot of the members whose turn it is (each member once a week), oldest first.

    The last one, on `parameters.until`, is of all members: the present.
    """
    population = _Population(parameters)
    for day in range(parameters.days):
        population.live_a_day(day)
        due = np.flatnonzero(np.arange(parameters.members) % _DAYS_BETWEEN_SNAPSHOTS == day % _DAYS_BETWEEN_SNAPSHOTS)
        yield population.seen(day, due)
    yield population.seen(parameters.days - 1, np.arange(parameters.members))


class _Population:
    """All members; `live_a_day` moves them on. Everything drawn depends on the seed and the day alone."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        generator = np.random.default_rng([parameters.seed, 0])
        count = parameters.members
        self._character = generator.standard_normal((count, _MOODS))
        self._moods = generator.standard_normal((count, _MOODS))
        self._age = np.clip(generator.normal(44, 12, count), 18, 75)
        self._tenure = np.minimum(generator.gamma(2.0, 4.5, count), self._age - 17)
        self._steward = generator.random(count) < 1 / (1 + np.exp(2.2 - self._character[:, 0]))
        self._contract = _CONTRACTS[generator.choice(3, count, p=[0.62, 0.25, 0.13])]

    def live_a_day(self, day: int) -> None:
        self._generator = np.random.default_rng([self._parameters.seed, 1, day])
        change = self._generator.standard_normal(self._moods.shape)
        self._moods = _MEMORY * self._moods + np.sqrt(1 - _MEMORY**2) * change
        self._chance = self._generator.standard_normal(len(self._moods))
        self._gaps = self._generator.random((len(self._moods), 4))

    def seen(self, day: int, members: NDArray[np.intp]) -> Snapshot:
        features = self._features(day)
        lapses = self._lapses(day, features)
        recorded = self._recorded(day, features)
        date_of_day = self._parameters.start + timedelta(days=day)
        columns = {name: recorded[name][members] for name in self._parameters.columns}
        return Snapshot(date_of_day, members, columns, lapses[members])

    def _state(self) -> Floats:
        mood_share = np.sqrt(1 - _CHARACTER_SHARE**2)
        state: Floats = _CHARACTER_SHARE * self._character + mood_share * self._moods
        return state

    def _features(self, day: int) -> Columns:
        state = self._state()
        drifted = self._parameters.has_begun(self._parameters.covariate_drift_from, day)
        # Younger members join: they are here for less long and take part more.
        age = self._age + day / 365 - (14 if drifted else 0)
        tenure = (self._tenure + day / 365) * (0.5 if drifted else 1)
        engagement = 50 + 20 * state[:, 0] + (12 if drifted else 0)
        return {
            "union_tenure_years": np.round(tenure, 2),
            "member_age": np.round(np.maximum(age, 18), 1),
            "engagement_score": np.round(np.clip(engagement, 0, 100), 1),
            "meetings_attended": np.maximum(0, np.round(3 + 1.5 * state[:, 1] + 0.5 * state[:, 0])),
            "open_cases": np.maximum(0, np.round(1.5 + 1.3 * state[:, 2])),
            "case_resolution_days": np.round(np.exp(2.3 + 0.5 * state[:, 3]), 1),
            "late_dues": np.maximum(0, np.round(1 + 1.1 * state[:, 4])),
            "is_steward": self._steward,
            "contract_type": self._contract,
            "unrecorded": np.round(np.clip(0.4 + 0.18 * state[:, 5], 0, 1), 3),
        }

    def _lapses(self, day: int, features: Columns) -> NDArray[np.bool_]:
        """Return who lapses: the score of the rule in force, with chance, is above its threshold."""
        rule = _AFTER if self._parameters.has_begun(self._parameters.concept_drift_from, day) else _BEFORE
        score = (
            rule.engagement * (features["engagement_score"] - 50) / 20
            + rule.unrecorded * (features["unrecorded"] - 0.4) / 0.18
            + 0.65 * (features["open_cases"] - 1.5) / 1.2
            + 0.6 * (np.log(features["case_resolution_days"]) - 2.3) / 0.5
            + 0.6 * (features["late_dues"] - 1.1) / 1.0
            - 0.5 * (np.sqrt(features["union_tenure_years"]) - 2.9) / 1.0
            - 0.3 * (features["meetings_attended"] - 3) / 1.6
            - 0.2 * (features["member_age"] - 44) / 12
            - 0.5 * features["is_steward"]
            + 0.5 * (features["contract_type"] != "permanent")
        )
        lapses: NDArray[np.bool_] = score + _CHANCE * self._chance > rule.threshold
        return lapses

    def _recorded(self, day: int, features: Columns) -> Columns:
        """Return the features as a table has them: with gaps, and the unrecorded factor only under its new name."""
        recorded = dict(features)
        for index, name in enumerate(("union_tenure_years", "member_age", "case_resolution_days")):
            recorded[name] = np.where(self._gaps[:, index] < _ALWAYS_MISSING, np.nan, recorded[name])
        parameters = self._parameters
        if parameters.new_column is not None:
            recorded[parameters.new_column] = features["unrecorded"]
        if parameters.missing_column in recorded and parameters.has_begun(parameters.missing_from, day):
            missing = self._gaps[:, 3] < parameters.missing_ratio
            kept = recorded[parameters.missing_column].astype(object)
            kept[missing] = None
            recorded[parameters.missing_column] = kept
        return recorded
