"""How many questions one model is asked at a time, and not before it said that it can again.

An endpoint that answers 429 says with `Retry-After` when to come again. That holds for every
question to it, not for the one alone that was turned down.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio


class Gate:
    """Lets questions to one model through.

    Args:
        at_once: so many are under way at most.
        clock: seconds that only ever grow.
    """

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = anyio.CapacityLimiter(at_once)
        self._clock = clock
        self._not_before = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a free place, and until the endpoint takes questions again."""
        async with self._slots:
            while (left_s := self._not_before - self._clock()) > 0:
                await anyio.sleep(left_s)
            yield

    def hold(self, seconds: float) -> None:
        """Let nothing through for so long."""
        self._not_before = max(self._not_before, self._clock() + seconds)
