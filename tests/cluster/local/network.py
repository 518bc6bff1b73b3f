"""How Pods, Services and names are reached: a bridge, CNI, kube-proxy and CoreDNS."""

import json
from ipaddress import IPv4Network
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.components import built_path
from tests.cluster.interface import ClusterError
from tests.cluster.local import firewall, sysctls
from tests.cluster.local.layout import Layout
from tests.cluster.local.probe import probe
from tests.cluster.local.processes import Processes

DNS_PORT, DNS_HEALTH_PORT, PROXY_HEALTH_PORT, PROXY_METRICS_PORT = 53, 8181, 10256, 10249


def routed_networks() -> list[IPv4Network]:
    """Return what the machine reaches already, other than by its default route."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")
    found = [route["dst"] for route in routes if route["dst"] != "default" and route.get("type") != "broadcast"]
    return [IPv4Network(network, strict=False) for network in found]


def make_bridge(layout: Layout) -> None:
    """Make the bridge with the machine's address on it, and let the machine forward."""
    run(["ip", "link", "add", layout.bridge, "type", "bridge"])
    run(["ip", "address", "add", f"{layout.address}/{layout.pods.prefixlen}", "dev", layout.bridge])
    run(["ip", "link", "set", layout.bridge, "up"])
    sysctls.change(sysctls.NEEDED)
    firewall.add_own_rules(layout)


def remove_bridge(layout: Layout) -> None:
    """Remove the bridge, if it is there."""
    try:
        run(["ip", "link", "show", layout.bridge])
    except ClusterError:
        return
    run(["ip", "link", "delete", layout.bridge])


def write_cni(layout: Layout) -> None:
    """Write the one CNI network: bridge and portmap, addresses by host-local, all state in the cluster's directory."""
    folder = layout.home / "cni"
    folder.mkdir(parents=True, exist_ok=True)
    bridge = {
        "type": "bridge",
        "bridge": layout.bridge,
        "isGateway": True,
        # A Pod that is its own Service's only endpoint answers itself through the bridge.
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.home / "addresses"),
            "ranges": [[{"subnet": str(layout.pods), "gateway": str(layout.address)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    network = {"cniVersion": "0.4.0", "name": layout.cgroup, "plugins": [bridge, portmap]}
    (folder / "10-bridge.conflist").write_text(json.dumps(network, indent=1), encoding="utf-8")


def start_proxy(layout: Layout, processes: Processes) -> None:
    """Start kube-proxy in iptables mode; it makes cluster addresses answer from the machine and from Pods."""
    argv: list[str | Path] = [
        built_path("kube-proxy"),
        f"--kubeconfig={layout.home / 'proxy.kubeconfig'}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={layout.pods}",
        f"--hostname-override={layout.node}",
        f"--bind-address={layout.address}",
        f"--healthz-bind-address={layout.address}:{PROXY_HEALTH_PORT}",
        f"--metrics-bind-address={layout.address}:{PROXY_METRICS_PORT}",
        # The connection table's size is the machine's business.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        "--iptables-localhost-nodeports=false",
        "--iptables-min-sync-period=200ms",
    ]
    processes.start("kube-proxy", argv)


def start_dns(layout: Layout, processes: Processes) -> None:
    """Start CoreDNS on the bridge; as a process of the machine it may use a resolver that only listens on loopback."""
    corefile = layout.home / "Corefile"
    corefile.write_text(
        f"""\
cluster.local:{DNS_PORT} in-addr.arpa:{DNS_PORT} .:{DNS_PORT} {{
    bind {layout.address}
    errors
    ready {layout.address}:{DNS_HEALTH_PORT}
    cache 5
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {layout.home / "dns.kubeconfig"} {layout.name}
        pods insecure
        fallthrough in-addr.arpa
        ttl 5
    }}
    forward . /etc/resolv.conf
}}
""",
        encoding="utf-8",
    )
    processes.start("coredns", [built_path("coredns"), "-conf", corefile])


def wait_until_reachable(layout: Layout, processes: Processes) -> None:
    """Return when kube-proxy has written its first rules and CoreDNS knows the Services."""
    processes.wait_for("kube-proxy", probe(f"http://{layout.address}:{PROXY_HEALTH_PORT}/healthz"), 60)
    processes.wait_for("DNS", probe(f"http://{layout.address}:{DNS_HEALTH_PORT}/ready"), 60)
