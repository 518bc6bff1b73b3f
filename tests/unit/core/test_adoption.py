from dataclasses import replace

import pytest

from retrainer.core import naming
from retrainer.core.acceptance import problem
from retrainer.core.actions import ClaimService, DeployVersion, Effect, SendTraffic
from retrainer.core.arbitration import arbitrate
from retrainer.core.decide import decide
from retrainer.core.housekeeping import tidy
from retrainer.core.observation import Observation
from tests.builders import CHAMPION, TEMPLATE, Part, a_deployment, a_policy, a_service, a_template, pods_of, seen

FOUND = {"app": "churn-risk"}
CLAIMED = {"recorded_selector": FOUND}


def found(*, ready: int = 0, deployed: bool = True, template: Part = None, policy: Part = None, **service: Part) -> Observation:
    """Return a namespace whose Service selects the template's pods, three of which run."""
    known = {"selector": FOUND, "made_by_us": False, "selector_owner": "kubectl"} | CLAIMED | service
    return seen(
        policy,
        service=a_service("", **known),
        template=template or a_template(replicas=3),
        deployments=(a_deployment(naming.ADOPTED),) if deployed else (),
        pods=pods_of(naming.ADOPTED, ready),
    )


def effects_of(observation: Observation) -> tuple[Effect, ...]:
    return tidy(observation, traffic_moves=False)


def test_what_serves_is_marked_and_deployed_again_from_the_unchanged_template() -> None:
    fresh = found(deployed=False, claimed_by="", policy="", recorded_selector={})
    assert effects_of(fresh) == (ClaimService(), DeployVersion(naming.ADOPTED, 3, TEMPLATE, 5))


@pytest.mark.parametrize("owner", ["kubectl", ""])
def test_the_selector_is_left_alone_until_every_adopted_pod_is_ready(owner: str) -> None:
    waiting = found(ready=2, selector_owner=owner)
    assert effects_of(waiting) == ()
    told = problem(waiting)
    assert told is not None
    assert (told.reason, told.message.partition(";")[0]) == ("Adopting", "2 of 3 pods of churn-risk-api-adopted are ready")


def test_a_selector_that_git_holds_is_asked_for_by_name() -> None:
    owned = found(ready=3)
    assert effects_of(owned) == ()
    told = problem(owned)
    assert told is not None
    assert told.reason == "SelectorOwnedByOther"
    assert "owned by kubectl: delete `spec.selector` of Service churn-risk in Git" in told.message


@pytest.mark.parametrize("selector", [{}, FOUND])
def test_a_selector_that_nobody_owns_any_more_is_taken_over(selector: Part) -> None:
    assert effects_of(found(ready=3, selector=selector, selector_owner="")) == (SendTraffic(naming.ADOPTED, ""),)


def test_adoption_goes_on_though_git_has_already_let_the_template_go() -> None:
    assert effects_of(found(ready=3, selector_owner="", template=a_template(replicas=0))) == (SendTraffic(naming.ADOPTED, ""),)


def test_a_template_edited_meanwhile_is_what_is_adopted() -> None:
    edited = found(ready=3, template=a_template(6, replicas=3))
    assert effects_of(edited) == (DeployVersion(naming.ADOPTED, 3, TEMPLATE, 6),)


def test_no_run_starts_before_the_adoption_is_over() -> None:
    assert arbitrate(found()).start is None
    adopted = seen(service=a_service(naming.ADOPTED, made_by_us=False, **CLAIMED), template=a_template(replicas=3))
    assert arbitrate(adopted).start is None, "what serves is a champion: a first version is not missing"


def test_the_adopted_version_serves_and_the_template_is_asked_to_go() -> None:
    adopted = seen(service=a_service(naming.ADOPTED, made_by_us=False, **CLAIMED), template=a_template(replicas=3))
    ready = next(one for one in decide(adopted).policy.conditions if one.type == "Ready")
    assert (ready.status, ready.reason) == ("True", "TemplateStillRunning")


@pytest.mark.parametrize("change", [{"selector": {"app": "another"}, "recorded_selector": {}}, {"recorded_selector": {}, "claimed_by": ""}])
def test_a_service_of_other_pods_or_of_none_is_not_adopted(change: Part) -> None:
    told = problem(found(template=a_template(replicas=0), **change))
    assert told is None or told.reason == "SelectorOwnedByOther"
    assert not any(isinstance(one, DeployVersion) for one in effects_of(found(template=a_template(replicas=0), **change)))


def test_what_an_earlier_policy_handed_back_is_not_taken_away_from_under_the_service() -> None:
    served = found(template=a_template(replicas=0), claimed_by="", policy="", recorded_selector={})
    left = replace(served, deployments={"left": a_deployment(CHAMPION)}, pods=pods_of(CHAMPION, 3))
    assert effects_of(left) == ()


def test_a_policy_that_changes_its_mind_about_its_end_says_so_on_the_service() -> None:
    service = a_service(made_by_us=False, **CLAIMED)
    assert effects_of(seen(a_policy(deletion_policy="HandBack"), service=service)) == (ClaimService(),)
    assert effects_of(seen(a_policy(deletion_policy="HandBack"), service=replace(service, hands_back=True))) == ()


def test_a_policy_that_has_nothing_to_hand_back_is_told_so() -> None:
    made = seen(a_policy(deletion_policy="HandBack"), service=a_service(hands_back=True))
    ready = next(one for one in decide(made).policy.conditions if one.type == "Ready")
    assert "has no selector to restore" in ready.message
    adopted = seen(a_policy(deletion_policy="HandBack"), service=a_service(made_by_us=False, hands_back=True, **CLAIMED))
    ready = next(one for one in decide(adopted).policy.conditions if one.type == "Ready")
    assert ready.message == f"{CHAMPION} serves"
