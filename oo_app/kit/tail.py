"""A reader of what is committed: the last facts first, then each as it comes; a slow one misses the oldest."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

Fact = TypeVar("Fact")


class Tail(Generic[Fact]):
    """Waits for facts in order. `missed` counts those that were dropped because too many waited."""

    def __init__(self, length: int, first: Iterable[Fact] = ()) -> None:
        """Begin with what is given."""
        self.missed = 0
        self._waiting: deque[Fact] = deque(first, maxlen=length)
        self._came = asyncio.Event()

    def put(self, fact: Fact) -> None:
        """Take a fact, without waiting."""
        self.missed += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(fact)
        self._came.set()

    async def next(self) -> Fact:
        """Return the next fact; wait for one where there is none."""
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        return self._waiting.popleft()

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
