"""The one node: containerd and a kubelet, and the removal of every trace of them."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cache import cache_root
from tests.cluster.commands import run
from tests.cluster.components import built_path
from tests.cluster.interface import ClusterError
from tests.cluster.local.layout import Layout
from tests.cluster.local.processes import Processes
from tests.cluster.mounts import unmount_below

PAUSE_IMAGE = "localhost/pause:local"
_CGROUPS = Path("/sys/fs/cgroup")
_NAMESPACE = "k8s.io"


@dataclass(frozen=True, slots=True)
class Node:
    """containerd keeps its images in the cache, so that the next `up` finds them; all else is the cluster's own."""

    layout: Layout
    processes: Processes

    def start_containerd(self) -> None:
        """Return when containerd answers on the cluster's socket."""
        config = self.layout.home / "containerd.toml"
        config.write_text(_containerd_config(self.layout), encoding="utf-8")
        self.processes.start("containerd", ["containerd", "--config", config])
        self.processes.wait_for("containerd", self._containerd_answers, 30)

    def ctr(self, *arguments: str | Path) -> str:
        """Run containerd's own client where the kubelet's images and containers are."""
        return run(["ctr", "--address", self.layout.socket, "--namespace", _NAMESPACE, *arguments])

    def start_kubelet(self) -> None:
        """Start the kubelet, which registers the node."""
        for hierarchy in _hierarchies():
            (hierarchy / self.layout.cgroup).mkdir(exist_ok=True)
        config = self.layout.home / "kubelet.json"
        config.write_text(json.dumps(_kubelet_config(self.layout), indent=1), encoding="utf-8")
        argv: list[str | Path] = [
            built_path("kubelet"),
            f"--config={config}",
            f"--kubeconfig={self.layout.home / 'kubelet.kubeconfig'}",
            f"--hostname-override={self.layout.node}",
            f"--node-ip={self.layout.address}",
            f"--root-dir={self.layout.home / 'kubelet'}",
        ]
        self.processes.start("kubelet", argv)

    def wait_until_ready(self, kubectl: Callable[..., str]) -> None:
        """Return when the node is Ready."""
        path = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}'

        def probe() -> str:
            try:
                said = kubectl("get", "node", self.layout.node, path)
            except ClusterError as error:
                return str(error)
            return "" if said.startswith("True") else f"not ready: {said}"

        self.processes.wait_for("the node", probe, 120)

    def remove_containers(self) -> None:
        """Remove all containers, so that the kept image store knows of none; needs containerd."""
        for kind, removal in (("tasks", ["rm", "--force"]), ("containers", ["rm"])):
            for one in self.ctr(kind, "ls", "-q").split():
                with suppress(ClusterError):  # it may have ended by itself meanwhile
                    self.ctr(kind, *removal, one)

    def remove_traces(self) -> None:
        """End what still runs in the cluster's control groups, then remove those, mounts and links."""
        _end_groups(self.layout.cgroup)
        self._end_shims()
        unmount_below(self.layout.home)
        pods = str(self.layout.home / "pod-logs")
        for link in Path("/var/log/containers").glob("*.log"):
            if str(link.readlink()).startswith(pods):
                link.unlink()
        for left in Path("/var/lib/cni").glob(f"*/{self.layout.cgroup}-*"):
            left.unlink()

    def _end_shims(self) -> None:
        """A shim outlives containerd; its command line names the socket that it was started for."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if words[0].endswith("containerd-shim-runc-v2") and str(self.layout.socket) in words:
                os.kill(int(process.name), signal.SIGKILL)

    def _containerd_answers(self) -> str:
        try:
            self.ctr("version")
        except ClusterError as error:
            return str(error)
        return ""


def _hierarchies() -> Iterator[Path]:
    """Yield the roots of the control groups: one in version 2, one for each controller in version 1."""
    if (_CGROUPS / "cgroup.controllers").is_file():
        yield _CGROUPS
    else:
        yield from (path for path in _CGROUPS.iterdir() if (path / "cgroup.procs").is_file() and not path.is_symlink())


def _end_groups(name: str) -> None:
    for attempt in range(50):
        groups = [root / name for root in _hierarchies() if (root / name).is_dir()]
        if not groups:
            return
        for pid in {pid for group in groups for pid in _pids_in(group)}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for group in groups:
            _remove_group(group)
        time.sleep(0.02 * attempt)
    raise ClusterError(f"processes in the control group {name} do not end")


def _pids_in(group: Path) -> Iterator[int]:
    for processes in group.rglob("cgroup.procs"):
        try:
            yield from (int(pid) for pid in processes.read_text().split())
        except OSError:
            continue


def _remove_group(group: Path) -> None:
    """Remove a group's directories from the deepest; those in use are left for the next attempt."""
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError:
            continue


def _containerd_config(layout: Layout) -> str:
    # The CRI plugin gives containers a negative OOM score unless it is restricted; a machine without
    # CAP_SYS_RESOURCE then fails every sandbox with "can't get final child's PID from pipe: EOF".
    return f"""\
version = 2
root = "{cache_root() / "containerd"}"
state = "{layout.home / "containerd"}"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "{layout.socket}"
[ttrpc]
address = "{layout.socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{layout.home / "cni"}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{layout.home / "runc"}"
"""


def _kubelet_config(layout: Layout) -> dict[str, object]:
    address, home, pki = str(layout.address), layout.home, layout.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "healthzBindAddress": address,
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(pki / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-serving.key"),
        "containerRuntimeEndpoint": f"unix://{layout.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "clusterDNS": [address],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(home / "pod-logs"),
        "volumePluginDir": str(home / "kubelet" / "volume-plugins"),
        # A developer's disk is often nearly full: that must neither evict Pods nor remove images that were loaded.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        "serializeImagePulls": False,
        # A resource that is advertised becomes allocatable at the next status.
        "nodeStatusUpdateFrequency": "2s",
        "nodeLeaseDurationSeconds": 40,
    }
