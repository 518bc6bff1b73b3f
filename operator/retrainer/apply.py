"""The third step: perform effects in order. Each may be done twice without harm; the first that fails stops the round."""

from typing import assert_never

from retrainer.core import naming
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
    HandBack,
    LaunchJob,
    RecycleVersion,
    ReleaseService,
    RemoveChore,
    RemoveRoute,
    RemoveVersion,
    ScaleVersion,
    SendTraffic,
    StartRun,
)
from retrainer.core.identity import Identity
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.core.observation import Component, Observation, PolicySeen
from retrainer.core.sweeping import Orphans, Sweep
from retrainer.core.traffic.contention import may_retake
from retrainer.errors import Conflict, FieldConflict, NotFound, Refused
from retrainer.manifests import records, route, serving
from retrainer.manifests.chores import chores
from retrainer.manifests.job import job
from retrainer.manifests.monitor import monitor
from retrainer.manifests.traffic import shares, shares_left_behind
from retrainer.ports import Cluster, Defaults, World


class Hands:
    """Performs effects through the cluster, and tells the world what each write returned."""

    def __init__(self, cluster: Cluster, world: World, defaults: Defaults) -> None:
        self._cluster = cluster
        self._world = world
        self._defaults = defaults

    async def apply(self, effects: tuple[Effect, ...], seen: Observation) -> None:
        """Perform the effects of one policy's round; raises what `errors.py` names at the first that fails."""
        for effect in effects:
            await self._perform(effect, seen)

    async def sweep(self, effect: Sweep, left: Orphans) -> None:
        """Perform an effect for a policy that no longer exists."""
        match effect:
            case SendTraffic():
                self._world.remember(await self._cluster.apply(shares_left_behind(left, effect)))
            case HandBack():
                assert left.service is not None, "it is a Service that is handed back"
                self._world.remember(await self._cluster.apply(serving.handed_back_service(left.service)))
            case RemoveVersion():
                await self._delete(Kind.DEPLOYMENT, effect.deployment)
            case DeleteJob():
                await self._delete(Kind.JOB, effect.job)

    async def _delete(self, kind: Kind, one: Identity) -> None:
        await self._cluster.delete(_ref(kind, one), uid=one.uid)

    async def _perform(self, effect: Effect, seen: Observation) -> None:  # noqa: C901, PLR0912 - one case an effect
        policy = seen.policy
        match effect:
            case SendTraffic():
                await self._send(effect, seen)
            case ScaleVersion():
                await self._patch_version(policy, effect.version, {"spec": {"replicas": effect.replicas}})
            case RecycleVersion():
                mark = {"metadata": {"annotations": {naming.RECYCLED: effect.by}}}
                await self._patch_version(policy, effect.version, {"spec": {"template": mark}})
            case DeployVersion():
                self._world.remember(await self._cluster.apply(serving.deployment(policy, effect), force=True))
            case RemoveVersion():
                await self._delete(Kind.DEPLOYMENT, effect.deployment)
            case ClaimService():
                self._world.remember(await self._cluster.apply(serving.claimed_service(serving.claim_of(policy), seen.service)))
            case ReleaseService():
                self._world.remember(await self._cluster.apply(serving.released_service(serving.claim_of(policy), seen.service)))
            case AddressVersion():
                self._world.remember(await self._cluster.apply(route.version_service(policy, effect), force=True))
            case RemoveRoute():
                await self._delete(Kind.HTTP_ROUTE, effect.route)
            case EnsureMonitor():
                await self._ensure_monitor(policy, effect)
            case EnsureChores():
                for manifest in chores(policy, self._defaults.trainer_image):
                    self._world.remember(await self._cluster.apply(manifest, force=True))
            case RemoveChore():
                await self._delete(Kind.CRON_JOB, effect.chore)
            case LaunchJob():
                await self._launch(effect)
            case DeleteJob():
                await self._delete(Kind.JOB, effect.job)
            case ExpireJob():
                await self._expire(effect)
            case StartRun():
                # A name that is taken is a Conflict: another round decided first, and this one must look again.
                self._world.remember(await self._cluster.create(records.run(policy, effect)))
            case DeleteRun():
                await self._delete(Kind.RUN, effect.run)
            case unknown:
                assert_never(unknown)

    async def _send(self, effect: SendTraffic, seen: Observation) -> None:
        """Move the traffic; a change that somebody else has made meanwhile is undone, once, and the object says so."""
        try:
            self._world.remember(await self._cluster.apply(shares(seen, effect)))
        except FieldConflict:
            if not may_retake(seen):
                raise
            self._world.remember(await self._cluster.apply(shares(seen, effect, retaken_at=seen.now), force=True))

    async def _patch_version(self, policy: PolicySeen, version: str, merge: Manifest) -> None:
        name = naming.version_deployment(policy.spec.serving.deployment_ref.name, version)
        ref = Ref(Kind.DEPLOYMENT, policy.identity.namespace, name)
        try:
            self._world.remember(await self._cluster.patch(ref, merge))
        except NotFound:
            return  # gone is as small as it gets

    async def _ensure_monitor(self, policy: PolicySeen, effect: EnsureMonitor) -> None:
        defaults = self._defaults
        for manifest in monitor(policy.identity.namespace, effect, defaults.trainer_image, defaults.monitor_interval_s):
            self._world.remember(await self._cluster.apply(manifest, force=True))

    async def _launch(self, effect: LaunchJob) -> None:
        try:
            manifest = job(effect.run, Component(effect.component), effect.number, self._defaults.trainer_image)
        except ValueError as error:  # what the policy asks for fits no request: a person must decide
            raise Refused(str(error)) from error
        try:
            self._world.remember(await self._cluster.create(manifest))
        except Conflict:
            existing = await self._cluster.get(Ref.of(manifest))
            owners = (existing or {}).get("metadata", {}).get("ownerReferences") or []
            if not any(owner["uid"] == effect.run.identity.uid for owner in owners):
                raise
            self._world.remember(existing or manifest)

    async def _expire(self, effect: ExpireJob) -> None:
        try:
            patched = await self._cluster.patch(_ref(Kind.JOB, effect.job), {"spec": {"ttlSecondsAfterFinished": effect.ttl_s}})
            self._world.remember(patched)
        except NotFound:
            return  # somebody removed it first


def _ref(kind: Kind, identity: Identity) -> Ref:
    return Ref(kind, identity.namespace, identity.name)
