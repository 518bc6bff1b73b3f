"""What happens in the training pods of a namespace, whoever plays the pods."""

import asyncio
from collections.abc import AsyncIterator

from tests.stand_ins.fake_trainer import Answer, Ended, FakeTrainer, Request


class Script:
    """Says to each pod what becomes of its container; `play` changes it, for every pod that has not ended."""

    def __init__(self) -> None:
        self.trainer = FakeTrainer()
        self.complete: set[str] = set()
        """The versions whose artifact is complete."""
        self.trained: list[str] = []
        """The version of each pod that really trained one, in order."""
        self.requests: list[Request] = []
        """What each training pod was asked, in order."""
        self.another = asyncio.Event()
        """Set once the script is another one."""

    def play(self, *, trainer: FakeTrainer | None = None) -> None:
        """Go on with another script."""
        self.trainer = trainer or self.trainer
        self.another.set()
        self.another = asyncio.Event()

    async def answers(self, request: Request) -> AsyncIterator[Answer]:
        """Yield what becomes of a container, and again with every other script until it has ended."""
        self.requests.append(request)
        while True:
            another = self.another  # taken first: a change during what is made of the answer is not missed
            answer = self.trainer.answer(request, self.complete)
            yield answer
            if isinstance(answer, Ended):
                return
            await another.wait()

    def ended(self, request: Request, how: Ended) -> None:
        """Write down that a container has ended."""
        if how.trained:
            self.complete.add(request["version"])
            self.trained.append(request["version"])
