"""One namespace with a platform in it, every stand-in that plays on it, and the words in which tests speak of it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tests.cluster.local.cluster import LocalCluster
from tests.integration import team
from tests.integration.audit import Audit
from tests.integration.operator_process import OperatorProcess
from tests.integration.team import POLICY, SERVICE, Manifest
from tests.stand_ins.api import Api
from tests.stand_ins.live_figures import LiveFigures
from tests.stand_ins.mirror import RESOURCES, Mirror
from tests.stand_ins.model_server import ModelServer
from tests.stand_ins.status_faker import StatusFaker


@dataclass(frozen=True, slots=True)
class Stage:
    """A namespace, seen from outside the operator."""

    namespace: str
    api: Api
    seen: Mirror
    kubelet: StatusFaker
    models: ModelServer
    figures: LiveFigures
    operator: OperatorProcess
    audit: Audit
    patience_s: float = 45.0
    """How long a fact may take to hold, unless a test says otherwise."""

    async def given_a_platform(self) -> None:
        """Have a template Deployment and a claim for versions."""
        await self.api.create("deployments", team.deployment(self.namespace))
        await self.api.create("persistentvolumeclaims", team.volume_claim(self.namespace))

    async def given_a_policy(self, name: str = POLICY, /, **changes: Any) -> Manifest:  # noqa: ANN401 - fields of the spec
        """Apply a policy, or change one that is there."""
        wanted = team.policy(self.namespace, name, port=self.models.port, **changes)
        return await self.api.apply("modelretrainpolicies", wanted)

    async def given_a_champion(self, **changes: Any) -> str:  # noqa: ANN401 - fields of the spec
        """Have a platform and a policy whose initial run has ended well; return the version that serves."""
        await self.given_a_platform()
        await self.given_a_policy(**changes)
        run = await self.then_run_ends(f"{POLICY}-1", "Succeeded")
        version = str(run["status"]["version"])
        # An alert that began before the status names the champion speaks of another one.
        await self.then(lambda: (self.policy_status().get("champion") or {}).get("version") == version, f"the status names {version}")
        return version

    async def when_a_person_starts(self, name: str, policy: str = POLICY, **spec: Any) -> None:  # noqa: ANN401 - fields of the spec
        """Create a run as a person does."""
        await self.api.create("modelretrainruns", team.run(self.namespace, name, policy, **spec))

    async def when_paged(self, fingerprint: str = "5ef1", starts_at: datetime | None = None, *, firing: bool = True, **labels: str) -> int:
        """Post an alert to the operator's webhook and return its answer's status."""
        return await self.operator.post(team.notification(self.namespace, fingerprint, starts_at, firing=firing, **labels))

    async def when_annotated(self, run: str, **marks: str) -> None:
        """Annotate a run under `retrainer.dev/`."""
        annotations = {f"retrainer.dev/{key}": value for key, value in marks.items()}
        await self.api.patch("modelretrainruns", self.namespace, run, {"metadata": {"annotations": annotations}})

    async def when_told(self, name: str = POLICY, /, **marks: str | None) -> None:
        """Annotate a policy under `retrainer.dev/`; None takes the annotation away."""
        annotations = {f"retrainer.dev/{key}": value for key, value in marks.items()}
        await self.api.patch("modelretrainpolicies", self.namespace, name, {"metadata": {"annotations": annotations}})

    async def when_changed(self, name: str = POLICY, /, **spec: Any) -> None:  # noqa: ANN401 - fields of the spec
        """Merge changes into a policy's spec and wait until the operator has concluded from them.

        An alert that is posted at once could be judged by the spec as it was: the webhook asks the cache.
        """
        patched = await self.api.patch("modelretrainpolicies", self.namespace, name, {"spec": spec})
        wanted = patched["metadata"]["generation"]
        await self.then(lambda: self.policy_status(name).get("observedGeneration") == wanted, f"{name} is seen as generation {wanted}")

    async def then_run_is_in(self, name: str, phase: str, reason: str = "", within: float | None = None) -> Manifest:
        """Return the run once it is in that phase, for that reason where one is given."""

        def fact() -> Manifest | None:
            run = self.seen.one("modelretrainruns", name)
            status = (run or {}).get("status") or {}
            return run if status.get("phase") == phase and reason in {"", status.get("reason")} else None

        found: Manifest = await self.then(fact, f"{name} is {phase}/{reason or 'any reason'}", within)
        return found

    async def then_run_ends(self, name: str, outcome: str, reason: str = "", within: float | None = None) -> Manifest:
        """Return the run once it has ended; AssertionError at once when it ended otherwise."""
        run = await self.then_run_is_in(name, "Finished", within=within)
        status = run["status"]
        assert (status["outcome"], status["reason"] if reason else "") == (outcome, reason), self.told(run)
        return run

    async def then_condition(self, kind: str, status: str, reason: str, policy: str = POLICY) -> Manifest:
        """Return a condition of a policy once it is so for that reason."""

        def fact() -> Manifest | None:
            found = self.condition(kind, policy)
            return found if found and (found["status"], found["reason"]) == (status, reason) else None

        found: Manifest = await self.then(fact, f"{policy} is {kind}={status}/{reason}")
        return found

    async def then_serves(self, version: str, service: str = SERVICE) -> None:
        """Return once a Service selects one version and no other."""
        await self.then(lambda: self.serves_alone(version, service), f"{version} serves alone")

    async def then_metric(self, value: float, name: str, **labels: str) -> None:
        """Return once a metric of the operator about this namespace has a value; it follows the status by a moment."""
        async with asyncio.timeout(10):
            while await self.operator.metric(name, namespace=self.namespace, **labels) != value:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def then(self, fact: Callable[[], Any], what: str, within: float | None = None) -> Any:  # noqa: ANN401 - whatever the fact is
        """Return what `fact` returns once that is something; AssertionError with a picture of the namespace."""
        try:
            return await self.seen.until(fact, what, within or self.patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.picture()}") from None

    def condition(self, kind: str, policy: str = POLICY) -> Manifest | None:
        """Return a condition of a policy as it is."""
        found = self.policy_status(policy).get("conditions") or ()
        return next((one for one in found if one["type"] == kind), None)

    def policy_status(self, policy: str = POLICY) -> Mapping[str, Any]:
        """Return a policy's status as it is."""
        return (self.seen.one("modelretrainpolicies", policy) or {}).get("status") or {}

    def service(self, name: str = SERVICE) -> Manifest:
        """Return a Service as it is."""
        found = self.seen.one("services", name)
        assert found is not None, f"Service {name} is not there"
        return found

    def serves_alone(self, version: str, service: str = SERVICE) -> bool:
        """Say whether a Service selects one version and no other."""
        return bool(self.service(service)["spec"].get("selector", {}).get("retrainer.dev/version") == version)

    def command(self, verb: str, run: str = "") -> tuple[str, str] | None:
        """Return value and reason of the latest command of a run or, without one, of the policy."""
        status = (self.seen.one("modelretrainruns", run) or {}).get("status") or {} if run else self.policy_status()
        return next(((one["value"], one["reason"]) for one in status.get("commands") or () if one["verb"] == verb), None)

    def pods_of(self, version: str) -> frozenset[str]:
        """Return the UIDs of a version's pods."""
        return frozenset(pod["metadata"]["uid"] for pod in self.seen.all("pods", version=version, component="serve"))

    def jobs_of(self, run: str, component: str = "train") -> list[str]:
        """Return the names of a run's Jobs."""
        return [job["metadata"]["name"] for job in self.seen.all("jobs", run=run, component=component)]

    def told(self, run: Manifest) -> str:
        """Return a run's story as lines."""
        status = run.get("status") or {}
        lines = [f"  {one['phase']}/{one['reason']}: {one['message']}" for one in status.get("timeline") or ()]
        ended = f"{status.get('phase')} {status.get('outcome')} {status.get('reason')}: {status.get('message')} [{status.get('analysis')}]"
        return "\n".join([f"{run['metadata']['name']}: {ended}", *lines])

    def picture(self) -> str:
        """Return what is to be seen when a test has failed."""
        runs = [self.told(run) for run in self.seen.all("modelretrainruns")]
        policies = [
            f"{policy['metadata']['name']}: {one['type']}={one['status']}/{one['reason']}: {one['message']}"
            for policy in self.seen.all("modelretrainpolicies")
            for one in (policy.get("status") or {}).get("conditions") or ()
        ]
        pods = [f"pod {pod['metadata']['name']} {pod['status'].get('phase')}" for pod in self.seen.all("pods")]
        return "\n".join([*runs[:30], *policies[:30], *pods[:30], self.operator.said(25)])


class Playing(Protocol):
    """Something that tells what is played in each namespace, as Prometheus or to it."""

    figures: dict[str, LiveFigures]


@asynccontextmanager
async def operated(cluster: LocalCluster, prometheus: Playing, operator: OperatorProcess) -> AsyncIterator["Theatre"]:
    """Give a theatre of a cluster whose operator runs, until the end."""
    log = cluster.audit_log
    assert log is not None
    async with AsyncExitStack() as closing:
        closing.push_async_callback(operator.close)
        api = await Api.of(cluster.kubeconfig)
        closing.push_async_callback(api.close)
        await operator.start()
        yield Theatre(api, prometheus, operator, lambda: Audit(log, api))


class Theatre:
    """Opens stages: what they share is one API server, one Prometheus, and one operator that may come and go."""

    def __init__(self, api: Api, prometheus: Playing, operator: OperatorProcess, audit: Callable[[], Audit]) -> None:
        self.api = api
        self.operator = operator
        self.prometheus = prometheus
        self._audit = audit

    @asynccontextmanager
    async def stage(
        self,
        name: str = "team",
        models: ModelServer | None = None,
        resources: Iterable[str] = RESOURCES,
        patience_s: float = 45.0,
        kubelet_of: Callable[[Api, Mirror, ModelServer], StatusFaker] = StatusFaker,
    ) -> AsyncIterator[Stage]:
        """Give a stage of its own, empty but for its stand-ins; `resources` are what it sees."""
        namespace = f"{name}-{uuid.uuid4().hex[:6]}"
        await self.api.create("namespaces", team.namespace(namespace))
        models = models or ModelServer()
        async with AsyncExitStack() as closing:
            await models.start()
            closing.push_async_callback(models.stop)
            closing.push_async_callback(self.api.delete, "namespaces", "", namespace)
            seen = await closing.enter_async_context(Mirror(self.api, namespace, resources))
            kubelet = kubelet_of(self.api, seen, models)
            kubelet.start()
            closing.push_async_callback(kubelet.stop)
            figures = self.prometheus.figures[namespace] = LiveFigures(kubelet.versions)
            yield Stage(namespace, self.api, seen, kubelet, models, figures, self.operator, self._audit(), patience_s)
