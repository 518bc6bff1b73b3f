"""The kernel settings that a node changes, and their way back."""

from pathlib import Path

_SYS = Path("/proc/sys")
# What the node needs; the other names are what the kubelet and kube-proxy set by themselves.
NEEDED = {
    "net/ipv4/ip_forward": "1",
    # Without it a Pod that talks to another Pod of its own bridge through a Service gets answers from a stranger.
    "net/bridge/bridge-nf-call-iptables": "1",
}
_TOUCHED = (
    *NEEDED,
    "net/ipv4/conf/all/route_localnet",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_be_liberal",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def current() -> dict[str, str]:
    """Return the present value of every setting that a node may change and that this kernel has."""
    return {name: (_SYS / name).read_text().strip() for name in _TOUCHED if (_SYS / name).is_file()}


def change(values: dict[str, str]) -> None:
    """Set those values that are not in force already."""
    for name, value in values.items():
        path = _SYS / name
        if path.is_file() and path.read_text().strip() != value:
            path.write_text(value)
