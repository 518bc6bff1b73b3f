"""What a watch has brought of one kind, found by keys that each object gives itself."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from typing_extensions import override

Body = Mapping[str, Any]


class Index(Mapping[Any, Collection[Any]]):
    """For each key what the objects under it were parsed to, by `parse(body)`, which returns an object's keys.

    kopf has indices too, but its operator waits for all objects of all kinds at once by one condition, which every object wakes all others
    for: starting beside thousands takes minutes.
    """

    def __init__(self, parse: Callable[[Body], Mapping[Any, Any]]) -> None:
        self._parse = parse
        self._under: dict[Any, dict[str, Any]] = {}
        self._keys: dict[str, tuple[Any, ...]] = {}

    def take(self, body: Body, *, gone: bool = False) -> None:
        """Take up an object as it is now, or forget one that is gone; one that cannot be parsed is under no key, and raises."""
        uid = body["metadata"]["uid"]
        self.forget([uid])
        if gone:
            return
        self._keys[uid] = ()  # it has come, whatever it is
        found = self._parse(body)
        self._keys[uid] = tuple(found)
        for key, one in found.items():
            self._under.setdefault(key, {})[uid] = one

    def has(self, uid: str) -> bool:
        """Say whether an object has come and is not gone."""
        return uid in self._keys

    def uids(self) -> set[str]:
        """Return the UIDs of all objects that have come and are not gone."""
        return set(self._keys)

    def forget(self, uids: Iterable[str]) -> None:
        """Forget objects that are gone."""
        for uid in uids:
            for key in self._keys.pop(uid, ()):
                there = self._under[key]
                del there[uid]
                if not there:
                    del self._under[key]

    @override
    def __getitem__(self, key: Any) -> Collection[Any]:
        return self._under[key].values()

    @override
    def __iter__(self) -> Iterator[Any]:
        return iter(self._under)

    @override
    def __len__(self) -> int:
        return len(self._under)
