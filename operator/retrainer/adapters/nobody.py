"""`Notifier` where the administrator has named none."""

from typing_extensions import override

from retrainer.core.notice import Notice
from retrainer.ports import Notifier


class Nobody(Notifier):
    """Knows no name, so that nobody is told anything."""

    @override
    def knows(self, name: str) -> bool:
        return False

    @override
    def tell(self, notice: Notice) -> None:
        """Nobody hears it."""

    async def close(self) -> None:
        """Nothing is open."""
