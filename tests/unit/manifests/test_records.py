from datetime import timedelta

from retrainer.core.actions import Announcement, Severity, StartRun
from retrainer.manifests.records import event, run
from tests.builders import NOW, a_policy, a_run, an_identity


def test_a_run_is_owned_by_its_policy_and_marked_as_the_operators() -> None:
    manifest = run(a_policy(), StartRun("churn-risk-57", a_run().spec))
    [owner] = manifest["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("ModelRetrainPolicy", "uid-of-churn-risk")
    assert manifest["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "retrainer", "retrainer.dev/policy": "churn-risk"}
    assert type(a_run().spec).model_validate(manifest["spec"]) == a_run().spec


def test_events_of_one_round_have_names_of_their_own_and_fit() -> None:
    about = an_identity("r" * 48)
    told = [Announcement(about, True, Severity.WARNING, reason, "m" * 3000) for reason in ("AnalysisFailed", "Resumed_", "R" * 64)]
    events = [event(one, NOW + timedelta(microseconds=n), "pod-0") for n, one in enumerate(told)]
    assert len({one["metadata"]["name"] for one in events}) == 3
    for one in events:
        assert len(one["metadata"]["name"]) <= 253
        assert len(one["note"]) <= 1024
        assert one["regarding"]["kind"] == "ModelRetrainRun"
        assert one["eventTime"].endswith("Z")
