"""The trainer image with a real bucket and a real volume: versions are trained, served, pruned and reported by Pods."""

import json
import shutil
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from demo.story.kubectl import Manifest
from demo.story.reach import url_of
from demo.story.stage import Stage
from tests.cluster import components
from tests.e2e import platform_models
from tests.e2e.platform_models import BUCKET, S3_DATA, S3_IMAGE, Model, by_hand
from tests.e2e.tenant import Tenant, tenant_of

NAMESPACE = "bucket"
CHURN, WORKLOAD = platform_models.churn(NAMESPACE), platform_models.workload(NAMESPACE)
MODELS = (CHURN, WORKLOAD)
TIME_ZONE = "Europe/Berlin"
# Older than any version that a run of today makes, and known to no policy.
FORGOTTEN = "29990101-000000-1"


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant with one policy a model, and an S3 server of its own."""
    have_s3_image(stage)
    with tenant_of(stage, NAMESPACE) as tenant:
        for manifest in platform_models.s3_server():
            tenant.applies(manifest)
        stage.kubectl("rollout", "status", "deployment/s3", f"--namespace={NAMESPACE}", "--timeout=60s")
        for model in MODELS:
            tenant.applies(platform_models.server_template(model))
        tenant.applies(platform_models.policy(CHURN, report={"schedule": "0 8 * * *", "timeZone": TIME_ZONE}))
        tenant.applies(platform_models.policy(WORKLOAD))
        yield tenant


@pytest.fixture(scope="module")
def served(tenant: Tenant) -> dict[Model, str]:
    """The version of each model that serves."""
    return {model: str(tenant.run_ends(f"{model.policy}-1", "Succeeded", within=180)["version"]) for model in MODELS}


def have_s3_image(stage: Stage) -> None:
    """Put the server that tests/cluster builds into an image."""
    context = stage.build / "s3"
    shutil.copytree(stage.build.parents[1] / "tests/e2e/s3", context, dirs_exist_ok=True)
    components.build(["versitygw"])
    shutil.copy(components.built_path("versitygw"), context)
    stage.cluster.build_image(S3_IMAGE, context)
    stage.cluster.load_image(S3_IMAGE)


def done(tenant: Tenant, *jobs: str, within: float = 90) -> Sequence[str]:
    """Wait until Jobs are complete; returns what each printed."""

    def look() -> tuple[bool | None, str]:
        states = {name: tenant.sees("job", name).get("status", {}) for name in jobs}
        assert not any(state.get("failed") for state in states.values()), {name: printed(tenant, name) for name in jobs}
        return all(state.get("succeeded") for state in states.values()) or None, str(states)

    tenant.stage.wait(f"Jobs {', '.join(jobs)}", look, within)
    return [printed(tenant, name) for name in jobs]


def printed(tenant: Tenant, job: str) -> str:
    """Return what a Job's Pod has printed so far."""
    return tenant.stage.kubectl("logs", f"--namespace={NAMESPACE}", f"job/{job}")


def start_from(tenant: Tenant, cron_job: str) -> str:
    """Start a Job as the schedule would; returns its name."""
    name = f"{cron_job}-now"
    tenant.stage.kubectl("create", "job", name, f"--from=cronjob/{cron_job}", f"--namespace={NAMESPACE}")
    return name


def in_bucket(tenant: Tenant, directory: str = "") -> set[str]:
    """Return the names below a directory of the churn policy's place, as the server has them on its disk."""
    place = f"{S3_DATA}/{BUCKET}/{CHURN.location.removeprefix(f's3://{BUCKET}/')}/{directory}"
    return set(tenant.stage.kubectl("exec", f"--namespace={NAMESPACE}", "deployment/s3", "--", "ls", place).split())


def on_volume(tenant: Tenant) -> set[str]:
    """Return the names at the workload policy's place, as its server sees them."""
    serving = f"service/{WORKLOAD.policy}"
    return set(tenant.stage.kubectl("exec", f"--namespace={NAMESPACE}", serving, "--", "ls", WORKLOAD.location).split())


def today() -> date:
    """Return the day that the report is of."""
    return datetime.now(ZoneInfo(TIME_ZONE)).date()


def ask(tenant: Tenant, model: Model) -> Manifest:
    """Return the answer of the model's Service."""
    url = url_of(tenant.stage.cluster, tenant.stage.kubectl, tenant.stage.companions, NAMESPACE, model.policy)
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(url + model.smoke_test["path"], model.smoke_test["body"].encode(), kind)
    with urllib.request.urlopen(request, timeout=5) as answer:
        document: Manifest = json.load(answer)
    return document


def test_versions_in_a_bucket_and_on_a_volume_are_trained_and_serve(tenant: Tenant, served: dict[Model, str]) -> None:
    assert {model: ask(tenant, model)["modelVersion"] for model in MODELS} == served
    assert in_bucket(tenant, served[CHURN]) == {"manifest.json", "evaluated.safetensors", "shipped.safetensors", "reference.json"}


def test_verify_finds_the_version_of_the_bucket_sound_by_the_digest_of_the_status(tenant: Tenant, served: dict[Model, str]) -> None:
    champion = tenant.sees("modelretrainpolicy", CHURN.policy)["status"]["champion"]
    location = f"{CHURN.location}/{served[CHURN]}"
    tenant.applies(by_hand(CHURN, "verify", "verify", location, f"--digest={champion['digest']}", "--json"))
    [answer] = done(tenant, "verify")
    assert json.loads(answer) == {"sound": True, "version": served[CHURN], "digest": champion["digest"]}


def test_the_prune_cronjob_removes_what_no_policy_keeps_and_nothing_else(tenant: Tenant, served: dict[Model, str]) -> None:
    for model in MODELS:
        train = ("train", f"--model={model.model_type}", f"--version={FORGOTTEN}", f"--artifacts={model.location}", "--epochs=1")
        tenant.applies(by_hand(model, f"forget-{model.policy}", *train))
    done(tenant, *(f"forget-{model.policy}" for model in MODELS))
    assert {FORGOTTEN, served[CHURN]} <= in_bucket(tenant)
    assert {FORGOTTEN, served[WORKLOAD]} <= on_volume(tenant)
    for told in done(tenant, *[start_from(tenant, f"{model.policy}-prune") for model in MODELS]):
        assert f"gone     {FORGOTTEN}" in told
    assert in_bucket(tenant) == {served[CHURN]}
    assert on_volume(tenant) == {served[WORKLOAD]}
    assert {model: ask(tenant, model)["modelVersion"] for model in MODELS} == served


def test_the_report_cronjob_writes_its_page_beside_the_versions(tenant: Tenant, served: dict[Model, str]) -> None:
    before = today()
    [digest] = done(tenant, start_from(tenant, f"{CHURN.policy}-report"))
    assert all(version in digest for version in served.values())
    [page] = in_bucket(tenant, "reports")
    assert page in {f"{before}.html", f"{today()}.html"}
    assert f"{CHURN.location}/reports/{page}" in digest
