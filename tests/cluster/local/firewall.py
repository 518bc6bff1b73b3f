"""The iptables rules of a node: a few of our own, and the removal of what Kubernetes left."""

import shutil
from collections.abc import Iterator, Sequence

from tests.cluster.commands import run
from tests.cluster.interface import ClusterError
from tests.cluster.local.layout import Layout

_TOOLS = ("iptables", "ip6tables")
_TABLES = ("nat", "filter", "mangle")
_PREFIXES = ("KUBE-", "CNI-")


def own_rules(layout: Layout) -> list[tuple[str, list[str]]]:
    """Return (table, rule) for each rule that is added: Pods reach out, and a FORWARD policy of DROP does not stop them.

    What goes to a Service's address reaches a Pod or nobody. kube-proxy writes one table after the other, and between an old refusal and a
    new destination a connection would leave the machine, for whoever answers there.
    """
    pods, services, bridge = str(layout.pods), str(layout.services), layout.bridge
    mark = ["-m", "comment", "--comment", layout.cgroup]
    return [
        ("nat", ["POSTROUTING", "-s", pods, "!", "-d", pods, *mark, "-j", "MASQUERADE"]),
        ("filter", ["FORWARD", "-i", bridge, *mark, "-j", "ACCEPT"]),
        ("filter", ["FORWARD", "-o", bridge, *mark, "-j", "ACCEPT"]),
        *(("filter", [chain, "-d", services, *mark, "-j", "DROP"]) for chain in ("FORWARD", "OUTPUT")),
    ]


def add_own_rules(layout: Layout) -> None:
    """Put the rules first, so that a policy of other programs does not come before them."""
    for table, (chain, *rule) in own_rules(layout):
        run(["iptables", "-w", "-t", table, "-I", chain, "1", *rule])


def remove_own_rules(layout: Layout) -> None:
    """Take our rules away; those that are not there are no error."""
    for table, rule in own_rules(layout):
        try:
            run(["iptables", "-w", "-t", table, "-C", *rule])
        except ClusterError:
            continue
        run(["iptables", "-w", "-t", table, "-D", *rule])


def kubernetes_chains() -> list[str]:
    """Return "tool table chain" for every chain that Kubernetes or CNI made."""
    return [f"{tool} {table} {chain}" for tool, table, lines in _saved() for chain in _chains(lines)]


def remove_kubernetes_chains(foreign: Sequence[str]) -> None:
    """Remove every such chain but the foreign ones, and every rule that leads into one; a table at a time, at once."""
    for tool, table, lines in _saved():
        doomed = [chain for chain in _chains(lines) if f"{tool} {table} {chain}" not in foreign]
        if doomed:
            run([f"{tool}-restore", "-w", "--noflush"], stdin=removal(table, lines, doomed))


def removal(table: str, saved: Sequence[str], doomed: Sequence[str]) -> str:
    """Return the input of iptables-restore that removes the doomed chains, given what iptables-save printed."""
    leading = [
        line.replace("-A ", "-D ", 1)
        for line in saved
        if line.startswith("-A ") and line.split()[1] not in doomed and _target(line) in doomed
    ]
    emptied = [f":{chain} - [0:0]" for chain in doomed]  # declaring a chain empties it
    removed = [f"-X {chain}" for chain in doomed]
    return "\n".join([f"*{table}", *emptied, *leading, *removed, "COMMIT", ""])


def _target(rule: str) -> str:
    words = rule.split()
    return words[words.index("-j") + 1] if "-j" in words else ""


def _chains(lines: Sequence[str]) -> list[str]:
    names = [line[1:].split()[0] for line in lines if line.startswith(":")]
    return [name for name in names if name.startswith(_PREFIXES)]


def _saved() -> Iterator[tuple[str, str, list[str]]]:
    for tool in _TOOLS:
        for table in _TABLES if shutil.which(tool) else ():
            try:
                yield tool, table, run([f"{tool}-save", "-t", table]).splitlines()
            except ClusterError:  # a kernel without IPv6 has no such table, hence no such chain
                continue
