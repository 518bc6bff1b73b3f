"""The Debian packages that a node and its images need."""

import os
import shutil

from tests.cluster.commands import run
from tests.cluster.interface import ClusterError
from tests.cluster.progress import step

# Package, and the program that shows that it is there.
_NEEDED = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "iproute2": "ip",
    "conntrack": "conntrack",
    "ethtool": "ethtool",
    "socat": "socat",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}


def missing_packages() -> list[str]:
    """Return the packages that have to be installed."""
    return [package for package, program in _NEEDED.items() if shutil.which(program) is None]


def install_packages() -> None:
    """Install what is missing, without what is merely recommended; the packages stay at `down`."""
    packages = missing_packages()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(f"this needs {', '.join(packages)}: install them, there is no apt-get to do it with")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"installing {', '.join(packages)}"):
        try:
            _install(packages, quiet)
        except ClusterError:  # most often the package lists are old, or there are none yet
            run(["apt-get", "-qq", "update"], env=quiet)
            _install(packages, quiet)


def _install(packages: list[str], env: dict[str, str]) -> None:
    run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages], env=env)


def check_root() -> None:
    """Refuse early and say what to type: a node needs mounts, control groups and network devices."""
    if os.geteuid() != 0:
        raise ClusterError(
            "a node needs root for mounts, control groups and network devices: run this as root, for instance "
            'sudo --preserve-env env "PATH=$PATH" python -m tests.cluster up   (a control plane alone needs none)'
        )
