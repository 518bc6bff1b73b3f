"""How often an analysis is wrong: `python -m tests.bench.analysis_rates [rollouts]` prints it as a table.

With `--draw FILE` it is drawn as well, on a finer scale: `make draw-rates`. The figures, and the picture, of
docs/decisions/0016-how-often-an-analysis-is-wrong.md.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from retrainer.api.v1alpha1.rollout import Rollout
from tests.analysis_simulation import Rates, Trial, rates

ACCURACY: Final = 0.85
MARGIN: Final = 0.05
COMPARED: Final = {"preset": "Accuracy", "compareTo": "Champion", "maxRegression": MARGIN}
PLANS: Final = ((1, (10,)), (5, (10,)), (5, (10, 50)))
"""Iterations and steps."""
OUTCOMES: Final = [(20, 180), (100, 100)]
WORSE_BY: Final = [-0.02, 0.0, 0.025, 0.05, 0.075, 0.1, 0.2]
DRAWN: Final = [step / 400 for step in range(-8, 49)]
"""From 2 points better to 12 points worse, by quarters of a point."""


def main() -> None:
    """Print the table, and draw where that is asked for."""
    parser = argparse.ArgumentParser(description="How often an analysis is wrong.")
    parser.add_argument("rollouts", type=int, nargs="?", default=1000)
    parser.add_argument("--draw", type=Path, metavar="FILE")
    asked = parser.parse_args()
    print(f"accuracy {ACCURACY}, a regression of {MARGIN} allowed, {asked.rollouts} rollouts a row, given up after 500 looks at a step")
    print("| `iterations` | steps | outcomes a look | true regression | promoted | rolled back | held | looks (median) |")
    print("|---|---|---|---|---|---|---|---|")
    for plan in PLANS:
        for outcomes in OUTCOMES:
            for worse_by in WORSE_BY:
                print(_row(plan, outcomes, worse_by, _found(plan, outcomes, worse_by, asked.rollouts)), flush=True)
    if asked.draw is not None:
        drawn = {plan: [_found(plan, OUTCOMES[0], worse_by, asked.rollouts) for worse_by in DRAWN] for plan in PLANS}
        _draw(drawn, asked.rollouts, asked.draw)


Plan = tuple[int, tuple[int, ...]]


def _found(plan: Plan, outcomes: tuple[int, int], worse_by: float, rollouts: int) -> Rates:
    iterations, steps = plan
    rollout = Rollout.model_validate({"stepWeights": steps, "iterations": iterations, "minSamples": 100, "metrics": [COMPARED]})
    return rates(rollout, Trial(ACCURACY, worse_by, *outcomes), rollouts, seed=1)


def _row(plan: Plan, outcomes: tuple[int, int], worse_by: float, found: Rates) -> str:
    iterations, steps = plan
    shares = f"{found.promoted:.1%} | {found.rolled_back:.1%} | {found.held:.1%}"
    return f"| {iterations} | {len(steps)} | {outcomes[0]} : {outcomes[1]} | {worse_by:+.3f} | {shares} | {found.median_looks} |"


def _draw(found: Mapping[Plan, Sequence[Rates]], rollouts: int, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "analysis-rates"
    from matplotlib import pyplot as plt
    from matplotlib.ticker import PercentFormatter

    figure, (promoted, rolled_back) = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
    points = [100 * worse_by for worse_by in DRAWN]
    for (iterations, steps), ends in found.items():
        name = f"iterations {iterations}, {len(steps)} step{'s' if len(steps) > 1 else ''}"
        promoted.plot(points, [one.promoted for one in ends], label=name)
        rolled_back.plot(points, [one.rolled_back for one in ends], label=name)
    promoted.axvspan(100 * MARGIN, points[-1], color="tab:red", alpha=0.08, lw=0)
    promoted.text(points[-1] - 0.2, 0.5, "false promotion", color="tab:red", ha="right")
    rolled_back.axvspan(points[0], 100 * MARGIN, color="tab:red", alpha=0.08, lw=0)
    rolled_back.text(points[0] + 0.2, 0.5, "false rollback", color="tab:red")
    for axes, title in ((promoted, "promoted"), (rolled_back, "rolled back")):
        axes.axvline(100 * MARGIN, color="grey", lw=0.8, ls="--")
        axes.set(title=title, xlabel="true regression of the candidate (points of accuracy)", xlim=(points[0], points[-1]))
    promoted.set_ylabel(f"share of {rollouts:,} rollouts")
    promoted.yaxis.set_major_formatter(PercentFormatter(1))
    rolled_back.legend(loc="lower right", frameon=False)
    figure.suptitle(f"What becomes of a candidate where a regression of {100 * MARGIN:g} points is allowed")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
