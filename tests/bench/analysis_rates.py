"""How often an analysis is wrong, printed as a table: `python -m tests.bench.analysis_rates [rollouts]`.

The figures of docs/decisions/0016-how-often-an-analysis-is-wrong.md.
"""

import sys

from retrainer.api.v1alpha1.rollout import Rollout
from tests.analysis_simulation import Trial, rates

MARGIN = 0.05
COMPARED = {"preset": "Accuracy", "compareTo": "Champion", "maxRegression": MARGIN}
RATES = [(20, 180), (100, 100)]
WORSE_BY = [-0.02, 0.0, 0.025, 0.05, 0.075, 0.1, 0.2]


def main() -> None:
    """Print the table."""
    rollouts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"accuracy 0.85, a regression of {MARGIN} allowed, {rollouts} rollouts a row, given up after 500 looks at a step")
    print("| `iterations` | steps | outcomes a look | true regression | promoted | rolled back | held | looks (median) |")
    print("|---|---|---|---|---|---|---|---|")
    for iterations, steps in ((1, (10,)), (5, (10,)), (5, (10, 50))):
        rollout = Rollout.model_validate({"stepWeights": steps, "iterations": iterations, "minSamples": 100, "metrics": [COMPARED]})
        for candidate, champion in RATES:
            for worse_by in WORSE_BY:
                found = rates(rollout, Trial(0.85, worse_by, candidate, champion), rollouts, seed=1)
                print(
                    f"| {iterations} | {len(steps)} | {candidate} : {champion} | {worse_by:+.3f} | {found.promoted:.1%} "
                    f"| {found.rolled_back:.1%} | {found.held:.1%} | {found.median_looks} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
