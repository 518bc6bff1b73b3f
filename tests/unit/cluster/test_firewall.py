"""What is taken out of iptables at the end."""

from tests.cluster.local.firewall import removal

SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -i docker0 -j RETURN
-A KUBE-SERVICES -d 10.130.128.1/32 -j KUBE-SVC-A
COMMIT
""".splitlines()


def test_chains_are_emptied_then_rules_that_lead_there_removed_then_the_chains() -> None:
    assert removal("nat", SAVED, ["KUBE-SERVICES", "KUBE-SVC-A"]).splitlines() == [
        "*nat",
        ":KUBE-SERVICES - [0:0]",
        ":KUBE-SVC-A - [0:0]",
        '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-X KUBE-SERVICES",
        "-X KUBE-SVC-A",
        "COMMIT",
    ]


def test_chains_of_others_are_not_named_at_all() -> None:
    assert "DOCKER" not in removal("nat", SAVED, ["KUBE-SVC-A"])
