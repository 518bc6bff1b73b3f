"""The command line: `python -m tests.cluster up`, and so on."""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.cluster import components
from tests.cluster.cache import cache_root
from tests.cluster.choose import choose
from tests.cluster.commands import stop_running
from tests.cluster.consent import agree
from tests.cluster.interface import ClusterError
from tests.cluster.local.control_plane import AUDIT_POLICY
from tests.cluster.progress import say

_DESCRIPTION = """\
Have a Kubernetes cluster. The way is chosen and said: the context that CLUSTER_CONTEXT and CLUSTER_ALLOWED_CONTEXTS
name; kind where a container engine answers; otherwise a real one from parts, built from package registries."""
_EPILOG = """\
environment:
  YES=1                     agree to what `up` lists, without being asked
  CLUSTER_CACHE             where everything is kept (default: real-cluster in the user's cache directory)
  CLUSTER_CONTEXT           use this context of your kubeconfig, if
  CLUSTER_ALLOWED_CONTEXTS  (names with commas between) has it
  CLUSTER_IMAGE_LOADER      how such a cluster gets an image, e.g. 'minikube image load {tag}'
  CLUSTER_WAY               kind or local, where the choice does not please
  KUBEBUILDER_ASSETS        a directory with etcd, kube-apiserver and kubectl to use instead of building them"""


def main(argv: list[str] | None = None) -> int:
    """Return the exit status."""
    arguments = _parser().parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        arguments.act(arguments)
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"interrupted; `python -m tests.cluster down --name {arguments.name}` removes what may be left")
        return 130
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    stop_running()
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m tests.cluster", None, _DESCRIPTION, _EPILOG, formatter_class=formatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--name", default="dev", help="which cluster (default: %(default)s)")

    def command(name: str, act: Callable[[argparse.Namespace], None], help_text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[named], help=help_text, description=help_text)
        added.set_defaults(act=act)
        return added

    up = command("up", _up, "have the cluster up")
    up.add_argument("--control-plane", action="store_true", help="the API alone, without a node; needs no root")
    up.add_argument("--controllers", action="store_true", help="with the controller manager beside it")
    up.add_argument("--fsync", action="store_true", help="let etcd wait for the disk, as for benchmarks")
    up.add_argument("--audit-policy", type=Path, default=AUDIT_POLICY, metavar="FILE", help="instead of our own")
    down = command("down", _down, "take it down; caches and images stay")
    down.add_argument("--purge", action="store_true", help="remove the caches and images too")
    command("status", _status, "what is up")
    build = command("build", _build, "build programs and do nothing else")
    build.add_argument("program", nargs="*", default=[*components.CONTROL_PLANE, *components.NODE])
    image = command("image", _image, "build and load images")
    image.add_argument("what", choices=("build", "load"), help="build TAG from CONTEXT; load TAG into the node")
    image.add_argument("tag")
    image.add_argument("context", type=Path, nargs="?", help="directory to build from")
    image.add_argument("--file", type=Path, help="the Dockerfile, if it is not the context's own")
    image.add_argument("--build-arg", action="append", default=[], metavar="KEY=VALUE")
    advertise = command("advertise", _advertise, "let the node claim a resource that is not there")
    advertise.add_argument("resource", help="for instance nvidia.com/gpu")
    advertise.add_argument("quantity", type=int)
    command("env", _env, "print exports of KUBECONFIG and PATH, for eval")
    kubectl = command("kubectl", _kubectl, "run kubectl against the cluster")
    kubectl.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _up(arguments: argparse.Namespace) -> None:
    cluster, why = choose(
        arguments.name,
        control_plane=arguments.control_plane,
        controllers=arguments.controllers,
        fsync=arguments.fsync,
        audit_policy=arguments.audit_policy,
    )
    say(f"cluster {cluster.name}: {cluster.way}, because {why}")
    agree(cluster.plan())
    cluster.up()
    print("\n".join(cluster.status()))


def _down(arguments: argparse.Namespace) -> None:
    cluster, _ = choose(arguments.name)
    cluster.down(purge=arguments.purge)
    if cache_root().is_dir():
        say(f"  kept in {cache_root()}: programs, images, Go's caches and logs; `down --purge` removes them")


def _status(arguments: argparse.Namespace) -> None:
    cluster, why = choose(arguments.name)
    print("\n".join([f"{cluster.way}, because {why}", *cluster.status()]))


def _build(arguments: argparse.Namespace) -> None:
    components.build(arguments.program)
    print("\n".join(str(components.built_path(name)) for name in arguments.program))


def _image(arguments: argparse.Namespace) -> None:
    cluster, _ = choose(arguments.name)
    if arguments.what == "load":
        cluster.load_image(arguments.tag)
        return
    if arguments.context is None:
        raise ClusterError("image build needs a CONTEXT")
    given = dict(pair.split("=", 1) for pair in arguments.build_arg)
    cluster.build_image(arguments.tag, arguments.context, arguments.file, given)


def _advertise(arguments: argparse.Namespace) -> None:
    cluster, _ = choose(arguments.name)
    cluster.advertise(arguments.resource, arguments.quantity)


def _env(arguments: argparse.Namespace) -> None:
    cluster, _ = choose(arguments.name)
    print(f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")
    print(f"export PATH={shlex.quote(str(cluster.binary('kubectl').parent))}:$PATH")


def _kubectl(arguments: argparse.Namespace) -> None:
    cluster, _ = choose(arguments.name)
    program = cluster.binary("kubectl")
    os.execv(program, [str(program), f"--kubeconfig={cluster.kubeconfig}", *arguments.arguments])


if __name__ == "__main__":
    sys.exit(main())
