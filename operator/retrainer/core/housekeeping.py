"""What is kept in order whatever the runs do: monitor, claim, the champion's pods, versions nobody needs, finished Jobs, old runs."""

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.policy_status import HandledAlert
from retrainer.core import adoption, naming
from retrainer.core.acceptance import ADOPTING, problem
from retrainer.core.actions import (
    AddressVersion,
    ClaimService,
    DeleteJob,
    DeleteRun,
    DeployVersion,
    Effect,
    EnsureChores,
    EnsureMonitor,
    ExpireJob,
    RemoveChore,
    RemoveVersion,
    ScaleVersion,
    SendTraffic,
)
from retrainer.core.capacity import champion_size
from retrainer.core.limits import is_still_counted
from retrainer.core.observation import Component, JobSeen, Observation, RunSeen, ServiceSeen
from retrainer.core.phases import Event, Phase, Reaction, Slot, reaction, slot
from retrainer.core.traffic import mode_of

_HANDLED_LIMIT = 32
_SHARES_TRAFFIC = frozenset({Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.PROMOTING})
# A run is still Promoting in the round that finds its switch done: by then the version that must stay warm is the previous one.
_KEEPS_PREVIOUS = frozenset({Phase.PROMOTING, Phase.WATCHING})


def tidy(seen: Observation, *, traffic_moves: bool) -> tuple[Effect, ...]:
    """Return what brings the policy's objects in order; nothing for a policy that is in order.

    `traffic_moves` says that a run writes the Service in this round: that write claims it too, and one round writes it once.
    """
    service = [] if traffic_moves else _adoption(seen) or _traffic(seen) or _claim(seen)
    return (
        *service,
        *_addresses(seen),
        *_monitor(seen),
        *_chores(seen),
        *_champion(seen),
        *_leftovers(seen),
        *_jobs(seen),
        *_history(seen),
    )


def handled_alerts(seen: Observation) -> tuple[HandledAlert, ...]:
    """Return the episodes to remember in status, those of the run about to be pruned included: the write comes before the deletion."""
    known = seen.policy.status.handled_alerts
    fresh = [item for run in _next_to_prune(seen) for item in _episodes(run) if item not in known]
    return (*known, *fresh)[-_HANDLED_LIMIT:]


def _monitor(seen: Observation) -> list[Effect]:
    if problem(seen) is not None or seen.surroundings.monitor_is_current:
        return []
    secret = seen.policy.spec.monitor.database_secret
    return [EnsureMonitor(seen.surroundings.monitor_owners, secret.name, secret.key)]


def _adoption(seen: Observation) -> list[Effect]:
    """What already serves is adopted, unless something else is wrong with the policy."""
    found = problem(seen)
    return adoption.adopt(seen) if adoption.is_under_way(seen) and found is not None and found.reason in ADOPTING else []


def _chores(seen: Observation) -> list[Effect]:
    """What is done on a schedule: made once the policy is accepted, taken away as soon as it is no longer asked for."""
    effects: list[Effect] = [RemoveChore(chore) for chore in seen.surroundings.unwanted_chores]
    if problem(seen) is None and not seen.surroundings.chores_are_current:
        effects.append(EnsureChores())
    return effects


def _claim(seen: Observation) -> list[Effect]:
    if problem(seen) is not None or (seen.service is not None and _is_claimed(seen.service, seen)):
        return []
    return [ClaimService()]


def _is_claimed(service: ServiceSeen, seen: Observation) -> bool:
    """Say whether the Service says whose it is, and what is to become of it when its policy is gone."""
    hands_back = seen.policy.spec.deletion_policy == "HandBack"
    return service.claimed_by == seen.policy.identity.uid and (service.made_by_us or service.hands_back == hands_back)


def _traffic(seen: Observation) -> list[Effect]:
    """The champion alone has the traffic unless a live run shares it: a candidate without a run is swept, selector first."""
    if seen.champion is None or problem(seen) is not None:
        return []
    alone, mode = SendTraffic(seen.champion, seen.previous or ""), mode_of(seen.policy)
    if mode.carries(seen, alone):
        return [*mode.left_by_the_other(seen)]
    if any(run.status.phase in _SHARES_TRAFFIC for run in seen.runs) or not mode.can_reach(seen, seen.champion):
        return []
    return [alone]


def _addresses(seen: Observation) -> list[Effect]:
    """Versions that the traffic mode cannot reach as they are get a Service of their own."""
    mode = mode_of(seen.policy)
    versions = [deployment for deployment in seen.deployments.values() if deployment.version]
    return [AddressVersion(one.version, one.identity) for one in versions if not mode.can_reach(seen, one.version)]


def _champion(seen: Observation) -> list[Effect]:
    champion, template = seen.champion, seen.template
    if champion is None or template is None:
        return []
    deployment, replicas = seen.backend(champion).deployment, champion_size(seen)
    if deployment is None:
        return [DeployVersion(champion, replicas, template.pod, template.generation)]
    if deployment.template_generation != template.generation and _may_roll(seen):
        return [DeployVersion(champion, replicas, template.pod, template.generation)]
    if deployment.replicas != replicas:
        return [ScaleVersion(champion, replicas)]
    return []


def _may_roll(seen: Observation) -> bool:
    """A template edited in Git rolls the champion at once, but never while a rollout measures against it."""
    return all(reaction(Event.TEMPLATE_EDITED, run.status.phase) is Reaction.ROLLS_CHAMPION for run in seen.runs if run.live)


def _leftovers(seen: Observation) -> list[Effect]:
    """Versions that neither serve, nor are rolled out, nor stay warm: scaled away, and removed once no pod is left.

    None goes while a selector that is not ours may still reach it: of an earlier policy that handed its Service back, for instance.
    """
    if seen.champion is None and seen.service is not None and seen.service.found_selector:
        return []
    serving = [run for run in seen.runs if slot(run.status.phase) is Slot.SERVING]
    kept = {seen.champion, *(run.status.version for run in serving)}
    alone = not mode_of(seen.policy).reaches_every_version
    warm = any(alone or run.status.phase in _KEEPS_PREVIOUS for run in serving)
    effects: list[Effect] = []
    for deployment in seen.deployments.values():
        version = deployment.version
        if not version or version in kept or (version == seen.previous and warm):
            continue
        if deployment.replicas:
            effects.append(ScaleVersion(version, 0))
        elif not seen.backend(version).pods and version != seen.previous:
            effects.append(RemoveVersion(deployment.identity))
    return effects


def _jobs(seen: Observation) -> list[Effect]:
    effects: list[Effect] = []
    known = {run.name: run for run in seen.runs}
    for job in seen.jobs.values():
        run = known.get(job.run)
        if run is None or job.deleting:
            continue
        if not run.live and job.active:
            effects.append(DeleteJob(job.identity))
        elif not job.active and job.ttl is None and (_is_recorded(run) or _is_an_earlier_look(job, run)):
            training = run.status.frozen.training if run.status.frozen else seen.policy.spec.training
            effects.append(ExpireJob(job.identity, int(seconds(training.retention))))
    return effects


def _is_recorded(run: RunSeen) -> bool:
    """Whether what the Job said is in the run's status, as the API server has it."""
    return run.status.phase not in {Phase.PENDING, Phase.VALIDATING, Phase.QUEUED, Phase.TRAINING}


def _is_an_earlier_look(job: JobSeen, run: RunSeen) -> bool:
    """Say whether a later look at the data has taken the Job's place: data may stay bad for weeks, and is looked at every hour."""
    return job.component is Component.VALIDATE and job.identity.name != naming.validation_job(run.name, run.status.validations)


def _history(seen: Observation) -> list[Effect]:
    remembered = seen.policy.status.handled_alerts
    return [DeleteRun(run.identity) for run in _next_to_prune(seen) if all(item in remembered for item in _episodes(run))]


def _next_to_prune(seen: Observation) -> list[RunSeen]:
    """Return the oldest run beyond the limit, if any: one at a time, since the episodes of several may be more than status holds."""
    kept = {seen.champion, seen.previous} - {None}  # a run that gave way before it began made no version
    finished = [run for run in seen.runs if run.by_operator and not run.live and not run.deleting and run.status.version not in kept]
    # Two may have been created in the same second: then the number tells.
    me = seen.policy.identity.name
    youngest_first = sorted(finished, key=lambda run: (run.identity.created, naming.run_number(me, run.name) or 0), reverse=True)
    beyond = youngest_first[seen.policy.spec.run_history_limit :]
    return [run for run in beyond if not is_still_counted(run, seen) and not _holds_a_baseline(run, seen)][-1:]


def _holds_a_baseline(run: RunSeen, seen: Observation) -> bool:
    """Say whether a version that may be brought back would come without the baseline that it had."""
    return bool(run.status.baseline) and any(one.version == run.status.version for one in seen.policy.status.versions)


def _episodes(run: RunSeen) -> list[HandledAlert]:
    """Return the alert episodes that a run stands for, each once, and no more than status holds."""
    evidence = (*run.spec.evidence, *run.status.evidence)
    keys = dict.fromkeys((item.fingerprint, item.starts_at) for item in evidence if item.fingerprint)
    return [HandledAlert(fingerprint=fingerprint, starts_at=starts_at) for fingerprint, starts_at in keys][-_HANDLED_LIMIT:]
