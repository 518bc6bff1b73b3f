"""What a tenant does with a candidate under load: starts it, sees it in its canary, and sees who answers in the end."""

import json
from typing import Any, Final

from demo.story.kubectl import Manifest
from tests.e2e.callers import Callers
from tests.e2e.manifests import SERVICE
from tests.e2e.tenant import Tenant

QUICK: Final[Manifest] = {"stepWeights": [50], "interval": "2s", "iterations": 1}
"""A canary that ends by itself, one way or the other."""
HELD: Final[Manifest] = QUICK | {"interval": "1h"}
"""A canary that nobody judges before a test is over."""
TWO_PODS: Final[Manifest] = {"replicas": 2}


def starts(tenant: Tenant, name: str, rollout: Manifest, *, serving: Manifest = TWO_PODS, **model: float) -> None:
    """Start a run whose candidate is such a model."""
    environment = [{"name": "MODEL", "value": json.dumps(model)}]
    tenant.applies_policy(serving=serving, rollout=rollout, training={"env": environment})
    tenant.starts_run(name)


def in_canary(tenant: Tenant, name: str) -> str:
    """Return a run's version once it has its share of the traffic."""
    status = tenant.run_status(name, "is in its canary", lambda status: status.get("reason") == "Step1", 90)
    return str(status["version"])


def left_to(callers: Callers, tenant: Tenant, version: str) -> None:
    """Return once one version answers every request."""
    tenant.stage.wait(f"{version} answers alone", lambda: (callers.who_answers() == {version} or None, f"{callers.who_answers()}"), 30)


def aborts(tenant: Tenant, name: str, version: str) -> None:
    """Abort a run as a person does, and see it end."""
    annotates(tenant, "mrr", name, f"abort={version}")
    tenant.run_ends(name, "Aborted")


def annotates(tenant: Tenant, kind: str, name: str, command: str) -> None:
    """Give a command to a run or a policy."""
    tenant.stage.kubectl("annotate", "--overwrite", kind, name, f"--namespace={tenant.namespace}", f"retrainer.dev/{command}")


def serving(tenant: Tenant) -> str:
    """Return the version that has all the traffic."""
    return str(tenant.sees("service", SERVICE)["spec"]["selector"]["retrainer.dev/version"])


def pods_of(tenant: Tenant, version: str) -> list[dict[str, Any]]:
    """Return a version's pods."""
    labels = f"--selector=retrainer.dev/version={version}"
    return [dict(pod) for pod in tenant.stage.kubectl.items("pods", f"--namespace={tenant.namespace}", labels)]
