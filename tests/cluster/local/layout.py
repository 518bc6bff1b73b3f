"""Where a local cluster's files lie and which addresses it has: all of it derived from its name."""

import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from tests.cluster.cache import cluster_home
from tests.cluster.interface import ClusterError

_FIRST, _COUNT = 128, 64
# A socket's path may have 107 bytes; the kubelet's own lie this much deeper than a cluster's directory.
_LONGEST_HOME = 107 - len("/kubelet/device-plugins/kubelet.sock")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths and, once `subnet` is known, the addresses of one cluster."""

    name: str
    subnet: IPv4Network | None = None

    @property
    def home(self) -> Path:
        """Everything of the cluster; after `down` only its logs are left there, until the next `up`."""
        return cluster_home(self.name)

    @property
    def state(self) -> Path:
        """The record of what was put on the machine."""
        return self.home / "state.json"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.home / "pki"

    @property
    def logs(self) -> Path:
        """One log for each process, and the audit log."""
        return self.home / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.home / "admin.kubeconfig"

    @property
    def socket(self) -> Path:
        """Where this cluster's containerd listens."""
        return self.home / "containerd.sock"

    @property
    def bridge(self) -> str:
        """The bridge's name; an interface has at most 15 characters."""
        return f"rc{zlib.crc32(self.name.encode()):08x}"

    @property
    def node(self) -> str:
        """The one node's name."""
        return f"{self.name}-node"

    @property
    def cgroup(self) -> str:
        """The control group under which every container runs."""
        return f"real-cluster-{self.name}"

    @property
    def pods(self) -> IPv4Network:
        """Addresses of Pods: the lower half of the subnet's first quarter, 4094 of them."""
        assert self.subnet is not None
        return next(self.subnet.subnets(new_prefix=20))

    @property
    def services(self) -> IPv4Network:
        """Addresses of Services: the upper half of the subnet."""
        assert self.subnet is not None
        return list(self.subnet.subnets(new_prefix=17))[1]

    @property
    def address(self) -> IPv4Address:
        """The machine's own address on the bridge: the node's, the API server's and the DNS server's."""
        return self.pods[1]


def check_home(layout: Layout) -> None:
    """Refuse a cache directory whose path is too long for the sockets inside."""
    if len(str(layout.home)) > _LONGEST_HOME:
        raise ClusterError(f"{layout.home} is too long for sockets: set CLUSTER_CACHE to a shorter path")


def free_subnet(name: str, taken: Sequence[IPv4Network]) -> IPv4Network:
    """Return the name's own 10.x.0.0/16, or the next one that overlaps nothing that the machine routes already."""
    start = zlib.crc32(name.encode()) % _COUNT
    for step in range(_COUNT):
        subnet = IPv4Network(f"10.{_FIRST + (start + step) % _COUNT}.0.0/16")
        if not any(subnet.overlaps(network) for network in taken):
            return subnet
    raise ClusterError(f"no free network between 10.{_FIRST}.0.0 and 10.{_FIRST + _COUNT - 1}.0.0")


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """Return a free loopback port for each name; they are held open together, so no two are alike."""
    held = [socket.socket() for _ in names]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in zip(names, held, strict=True)}
    finally:
        for one in held:
            one.close()
