"""Worlds to show to the checks, built from the few facts that a test is about."""

from collections.abc import Sequence
from dataclasses import replace

from tests.observer.world import COMPONENT, POLICY, SERVES, VERSION, Deployment, Job, Metric, Pod, Policy, Run, Service, Slice, World

NAMESPACE = "members"
SERVICE = (NAMESPACE, "churn-risk")
POLICY_KEY = (NAMESPACE, "churn-risk")
CHAMPION, CANDIDATE = "20261101-030000-1", "20261123-030000-2"

METRICS = (Metric("ErrorRate", max=0.01), Metric("Accuracy", max_regression=0.02))
POLICY_FACT = Policy(
    key=POLICY_KEY,
    model_type="churn_risk",
    service="churn-risk",
    replicas=3,
    step_weights=(10, 50),
    interval=5.0,
    iterations=2,
    min_samples=100,
    metrics=METRICS,
)


def world(
    at: float = 0.0,
    *,
    selects: str | None = CHAMPION,
    ready: dict[str, int] | None = None,
    unready: dict[str, int] | None = None,
    listed: int | None = None,
    asked: dict[str, int] | None = None,
    policy: Policy = POLICY_FACT,
) -> World:
    """Return a world in which the Service selects one version (None: all of them), with so many ready and unready Pods of each.

    Unless `listed` says otherwise its slice lists the ready Pods that it selects; `asked` are the Deployments' replicas.
    """
    selector = {SERVES: "churn-risk"} | ({VERSION: selects} if selects else {})
    pods = [*_pods(ready or {}, True), *_pods(unready or {}, False)]
    chosen = [pod.key[1] for pod in pods if pod.ready and selector.items() <= pod.labels.items()]
    endpoints = chosen if listed is None else [f"endpoint-{number}" for number in range(listed)]
    return World(
        at=at,
        services={SERVICE: Service(SERVICE, selector)},
        pods={pod.key: pod for pod in pods},
        slices={(NAMESPACE, "churn-risk-x1"): Slice(SERVICE, frozenset(endpoints))},
        deployments={one.key: one for one in _deployments(asked or ready or {})},
        jobs={},
        runs={},
        policies={policy.key: policy},
    )


def with_jobs(seen: World, jobs: Sequence[Job], runs: Sequence[Run] = (), pods: Sequence[Pod] = ()) -> World:
    """Return the world with these Jobs, runs and further Pods in it."""
    further = dict(seen.pods) | {pod.key: pod for pod in pods}
    return replace(seen, jobs={job.key: job for job in jobs}, runs={run.key: run for run in runs}, pods=further)


def training(name: str, condition: str | None = None, version: str = CANDIDATE) -> Job:
    """Return a training Job of the policy."""
    return Job((NAMESPACE, name), f"uid-{name}", "churn-risk", name.rpartition("-train-")[0], "train", version, condition)


def training_pod(name: str, job: str, reported: str | None = None, *, finished: bool = False) -> Pod:
    """Return a Pod of a training Job."""
    labels = {COMPONENT: "train", POLICY: "churn-risk", "batch.kubernetes.io/job-name": job}
    return Pod((NAMESPACE, name), f"uid-{name}", labels, finished=finished, reported=reported)


def _pods(counts: dict[str, int], ready: bool) -> Sequence[Pod]:
    return [
        Pod(
            (NAMESPACE, f"{version}-{'ready' if ready else 'starting'}-{number}"),
            f"uid-{version}-{ready}-{number}",
            {SERVES: "churn-risk", VERSION: version},
            ready=ready,
        )
        for version, count in counts.items()
        for number in range(count)
    ]


def _deployments(replicas: dict[str, int]) -> Sequence[Deployment]:
    return [
        Deployment((NAMESPACE, f"churn-risk-api-{version}"), {SERVES: "churn-risk", VERSION: version}, count)
        for version, count in replicas.items()
    ]
