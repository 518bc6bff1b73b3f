"""The story that the product is for, on a real database: decay, a retraining that cures it, a new feature, a bad one.

A platform until twenty days ago gets its first version. Then the relationship changes. A version trained with a short
hold-out and half-life learns it, one with a hold-out longer than the drift's age cannot. A new column is recorded and
used; a live encoding that differs from the training table's spoils the version that uses it, and no other.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from tests.artifacts import path_of
from tests.requests import SHOCK, request_document
from tests.trainings import live_accuracy, train
from tests.worlds import TODAY, continue_world, seed_world
from trainer.artifact import Artifact

DRIFT = TODAY - timedelta(days=20)


@dataclass(frozen=True, slots=True)
class Story:
    """The versions in the order in which they were trained, and the database they were trained from."""

    url: str
    first: Artifact
    cured: Artifact
    uncured: Artifact
    with_column: Artifact


@pytest.fixture(scope="module")
def story(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    url, versions = shared_database, tmp_path_factory.mktemp("versions")
    seed_world(url, until=DRIFT, days=380)
    first = train(request_document(versions, "v1"), url)
    continue_world(url, until=TODAY, concept_drift_from=DRIFT)
    v1 = {"version": "v1"}
    uncured = train(request_document(versions, "v2-slow", champion=v1), url)
    cured = train(request_document(versions, "v2", champion=v1, data=SHOCK), url)
    continue_world(url, until=TODAY, new_column="shift_percentage")
    with_column = train(request_document(versions, "v3", champion={"version": "v2"}, data=SHOCK), url)
    return Story(url, first, cured, uncured, with_column)


def accuracy(artifact: Artifact, side: str = "candidate") -> float:
    return artifact.manifest.metrics[side]["accuracy"]


def test_the_first_version_is_good_and_far_better_than_guessing(story: Story) -> None:
    figures = story.first.manifest.metrics["candidate"]
    assert 0.8 <= figures["accuracy"] <= 0.95
    assert figures["accuracy"] > figures["baseline_accuracy"] + 0.15
    assert "champion" not in story.first.manifest.metrics


def test_its_probabilities_mean_what_they_say(story: Story) -> None:
    assert story.first.manifest.metrics["candidate"]["ece"] < 0.05


def test_after_the_drift_it_is_hardly_better_than_guessing(story: Story) -> None:
    assert 0.5 < accuracy(story.cured, "champion") < 0.65
    assert 0.5 < live_accuracy(story.first, story.url) < 0.65


def test_a_short_holdout_and_half_life_cure_it(story: Story) -> None:
    assert story.cured.manifest.champion_not_comparable == ""
    assert accuracy(story.cured) >= accuracy(story.cured, "champion") + 0.1
    assert accuracy(story.cured) >= 0.8


def test_the_shipped_weights_are_as_good_on_the_members_of_now(story: Story) -> None:
    assert live_accuracy(story.cured, story.url) >= 0.8


def test_a_holdout_longer_than_the_drift_cures_nothing(story: Story) -> None:
    assert accuracy(story.uncured) < accuracy(story.uncured, "champion") + 0.02


def test_both_sides_are_measured_on_the_same_rows(story: Story) -> None:
    candidate, champion = (story.cured.manifest.metrics[side] for side in ("candidate", "champion"))
    assert candidate["baseline_accuracy"] == champion["baseline_accuracy"]
    assert set(candidate) == set(champion)


def test_the_new_column_is_used_and_makes_the_version_better(story: Story) -> None:
    assert "shift_percentage" in {feature.name for feature in story.with_column.manifest.features}
    assert accuracy(story.with_column) > accuracy(story.with_column, "champion") + 0.02
    assert live_accuracy(story.with_column, story.url) > live_accuracy(story.cured, story.url) + 0.02


def test_another_live_encoding_spoils_only_the_version_that_uses_the_column(story: Story) -> None:
    assert live_accuracy(story.with_column, story.url, shift_percentage=100) <= 0.65
    unspoilt = live_accuracy(story.cured, story.url)
    assert live_accuracy(story.cured, story.url, shift_percentage=100) == unspoilt


def test_latency_and_memory_are_those_of_a_light_server(story: Story) -> None:
    figures = story.cured.manifest.metrics["candidate"]
    assert 0 < figures["latency_p95_ms"] < 5
    assert 0 < figures["model_memory_mb"] < 0.5


def test_the_evaluated_and_the_shipped_weights_differ_by_the_holdout(story: Story) -> None:
    artifact = story.cured
    assert any((artifact.evaluated[name] != artifact.shipped[name]).any() for name in artifact.shipped)
    assert artifact.manifest.data["holdoutFrom"] == str(np.datetime64(TODAY - timedelta(days=7)))


def test_the_reference_describes_every_feature_and_the_predictions(story: Story) -> None:
    reference = story.with_column.reference
    assert set(reference.features) == {feature.name for feature in story.with_column.manifest.features}
    for histogram in (*reference.features.values(), reference.prediction):
        assert sum(histogram.shares) == pytest.approx(1)
    assert reference.features["contract_type"].categories == ("agency", "fixed_term", "permanent")
    assert reference.features["union_tenure_years"].missing == pytest.approx(0.02, abs=0.02)
    assert path_of(story.with_column).is_dir()
