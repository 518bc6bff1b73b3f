"""The shape of the code, as far as no other tool holds it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "operator").rglob("*.py"))
FUNCTION_LIMIT, MODULE_LIMIT = 50, 300


def functions(source: Path) -> Iterator[tuple[str, int]]:
    """Return each function's name and number of lines."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT / "operator")))
def test_a_function_fits_a_screen_and_a_module_a_sitting(source: Path) -> None:
    assert {name: lines for name, lines in functions(source) if lines > FUNCTION_LIMIT} == {}
    assert len(source.read_text(encoding="utf-8").splitlines()) <= MODULE_LIMIT


def test_no_module_needs_another_to_have_been_imported_first() -> None:
    graph = grimp.build_graph("retrainer", cache_dir=None)
    needs = {
        module: {part for name in graph.find_modules_directly_imported_by(module) for part in with_packages(name)}
        - set(with_packages(module))
        for module in graph.modules
    }
    assert list(TopologicalSorter(needs).static_order()), "a CycleError names the modules"


def with_packages(module: str) -> list[str]:
    """Return the module and the packages it is in: to import it is to run all of them."""
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def test_the_handlers_decide_nothing() -> None:
    tree = ast.parse((ROOT / "operator/retrainer/handlers.py").read_text(encoding="utf-8"))
    branches = (ast.If, ast.IfExp, ast.Match, ast.While, ast.Try)
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, branches)] == []


def test_the_operators_folder_does_not_shadow_the_standard_library() -> None:
    assert not (ROOT / "operator/__init__.py").exists()
    assert sorted(path.name for path in (ROOT / "operator").iterdir() if path.is_dir() and path.name.isidentifier()) == ["retrainer"]


def test_the_docs_are_drawn_from_the_table_as_it_is() -> None:
    done = subprocess.run([sys.executable, "docs/draw_phases.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
