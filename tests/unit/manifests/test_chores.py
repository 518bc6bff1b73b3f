from dataclasses import replace

from retrainer.core import naming
from retrainer.core.chore import ChoreSeen
from retrainer.core.observation import PolicySeen
from retrainer.manifests.chores import chores, compared
from tests.builders import a_policy, an_identity

REPORT = {"schedule": "0 8 * * *", "time_zone": "Europe/Berlin"}


def made(policy: PolicySeen, image: str = "trainer:1") -> list[ChoreSeen]:
    """Return what the cluster holds once the policy's chores have been applied."""
    return [
        ChoreSeen(an_identity(chore["metadata"]["name"]), chore["metadata"]["annotations"][naming.MANIFEST_DIGEST])
        for chore in chores(policy, image)
    ]


def test_every_policy_prunes_once_a_day_in_a_minute_of_its_own() -> None:
    [prune] = chores(a_policy(), "trainer:1")
    assert prune["metadata"]["name"] == "churn-risk-prune"
    minute, hour, *rest = prune["spec"]["schedule"].split()
    assert int(minute) < 60
    assert int(hour) < 24
    assert (rest, prune["spec"]["timeZone"]) == (["*", "*", "*"], "Etc/UTC")
    others = [replace(a_policy(), identity=an_identity(f"policy-{number}")) for number in range(50)]
    assert len({chores(other, "t")[0]["spec"]["schedule"] for other in others}) > 40
    assert chores(a_policy(), "trainer:1") == chores(a_policy(), "trainer:1")


def test_pruning_knows_the_policy_and_where_its_versions_are_and_no_database() -> None:
    [prune] = chores(a_policy(), "trainer:1")
    pod = prune["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert (pod["serviceAccountName"], container["image"], container["args"]) == ("retrainer-monitor", "trainer:1", ["prune"])
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment == {"POLICY": "churn-risk", "POD_NAMESPACE": None, "ARTIFACTS_PATH": "/artifacts/members/churn-risk"}
    assert {"name": "artifacts", "persistentVolumeClaim": {"claimName": "models"}} in pod["volumes"]


def test_pruning_a_bucket_has_its_credentials_from_the_secret() -> None:
    bucket = {"bucket": "models", "endpoint": "https://s3.example", "secret_name": "models-s3"}
    [prune] = chores(a_policy(artifacts={"s3": bucket, "persistent_volume_claim": None}), "trainer:1")
    [container] = prune["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one for one in container["env"]}
    assert environment["ARTIFACTS_PATH"]["value"] == "s3://models/members/churn-risk"
    assert environment["AWS_ACCESS_KEY_ID"]["valueFrom"]["secretKeyRef"]["name"] == "models-s3"


def test_a_report_runs_the_charts_image_by_its_time_zone_and_as_the_monitor() -> None:
    [_, report] = chores(a_policy(report=REPORT), "trainer:1")
    spec = report["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 8 * * *", "Europe/Berlin", "Forbid")
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "retrainer-monitor"
    [container] = pod["containers"]
    assert (container["image"], container["args"]) == ("trainer:1", ["report"])
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment["ARTIFACTS_PATH"] == "/artifacts/members/churn-risk"
    assert environment["REPORT_TIME_ZONE"] == "Europe/Berlin"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    [owner] = report["metadata"]["ownerReferences"]
    assert (owner["name"], owner["controller"]) == ("churn-risk", True)


def test_its_pods_are_not_among_those_that_the_operator_watches() -> None:
    [_, report] = chores(a_policy(report=REPORT), "trainer:1")
    template = report["spec"]["jobTemplate"]
    assert naming.MANAGED_BY not in template["metadata"]["labels"] | template["spec"]["template"]["metadata"]["labels"]
    assert report["metadata"]["labels"][naming.MANAGED_BY] == "retrainer"


def test_what_was_made_is_current_until_anything_that_matters_changes() -> None:
    policy = a_policy(report=REPORT)
    assert compared(policy, "trainer:1", made(policy)) == (True, ())
    assert compared(policy, "trainer:1", []) == (False, ())
    assert compared(policy, "trainer:2", made(policy)) == (False, ())
    assert compared(a_policy(report=REPORT | {"schedule": "0 9 * * *"}), "trainer:1", made(policy)) == (False, ())


def test_what_is_no_longer_asked_for_is_unwanted() -> None:
    prune, report = made(a_policy(report=REPORT))
    assert compared(a_policy(), "trainer:1", [prune, report]) == (True, (report.identity,))


def test_the_longest_policys_chores_fit_the_name_of_a_cron_job() -> None:
    policy = a_policy(report=REPORT)
    longest = replace(policy, identity=an_identity("p" * 35))
    assert max(len(chore["metadata"]["name"]) for chore in chores(longest, "trainer:1")) <= 52
