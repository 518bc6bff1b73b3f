"""Input that can be told to be wrong without the operator: the API server refuses it, in the words of the schema."""

import copy
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.cluster.local.cluster import LocalCluster
from tests.integration import team
from tests.integration.account import Account
from tests.stand_ins.api import Api, ApiError

pytestmark = pytest.mark.asyncio(loop_scope="session")
NAMESPACE = "default"
Manifest = dict[str, Any]

ONE_MEMBER = "a trigger has exactly one of schedule, metric, schema, alert: split it into two triggers with names of their own"
ONE_STORE = "artifacts are in exactly one of persistentVolumeClaim, s3: remove the other"
BUCKET = {"bucket": "models", "endpoint": "https://s3.example", "secretName": "models-s3"}
SCHEDULE = {"cron": "0 3 1 * *"}
ALERT = {"matchLabels": {"alertname": "ModelDrift"}}


def spec(**changes: Any) -> Manifest:  # noqa: ANN401 - fields of the spec
    return team.policy(NAMESPACE, **changes)


def rollout(**metric: Any) -> Manifest:  # noqa: ANN401 - fields of the metric
    return spec(rollout={"metrics": [metric]})


def gate(**metric: Any) -> Manifest:  # noqa: ANN401 - fields of the metric
    return spec(gate={"metrics": [{"name": "accuracy"} | metric]})


def trigger(**members: Any) -> Manifest:  # noqa: ANN401 - fields of the trigger
    return spec(triggers=[{"name": "both", **members}])


def metric(**members: Any) -> Manifest:  # noqa: ANN401 - fields of the metric
    return trigger(metric=members)


REFUSED: dict[str, tuple[Manifest, str]] = {
    "two members in one trigger": (trigger(schedule=SCHEDULE, alert=ALERT), ONE_MEMBER),
    "no member in a trigger": (trigger(), ONE_MEMBER),
    "a schedule that is an emergency": (trigger(schedule=SCHEDULE, emergency={"maxWeight": 50}), "only an alert can be an emergency"),
    "an emergency that does not say why": (team.run(NAMESPACE, "shock", emergency={"maxWeight": 50}), "spec.emergency.reason"),
    "a priority above 100": (trigger(schedule=SCHEDULE, priority=101), "should be less than or equal to 100"),
    "a drop of what is better when lower": (metric(preset="Latency", maxDrop=0.1), "better when lower: set max, or maxRise"),
    "a floor under a drift": (metric(preset="FeatureDrift", min=0.1), "better when lower: set max, or maxRise"),
    "a rise of what is better when higher": (metric(preset="Accuracy", maxRise=0.1), "better when higher: set min, or maxDrop"),
    "a metric that is preset and query": (metric(preset="Accuracy", query="x", min=0.7), "either a preset or a query: set one of the two"),
    "a metric that is neither": (metric(min=0.7), "either a preset or a query: set one of the two"),
    "a metric with two bounds": (metric(preset="Accuracy", min=0.7, maxDrop=0.1), "set exactly one of min, max, maxDrop and maxRise"),
    "a metric without a bound": (metric(preset="Accuracy"), "set exactly one of min, max, maxDrop and maxRise"),
    "a query against a baseline": (metric(query="x", maxDrop=0.1), "so the champion has no baseline of it: set min or max"),
    "a query with a window": (metric(query="x", max=1, window="5m"), "write them into the query"),
    "a trigger's ratio above 1": (metric(preset="Confidence", min=70), "this preset is a ratio between 0 and 1: 5 points are 0.05"),
    "a bound below what there can be": (metric(preset="Latency", max=-1), "no preset is ever negative"),
    "too many triggers against the baseline": (
        spec(triggers=[{"name": f"t{n}", "metric": {"preset": "Accuracy", "maxDrop": 0.1}} for n in range(9)]),
        "at most 8 triggers compare with the champion's baseline",
    ),
    "a gate's ratio above 1": (gate(min=1.5), "this metric is a ratio between 0 and 1: 85 % is 0.85"),
    "a gate metric with floor and ceiling": (
        gate(min=0.5, max=0.9),
        "one of the two, beside maxRegression too",
    ),
    "a gate whose floor is above its ceiling": (gate(min=0.9, max=0.5), "one of the two, beside maxRegression too"),
    "a gate metric without a bound": (gate(), "one of the two, beside maxRegression too"),
    "a gate without metrics": (spec(gate={"metrics": []}), "spec.gate.metrics in body should have at least 1 items"),
    "a ceiling on Accuracy": (rollout(preset="Accuracy", max=0.9), "this preset is better when higher: set min, not max"),
    "a floor on ErrorRate": (rollout(preset="ErrorRate", min=0.1), "this preset is better when lower: set max, not min"),
    "a live ratio above 1": (rollout(preset="ErrorRate", max=5), "this preset is a ratio between 0 and 1: 5 points are 0.05"),
    "a gate metric that does not say which direction is better": (gate(maxRegression=0.01), "one of the two, beside maxRegression too"),
    "a variable that the operator sets": (
        spec(training={"env": [{"name": "DATABASE_URL", "value": "postgresql://elsewhere"}]}),
        "the operator sets RETRAIN_REQUEST and DATABASE_URL itself",
    ),
    "a live metric without a bound": (rollout(preset="ErrorRate"), "set min, max or maxRegression: a rollout metric needs a bound"),
    "a comparison without a margin": (rollout(preset="Accuracy", min=0.5, compareTo="Champion"), "compareTo and maxRegression go together"),
    "a live metric that is preset and query": (
        rollout(preset="ErrorRate", query="x", max=1),
        "either a preset or a query: set one of the two",
    ),
    "a query compared with the champion": (rollout(query="x", compareTo="Champion", maxRegression=0.1), "a query compares by itself"),
    "a bound on a preset below what there can be": (rollout(preset="ErrorRate", max=-1), "no preset is ever negative"),
    "metrics that are all without effect": (rollout(preset="ErrorRate", max=0.1, dryRun=True), "at least one must judge with effect"),
    "an approval of another kind": (
        spec(rollout={"approval": {"required": "Sometimes"}, "metrics": [{"preset": "ErrorRate", "max": 1}]}),
        'Unsupported value: "Sometimes"',
    ),
    "a redeployment of nothing": (team.run(NAMESPACE, "back", redeploy={}), "redeploy needs the version that shall serve again"),
    "a rollout without metrics": (spec(rollout={"metrics": []}), "spec.rollout.metrics in body should have at least 1 items"),
    "a weight of 100": (spec(rollout={"stepWeights": [100]}), "should be less than or equal to 99"),
    "a negative replica count": (
        spec(serving={"deploymentRef": {"name": "a"}, "service": {"name": "a"}, "replicas": -1}),
        "should be greater than or equal to 1",
    ),
    "analyses without a pause between them": (spec(rollout={"interval": "0s"}), "spec.rollout.interval in body should match"),
    "looks at data without a pause between them": (spec(dataQuality={"recheck": "0m"}), "spec.dataQuality.recheck in body should match"),
    "a smoke test that may take minutes": (
        spec(rollout={"smokeTest": {"path": "/", "timeout": "5m"}}),
        "spec.rollout.smokeTest.timeout in body should match",
    ),
    "a duration of two units": (spec(rollout={"interval": "1h30m"}), "spec.rollout.interval in body should match"),
    "a duration without a unit": (spec(triggerPolicy={"cooldown": "6"}), "spec.triggerPolicy.cooldown in body should match"),
    "a cron of four fields": (trigger(schedule={"cron": "0 3 1 *"}), "schedule.cron in body should match"),
    "artifacts in a volume and in a bucket": (spec(artifacts={"persistentVolumeClaim": "models", "s3": BUCKET}), ONE_STORE),
    "artifacts nowhere": (spec(artifacts={}), ONE_STORE),
    "a bucket on a single node": (spec(artifacts={"s3": BUCKET, "singleNode": True}), "singleNode is about a volume"),
    "a bucket without credentials": (spec(artifacts={"s3": {**BUCKET, "secretName": ""}}), "spec.artifacts.s3.secretName in body"),
    "an endpoint with credentials in it": (
        spec(artifacts={"s3": {**BUCKET, "endpoint": "https://me:secret@s3.example"}}),
        "spec.artifacts.s3.endpoint in body should match",
    ),
    "a prefix that leads elsewhere": (spec(artifacts={"s3": {**BUCKET, "prefix": "a/../b"}}), "spec.artifacts.s3.prefix in body"),
    "an unknown preset": (rollout(preset="Speed", max=1), 'Unsupported value: "Speed"'),
    "a model type with a dash": (spec(modelType="churn-risk"), "spec.modelType in body should match"),
    "an unknown field": (spec(rolout={}), "spec.rolout"),
    "a policy's name that leaves no room for its runs' names": (team.policy(NAMESPACE, "x" * 36), "35"),
    "a run's name that leaves no room for its Jobs' names": (team.run(NAMESPACE, "x" * 49), "48"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(control_plane: LocalCluster) -> AsyncIterator[Api]:
    api = await Api.of(control_plane.kubeconfig)
    yield api
    await api.close()


@pytest.mark.parametrize(("manifest", "message"), REFUSED.values(), ids=REFUSED)
async def test_is_refused_with_a_sentence_that_says_what_to_change(api: Api, manifest: Manifest, message: str) -> None:
    resource = "modelretrainruns" if manifest["kind"] == "ModelRetrainRun" else "modelretrainpolicies"
    for send in (api.create, api.apply):
        with pytest.raises(ApiError) as refused:
            await send(resource, copy.deepcopy(manifest))
        assert refused.value.status in {400, 422, 500}
        assert message in refused.value.message


async def test_what_the_rows_are_changes_of_is_accepted(api: Api) -> None:
    for send in (api.create, api.apply):
        await send("modelretrainpolicies", team.policy(NAMESPACE) | {"metadata": {"namespace": NAMESPACE, "name": "sound"}})
    await api.delete("modelretrainpolicies", NAMESPACE, "sound")


@pytest.mark.parametrize("flags", [["--validate=strict"], ["--server-side"]], ids=["kubectl apply", "kubectl apply --server-side"])
async def test_kubectl_refuses_a_field_that_it_would_have_to_drop(account: Account, flags: list[str]) -> None:
    done = account.ask("apply", *flags, "--filename=-", stdin=json.dumps(spec(rolout={})))
    assert done.returncode != 0
    assert "spec.rolout" in done.stderr


CHANGES: dict[str, Callable[[Manifest], None]] = {
    "another policy": lambda spec: spec["policyRef"].update(name="other"),
    "other evidence": lambda spec: spec.update(reason="Other"),
    "a field that was absent": lambda spec: spec.update(version="20261123-030000-1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_runs_spec_cannot_be_changed(api: Api, change: Callable[[Manifest], None]) -> None:
    created = await api.apply("modelretrainruns", team.run(NAMESPACE, "immutable", "nobody"))
    changed = {"spec": copy.deepcopy(created["spec"])}
    change(changed["spec"])
    with pytest.raises(ApiError) as refused:
        await api.patch("modelretrainruns", NAMESPACE, "immutable", changed)
    assert "a run's spec cannot be changed: create another run" in refused.value.message
    await api.delete("modelretrainruns", NAMESPACE, "immutable")


FIXED: dict[str, Manifest] = {
    "the model": {"modelType": "other"},
    "the Deployment": {"serving": {"deploymentRef": {"name": "other"}}},
    "the Service": {"serving": {"service": {"name": "other"}}},
}


@pytest.mark.parametrize("change", FIXED.values(), ids=FIXED)
async def test_what_versions_are_found_by_cannot_change_while_one_serves(api: Api, change: Manifest) -> None:
    policies = "modelretrainpolicies"
    await api.apply(policies, team.policy(NAMESPACE) | {"metadata": {"namespace": NAMESPACE, "name": "serving"}})
    await api.patch(policies, NAMESPACE, "serving", {"spec": change})  # nothing serves yet
    await api.patch(policies, NAMESPACE, "serving", {"status": {"champion": {"version": "20261123-030000-1"}}}, subresource="status")
    back = {"spec": team.policy(NAMESPACE)["spec"]}
    with pytest.raises(ApiError) as refused:
        await api.patch(policies, NAMESPACE, "serving", back)
    assert "cannot change while a version serves: create another policy" in refused.value.message
    await api.delete(policies, NAMESPACE, "serving")
