"""The local cluster as a whole: what it needs, in which order it comes up, and how all of it goes away again."""

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from tests.cluster import components, images, kubectl
from tests.cluster.cache import cache_root, locked
from tests.cluster.interface import Change, ClusterError, Way
from tests.cluster.local import debian, firewall, leftovers, network, storage, sysctls, teardown
from tests.cluster.local.control_plane import AUDIT_POLICY, PORTS, ControlPlane
from tests.cluster.local.layout import Layout, check_home, free_ports, free_subnet
from tests.cluster.local.node import PAUSE_IMAGE, Node
from tests.cluster.local.processes import Processes
from tests.cluster.local.record import Record, boot_id
from tests.cluster.progress import say, step


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A cluster of this machine's own processes: a control plane, and a node unless `control_plane` is set.

    `controllers` adds the controller manager to a control plane (Jobs make Pods, namespaces are emptied, owned
    objects are collected). `fsync` makes etcd wait for the disk, as benchmarks want it.
    """

    name: str
    control_plane: bool = False
    controllers: bool = False
    fsync: bool = False
    audit_policy: Path = AUDIT_POLICY

    @property
    def way(self) -> Way:
        """Always local."""
        return Way.LOCAL

    @property
    def has_node(self) -> bool:
        """Whether Pods run: as it was made when it is up, else as it was asked for."""
        record = self._record()
        return record.with_node if record.complete else not self.control_plane

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._layout().kubeconfig

    @property
    def audit_log(self) -> Path | None:
        """The API server's audit log; it stays after `down`, until the next `up`."""
        return self._layout().logs / "audit.log"

    @property
    def services(self) -> IPv4Network:
        """The addresses of Services; known once it is up."""
        return self._layout().services

    def plan(self) -> Sequence[Change]:
        """What `up` would build, install and change."""
        changes = []
        if programs := components.missing(self._programs()):
            changes.append(Change(f"build from Go modules: {', '.join(programs)}", system=False))
            if not components.has_go():
                changes.append(Change("install a Go toolchain from PyPI into the cache", system=False))
        if not self.control_plane:
            changes += self._node_changes()
        return changes

    def up(self) -> None:
        """Return when everything answers; take away first what an earlier attempt left."""
        if not self.control_plane:
            debian.check_root()
        check_home(self._layout())
        with locked(f"cluster {self.name}"):
            if self._is_up():
                say(f"  cluster {self.name} is up already")
                return
            if self._works():
                raise ClusterError(f"cluster {self.name} is up with less than this: take it down first")
            teardown.clean(self.name)
            self._prepare()
            try:
                self._start()
            except BaseException:
                teardown.clean(self.name)
                raise

    def down(self, *, purge: bool = False) -> None:
        """End and remove everything; with `purge` also the caches, of all clusters, when none is up."""
        with locked(f"cluster {self.name}"), step(f"taking down {self.name}"):
            teardown.clean(self.name)
            images.tidy()
        if purge:
            teardown.purge()

    def status(self) -> Sequence[str]:
        """Processes and addresses, and what a local cluster cannot do."""
        record, layout = self._record(), self._layout()
        if not record.exists():
            return [f"{self.name}: down" + f"; logs of the last time in {layout.logs}" * layout.logs.is_dir()]
        alive = {process.name for process in record.alive()}
        states = [f"{one.name} ({one.pid if one.name in alive else 'gone'})" for one in record.processes]
        lines = [
            f"{self.name}: {'up' if self._works() else 'broken; `up` or `down` cleans up'}; {', '.join(states)}",
            f"  kubeconfig {layout.kubeconfig}, logs in {layout.logs}",
        ]
        if record.with_node:
            lines += [
                f"  node {layout.node} at {layout.address}, Pods {layout.pods}, Services {layout.services}",
                f"  storage class {storage.STORAGE_CLASS}: {storage.VOLUMES} volumes made beforehand, each for one claim",
                "  NetworkPolicy objects are accepted and not enforced; Services of type LoadBalancer stay pending",
            ]
        return lines

    def build_image(
        self,
        tag: str,
        context: Path,
        dockerfile: Path | None = None,
        build_args: Mapping[str, str] | None = None,
    ) -> None:
        """Build with buildah; a Dockerfile with ARG BASE_IMAGE gets Debian with Python unless it is given another."""
        debian.check_root()
        with locked("debian packages"):
            debian.install_packages()
        images.build(tag, context, dockerfile or context / "Dockerfile", build_args or {})

    def load_image(self, tag: str) -> None:
        """Give containerd the layers of an image that it does not hold yet."""
        if not self.has_node:
            raise ClusterError(f"cluster {self.name} has no node to load {tag} into")
        if not self._works():
            raise ClusterError(f"cluster {self.name} is not up")
        images.load(self._node().ctr, tag)

    def advertise(self, resource: str, quantity: int) -> None:
        """Patch the node's capacity, and return when Pods can be scheduled with it."""
        if not self.has_node:
            raise ClusterError(f"cluster {self.name} has no node")
        kubectl.advertise(self._kubectl, self._layout().node, resource, quantity)

    def binary(self, name: str) -> Path:
        """Return a program of the components' table, built when it is first asked for."""
        components.build([name])
        return components.built_path(name)

    def _layout(self) -> Layout:
        return teardown.layout_of(self.name, self._record())

    def _record(self) -> Record:
        return Record.read(Layout(self.name).state)

    def _processes(self) -> Processes:
        return Processes(self._record(), self._layout().logs)

    def _node(self) -> Node:
        return Node(self._layout(), self._processes())

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return kubectl.run_kubectl(self.binary("kubectl"), self.kubeconfig, *arguments, stdin=stdin)

    def _works(self) -> bool:
        record = self._record()
        return record.complete and len(record.alive()) == len(record.processes)

    def _is_up(self) -> bool:
        """Whether it is up as it was asked for, or as more than that."""
        record = self._record()
        enough = (record.with_node or self.control_plane) and (record.controllers or not self.controllers)
        return enough and self._works()

    def _programs(self) -> tuple[str, ...]:
        if not self.control_plane:
            return (*components.CONTROL_PLANE, *components.NODE)
        return (*components.CONTROL_PLANE, *(components.CONTROLLERS if self.controllers else ()))

    def _node_changes(self) -> list[Change]:
        debian.check_root()  # before anybody is asked about anything
        changes = []
        if packages := debian.missing_packages():
            changes.append(Change(f"install Debian packages, which stay: {', '.join(packages)}"))
        if not (cache_root() / "images").is_dir():
            changes.append(Change(f"make the image {images.BASE_IMAGE} with debootstrap", system=False))
        if not self._is_up():
            bridge = f"a bridge {Layout(self.name).bridge} with a free network of 10.128.0.0/10"
            settings = f"the kernel's {', '.join(sysctls.NEEDED)} and what the kubelet sets (restored)"
            temporary = (bridge, f"a control group {Layout(self.name).cgroup}", settings, "iptables rules")
            changes += [Change(f"until `down`: {what}") for what in temporary]
        return changes

    def _prepare(self) -> None:
        """Compile while packages and the base image are fetched: the one takes the processor, the other the network."""
        if self.control_plane:
            components.build(self._programs())
            return
        with ThreadPoolExecutor() as pool:
            building = pool.submit(components.build, self._programs())
            with locked("debian packages"):
                debian.install_packages()
            images.make_base_image()
            building.result()
        images.make_pause_image(PAUSE_IMAGE)

    def _start(self) -> None:
        shutil.rmtree(self._layout().logs, ignore_errors=True)
        record = self._record()
        record.boot = boot_id()
        record.with_node, record.controllers = not self.control_plane, self.controllers or not self.control_plane
        record.ports = free_ports(PORTS)
        taken = network.routed_networks() if record.with_node else []
        record.subnet = str(free_subnet(self.name, taken))
        if record.with_node:
            teardown.refuse_second_node(self.name)
            record.sysctls = sysctls.current()
            record.foreign_chains = firewall.kubernetes_chains()
            record.made_directories = leftovers.absent()
        record.write()
        layout = self._layout()
        processes = Processes(record, layout.logs)
        if record.with_node:
            self._start_node(Node(layout, processes))
        else:
            self._start_control_plane(processes, "127.0.0.1")
        record.complete = True
        record.write()

    def _start_control_plane(self, processes: Processes, address: str) -> None:
        record = processes.record
        control_plane = ControlPlane(
            layout=self._layout(),
            processes=processes,
            address=address,
            with_controllers=record.controllers,
            with_node=record.with_node,
            fsync=self.fsync,
            audit_policy=self.audit_policy.absolute(),
        )
        with step(f"starting the control plane at {control_plane.server}"):
            control_plane.start()

    def _start_node(self, node: Node) -> None:
        layout, processes = node.layout, node.processes
        with step(f"making the bridge {layout.bridge} ({layout.address})"):
            network.make_bridge(layout)
            network.write_cni(layout)
        with step("starting containerd"):
            node.start_containerd()
            images.load(node.ctr, PAUSE_IMAGE)
        self._start_control_plane(processes, str(layout.address))
        with step(f"starting the node {layout.node}, kube-proxy and DNS"):
            node.start_kubelet()
            network.start_proxy(layout, processes)
            network.start_dns(layout, processes)
            storage.offer_volumes(layout.home / "volumes", self._kubectl)
            node.wait_until_ready(self._kubectl)
            network.wait_until_reachable(layout, processes)
