"""What goes and what stays, on both kinds of store."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.artifacts import packed
from tests.monitor.builders import policy, run
from tests.stores import Kept
from trainer.monitor.objects import ClusterUnavailable, Document
from trainer.prune.protection import ProtectedSetUnknown
from trainer.prune.pruning import Pruned, prune
from trainer.store import write

VERSIONS = [f"v{number}" for number in range(1, 9)]


def keeping(*listed: str, pinned: str = "", **roles: str) -> dict[str, Any]:
    """A policy whose status lists these versions, with roles by name."""
    document = policy()
    document["spec"]["serving"] = {"pinnedVersion": pinned}
    document["status"] = {
        "versions": [{"version": version, "outcome": "Served"} for version in listed],
        **{role: {"version": version} for role, version in roles.items()},
    }
    return document


class Answering:
    """A cluster with these policies and runs; without policies, one that cannot be asked."""

    def __init__(self, policies: list[Document] | None, runs: list[Document] | None = None) -> None:
        self._policies, self._runs = policies, runs or []

    async def policies(self) -> list[Document]:
        if self._policies is None:
            raise ClusterUnavailable("modelretrainpolicies: 403 Forbidden")
        return self._policies

    async def runs(self) -> list[Document]:
        return self._runs


def pruned(stored: Kept, cluster: Answering, *, dry_run: bool = False) -> Pruned:
    return asyncio.run(prune(stored.store, "churn-risk", cluster, dry_run=dry_run))


@pytest.fixture
def full(kept: Kept) -> Kept:
    """A store of eight versions, and a checkpoint of two more."""
    for version in VERSIONS:
        write(kept.store, packed(version))
    for version in ("v8", "v9", "v10"):
        kept.store.replace(f".checkpoints/{version}/state.safetensors", b"x")
    return kept


def test_what_is_listed_has_a_role_is_pinned_or_under_way_stays_and_the_rest_goes(full: Kept) -> None:
    cluster = Answering(
        [keeping("v2", "v3", pinned="v1", champion="v4", previous="v3", candidate="v5")],
        [run(6, "v6", phase="Gating"), run(10, "v10", phase="Training"), run(7, "v7", phase="Finished")],
    )
    result = pruned(full, cluster)
    assert result.kept == {
        "v1": "pinned", "v2": "Served", "v3": "previous", "v4": "champion", "v5": "candidate", "v6": "under way",
    }  # fmt: skip
    assert result.removed == ("v7", "v8")
    assert result.leftovers == (".checkpoints/v8", ".checkpoints/v9")
    contents = full.store.contents()
    assert contents.versions == {"v1", "v2", "v3", "v4", "v5", "v6"}
    assert set(contents.leftovers.values()) == {"v10"}


def test_a_dry_run_says_the_same_and_removes_nothing(full: Kept) -> None:
    before = full.store.contents()
    result = pruned(full, Answering([keeping("v2", champion="v4")]), dry_run=True)
    assert result.removed == ("v1", "v3", "v5", "v6", "v7", "v8")
    assert "would remove 6" in result.sentences()
    assert full.store.contents() == before


def test_a_run_that_is_not_seen_by_the_operator_yet_protects_the_version_in_its_spec(full: Kept) -> None:
    waiting = run(8, "v8")
    waiting["status"] = {}
    assert "v8" not in pruned(full, Answering([keeping("v4", champion="v4")], [waiting])).removed


def test_a_run_of_another_policy_protects_nothing(full: Kept) -> None:
    other = run(8, "v8", policy_name="workload", phase="Training")
    assert "v8" in pruned(full, Answering([keeping("v4", champion="v4")], [other])).removed


def test_what_an_earlier_policy_of_the_name_has_left_stays_until_somebody_removes_it(kept: Kept) -> None:
    earlier, listed, gone = "20250101-030000-51", "20261101-030000-1", "20261101-030001-2"
    for version in (earlier, listed, gone):
        write(kept.store, packed(version))
    anew = keeping(listed, champion=listed)
    anew["metadata"]["creationTimestamp"] = "2026-11-01T03:00:00Z"
    result = pruned(kept, Answering([anew]))
    assert (result.kept, result.removed) == ({earlier: "older than the policy", listed: "champion"}, (gone,))


def without_versions() -> dict[str, Any]:
    document = keeping(champion="v4")
    del document["status"]["versions"]
    return document


REFUSALS: dict[str, tuple[list[Document] | None, str]] = {
    "the API server does not say": (None, "403"),
    "the policy is gone": ([], "there is no policy churn-risk"),
    "a policy without a status": ([{**keeping(), "status": {}}], "status.versions"),
    "a policy that lists nothing": ([keeping(champion="v4")], "status.versions"),
    "an operator that lists no versions": ([without_versions()], "status.versions"),
}


@pytest.mark.parametrize(("policies", "says"), REFUSALS.values(), ids=REFUSALS.keys())
def test_without_the_protected_set_nothing_is_removed(full: Kept, policies: list[Document] | None, says: str) -> None:
    before = full.store.contents()
    with pytest.raises((ProtectedSetUnknown, ClusterUnavailable), match=says):
        pruned(full, Answering(policies))
    assert full.store.contents() == before


def test_where_nothing_is_kept_yet_nothing_is_asked(kept: Kept) -> None:
    assert pruned(kept, Answering(None)).removed == ()


def test_the_result_is_json_for_machines(full: Kept) -> None:
    document = pruned(full, Answering([keeping("v4", champion="v4")]), dry_run=True).to_document()
    assert orjson.loads(orjson.dumps(document))["kept"] == {"v4": "champion"}
    assert document["dryRun"] is True


def test_outside_of_a_cluster_it_is_bad_configuration(tmp_path: Path) -> None:
    done = _command(ARTIFACTS_PATH=str(tmp_path / "churn-risk"), POLICY="churn-risk", POD_NAMESPACE="members")
    assert done.returncode == 43
    assert "no ServiceAccount to read policies with" in done.stderr


def test_the_place_of_another_policy_is_refused(tmp_path: Path) -> None:
    done = _command(ARTIFACTS_PATH=str(tmp_path), POLICY="churn-risk", POD_NAMESPACE="members")
    assert done.returncode == 43
    assert "is not the place of policy churn-risk" in done.stderr


def _command(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainer", "prune"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
