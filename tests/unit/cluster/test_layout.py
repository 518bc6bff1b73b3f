"""Names and addresses of a local cluster."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from tests.cluster.cache import cache_root, cluster_home
from tests.cluster.interface import ClusterError
from tests.cluster.local.layout import Layout, free_subnet


def test_a_name_always_leads_to_the_same_network_when_that_is_free() -> None:
    assert free_subnet("dev", []) == free_subnet("dev", [])
    assert free_subnet("dev", []) != free_subnet("other", [])


def test_a_network_that_the_machine_reaches_already_is_left_alone() -> None:
    own = free_subnet("dev", [])
    taken = [IPv4Network(f"{own[77]}/32"), IPv4Network("192.0.2.0/24")]
    assert not free_subnet("dev", taken).overlaps(own)


def test_a_machine_without_a_free_network_is_told_so() -> None:
    with pytest.raises(ClusterError, match="no free network"):
        free_subnet("dev", [IPv4Network("10.0.0.0/8")])


def test_pods_and_services_share_a_subnet_without_overlap() -> None:
    layout = Layout("dev", IPv4Network("10.130.0.0/16"))
    assert layout.pods == IPv4Network("10.130.0.0/20")
    assert layout.services == IPv4Network("10.130.128.0/17")
    assert layout.address == IPv4Address("10.130.0.1")


def test_a_bridge_has_a_name_that_the_kernel_takes() -> None:
    assert len(Layout("a-rather-long-name-of-30-chars").bridge) <= 15


@pytest.mark.parametrize("name", ["", "..", "a/b", "Dev", "-dev", "x" * 31])
def test_a_name_that_could_lead_astray_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="no name for a cluster"):
        cluster_home(name)


def test_the_cache_lies_where_the_environment_says() -> None:
    assert cache_root({"CLUSTER_CACHE": "/var/tmp/c", "XDG_CACHE_HOME": "/x"}) == Path("/var/tmp/c")
    assert cache_root({"XDG_CACHE_HOME": "/x"}) == Path("/x/real-cluster")
    assert cache_root({}) == Path.home() / ".cache" / "real-cluster"
