"""What a learner costs: floating point operations (sampled) and bytes of state.

Counted inside the learner's process, so they can be falsified by it; the evaluator holds them
against the processor time that the outside measured.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

T = TypeVar("T")

SAMPLED_FIRST = 4
SAMPLED_EVERY = 50
SAMPLED_LATER = 200
_OPAQUE = (type, type(sys), type(lambda: 0), type(len), property, classmethod, staticmethod)


class FlopMeter:
    """Counts with torch's own counter on a fixed sample of the calls of each sort.

    Counting slows a call down tenfold, so of each sort of call the first four, one of every fifty
    up to the two-hundredth and one of every two hundred after it are counted, and a count stands
    for the calls up to the next one. Which one of a block depends on the seed alone, so the figure
    is repeatable, and work that is done every so many calls is not missed by being out of step.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - not for secrets
        self._next: dict[str, int] = {}
        self._calls: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self.total = 0

    def call(self, sort: str, function: Callable[..., T], *args: Any) -> T:
        number = self._calls.get(sort, 0)
        self._calls[sort] = number + 1
        if number >= SAMPLED_FIRST:
            every = SAMPLED_EVERY if number < SAMPLED_EVERY * 4 else SAMPLED_LATER
            if number % every == 0 or sort not in self._next:
                self._next[sort] = number + self._chance.randrange(every)
            if number != self._next[sort]:
                self.total += self._last[sort]
                return function(*args)
        with FlopCounterMode(display=False) as counter:
            result = function(*args)
        self._last[sort] = int(counter.get_total_flops())
        self.total += self._last[sort]
        return result


def state_bytes(root: object, limit: int = 200_000) -> int:
    """Bytes of tensors, arrays and buffers reachable from `root`, each storage once.

    Modules, classes and functions are not followed. At most `limit` objects are visited.
    """
    seen: set[int] = set()
    storages: dict[int, int] = {}
    total = 0
    queue: list[object] = [root]
    while queue and len(seen) < limit:
        item = queue.pop()
        if id(item) in seen or isinstance(item, _OPAQUE):
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            storage = item.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            queue.extend(part for part in (item.grad,) if part is not None)
        elif isinstance(item, np.ndarray):
            total += item.nbytes
        elif isinstance(item, bytes | bytearray | str):
            total += len(item)
        else:
            queue.extend(gc.get_referents(item))
    return total + sum(storages.values())
