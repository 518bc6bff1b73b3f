"""The first step: gather one observation from the caches, and ask the world only what no cache can answer.

That is a pod template when its Deployment's generation is new, a volume claim and the gateways' features while the policy is not accepted
yet, Prometheus when an analysis is due, and a candidate's pod in its smoke test, the Service after a rollback.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from retrainer.api.v1alpha1 import seconds
from retrainer.core import naming
from retrainer.core.actions import Decision
from retrainer.core.identity import Identity
from retrainer.core.judging import questions_due
from retrainer.core.kinds import Kind, Ref
from retrainer.core.line import standing
from retrainer.core.measurement import Answer, Question
from retrainer.core.observation import Observation, PolicySeen, ProbeSeen, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.places import NO_LIMIT, Places, holds_one
from retrainer.core.run import return_check
from retrainer.core.surroundings import Surroundings
from retrainer.core.sweeping import Orphans
from retrainer.core.template import TemplateSeen
from retrainer.gateways import features_of
from retrainer.manifests import seen as parse
from retrainer.manifests.chores import compared
from retrainer.manifests.monitor import OWNERS, monitor_digest
from retrainer.ports import Key, Place, Shared, Sources
from retrainer.templates import Templates


class Observer:
    """Gathers observations; it keeps the templates it has read, and the places of the fleet that rounds under way are taking."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._templates = Templates()
        self._taking: dict[Key, frozenset[str]] = {}

    async def observe(self, key: Key) -> Observation | None:
        """Return what is to be seen of a policy, or None when it does not exist."""
        world = self._from.world
        policy = world.policy(key)
        if policy is None:
            return None
        namespace, target = key[0], policy.spec.serving.service.name
        # One after the other, since hardly ever is there anything to wait for: a task for each would cost more than what it does.
        template, volume, features = await self._template(policy), await self._volume_access(policy), await self._gateway_features(policy)
        # A Service that comes after this line wakes the policy, one that came before it is seen below: nothing is awaited in between.
        world.expose(key, template.labels if template is not None else {})
        runs = tuple(world.runs(key))
        observation = Observation(
            now=self._from.clock.now(),
            policy=policy,
            runs=runs,
            jobs={job.identity.name: job for job in world.jobs(key)},
            pods=tuple(world.pods(key)),
            deployments={one.identity.name: one for one in world.versions(key)},
            service=world.service(namespace, target),
            route=world.route(namespace, target),
            addressed={one.version: one.cluster_ip for one in world.services(key) if one.version},
            template=template,
            surroundings=replace(self._surroundings(policy, template, volume), gateway_features=features),
            alerts=self._from.alerts.of(namespace),
            evaluations=self._from.evaluations.of(key),
        )
        answers, probe, heard = await self._answers(observation), await self._probe(observation), await self._service_probe(observation)
        # Last, since no round of another policy may come between counting the places and taking one.
        return replace(observation, answers=answers, probe=probe, service_probe=heard, places=self._places(key))

    @contextmanager
    def taking_places(self, seen: Observation, decision: Decision) -> Iterator[None]:
        """Hold the places that a decision takes until it is on record: other policies' rounds go on meanwhile.

        A round that fails holds them until the policy's next: what it wrote may have arrived though its answer was lost.
        """
        key = seen.policy.identity.key
        self._taking[key] = frozenset(
            run.identity.uid for run in seen.runs if holds_one(run.spec, decision.runs[run.name]) and not holds_one(run.spec, run.status)
        )
        yield
        del self._taking[key]

    def _places(self, key: Key) -> Places:
        self._taking.pop(key, None)
        limit = self._from.defaults.max_concurrent_runs
        if not limit:
            return NO_LIMIT
        world = self._from.world
        taken = {run.identity.uid for run in world.places(Place.TAKEN)}.union(*self._taking.values())
        return Places(limit, len(taken), tuple(standing(run) for run in world.places(Place.WAITED_FOR)))

    def orphans(self, key: Key) -> Orphans:
        """Return what is left of a policy that does not exist."""
        namespace, world = key[0], self._from.world
        world.expose(key, {})
        self._templates.forget(key)
        self._taking.pop(key, None)
        deployments = tuple(world.versions(key))
        claimed = next((one for one in world.services(key) if one.claimed_by), None)
        served = (world.service(namespace, name) for name in {deployment.serves for deployment in deployments})
        unclaimed = next((one for one in served if one is not None and not one.policy), None)
        route = next(iter(world.routes(key)), None)
        templates = (world.deployment(namespace, one.identity.name.removesuffix(f"-{one.version}")) for one in deployments)
        found = {one.identity.name: one for one in templates if one is not None}
        return Orphans(
            claimed or unclaimed, deployments, route, tuple(world.pods(key)), found, tuple(world.runs(key)), tuple(world.jobs(key))
        )

    async def _template(self, policy: PolicySeen) -> TemplateSeen | None:
        namespace, name = policy.identity.namespace, policy.spec.serving.deployment_ref.name
        known = self._from.world.deployment(namespace, name)
        if known is None:
            return None
        key, uid = policy.identity.key, known.identity.uid
        read = self._templates.get(key, uid, known.generation)
        if read is None:
            body = await self._from.cluster.get(Ref(Kind.DEPLOYMENT, namespace, name))
            if body is None:
                return None
            read = parse.template_seen(body)
            self._templates.put(key, uid, read)
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
        told = self._from.defaults.gateway_features
        return await features_of(self._from.cluster, gateway.parent_refs, policy.identity.namespace, told)

    def _surroundings(self, policy: PolicySeen, template: TemplateSeen | None, volume: tuple[str, ...] | None) -> Surroundings:
        defaults, serving, spec = self._from.defaults, policy.spec.serving, policy.spec
        same_target = (
            *self._older(policy, Shared.SERVICE, serving.service.name),
            *self._older(policy, Shared.DEPLOYMENT, serving.deployment_ref.name),
        )
        current, unwanted = compared(policy, defaults.trainer_image, self._from.world.chores(policy.identity.key))
        owners, monitor_is_current = self._monitor(policy)
        return Surroundings(
            older_same_type=next(iter(self._older(policy, Shared.MODEL_TYPE, spec.model_type)), ""),
            older_same_target=next(iter(same_target), ""),
            foreign_services=self._foreign(policy, template),
            metrics_source_known=self._from.metrics.knows(spec.metrics_source),
            queries_allowed=self._from.metrics.allows_queries(spec.metrics_source),
            unknown_notifiers=tuple(one.notifier for one in spec.notifications if not self._from.notifier.knows(one.notifier)),
            volume_access=volume,
            routes_are_watched=self._from.world.routes_are_watched(),
            chores_are_current=current,
            unwanted_chores=unwanted,
            monitor_owners=owners,
            monitor_is_current=monitor_is_current,
        )

    def _older(self, policy: PolicySeen, shared: Shared, name: str) -> list[str]:
        """Return the names of the older policies that share something with a policy."""
        me = policy.identity
        sharing = (other.identity for other in self._from.world.policies(me.namespace, shared, name))
        return [other.name for other in sharing if (other.created, other.name) < (me.created, me.name)]

    def _foreign(self, policy: PolicySeen, template: TemplateSeen | None) -> tuple[str, ...]:
        """Return the Services that would select a candidate's pods by the template's own labels."""
        found = self._from.world.services_selecting(policy.identity.namespace, template.labels) if template is not None else []
        return tuple(sorted(one.identity.name for one in found if one.identity.name != policy.spec.serving.service.name))

    def _monitor(self, policy: PolicySeen) -> tuple[tuple[Identity, ...], bool]:
        """Return who is to own the monitor of a policy's database, and whether it is as it should be.

        Its owners are those it has that still share it, and this policy as long as they are few: what is owned by the whole namespace
        would be written again with each policy that comes.
        """
        me, secret, defaults = policy.identity, policy.spec.monitor.database_secret, self._from.defaults
        monitor = self._from.world.deployment(me.namespace, naming.monitor_name(secret.name, secret.key))
        known = [self._from.world.policy((me.namespace, name)) for name, _ in (monitor.owners if monitor is not None else ())]
        living = {other.identity.uid: other.identity for other in known if other and other.spec.monitor.database_secret == secret}
        if len(living) < OWNERS:
            living[me.uid] = me
        digest = monitor_digest(me.namespace, secret.name, secret.key, defaults.trainer_image, defaults.monitor_interval_s)
        current = monitor is not None and monitor.digest == digest and {uid for _, uid in monitor.owners} == living.keys()
        return tuple(living.values()), current

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
