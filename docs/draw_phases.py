# ruff: noqa: INP001 - a script beside what it writes, no package
"""Draw the run's phases, and what events mean in them, from `core/phases.py` into docs/architecture.md.

`python docs/draw_phases.py` writes; with `--check` it writes nothing and fails when the page is not what the code says.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from retrainer.core.phases import REACTIONS, TRANSITIONS, Outcome, Phase, Stage, stage

PAGE: Final = Path(__file__).parent / "architecture.md"
BEGIN: Final = "<!-- drawn by docs/draw_phases.py from operator/retrainer/core/phases.py: do not edit -->"
END: Final = "<!-- end of what is drawn -->"
_COLUMNS: Final = tuple(one for one in Stage if one is not Stage.FINISHED)


def drawn() -> str:
    """Return the diagram and the table, as Markdown."""
    return f"{diagram()}\n{table()}"


def diagram() -> str:
    """Return a Mermaid state diagram: a box a stage, an arrow a transition; that every phase may end is said once."""
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR", f"    [*] --> {Phase.PENDING}"]
    for box in _COLUMNS:
        members = [phase for phase in Phase if stage(phase) is box]
        lines += [f"    state {box} {{", *(f"        {phase}" for phase in members), "    }"]
    for phase, following in TRANSITIONS.items():
        lines += [f"    {phase} --> {to}" for to in Phase if to in following and to is not Phase.FINISHED]
    ends = [phase for phase in Phase if TRANSITIONS[phase] == {Phase.FINISHED}]
    lines += [*(f"    {phase} --> {Phase.FINISHED}" for phase in ends), f"    {Phase.FINISHED} --> [*]", "```", ""]
    early = [phase for phase in Phase if Phase.FINISHED in TRANSITIONS[phase] and phase not in ends]
    outcomes = ", ".join(f"`{outcome}`" for outcome in Outcome)
    lines += [f"Not drawn: {', '.join(early)} may each end in {Phase.FINISHED} as well. The outcomes are {outcomes}.", ""]
    return "\n".join(lines)


def table() -> str:
    """Return the event × phase table, a column a stage."""
    heads = [f"{box}: {', '.join(phase for phase in Phase if stage(phase) is box)}" for box in _COLUMNS]
    rows = [["arrives during", *heads], ["---"] * (len(_COLUMNS) + 1)]
    rows += [[event, *(getattr(row, box) for box in _COLUMNS)] for event, row in REACTIONS.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def page_with_drawing(page: str) -> str:
    """Return the page with what is drawn between its marks; ValueError when it has no marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no marks to draw between: {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{drawn()}\n{END}{after}"


def main() -> int:
    """Write the page, or check it; return the exit code."""
    parser = argparse.ArgumentParser(description="Draw the phases into docs/architecture.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is stale")
    check: bool = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    wanted = page_with_drawing(page)
    if check and page != wanted:
        sys.stderr.write(f"{PAGE.name} is not what core/phases.py says: run python docs/draw_phases.py\n")
        return 1
    if not check:
        PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
