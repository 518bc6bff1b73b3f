"""Our own latest writes of one kind of object, laid over what the watch has brought until it has caught up.

Without them a round that starts before the echo of the last one's write would decide from yesterday's status.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_KEPT_S: Final = 30.0
_Place = tuple[str, str]


@dataclass(slots=True)
class _Written:
    found: Mapping[Any, Any]
    """What was written, as it is to be seen under each key."""
    uid: str
    version: int
    until: float
    brought: set[Any] = field(default_factory=set)
    """Under which keys the watch has brought the object: if it then has it there no longer, it is gone, and our write must not keep it."""


class Overlay:
    """Written objects by name, and by the keys under which an index has them."""

    def __init__(self) -> None:
        self._written: dict[_Place, _Written] = {}  # the oldest first
        self._places: dict[Any, set[_Place]] = {}

    def put(self, place: _Place, found: Mapping[Any, Any], index: Mapping[Any, Iterable[Any]]) -> None:
        """Take up an object as a write of ours returned it, `found` under these keys; `index` is what the watch has brought so far."""
        self._drop(place)
        for old in [old for old, one in self._written.items() if one.until < time.monotonic()]:
            self._drop(old)
        if not found:
            return
        identity = next(iter(found.values())).identity
        brought = {key for key in found if any(one.identity.uid == identity.uid for one in index.get(key, ()))}
        version = int(identity.resource_version or 0)
        self._written[place] = _Written(found, identity.uid, version, time.monotonic() + _KEPT_S, brought)
        for key in found:
            self._places.setdefault(key, set()).add(place)

    def over(self, key: Any, brought: Iterable[Any]) -> list[Any]:  # noqa: ANN401 - each index has keys of its own
        """Return what the watch brought under a key, newer writes of ours in its place, and what we made and it has not brought yet."""
        if not self._written:
            return list(brought)
        latest = [self._latest(key, theirs) for theirs in brought]
        there = {one.identity.key for one in latest if one is not None}
        unbrought = [self._unbrought(key, place) for place in tuple(self._places.get(key, ())) if place not in there]
        return [one for one in (*latest, *unbrought) if one is not None]

    def _latest(self, key: Any, theirs: Any) -> Any | None:  # noqa: ANN401 - as above
        """Return the newer of what the watch brought and what we wrote; None where our write took the object away from the key."""
        mine = self._written.get(theirs.identity.key)
        if mine is None:
            return theirs
        # Kubernetes promises since 1.35 what etcd always did, that resource versions grow.
        overtaken = theirs.identity.uid != mine.uid or int(theirs.identity.resource_version or 0) >= mine.version
        if overtaken or time.monotonic() > mine.until:
            self._drop(theirs.identity.key)
            return theirs
        mine.brought.add(key)
        return mine.found.get(key)

    def _unbrought(self, key: Any, place: _Place) -> Any | None:  # noqa: ANN401 - as above
        mine = self._written[place]
        if key in mine.brought or time.monotonic() > mine.until:
            self._drop(place)
            return None
        return mine.found[key]

    def _drop(self, place: _Place) -> None:
        written = self._written.pop(place, None)
        for key in written.found if written is not None else ():
            self._places[key].discard(place)
            if not self._places[key]:
                del self._places[key]
