"""Adoption of what already serves: a version named `adopted` from the unchanged template, then the Service's selector, then nothing else.

Everything is read from what was seen, so that it goes on where it was after a crash. The selector that is found is kept on the Service.
"""

from retrainer.core import naming
from retrainer.core.actions import ClaimService, DeployVersion, Effect, SendTraffic
from retrainer.core.observation import Observation


def is_under_way(seen: Observation) -> bool:
    """Say whether the Service serves from pods like the template's, and no version of ours serves yet."""
    service, template = seen.service, seen.template
    if service is None or template is None or seen.by_route or seen.champion is not None or not service.found_selector:
        return False
    begun = bool(service.recorded_selector) and service.claimed_by == seen.policy.identity.uid
    return service.found_selector.items() <= template.labels.items() and (template.replicas > 0 or begun)


def is_ready(seen: Observation) -> bool:
    """Say whether the adopted version has its full size."""
    return len(seen.backend(naming.ADOPTED).ready) >= seen.policy.spec.serving.replicas


def adopt(seen: Observation) -> list[Effect]:
    """Return the next steps; nothing while pods are waited for, or the owner of the selector."""
    service, template = seen.service, seen.template
    assert service is not None
    assert template is not None
    full, deployment = seen.policy.spec.serving.replicas, seen.backend(naming.ADOPTED).deployment
    effects: list[Effect] = []
    if service.claimed_by != seen.policy.identity.uid or not service.recorded_selector:
        effects.append(ClaimService())
    if deployment is None or (deployment.replicas, deployment.template_generation) != (full, template.generation):
        return [*effects, DeployVersion(naming.ADOPTED, full, template.pod, template.generation)]
    if not effects and is_ready(seen) and not service.selector_owner:
        return [SendTraffic(naming.ADOPTED, "")]
    return effects


def told(seen: Observation) -> tuple[str, str]:
    """Return the reason and the sentence for what the adoption waits for."""
    name = naming.version_deployment(seen.policy.spec.serving.deployment_ref.name, naming.ADOPTED)
    service, full = seen.policy.spec.serving.service.name, seen.policy.spec.serving.replicas
    ready = len(seen.backend(naming.ADOPTED).ready)
    owner = seen.service.selector_owner if seen.service else ""
    if ready < full:
        return "Adopting", f"{ready} of {full} pods of {name} are ready; Service {service} is left as it is until all are"
    if not owner:
        return "Adopting", f"{name} is ready; the selector of Service {service} is moved to it"
    where = f"delete `spec.selector` of Service {service} in Git (traffic stays as it is meanwhile)"
    return "SelectorOwnedByOther", f"{name} is ready, but the selector of Service {service} is owned by {owner}: {where}"


def nothing_to_hand_back(seen: Observation) -> str:
    """Return the end of a sentence where the policy asks for what its Service does not have, and nothing otherwise."""
    service = seen.service
    if seen.policy.spec.deletion_policy == "Retain" or service is None or service.recorded_selector:
        return ""
    return f"; Service {service.identity.name} was never adopted, so deletionPolicy HandBack has no selector to restore and will retain it"
