"""A real data plane of the Gateway API: Traefik as a process of this machine, and addresses for pods that an EndpointSlice may hold."""

import asyncio
import base64
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.kubectl import Kubectl
from tests.cluster.local.cluster import LocalCluster
from tests.integration.account import Account
from tests.stand_ins.api import Api

Manifest = dict[str, Any]

GATEWAY: Final = "public"
_NAMESPACE: Final = "gateways"
_ACCOUNT: Final = "traefik"
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


def remove_kinds(cluster: LocalCluster, account: Account) -> None:
    """Let it forget them and all objects of them."""
    account.kubectl("delete", "--ignore-not-found", "--timeout=60s", "--filename", str(cluster.binary("gateway-api.yaml")))


class DataPlane:
    """One Traefik with one Gateway, which admits routes of every namespace."""

    def __init__(self, cluster: LocalCluster, kubectl: Kubectl, api: Api, home: Path) -> None:
        self._cluster = cluster
        self._kubectl = kubectl
        self._api = api
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    async def start(self) -> None:
        """Return when its Gateway listens."""
        await asyncio.to_thread(self._give_account)
        by = {"controllerName": "traefik.io/gateway-controller"}
        await self._api.create("gatewayclasses", _object("GatewayClass", "traefik", by))
        listener = {"name": "web", "protocol": "HTTP", "port": self.port, "allowedRoutes": {"namespaces": {"from": "All"}}}
        spec = {"gatewayClassName": "traefik", "listeners": [listener]}
        await self._api.create("gateways", _object("Gateway", GATEWAY, spec, _NAMESPACE))
        process = self._process = await asyncio.to_thread(self._launch)
        async with asyncio.timeout(60):
            while not await self._is_programmed():
                assert process.poll() is None, (self._home / "traefik.log").read_text(encoding="utf-8")[-2000:]
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End it; its account goes with its namespace."""
        if self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, 30)
        given = (f"namespace/{_NAMESPACE}", f"clusterrolebinding/{_ACCOUNT}")
        await asyncio.to_thread(self._kubectl, "delete", "--wait=false", *given)

    def _launch(self) -> "subprocess.Popen[bytes]":
        program = self._cluster.binary("traefik")
        with (self._home / "traefik.log").open("wb") as log:
            return subprocess.Popen([str(program), *self._flags()], stdout=log, stderr=log)

    def _give_account(self) -> None:
        self._kubectl("create", "namespace", _NAMESPACE)
        self._kubectl("create", "serviceaccount", _ACCOUNT, f"--namespace={_NAMESPACE}")
        subject = f"--serviceaccount={_NAMESPACE}:{_ACCOUNT}"
        self._kubectl("create", "clusterrolebinding", _ACCOUNT, "--clusterrole=cluster-admin", subject)

    def _flags(self) -> list[str]:
        kubeconfig = yaml.safe_load(self._cluster.kubeconfig.read_text(encoding="utf-8"))
        server = kubeconfig["clusters"][0]["cluster"]
        provider = {
            "endpoint": server["server"],
            "token": self._kubectl("create", "token", _ACCOUNT, f"--namespace={_NAMESPACE}", "--duration=2h").strip(),
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

    def _authority(self, encoded: str) -> str:
        path = self._home / "ca.crt"
        path.write_bytes(base64.b64decode(encoded))
        return str(path)

    async def _is_programmed(self) -> bool:
        gateway = await self._api.get("gateways", _NAMESPACE, GATEWAY)
        conditions = ((gateway or {}).get("status") or {}).get("conditions") or []
        return any(one["type"] == "Programmed" and one["status"] == "True" for one in conditions)


def parent() -> Manifest:
    """Return the reference of the Gateway."""
    return {"name": GATEWAY, "namespace": _NAMESPACE}


def _object(kind: str, name: str, spec: Manifest, namespace: str = "") -> Manifest:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
    return port
