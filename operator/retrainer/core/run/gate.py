"""Gating: the offline comparison, before any traffic. `judge` is the table of product.md's gate, row by row."""

from dataclasses import dataclass
from enum import StrEnum

from retrainer.api.v1alpha1.rollout import Gate, GateMetric
from retrainer.api.v1alpha1.run_status import Result
from retrainer.core import naming
from retrainer.core.acceptance import problem
from retrainer.core.holding import held
from retrainer.core.limits import is_frozen
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.step import Step, end, move, wait


class Ruling(StrEnum):
    """What the gate says."""

    PASS = "Pass"
    REJECT = "Reject"
    ASK = "Ask"


@dataclass(frozen=True, slots=True)
class Judged:
    """A ruling with its reason and sentence."""

    ruling: Ruling
    reason: str
    message: str


def gating(run: RunSeen, seen: Observation) -> Step:
    """Judge the result; a candidate that passes waits here, training slot in hand, until nothing else is being rolled out."""
    status, now, frozen = run.status, seen.now, frozen_of(run.status)
    assert status.result is not None, "a run in Gating has a result"
    if frozen.champion != seen.champion:
        return end(
            status, now, Outcome.GATE_REJECTED, "ChampionChanged",
            f"compared with {frozen.champion or 'nothing'}, but {seen.champion} serves by now: start another run",
        )  # fmt: skip
    judged = judge(frozen.gate, status.result, frozen.champion)
    if judged.ruling is Ruling.REJECT:
        return end(status, now, Outcome.GATE_REJECTED, judged.reason, judged.message)
    if (holder := seen.rollout or (seen.watched if run.spec.emergency is None else None)) is not None:
        reason = "WatchInProgress" if holder.status.phase is Phase.WATCHING else "RolloutInProgress"
        return wait(status, now, reason, f"{judged.message}; waits until {holder.name} has left {holder.status.phase}")
    if pin := seen.policy.spec.serving.pinned_version:
        return wait(status, now, "Pinned", f"{judged.message}; {pin} is pinned: goes on once spec.serving.pinnedVersion is taken away")
    if judged.ruling is Ruling.ASK:
        told = f"{judged.message}; approve with: kubectl annotate mrr {run.name} {naming.APPROVE}={status.version}"
        return move(status, now, Phase.AWAITING_APPROVAL, judged.reason, told, gated_at=now)
    return deploy_when_free(run, seen, judged.reason, judged.message)


def deploy_when_free(run: RunSeen, seen: Observation, reason: str, message: str) -> Step:
    """Go on to Deploying with the template as it is now, as soon as nothing holds the policy back."""
    status, now = run.status, seen.now
    if (halt := held(seen)) is not None:
        return wait(status, now, halt.reason, f"{halt.message}: the candidate is deployed once {halt.until}")
    if (found := problem(seen)) is not None:
        return wait(status, now, found.reason, found.message)
    if run.spec.emergency is None and (frozen_until := is_frozen(seen)) is not None:
        told = f"{frozen_until.message}: the candidate is deployed after it"
        return wait(status, now, frozen_until.reason, told, after=frozen_until.seconds_left(now))
    assert seen.template is not None, "an accepted policy has a template"
    frozen = {"template": dict(seen.template.pod), "template_generation": seen.template.generation}
    return move(status, now, Phase.DEPLOYING, reason, message, gated_at=status.gated_at or now, **frozen)


def judge(gate: Gate, result: Result, champion: str | None) -> Judged:
    """Compare the candidate's figures with the floors and with the champion's on the same rows."""
    missing = [metric.name for metric in gate.metrics if metric.name not in result.metrics.candidate]
    if missing:
        return Judged(Ruling.REJECT, "FigureMissing", f"the trainer reported no {', '.join(missing)}, which gate.metrics names")
    below = [told for metric in gate.metrics if (told := _floor_missed(metric, result.metrics.candidate))]
    if champion is None:
        return _on_failure(gate, "BelowFloor", below) if below else _passed("NoChampion", gate, result)
    if not result.metrics.champion or champion == naming.ADOPTED:
        return _not_comparable(gate, result, champion, below)
    return _compared(gate, result, below)


def _not_comparable(gate: Gate, result: Result, champion: str, below: list[str]) -> Judged:
    why = result.champion_not_comparable or ("what serves was adopted and has no artifact" if champion == naming.ADOPTED else "")
    if not why:
        return Judged(
            Ruling.REJECT, "ChampionNotMeasured",
            f"the trainer reported no figures of the champion {champion} and no reason: it must measure both on the same rows",
        )  # fmt: skip
    if below:
        return _on_failure(gate, "BelowFloor", below)
    return Judged(Ruling.ASK, "ChampionNotComparable", f"the floors are met, but the champion cannot be compared: {why}")


def _compared(gate: Gate, result: Result, below: list[str]) -> Judged:
    champion = result.metrics.champion or {}
    unmeasured = [metric.name for metric in gate.metrics if metric.max_regression is not None and metric.name not in champion]
    if unmeasured:
        return Judged(Ruling.REJECT, "ChampionNotMeasured", f"the champion's {', '.join(unmeasured)} was not reported")
    worse = [told for metric in gate.metrics if (told := _regression(metric, result))]
    if worse:
        return _on_failure(gate, "Regression", worse)
    if not below:
        return _passed("Better", gate, result)
    first = gate.metrics[0]
    missed = [metric for metric in gate.metrics if _floor_missed(metric, result.metrics.candidate)]
    both_below = all(metric.name in champion and _floor_missed(metric, champion) for metric in missed)
    if both_below and _improvement(first, result) >= gate.min_improvement:
        return Judged(
            Ruling.ASK, "BothBelowFloor",
            f"{'; '.join(below)}; the champion misses it too and is worse by {_improvement(first, result):.3f}",
        )  # fmt: skip
    return _on_failure(gate, "BelowFloor", below)


def _floor_missed(metric: GateMetric, figures: dict[str, float]) -> str:
    value = figures[metric.name]
    if metric.min is not None and value < metric.min:
        return f"{metric.name} {value:.3f} is below {metric.min:g}"
    if metric.max is not None and value > metric.max:
        return f"{metric.name} {value:.3f} is above {metric.max:g}"
    return ""


def _regression(metric: GateMetric, result: Result) -> str:
    if metric.max_regression is None or -_improvement(metric, result) <= metric.max_regression:
        return ""
    champion = (result.metrics.champion or {})[metric.name]
    candidate = result.metrics.candidate[metric.name]
    return f"{metric.name} {candidate:.3f} against the champion's {champion:.3f}: a regression of {metric.max_regression:g} is allowed"


def _improvement(metric: GateMetric, result: Result) -> float:
    """Return by how much the candidate is better; a metric with a ceiling is better when lower."""
    champion = (result.metrics.champion or {}).get(metric.name)
    candidate = result.metrics.candidate[metric.name]
    if champion is None:
        return 0.0
    # Rounded: 0.85 − 0.83 is a hair more than 0.02 in binary, and a regression of exactly what is allowed is allowed.
    return round(champion - candidate if metric.max is not None else candidate - champion, 9)


def _passed(reason: str, gate: Gate, result: Result) -> Judged:
    champion = result.metrics.champion or {}
    told = [
        f"{metric.name} {result.metrics.candidate[metric.name]:.3f}"
        + (f" (champion {champion[metric.name]:.3f})" if metric.name in champion else "")
        for metric in gate.metrics
    ]
    return Judged(Ruling.PASS, reason, f"the gate is passed: {', '.join(told)}")


def _on_failure(gate: Gate, reason: str, why: list[str]) -> Judged:
    ruling = Ruling.ASK if gate.on_failure == "RequireApproval" else Ruling.REJECT
    return Judged(ruling, reason, "; ".join(why))
