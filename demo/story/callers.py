"""The client, where it reaches the Service as a caller does: on the node itself, or else in a Pod of the cluster.

A forwarded port would not do for it: that is one connection to one Pod, past the Service and its balancing.
"""

import json
from typing import Any, Final

from demo.story import images
from demo.story.answers import Line, totals
from demo.story.reach import url_of
from demo.story.stage import NAMESPACE, PREDICTIONS, ROOT, SERVICE, Stage

RATE: Final = 60
_POD: Final = "traffic-client"


def start_client(stage: Stage) -> None:
    """Start the client that calls through the Service until it is ended."""
    members = "\n".join(row[0] for row in stage.database.ask("select id from profiles where role = 'member'"))
    if stage.calls_from_cluster:
        _start_pod(stage, members)
        return
    file = stage.build / "members.txt"
    file.write_text(members)
    url = url_of(stage.cluster, stage.kubectl, stage.companions, NAMESPACE, SERVICE) + PREDICTIONS
    stage.companions.start("client", "tests.client", f"--url={url}", f"--rate={RATE}", f"--members={file}", f"--log={stage.client_log}")


def end_client(stage: Stage) -> Line:
    """End the client and return its totals."""
    if stage.calls_from_cluster:
        stage.kubectl("delete", "pod", _POD, f"--namespace={NAMESPACE}", "--grace-period=20", "--wait")
        stage.companions.await_end("client")
    else:
        stage.companions.end("client")
    return totals(stage.client_log)


def _start_pod(stage: Stage, members: str) -> None:
    for manifest in (_sources(members), _pod()):
        stage.kubectl.apply(json.dumps(manifest), NAMESPACE)
    stage.kubectl("wait", "pod", _POD, f"--namespace={NAMESPACE}", "--for=condition=Ready", "--timeout=60s")
    follow = stage.kubectl.command("logs", "--follow", f"--namespace={NAMESPACE}", _POD)
    stage.companions.start_command("client", follow, prints_to=stage.client_log)


def _sources(members: str) -> dict[str, Any]:
    modules = {file.name: file.read_text() for file in (ROOT / "tests/client").glob("*.py")}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _POD}, "data": {**modules, "members.txt": members}}


def _pod() -> dict[str, Any]:
    url = f"http://{SERVICE}.{NAMESPACE}.svc{PREDICTIONS}"
    container = {
        "name": "client",
        "image": images.OPERATOR,  # it has Python and aiohttp, and nothing else is asked of it
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "tests.client", f"--url={url}", f"--rate={RATE}"],
        "args": ["--members=/client/tests/client/members.txt", "--log=-"],
        "workingDir": "/client",
        "resources": {"requests": {"cpu": "200m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "sources", "mountPath": "/client/tests/client", "readOnly": True}],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "sources", "configMap": {"name": _POD}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _POD}, "spec": pod}
