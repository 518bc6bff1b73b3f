"""The pod templates that rounds have read. Each is a tree of many small objects that is seldom looked at: it is kept as compressed text."""

import json
import zlib
from dataclasses import asdict, dataclass

from retrainer.core.template import TemplateSeen
from retrainer.ports import Key


@dataclass(frozen=True, slots=True)
class _Kept:
    uid: str
    generation: int
    text: bytes


class Templates:
    """The latest template of each policy."""

    def __init__(self) -> None:
        self._kept: dict[Key, _Kept] = {}

    def put(self, key: Key, uid: str, template: TemplateSeen) -> None:
        """Keep what was read of a policy's Deployment."""
        self._kept[key] = _Kept(uid, template.generation, zlib.compress(json.dumps(asdict(template)).encode()))

    def get(self, key: Key, uid: str, generation: int) -> TemplateSeen | None:
        """Return the template, or None where another Deployment's or another generation's was read last."""
        kept = self._kept.get(key)
        if kept is None or (kept.uid, kept.generation) != (uid, generation):
            return None
        return TemplateSeen(**json.loads(zlib.decompress(kept.text)))

    def forget(self, key: Key) -> None:
        """Forget the template of a policy that is gone."""
        self._kept.pop(key, None)
