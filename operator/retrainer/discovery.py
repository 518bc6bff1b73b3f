"""What there is to watch, whether all of it has come, and what has gone unseen: the Gateway API may be there from the start, or never."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

from retrainer import waking
from retrainer.core.kinds import Kind, Ref
from retrainer.errors import Refused, RetrainerError, Unavailable
from retrainer.index import Index
from retrainer.ports import Cluster, World

_logger = logging.getLogger(__name__)
_AGAIN_S: Final = 5.0
_SOON_S: Final = 0.5
_LOOK_S: Final = 10.0


async def kinds_to_watch(cluster: Cluster, namespace: str, again_s: float = _AGAIN_S) -> Collection[str]:
    """Return those of `waking.INDICES` that can be watched in a namespace (all when empty); waits for an API server that is away."""
    while True:
        try:
            routes = await _knows_routes(cluster, namespace)
        except Unavailable as error:
            _logger.warning("the API server does not say yet whether it knows HTTPRoutes: %s", error)
            await asyncio.sleep(again_s)
        else:
            return [index for index in waking.INDICES if routes or waking.KINDS[index] is not Kind.HTTP_ROUTE]


async def until_all_have_come(
    cluster: Cluster, kinds: Collection[Kind], namespaces: Collection[str], has_come: Callable[[str], bool], again_s: float = _SOON_S
) -> None:
    """Return once every object that there is (in the namespaces, in all when none is given) has come: `has_come` is told its UID.

    A watch begins with what is there, and nobody says where that ends. What is deleted before it came is not there any more when we ask
    again.
    """
    for kind in kinds:
        for namespace in namespaces or ("",):
            while not await _have_come(cluster, Ref(kind, namespace, ""), has_come):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(again_s)


async def forget_what_is_gone(cluster: Cluster, indices: Mapping[str, Index], namespaces: Collection[str]) -> None:
    """Forget the objects that the API server no longer has (in the namespaces, in all when none is given).

    A watch that begins anew after a gap brings what there is then, and never says what went meanwhile. What has come before we ask and is
    not there any more is gone for good: nothing ever gets the UID of another.
    """
    for name, index in indices.items():
        known = index.uids()
        try:
            for namespace in namespaces or ("",):
                known -= await _there(cluster, Ref(waking.KINDS[name], namespace, ""))
        except RetrainerError as error:
            _logger.warning("the API server does not say what is there: %s", error)
            continue
        if known:
            _logger.warning("%d %s have gone without a word from their watch", len(known), waking.KINDS[name].plural)
        index.forget(known)


async def _have_come(cluster: Cluster, kind_of: Ref, has_come: Callable[[str], bool]) -> bool:
    try:
        there = await _there(cluster, kind_of)
    except RetrainerError as error:
        _logger.warning("the API server does not say what is there: %s", error)
        return False
    missing = sum(1 for uid in there if not has_come(uid))
    if missing:
        _logger.info("%d of %d %s have not come yet", missing, len(there), kind_of.kind.plural)
    return not missing


async def _there(cluster: Cluster, kind_of: Ref) -> set[str]:
    """Return the UIDs of the objects that are watched."""
    return await cluster.uids(kind_of, waking.OURS if kind_of.kind in waking.OURS_ALONE else "")


async def until_routes_are_missed(cluster: Cluster, namespace: str, world: World, look_s: float = _LOOK_S) -> None:
    """Return once a policy asks for a route that is not watched though the API server knows the kind by now: time to begin again."""
    while True:
        await asyncio.sleep(look_s)
        try:
            if not world.routes_are_watched() and _routes_are_asked(world) and await _knows_routes(cluster, namespace):
                _logger.info("the Gateway API has come: the operator ends, so that it watches HTTPRoutes when it is started again")
                return
        except Unavailable:
            continue


async def _knows_routes(cluster: Cluster, namespace: str) -> bool:
    try:
        await cluster.list(Ref(Kind.HTTP_ROUTE, namespace, ""))
    except Refused as refusal:
        _logger.info("HTTPRoutes are not watched: %s", refusal)
        return False
    return True


def _routes_are_asked(world: World) -> bool:
    policies = (world.policy(key) for key in world.keys())  # noqa: SIM118 - a method, not a mapping
    return any(policy is not None and policy.spec.serving.gateway is not None for policy in policies)
