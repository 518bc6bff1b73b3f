"""Asking before anything is changed, and only once."""

from pathlib import Path

import pytest

from tests.cluster.consent import settle
from tests.cluster.interface import Change, ClusterError

BRIDGE = Change("a bridge")
BUILD = Change("build etcd", system=False)


def test_what_was_agreed_to_is_not_asked_again(tmp_path: Path) -> None:
    settle([BRIDGE], tmp_path, lambda _: "y")
    settle([BRIDGE], tmp_path, lambda _: pytest.fail("asked twice"))
    settle([BRIDGE], tmp_path, None)


@pytest.mark.parametrize("answer", ["", "n", "no", "maybe"])
def test_anything_but_a_yes_is_a_no_and_is_asked_again(tmp_path: Path, answer: str) -> None:
    for _ in range(2):
        with pytest.raises(ClusterError, match="nothing was changed"):
            settle([BRIDGE], tmp_path, lambda _: answer)


def test_where_nobody_can_be_asked_the_machine_is_not_changed(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="YES=1"):
        settle([BUILD, BRIDGE], tmp_path, None)


def test_what_stays_in_the_cache_needs_nobody(tmp_path: Path) -> None:
    settle([BUILD], tmp_path, None)


def test_a_new_change_is_asked_about(tmp_path: Path) -> None:
    settle([BRIDGE], tmp_path, lambda _: "yes")
    with pytest.raises(ClusterError):
        settle([BRIDGE, Change("a Debian package")], tmp_path, lambda _: "")
