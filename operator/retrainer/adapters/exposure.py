"""Which policies' pods a Service would select: what a round has read of each template, found by one label at a time."""

from collections.abc import Mapping
from typing import Final

from retrainer.ports import Key

_Label = tuple[str, str]
_NOBODY: Final[frozenset[Key]] = frozenset()


class Exposure:
    """The labels of every policy's pods."""

    def __init__(self) -> None:
        self._labels: dict[Key, frozenset[_Label]] = {}
        self._bearers: dict[tuple[str, _Label], set[Key]] = {}

    def put(self, key: Key, labels: Mapping[str, str]) -> None:
        """Take up the labels that a policy's pods carry; without any, forget the policy."""
        before, after = self._labels.pop(key, frozenset[_Label]()), frozenset(labels.items())
        if after:
            self._labels[key] = after
        for label in before - after:
            bearers = self._bearers[key[0], label]
            bearers.discard(key)
            if not bearers:
                del self._bearers[key[0], label]
        for label in after - before:
            self._bearers.setdefault((key[0], label), set()).add(key)

    def selected_by(self, namespace: str, selector: Mapping[str, str]) -> list[Key]:
        """Return the policies of a namespace whose pods a selector selects; none for an empty one, which a Service takes for none."""
        wanted = selector.items()
        fewest = min((self._bearers.get((namespace, label), _NOBODY) for label in wanted), key=len, default=_NOBODY)
        return [key for key in fewest if wanted <= self._labels[key]]
