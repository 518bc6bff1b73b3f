"""Which programs are built, and when they are built again."""

from pathlib import Path

import pytest

from tests.cluster.components import GROUPS, Group, given, group_of, key_of
from tests.cluster.interface import ClusterError

GROUP = Group(folder="tools", packages={"tool": "example.org/tool"})


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "go.mod").write_text("module tools\n")
    (tmp_path / "tools" / "go.sum").write_text("")
    return tmp_path


def test_the_same_inputs_have_the_same_key(modules: Path) -> None:
    assert key_of(GROUP, modules) == key_of(GROUP, modules)


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go"])
def test_a_changed_file_changes_the_key(modules: Path, file: str) -> None:
    before = key_of(GROUP, modules)
    (modules / "tools" / file).write_text("// changed\n")
    assert key_of(GROUP, modules) != before


def test_a_changed_linker_value_changes_the_key(modules: Path) -> None:
    changed = Group(GROUP.folder, GROUP.packages, {"example.org/tool.version": "v2"})
    assert key_of(changed, modules) != key_of(GROUP, modules)


def test_a_file_that_go_does_not_read_changes_nothing(modules: Path) -> None:
    before = key_of(GROUP, modules)
    (modules / "tools" / "README").write_text("words")
    assert key_of(GROUP, modules) == before


def test_each_program_belongs_to_one_group() -> None:
    names = [name for group in GROUPS for name in group.packages]
    assert len(names) == len(set(names))
    assert group_of("etcd").folder == "kubernetes"


def test_a_program_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ClusterError, match="there is no program tectonic"):
        group_of("tectonic")


def test_programs_in_the_layout_of_envtest_are_used(tmp_path: Path) -> None:
    (tmp_path / "etcd").touch()
    env = {"KUBEBUILDER_ASSETS": str(tmp_path)}
    assert given("etcd", env) == tmp_path / "etcd"
    assert given("kubectl", env) is None
    assert given("etcd", {}) is None
