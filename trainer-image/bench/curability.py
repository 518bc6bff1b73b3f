"""Which fresh drifts a retraining cures: accuracy on the members of now, by the drift's age and how it was trained.

A platform of 240 members lives for 400 days and then changes its rules; so many days later a version is trained and
asked about the members of that day, whose outcome the seeded world knows. Each point is the mean of five worlds with
its 95 % interval. `python -m bench.curability PLOT.svg` draws docs/images/curability.svg.
"""

import math
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from scipy.stats import t as student_t
from tests.postgres import running_postgres
from tests.requests import request_document
from tests.trainings import live_accuracy, train
from tests.worlds import TODAY, seed_world

from trainer.migrations import migrate

WAYS: Mapping[str, Mapping[str, object]] = {
    "30-day hold-out, half-life 90 d, no refit": {"holdout": "30d", "recencyHalfLife": "90d", "refit": False},
    "30-day hold-out, half-life 90 d, refit": {"holdout": "30d", "recencyHalfLife": "90d", "refit": True},
    "7-day hold-out, half-life 10 d, refit": {"holdout": "7d", "recencyHalfLife": "10d", "refit": True},
}
AGES = (4, 8, 14, 20, 30, 45)
SEEDS = (7, 8, 9, 10, 11)
WANTED = 0.8


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over worlds and the 95 % interval around it (Student's t)."""

    mean: float
    low: float
    high: float


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of two values or more, and its interval."""
    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    half = float(student_t.ppf(0.975, len(values) - 1)) * error
    return Estimate(mean, mean - half, mean + half)


def accuracy_of_now(url: str, age: int, data: Mapping[str, object], seed: int = 7) -> float:
    """Return how often a version trained `age` days after the drift is right about the members of that day."""
    seed_world(url, days=400 + age, seed=seed, concept_drift_from=TODAY - timedelta(days=age))
    with tempfile.TemporaryDirectory() as directory:
        artifact = train(request_document(Path(directory), "v1", data=data), url)
    return live_accuracy(artifact, url)


def main() -> None:
    """Print the table of all ways and ages, and draw it."""
    found: dict[str, list[Estimate]] = {}
    with running_postgres() as postgres:
        for way, data in WAYS.items():
            found[way] = []
            for age in AGES:
                accuracies = []
                for seed in SEEDS:
                    with _database(postgres) as url:
                        accuracies.append(accuracy_of_now(url, age, data, seed))
                here = estimate(accuracies)
                found[way].append(here)
                told = f"{here.mean:.3f} ({here.low:.3f} to {here.high:.3f})"
                print(f"{way}; drift {age} days old: {told}", file=sys.stderr, flush=True)
    _draw(found, Path(sys.argv[1]))


@contextmanager
def _database(postgres: str) -> Iterator[str]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        name = Identifier("curability")
        connection.execute(SQL("create database {}").format(name))
        url = postgres.removesuffix("postgres") + "curability"
        migrate(url)
        yield url
        connection.execute(SQL("drop database {} with (force)").format(name))


def _draw(found: Mapping[str, list[Estimate]], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - the test needs no plot

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "curability"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    # Side by side, so that intervals at the same age can be told apart.
    for (way, points), marker, aside in zip(found.items(), "ovs", (-0.3, 0.0, 0.3), strict=True):
        ages = [age + aside for age in AGES]
        [line] = axes.plot(ages, [point.mean for point in points], marker=marker, label=way)
        axes.vlines(ages, [point.low for point in points], [point.high for point in points], line.get_color(), lw=1.2)
    axes.axhline(WANTED, color="grey", linewidth=0.8, linestyle="--")
    axes.text(AGES[-1], WANTED, "cured", color="grey", ha="right", va="bottom")
    axes.set(
        xlabel="age of the drift at the training (days)", ylabel="accuracy on the members of now", ylim=(0.4, 0.95)
    )
    axes.set_title("A drift younger than the hold-out is cured by a short hold-out and refitting")
    axes.legend(loc="lower center", frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
