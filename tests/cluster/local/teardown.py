"""Undoing everything that is on record of a cluster, in the order that leaves nothing behind."""

import shutil
from ipaddress import IPv4Network

from tests.cluster import components
from tests.cluster.cache import cache_root
from tests.cluster.interface import ClusterError
from tests.cluster.local import firewall, leftovers, network, sysctls
from tests.cluster.local.layout import Layout
from tests.cluster.local.node import Node
from tests.cluster.local.processes import Processes
from tests.cluster.local.record import Record, boot_id
from tests.cluster.progress import step


def layout_of(name: str, record: Record) -> Layout:
    """Return the layout with the addresses that are on record."""
    return Layout(name, IPv4Network(record.subnet) if record.subnet else None)


def clean(name: str) -> None:
    """Leave nothing of the cluster but its logs, whatever state it is in; do nothing when nothing is there."""
    record = Record.read(Layout(name).state)
    layout = layout_of(name, record)
    processes = Processes(record, layout.logs)
    processes.stop([one.name for one in record.processes if one.name != "containerd"])
    if record.with_node:
        _clean_node(Node(layout, processes))
    processes.stop()
    # The record goes last: until all else is gone, the next attempt needs it.
    left = [path for path in layout.home.iterdir() if path not in {layout.logs, layout.state}] if record.exists() else []
    for path in left:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    layout.state.unlink(missing_ok=True)


def _clean_node(node: Node) -> None:
    layout, record = node.layout, node.processes.record
    if any(process.name == "containerd" for process in record.alive()):
        node.remove_containers()
    node.processes.stop()
    node.remove_traces()
    network.remove_bridge(layout)
    firewall.remove_own_rules(layout)
    firewall.remove_kubernetes_chains(record.foreign_chains)
    if record.boot == boot_id():  # after a boot the settings are the machine's own again
        sysctls.change(record.sysctls)
    leftovers.remove_made(record.made_directories)


def refuse_second_node(name: str) -> None:
    """Raise where a node is up already: two kube-proxies would undo each other's rules."""
    for record in _others(name):
        if record.with_node:
            raise ClusterError(f"cluster {record.path.parent.name} has this machine's one node: take it down first")
    if any(chain.endswith(" KUBE-SERVICES") for chain in firewall.kubernetes_chains()):
        raise ClusterError("another kube-proxy has rules on this machine: a second would undo them")


def purge() -> None:
    """Remove the cache directory: programs, images, Go's caches and logs."""
    if others := [record.path.parent.name for record in _others("")]:
        raise ClusterError(f"the caches are in use by {', '.join(others)}: take down first what is up there")
    with step(f"removing {cache_root()}"):
        components.remove_go_caches()
        shutil.rmtree(cache_root())


def _others(name: str) -> list[Record]:
    """Return the records of other clusters that this boot of the machine has seen: also a broken one has its rules."""
    found = [Record.read(path) for path in (cache_root() / "clusters").glob("*/state.json")]
    return [record for record in found if record.path.parent.name != name and record.boot == boot_id()]
