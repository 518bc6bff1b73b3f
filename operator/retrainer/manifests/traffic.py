"""The one write that moves traffic: of the Service or of the route, as the policy's mode has it."""

from dataclasses import replace
from datetime import datetime

from retrainer.core.actions import SendTraffic
from retrainer.core.kinds import Manifest
from retrainer.core.observation import Observation
from retrainer.core.sweeping import Orphans
from retrainer.core.traffic.contention import remembered
from retrainer.core.traffic.gateway import routing
from retrainer.manifests.route import route
from retrainer.manifests.serving import Claim, claim_left_behind, claim_of, routed_service


def shares(seen: Observation, asked: SendTraffic, retaken_at: datetime | None = None) -> Manifest:
    """Return the object that carries the traffic with the shares asked; `retaken_at` is given when it undoes somebody else's change."""
    claim, carrier = claim_of(seen.policy), seen.carrier
    retaken_at = retaken_at or (remembered(carrier.retaken_at, seen.now) if carrier is not None else None)
    if seen.by_route:
        return route(claim, seen.route, asked, routing(seen.policy, asked), retaken_at)
    return routed_service(claim, seen.service, asked, retaken_at)


def shares_left_behind(left: Orphans, asked: SendTraffic) -> Manifest:
    """Return the same for a policy that no longer exists: everything but the shares stays as it was."""
    if left.route is not None and left.route.champion:
        one = left.route
        claim = Claim(one.identity.namespace, one.identity.name, one.policy, one.claimed_by, ())
        alone = replace(one.routing, weights=((asked.champion, 100),), mirrored="", cookie="")
        return route(claim, one, asked, alone, one.retaken_at)
    assert left.service is not None, "something carried the traffic"
    return routed_service(claim_left_behind(left.service), left.service, asked, left.service.retaken_at)
