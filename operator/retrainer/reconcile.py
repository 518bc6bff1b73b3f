"""One round for one policy: observe → decide → apply → record → announce. Read this first."""

import logging

from retrainer.api.v1alpha1 import ModelRetrainPolicyStatus
from retrainer.api.v1alpha1.common import Model
from retrainer.apply import Hands
from retrainer.core.actions import Announcement, Decision, SendTraffic
from retrainer.core.decide import decide
from retrainer.core.kinds import Kind, Ref
from retrainer.core.notice import notices
from retrainer.core.observation import Observation
from retrainer.core.observed_share import observed_share
from retrainer.core.phases import Outcome, Phase
from retrainer.core.status import condition
from retrainer.core.sweeping import ended, is_vacating, sweep
from retrainer.errors import Conflict, FieldConflict, NotFound, Refused, RetrainerError
from retrainer.manifests.records import event
from retrainer.observe import Observer
from retrainer.ports import Key, Sources
from retrainer.telemetry import Telemetry, log_about

_logger = logging.getLogger(__name__)
_STALLED_RETRY_S = 30.0
# Nothing wakes a policy that is gone when the Deployment that it handed its Service back to becomes ready; a look costs no request.
_VACATED_WITHIN_S = 2.0


class Reconciler:
    """The handler of the work queue."""

    def __init__(self, sources: Sources, telemetry: Telemetry) -> None:
        self._from = sources
        self._observer = Observer(sources)
        self._hands = Hands(sources.cluster, sources.world, sources.defaults)
        self._telemetry = telemetry

    async def __call__(self, key: Key) -> float | None:
        """Do one round and return after how many seconds the policy wants another, or None; raises what should be tried again soon."""
        seen = await self._observer.observe(key)
        if seen is None:
            return await self._sweep(key)
        decision = decide(seen)
        with self._observer.taking_places(seen, decision):
            return await self._carry_out(seen, decision)

    async def _carry_out(self, seen: Observation, decision: Decision) -> float | None:
        try:
            await self._hands.apply(decision.effects, seen)
        except Refused as refusal:
            if isinstance(refusal, Conflict) and not isinstance(refusal, FieldConflict):
                raise  # the object changed since it was read: look again
            await self._record_stall(seen, refusal)
            return _STALLED_RETRY_S
        self._time_rollbacks(seen, decision)
        if decision.starts_a_run:
            return 0.0  # whoever raised the alert has waited long enough, and so has the run's Job
        await self._record(seen, decision)
        await self._announce(seen, decision.announcements)
        self._show(seen, decision)
        return decision.requeue_after

    async def _record(self, seen: Observation, decision: Decision) -> None:
        """Write each status that changed, once; runs first, since the policy's is derived from them."""
        for run in seen.runs:
            if decision.runs[run.name] != run.status:
                await self._write(Kind.RUN, run.identity.key, decision.runs[run.name])
        if decision.policy != seen.policy.status:
            await self._write(Kind.POLICY, seen.policy.identity.key, decision.policy)

    async def _write(self, kind: Kind, key: Key, status: Model) -> None:
        try:
            self._from.world.remember(await self._from.cluster.write_status(Ref(kind, *key), status.wire()))
        except NotFound:
            return  # deleted meanwhile: there is nobody to tell

    async def _record_stall(self, seen: Observation, refusal: RetrainerError) -> None:
        """An effect will not succeed however often it is tried: say so, and leave everything as it is."""
        status = seen.policy.status
        reason = "FieldConflict" if isinstance(refusal, FieldConflict) else "Refused"
        stalled = condition(status.conditions, "Stalled", True, reason, str(refusal), seen.policy.generation, seen.now)
        kept = tuple(entry for entry in status.conditions if entry.type != "Stalled")
        told: ModelRetrainPolicyStatus = status.model_copy(update={"conditions": (*kept, stalled)})
        log_about(_logger, *seen.policy.identity.key).warning("stalled: %s", refusal)
        if told != status:
            await self._write(Kind.POLICY, seen.policy.identity.key, told)

    async def _announce(self, seen: Observation, announcements: tuple[Announcement, ...]) -> None:
        """Tell people, at most once: the record is the run's timeline, so a lost Event costs nothing but itself."""
        for notice in notices(seen, announcements):
            self._from.notifier.tell(notice)
        for announcement in announcements:
            try:
                await self._from.cluster.create(event(announcement, self._from.clock.now(), self._from.defaults.instance))
            except RetrainerError as error:
                _logger.warning("an Event was lost: %s", error)

    def _show(self, seen: Observation, decision: Decision) -> None:
        namespace, name = seen.policy.identity.key
        ready = any(entry.type == "Ready" and entry.status == "True" for entry in decision.policy.conditions)
        weight = decision.policy.traffic.candidate_weight if decision.policy.traffic else 0
        self._telemetry.show_policy(namespace, name, ready=ready, candidate_weight=weight)
        if not weight:
            self._telemetry.show_share(namespace, name, None)
        elif (share := observed_share(seen)) is not None:  # most rounds ask nothing
            self._telemetry.show_share(namespace, name, share)
        self._telemetry.show_triggers(namespace, name, {one.name: (one.state, one.reason) for one in decision.policy.triggers})
        for trigger in decision.policy.triggers:
            if trigger.state == "Refused" and trigger not in seen.policy.status.triggers:
                self._telemetry.count_refusal(namespace, name, trigger.name, trigger.reason)
        for run in seen.runs:
            after = decision.runs[run.name]
            if after.phase is not run.status.phase:
                log_about(_logger, namespace, name, run=run.name, phase=after.phase).info("%s: %s", after.reason, after.message)
            if run.live and after.phase is Phase.FINISHED:
                self._telemetry.count_run(namespace, name, str(after.outcome))

    def _time_rollbacks(self, seen: Observation, decision: Decision) -> None:
        """From the moment the round looked at the world, verdict included, to the acknowledged write of the Service."""
        rolled_back = any(status.outcome is Outcome.ROLLED_BACK for run in seen.runs if run.live for status in [decision.runs[run.name]])
        if rolled_back and any(isinstance(effect, SendTraffic) for effect in decision.effects):
            self._telemetry.count_rollback((self._from.clock.now() - seen.now).total_seconds())

    async def _sweep(self, key: Key) -> float | None:
        """A policy that is gone leaves its champion serving, or hands the Service back; a candidate is taken back, its traffic first."""
        left = self._observer.orphans(key)
        for effect in sweep(left):
            await self._hands.sweep(effect, left)
        for run, status in ended(left, self._from.clock.now()):
            await self._write(Kind.RUN, run.identity.key, status)
        self._telemetry.forget_policy(*key)
        return _VACATED_WITHIN_S if is_vacating(left) else None
