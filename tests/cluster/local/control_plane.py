"""etcd, the API server and, where asked for, the controller manager and the scheduler."""

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.components import built_path
from tests.cluster.local.certificates import Authority, write_signing_key
from tests.cluster.local.layout import Layout
from tests.cluster.local.probe import probe
from tests.cluster.local.processes import Processes

AUDIT_POLICY = Path(__file__).parent / "audit-policy.yaml"
PORTS = ("etcd", "etcd-peer", "api", "controllers", "scheduler")
_ISSUER = "https://kubernetes.default.svc.cluster.local"
_AUDIT_MEGABYTES = 4096  # tests read one file: it must not be rotated away under them


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The programs that answer the API, at `address`."""

    layout: Layout
    processes: Processes
    address: str
    with_controllers: bool
    with_node: bool
    fsync: bool = False
    audit_policy: Path = AUDIT_POLICY

    @property
    def server(self) -> str:
        """The API's address as a kubeconfig has it."""
        return f"https://{self.address}:{self._port('api')}"

    def start(self) -> None:
        """Return when the API answers, and the programs beside it."""
        self._write_identities()
        self._start_etcd()
        self._start_api()
        if self.with_controllers:
            self._start_controllers()
        if self.with_node:
            self._start_scheduler()
        wait, pki = self.processes.wait_for, self.layout.pki
        wait("the API", probe(f"{self.server}/readyz", pki), 90)
        wait("the default namespace", probe(f"{self.server}/api/v1/namespaces/default", pki), 30)
        if self.with_controllers:  # no Pod is admitted before this is there
            wait("service accounts", probe(f"{self.server}/api/v1/namespaces/default/serviceaccounts/default", pki), 60)
        for name in ("controllers",) * self.with_controllers + ("scheduler",) * self.with_node:
            wait(f"the {name}", probe(f"https://127.0.0.1:{self._port(name)}/healthz", pki, own_certificate=True), 60)

    def _port(self, name: str) -> int:
        return self.processes.record.ports[name]

    def _identity(self, name: str) -> Path:
        return self.layout.home / f"{name}.kubeconfig"

    def _write_identities(self) -> None:
        layout = self.layout
        authority = Authority.create(layout.pki, "ca")
        service = str(layout.services[1])
        dns = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        authority.issue("api", "kube-apiserver", hosts=["127.0.0.1", "localhost", self.address, service, *dns])
        authority.issue("api-to-kubelet", "kube-apiserver", ["system:masters"])
        authority.issue("kubelet-serving", layout.node, hosts=[self.address, layout.node])
        Authority.create(layout.pki, "front-proxy-ca").issue("front-proxy", "front-proxy")
        write_signing_key(layout.pki)
        for name, user, groups in (
            ("admin", "admin", ["system:masters"]),
            ("controllers", "system:kube-controller-manager", []),
            ("scheduler", "system:kube-scheduler", []),
            ("kubelet", f"system:node:{layout.node}", ["system:nodes"]),
            ("proxy", "system:kube-proxy", []),
            ("dns", "dns", ["system:masters"]),
        ):
            authority.write_kubeconfig(self._identity(name), self.server, user, groups, layout.name)

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{self._port(name)}" for name in ("etcd", "etcd-peer"))
        argv: list[str | Path] = [
            built_path("etcd"),
            f"--data-dir={self.layout.home / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
        ]
        self.processes.start("etcd", argv if self.fsync else [*argv, "--unsafe-no-fsync"])

    def _start_api(self) -> None:
        pki, logs = self.layout.pki, self.layout.logs
        # Without the controller manager nobody makes a namespace's default service account, which the plugin demands.
        bare = [] if self.with_controllers else ["--disable-admission-plugins=ServiceAccount"]
        # Endpoints on loopback are not valid: a control plane without Pods leaves its own Service without any.
        alone = [] if self.with_node else ["--endpoint-reconciler-type=none"]
        argv: list[str | Path] = [
            built_path("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self._port('etcd')}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            f"--secure-port={self._port('api')}",
            f"--service-cluster-ip-range={self.layout.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--tls-cert-file={pki / 'api.crt'}",
            f"--tls-private-key-file={pki / 'api.key'}",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'api-to-kubelet.crt'}",
            f"--kubelet-client-key={pki / 'api-to-kubelet.key'}",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            # By name, the API server would ask the machine's DNS for a node that it does not know.
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-key-file={pki / 'sa.pub'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
            f"--proxy-client-key-file={pki / 'front-proxy.key'}",
            f"--audit-policy-file={self.audit_policy}",
            f"--audit-log-path={logs / 'audit.log'}",
            f"--audit-log-maxsize={_AUDIT_MEGABYTES}",
            *bare,
            *alone,
        ]
        self.processes.start("kube-apiserver", argv)

    def _start_controllers(self) -> None:
        pki, layout = self.layout.pki, self.layout
        argv: list[str | Path] = [
            built_path("kube-controller-manager"),
            *self._login("controllers"),
            f"--service-account-private-key-file={pki / 'sa.key'}",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--cluster-signing-cert-file={pki / 'ca.crt'}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
            "--use-service-account-credentials",
            f"--flex-volume-plugin-dir={layout.home / 'volume-plugins'}",  # else it makes one below /usr
            "--allocate-node-cidrs",
            f"--cluster-cidr={layout.pods}",
            f"--node-cidr-mask-size-ipv4={layout.pods.prefixlen}",
            f"--service-cluster-ip-range={layout.services}",
        ]
        self.processes.start("kube-controller-manager", argv)

    def _start_scheduler(self) -> None:
        self.processes.start("kube-scheduler", [built_path("kube-scheduler"), *self._login("scheduler")])

    def _login(self, name: str) -> list[str]:
        kubeconfig = self._identity(name)
        return [
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port(name)}",
            "--leader-elect=false",
        ]
