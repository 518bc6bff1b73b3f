"""How this machine reaches a Service of the cluster."""

import socket
import time
import urllib.error
import urllib.request

from demo.story.kubectl import Kubectl
from demo.story.processes import Companions
from demo.story.waiting import StoryError
from tests.cluster.interface import Cluster, Way

_FORWARDED_WITHIN = 20.0


def url_of(cluster: Cluster, kubectl: Kubectl, companions: Companions, namespace: str, service: str) -> str:
    """Return a URL of a Service's first port: its cluster IP where this machine is the node, else a forwarded port."""
    found = kubectl.get("service", service, f"--namespace={namespace}")
    if found is None:
        raise StoryError(f"there is no Service {namespace}/{service}")
    port = found["spec"]["ports"][0]["port"]
    if cluster.way is Way.LOCAL:
        return f"http://{found['spec']['clusterIP']}:{port}"
    return _forwarded(kubectl, companions, namespace, service, port)


def _forwarded(kubectl: Kubectl, companions: Companions, namespace: str, service: str, port: int) -> str:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        local = held.getsockname()[1]
    name = f"forward-{service}"
    companions.start_command(name, kubectl.command("port-forward", f"--namespace={namespace}", f"service/{service}", f"{local}:{port}"))
    url = f"http://127.0.0.1:{local}"
    deadline = time.monotonic() + _FORWARDED_WITHIN
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return url
        except urllib.error.HTTPError:
            return url
        except OSError:
            time.sleep(0.2)
    raise StoryError(f"port {port} of {namespace}/{service} could not be forwarded; see {companions.logs / name}.log")
