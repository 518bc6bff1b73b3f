"""A run that trains nothing: it waits for the serving slot, then deploys a kept version as any candidate is deployed."""

from retrainer.core.acceptance import serving_problem
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.run.pending import frozen_now
from retrainer.core.run.step import Step, move, wait


def redeploying(run: RunSeen, seen: Observation) -> Step:
    """Take the serving slot when it is free. Neither suspension nor a pause holds a rollback back, nor what only a training needs."""
    status, now = run.status, seen.now
    if (found := serving_problem(seen)) is not None:
        return wait(status, now, found.reason, found.message)
    if (holder := seen.rollout or seen.watched) is not None:
        return wait(status, now, "RolloutInProgress", f"waits until {holder.name} has left {holder.status.phase}")
    assert seen.template is not None, "a policy that may serve has a template"
    return move(
        status, now, Phase.DEPLOYING, "Redeploying", f"{run.spec.version} is deployed again; nothing is trained or compared",
        version=run.spec.version,
        frozen=frozen_now(run, seen),
        template=dict(seen.template.pod),
        template_generation=seen.template.generation,
    )  # fmt: skip
