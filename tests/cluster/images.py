"""Images without a container engine: buildah builds, a Debian base made here stands in for a registry's."""

import configparser
import hashlib
import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.cluster.cache import BusyError, cache_root, locked
from tests.cluster.commands import run
from tests.cluster.components import built_path
from tests.cluster.interface import ClusterError
from tests.cluster.mounts import unmount_below
from tests.cluster.progress import step

BASE_IMAGE = "localhost/debian-python:bookworm"
_BUILDING, _LOADING = "building images", "loading images"
_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def buildah(*arguments: str | Path, on_line: Callable[[str], None] | None = None, contained: bool = False) -> str:
    """Run buildah on our own storage in the cache; the user's own images are not touched."""
    store = cache_root() / "images"
    place = ("--root", store / "storage", "--runroot", store / "run")
    scratch = store / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return run(["buildah", *place, *arguments], env={"TMPDIR": str(scratch)}, on_line=on_line, contained=contained)


def image_id(tag: str) -> str | None:
    """Return the id of a built image, or None."""
    try:
        return buildah("images", "--no-trunc", "--quiet", tag).strip() or None
    except ClusterError:
        return None


def build(tag: str, context: Path, dockerfile: Path, build_args: Mapping[str, str]) -> None:
    """Build an image; layers whose inputs did not change are taken from the last build."""
    if not dockerfile.is_file():
        raise ClusterError(f"there is no {dockerfile}")
    arguments = dict(build_args)
    declared = re.search(r"^ARG\s+BASE_IMAGE\b", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    if declared and "BASE_IMAGE" not in arguments:
        make_base_image()
        arguments["BASE_IMAGE"] = BASE_IMAGE
    given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    seen = [""]
    with locked(_BUILDING), step(f"building image {tag}", lambda: seen[0]):
        buildah(
            *("bud", "--layers", "--isolation=chroot", "--network=host"),
            *(f"--volume={source}:{target}:ro" for source, target in _machine_settings()),
            *given,
            f"--file={dockerfile.absolute()}",
            f"--tag={tag}",
            context.absolute(),
            on_line=lambda line: seen.__setitem__(0, line[:160]),
            contained=True,
        )


def _machine_settings() -> Iterable[tuple[Path, str]]:
    """Yield (file of this machine, place in the build) for what pip needs to reach its index from here.

    They are mounted while a step runs and leave no trace in the image.
    """
    yield _pip_configuration(), "/etc/pip.conf"
    named = [os.environ.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")]
    for bundle in (*named, _BUNDLE):
        if bundle and Path(bundle).is_file():
            yield Path(bundle), _BUNDLE
            return


def _pip_configuration() -> Path:
    """Return one pip.conf that says what this machine's files and PIP_ variables say together."""
    merged = configparser.RawConfigParser()
    home = Path.home()
    merged.read(["/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf", os.environ.get("PIP_CONFIG_FILE", "")])
    if not merged.has_section("global"):
        merged.add_section("global")
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "TRUSTED_HOST", "DEFAULT_TIMEOUT", "RETRIES"):
        if value := os.environ.get(f"PIP_{name}"):
            merged.set("global", name.lower().replace("_", "-"), value)
    merged.set("global", "cert", _BUNDLE)
    path = cache_root() / "images" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        merged.write(file)
    return path


def make_base_image() -> None:
    """Make the base image, unless it is there: Debian with Python, and `python` and `pip` as the public image has them."""
    with locked(_BUILDING):
        if image_id(BASE_IMAGE):
            return
        with step(f"making {BASE_IMAGE} with debootstrap"):
            container = buildah("from", "scratch").strip()
            try:
                root = Path(buildah("mount", container).strip())
                options = ("--variant=minbase", f"--include={_PACKAGES}")
                run(["debootstrap", *options, "bookworm", root], contained=True)
                _finish_base(root)
                buildah("config", "--env=PYTHONUNBUFFERED=1", "--cmd=python3", container)
                buildah("commit", "--quiet", container, BASE_IMAGE)
            finally:
                buildah("rm", container)


def _finish_base(root: Path) -> None:
    for name in ("python", "pip"):
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{name}3")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()  # in an image pip may install where it likes, as in the public one
    for heap in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / heap)
        (root / heap).mkdir()


def make_pause_image(tag: str) -> None:
    """Make the image that holds a Pod's namespaces, unless it is there."""
    if image_id(tag):
        return
    context = cache_root() / "images" / "pause"
    context.mkdir(parents=True, exist_ok=True)
    shutil.copy(built_path("pause"), context / "pause")
    dockerfile = context / "Dockerfile"
    dockerfile.write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n', encoding="utf-8")
    build(tag, context, dockerfile, {})


def load(ctr: Callable[..., str], tag: str) -> None:
    """Give containerd an image's layers that it does not hold yet; `ctr` runs its client."""
    identity = image_id(tag)
    if identity is None:
        raise ClusterError(f"no image {tag} was built")
    known = cache_root() / "images" / "loaded.json"
    with locked(_LOADING):
        loaded = json.loads(known.read_text()) if known.is_file() else {}
        if loaded.get(tag) == identity and tag in ctr("images", "ls", "-q").split():
            return
        with step(f"loading image {tag}"):
            archive = known.with_name("export.tar")
            _export(tag, set(ctr("content", "ls", "-q").split()), archive)
            ctr("images", "import", archive)
            archive.unlink()
            if replaced := loaded.get(tag):  # containerd keeps what a tag pointed to under its id
                ctr("images", "rm", replaced)
        known.write_text(json.dumps({**loaded, tag: identity}, indent=1))


def _export(tag: str, held: set[str], write_to: Path) -> None:
    """Write an OCI archive of an image, without the blobs whose digests are `held` already.

    The `dir` transport is the one that leaves layers uncompressed: packing two gigabytes costs more than copying them.
    """
    folder = cache_root() / "images" / "export"
    shutil.rmtree(folder, ignore_errors=True)
    buildah("push", "--quiet", "--disable-compression", tag, f"dir:{folder}")
    manifest = (folder / "manifest.json").read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    (folder / digest).write_bytes(manifest)
    descriptor = {
        "mediaType": json.loads(manifest)["mediaType"],
        "digest": f"sha256:{digest}",
        "size": len(manifest),
        "annotations": {"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": tag},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    with tarfile.open(write_to, "w") as archive:
        archive.add(folder / "oci-layout", "oci-layout")
        archive.add(folder / "index.json", "index.json")
        for blob in folder.iterdir():
            if len(blob.name) == len(digest) and f"sha256:{blob.name}" not in held:
                archive.add(blob, f"blobs/sha256/{blob.name}")
    shutil.rmtree(folder)


def tidy() -> None:
    """Remove what a build that was killed left: its containers and mounts. What is under way is left alone."""
    store = cache_root() / "images"
    if not store.is_dir():
        return
    with suppress(BusyError), locked(_BUILDING, patience=0), locked(_LOADING, patience=0):
        if (store / "storage").is_dir():
            buildah("rm", "--all")
        unmount_below(store)
        shutil.rmtree(store / "tmp", ignore_errors=True)
