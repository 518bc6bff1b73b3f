"""Step 1: a cluster, the operator by Helm, a database with a world in it, Prometheus and Alertmanager."""

import base64
import json
import secrets
import string
import subprocess
from collections.abc import Mapping, Sequence

from demo.story import images
from demo.story.prometheus import Prometheus
from demo.story.reach import url_of
from demo.story.stage import NAMESPACE, ROOT, SYSTEM, Stage
from demo.story.trainer_jobs import run_trainer
from demo.story.waiting import StoryError, must

GPU = "nvidia.com/gpu"
MONITORING = "monitoring"
_PLATFORM = ROOT / "demo/platform"
_MEMBERS = ROOT / "demo/members"
_WAITED_FOR = ((NAMESPACE, "statefulset/postgres"), (MONITORING, "deployment/prometheus"), (MONITORING, "deployment/alertmanager"))
_DISTANT = ("--ignore-not-found", "--wait", "--timeout=120s")


def raise_platform(stage: Stage) -> None:
    """Have everything that stands before the first policy is written."""
    have_images(stage)
    clear_away(stage)
    advertise_gpu(stage)
    install(stage)
    fill_database(stage)


def have_images(stage: Stage) -> None:
    """Build and load every image that the story runs."""
    images.build_and_load(stage.cluster)
    stage.tell("images of the operator, the trainer and the platform are on the node")


def clear_away(stage: Stage) -> None:
    """Remove what an earlier telling left on a cluster that is still up."""
    kubectl = stage.kubectl
    if kubectl.get("namespace", SYSTEM) is None and kubectl.get("namespace", NAMESPACE) is None:
        return
    stage.tell("this cluster has been used before: its policies, runs, database and operator go first")
    kubectl("delete", "namespace", NAMESPACE, MONITORING, SYSTEM, *_DISTANT, timeout=180)
    for kind in ("clusterrole", "clusterrolebinding", "customresourcedefinition"):
        kubectl("delete", kind, "--selector=app.kubernetes.io/name=retrainer", *_DISTANT, timeout=180)


def advertise_gpu(stage: Stage) -> None:
    """Let the node claim a GPU where it has none, and say so."""
    nodes = stage.kubectl.items("nodes")
    if any(int(node["status"]["allocatable"].get(GPU, "0")) for node in nodes):
        stage.tell(f"the node offers {GPU}")
        return
    stage.cluster.advertise(GPU, 1)
    stage.tell(f"this node has no GPU: {GPU} is advertised for the demo, so that Jobs are scheduled by it; the CPU build trains")


def install(stage: Stage) -> None:
    """Apply the platform and install the operator; returns when all of it is ready."""
    kubectl = stage.kubectl
    parts = images.platform(stage.cluster)
    for file in (_MEMBERS / "namespace.yaml", _PLATFORM / "namespace.yaml"):
        kubectl.apply(file.read_text())
    _apply_template(stage, "postgres", {"postgres_image": parts["postgres"], "postgres_password": secrets.token_hex(16)})
    kubectl.apply((_PLATFORM / "prometheus-config.yaml").read_text())
    _apply_template(stage, "prometheus", {"prometheus_image": parts["prometheus"]})
    stage.tell(install_operator(stage))
    kubectl.apply((_PLATFORM / "alertmanager-config.yaml").read_text())
    _apply_template(stage, "alertmanager", {"alertmanager_image": parts["alertmanager"], "webhook_token": _webhook_token(stage)})
    for namespace, what in _WAITED_FOR:
        kubectl("rollout", "status", what, f"--namespace={namespace}", "--timeout=120s", timeout=130)
    stage.prometheus = Prometheus(url_of(stage.cluster, kubectl, stage.companions, MONITORING, "prometheus"))
    stage.tell("Postgres, Prometheus and Alertmanager are ready")


def install_operator(stage: Stage, *settings: str) -> str:
    """Install the operator by Helm and return what Helm says of it."""
    operator, tag = images.OPERATOR.rsplit(":", 1)
    given = (f"image.repository={operator}", f"image.tag={tag}", f"trainerImage={images.TRAINER}", *settings)
    command: Sequence[str] = [
        *(str(stage.cluster.binary("helm")), "upgrade", "--install", "retrainer", str(ROOT / "charts/retrainer")),
        *(f"--kubeconfig={stage.cluster.kubeconfig}", f"--namespace={SYSTEM}", "--create-namespace", "--wait", "--timeout=2m"),
        *(f"--values={_PLATFORM / 'chart/values.yaml'}", *(f"--set={one}" for one in given)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    if done.returncode != 0:
        raise StoryError(f"helm: {done.stderr.strip()}")
    return f"the operator is installed: helm upgrade --install retrainer charts/retrainer --namespace {SYSTEM}"


def fill_database(stage: Stage) -> None:
    """Bring the database to the image's schema and seed a world of more than 200 members up to the day the drift will begin."""
    stage.tell(run_trainer(stage, "migrate", "migrate").strip().splitlines()[-1])
    seeded = run_trainer(stage, "seed", "seed", f"--until={stage.drift_from}", "--json")
    world = json.loads(seeded.strip().splitlines()[-1])
    members = world["world"]["members"]
    must(members >= 200, f"the world has {members} members, 200 were asked for")
    rows, labelled = world["rows"], world["labelledRows"]
    stage.tell(f"seeded {members} members, {rows} snapshots up to {stage.drift_from}, {labelled} with a known outcome")


def _apply_template(stage: Stage, name: str, values: Mapping[str, str]) -> None:
    text = (_PLATFORM / f"{name}.yaml.in").read_text()
    stage.kubectl.apply(string.Template(text).substitute(values))


def _webhook_token(stage: Stage) -> str:
    secret = stage.kubectl.get("secret", "retrainer-webhook", f"--namespace={SYSTEM}")
    if secret is None:
        raise StoryError(f"the chart made no Secret {SYSTEM}/retrainer-webhook")
    return base64.b64decode(secret["data"]["token"]).decode()
