"""The first step: gather one observation from the caches, and ask the world only what no cache can answer.

That is a pod template when its Deployment's generation is new, a volume claim and the gateways' features while the policy is not accepted
yet, Prometheus when an analysis is due, and a candidate's pod in its smoke test, the Service after a rollback.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from retrainer.api.v1alpha1 import seconds
from retrainer.core import naming
from retrainer.core.actions import Decision, EnsureMonitor
from retrainer.core.judging import questions_due
from retrainer.core.kinds import Kind, Ref
from retrainer.core.line import standing
from retrainer.core.measurement import Answer, Question
from retrainer.core.observation import (
    Observation,
    PolicySeen,
    ProbeSeen,
    RunSeen,
    ServiceSeen,
)
from retrainer.core.phases import Phase
from retrainer.core.places import NO_LIMIT, Places, holds_one
from retrainer.core.run import return_check
from retrainer.core.surroundings import Surroundings
from retrainer.core.sweeping import Orphans
from retrainer.core.template import TemplateSeen
from retrainer.gateways import features_of
from retrainer.manifests import seen as parse
from retrainer.manifests.chores import compared
from retrainer.manifests.monitor import monitor_digest
from retrainer.ports import Key, Place, Sources


class Observer:
    """Gathers observations; it keeps the templates it has read, and the places of the fleet that rounds under way are taking."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._templates: dict[str, TemplateSeen] = {}
        self._taking: set[str] = set()

    async def observe(self, key: Key) -> Observation | None:
        """Return what is to be seen of a policy, or None when it does not exist."""
        world = self._from.world
        policy = world.policy(key)
        if policy is None:
            return None
        namespace, serving = key[0], policy.spec.serving
        services = world.services(namespace)
        template, volume, features = await asyncio.gather(
            self._template(policy), self._volume_access(policy), self._gateway_features(policy)
        )
        runs = tuple(world.runs(key))
        observation = Observation(
            now=self._from.clock.now(),
            policy=policy,
            runs=runs,
            jobs={job.identity.name: job for job in world.jobs(key)},
            pods=tuple(world.pods(key)),
            deployments={one.identity.name: one for one in world.versions(key)},
            service=next((one for one in services if one.identity.name == serving.service.name), None),
            route=next((one for one in world.routes(namespace) if one.identity.name == serving.service.name), None),
            addressed={one.version: one.cluster_ip for one in services if one.policy == key[1] and one.version},
            template=template,
            surroundings=replace(self._surroundings(policy, services, template, volume), gateway_features=features),
            alerts=self._from.alerts.of(namespace),
            evaluations=self._from.evaluations.of(key),
        )
        answers, probe, heard = await asyncio.gather(self._answers(observation), self._probe(observation), self._service_probe(observation))
        # Last, since no round of another policy may come between counting the places and taking one.
        return replace(observation, answers=answers, probe=probe, service_probe=heard, places=self._places())

    @contextmanager
    def taking_places(self, seen: Observation, decision: Decision) -> Iterator[None]:
        """Hold the places that a decision takes until it is on record: other policies' rounds go on meanwhile."""
        taken = {
            run.identity.uid for run in seen.runs if holds_one(run.spec, decision.runs[run.name]) and not holds_one(run.spec, run.status)
        }
        self._taking |= taken
        try:
            yield
        finally:
            self._taking -= taken

    def _places(self) -> Places:
        limit = self._from.defaults.max_concurrent_runs
        if not limit:
            return NO_LIMIT
        world = self._from.world
        taken = {run.identity.uid for run in world.places(Place.TAKEN)} | self._taking
        return Places(limit, len(taken), tuple(standing(run) for run in world.places(Place.WAITED_FOR)))

    def orphans(self, key: Key) -> Orphans:
        """Return what is left of a policy that does not exist."""
        namespace, name = key
        world = self._from.world
        deployments, services = tuple(world.versions(key)), world.services(namespace)
        served = {deployment.serves for deployment in deployments}
        claimed = next((one for one in services if one.policy == name and one.claimed_by), None)
        unclaimed = next((one for one in services if not one.policy and one.identity.name in served), None)
        route = next((one for one in world.routes(namespace) if one.policy == name), None)
        templates = (world.deployment(namespace, one.identity.name.removesuffix(f"-{one.version}")) for one in deployments)
        found = {one.identity.name: one for one in templates if one is not None}
        return Orphans(claimed or unclaimed, deployments, route, tuple(world.pods(key)), found)

    async def _template(self, policy: PolicySeen) -> TemplateSeen | None:
        namespace, name = policy.identity.namespace, policy.spec.serving.deployment_ref.name
        known = self._from.world.deployment(namespace, name)
        if known is None:
            return None
        read = self._templates.get(known.identity.uid)
        if read is None or read.generation != known.generation:
            body = await self._from.cluster.get(Ref(Kind.DEPLOYMENT, namespace, name))
            if body is None:
                return None
            read = self._templates[known.identity.uid] = parse.template_seen(body)
        return read

    async def _volume_access(self, policy: PolicySeen) -> tuple[str, ...] | None:
        if _is_accepted(policy):
            return None
        claim = policy.spec.artifacts.persistent_volume_claim
        if claim is None:
            return None
        body = await self._from.cluster.get(Ref(Kind.VOLUME_CLAIM, policy.identity.namespace, claim))
        return tuple(body["spec"].get("accessModes") or ()) if body is not None else ()

    async def _gateway_features(self, policy: PolicySeen) -> frozenset[str] | None:
        gateway = policy.spec.serving.gateway
        if gateway is None or _is_accepted(policy) or not (policy.spec.rollout.mirror or gateway.affinity_cookie):
            return None
        return await features_of(self._from.cluster, gateway.parent_refs, policy.identity.namespace)

    def _surroundings(
        self, policy: PolicySeen, services: Sequence[ServiceSeen], template: TemplateSeen | None, volume: tuple[str, ...] | None
    ) -> Surroundings:
        spec, me = policy.spec, policy.identity
        others = [other for other in self._from.world.policies(me.namespace) if other.identity.uid != me.uid]
        older = [other for other in others if (other.identity.created, other.identity.name) < (me.created, me.name)]
        secret, defaults = spec.monitor.database_secret, self._from.defaults
        current, unwanted = compared(policy, defaults.trainer_image, self._from.world.chores(me.key))
        sharing = (me, *(other.identity for other in others if other.spec.monitor.database_secret == secret))
        return Surroundings(
            older_same_type=_first(older, lambda other: other.spec.model_type == spec.model_type),
            older_same_target=_first(older, lambda other: _shares_target(other, policy)),
            foreign_services=_foreign(services, spec.serving.service.name, template),
            metrics_source_known=self._from.metrics.knows(spec.metrics_source),
            queries_allowed=self._from.metrics.allows_queries(spec.metrics_source),
            volume_access=volume,
            routes_are_watched=self._from.world.routes_are_watched(),
            chores_are_current=current,
            unwanted_chores=unwanted,
            sharing_monitor=sharing,
            monitor_is_current=self._monitor_is_current(me.namespace, EnsureMonitor(sharing, secret.name, secret.key)),
        )

    def _monitor_is_current(self, namespace: str, wanted: EnsureMonitor) -> bool:
        deployment = self._from.world.deployment(namespace, naming.monitor_name(wanted.secret, wanted.key))
        defaults = self._from.defaults
        digest = monitor_digest(namespace, wanted, defaults.trainer_image, defaults.monitor_interval_s)
        return deployment is not None and deployment.digest == digest

    async def _answers(self, seen: Observation) -> dict[Question, Answer]:
        asked = sorted(questions_due(seen.policy, seen.runs, seen.now), key=lambda question: question.promql)
        answers = await asyncio.gather(*(self._from.metrics.ask(question) for question in asked))
        return dict(zip(asked, answers, strict=True))

    async def _probe(self, seen: Observation) -> ProbeSeen | None:
        run = next((run for run in seen.runs if run.status.phase is Phase.SMOKE_TESTING), None)
        if run is None or run.status.frozen is None or run.status.frozen.rollout.smoke_test is None:
            return None
        ready = seen.backend(run.status.version or "").ready
        if not ready:
            return None
        return await self._ask_pod(run, ready[0].ip)

    async def _ask_pod(self, run: RunSeen, ip: str) -> ProbeSeen:
        frozen = run.status.frozen
        assert frozen is not None
        assert frozen.rollout.smoke_test is not None
        test, port = frozen.rollout.smoke_test, frozen.serving.service.target_port
        host = f"[{ip}]" if ":" in ip else ip
        answer = await self._from.prober.probe(f"http://{host}:{port}{test.path}", test.body, seconds(test.timeout))
        return ProbeSeen(answer.status, answer.message)

    async def _service_probe(self, seen: Observation) -> ProbeSeen | None:
        asked = next((asked for run in seen.runs if (asked := return_check.question(run, seen)) is not None), None)
        if asked is None:
            return None
        url, test, version = asked
        answer = await self._from.prober.probe(url, test.body, seconds(test.timeout), version)
        return ProbeSeen(answer.status, answer.message, answer.named)


def _is_accepted(policy: PolicySeen) -> bool:
    """What was found good once is not asked again before the policy changes."""
    ready = next((entry for entry in policy.status.conditions if entry.type == "Ready"), None)
    return ready is not None and ready.status == "True" and ready.observed_generation == policy.generation


def _first(policies: Sequence[PolicySeen], fits: Callable[[PolicySeen], bool]) -> str:
    return next((policy.identity.name for policy in policies if fits(policy)), "")


def _shares_target(one: PolicySeen, other: PolicySeen) -> bool:
    mine, theirs = one.spec.serving, other.spec.serving
    return mine.service.name == theirs.service.name or mine.deployment_ref.name == theirs.deployment_ref.name


def _foreign(services: Sequence[ServiceSeen], ours: str, template: TemplateSeen | None) -> tuple[str, ...]:
    """Return the Services that would select a candidate's pods by the template's own labels."""
    if template is None:
        return ()
    labels = set(template.labels.items())
    return tuple(
        one.identity.name for one in services if one.identity.name != ours and one.selector and set(one.selector.items()) <= labels
    )
