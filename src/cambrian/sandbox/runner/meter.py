"""What a learner costs: floating point operations (sampled) and bytes of state.

Counted inside the learner's process, so they can be falsified by it; the evaluator holds them
against the processor time that the outside measured.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import random
import sys
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from cambrian.sandbox.runner.modes import uncompiled

T = TypeVar("T")

SAMPLED_FIRST = 4
SAMPLED_EVERY = 50
SAMPLED_LATER = 200
_OPAQUE = (type, type(sys), type(lambda: 0), type(len), property, classmethod, staticmethod)


@uncompiled
class FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call,unused-ignore]
    """Counts as torch's `FlopCounterMode` does and by its formulas, without its book-keeping for
    every module, which makes a call ten times slower (this: three or four times)."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call,unused-ignore]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not isinstance(func, torch._ops.OpOverload):  # cond, flex_attention, ...: rare
            with FlopCounterMode(display=False) as counter:
                result = func(*args, **kwargs)
            self.total += counter.get_total_flops()
            return result
        formula = flop_registry.get(func._overloadpacket)
        if formula is None and _is_made_of_others(func):
            with self:
                return func.decompose(*args, **kwargs)
        result = func(*args, **kwargs)
        if formula is not None:
            self.total += int(formula(*args, **kwargs, out_val=result))
        return result


@functools.cache
def _is_made_of_others(func: Any) -> bool:
    """Whether an operation has no kernel of its own (in inference mode such ones arrive whole)."""
    implicit = torch._C.DispatchKey.CompositeImplicitAutograd
    return bool(func.has_kernel_for_dispatch_key(implicit))


class AllowanceSpent(Exception):
    """The learner has used more than it may; what is left of its stream would change nothing."""


class FlopMeter:
    """Counts on a fixed sample of the calls of each sort.

    Counting slows a call down, so of each sort of call the first four, one of every fifty
    up to the two-hundredth and one of every two hundred after it are counted, and a count stands
    for the calls up to the next one. Which one of a block depends on the seed alone, so the figure
    is repeatable, and work that is done every so many calls is not missed by being out of step.

    Args:
        seed: of the sample.
        most: no call is begun any more once so many are used; 0: no bound.
    """

    def __init__(self, seed: int, most: int = 0) -> None:
        self._most = most
        self._chance = random.Random(seed)  # noqa: S311 - not for secrets
        self._next: dict[str, int] = {}
        self._calls: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self.total = 0

    def call(self, sort: str, function: Callable[..., T], *args: Any) -> T:
        """Call the function and add its FLOPs to `total`; what it raises is raised.

        Counting is slow, so of calls of one `sort` the first few are counted, and later ones at
        random; the others are taken to cost what the last counted one did.

        Raises:
            AllowanceSpent: `most` were used before.
        """
        if 0 < self._most < self.total:
            raise AllowanceSpent(f"{self.total:.3g} FLOPs, over its allowance of {self._most:.3g}")
        number = self._calls.get(sort, 0)
        self._calls[sort] = number + 1
        if number >= SAMPLED_FIRST:
            every = SAMPLED_EVERY if number < SAMPLED_EVERY * 4 else SAMPLED_LATER
            if number % every == 0 or sort not in self._next:
                self._next[sort] = number + self._chance.randrange(every)
            if number != self._next[sort]:
                self.total += self._last[sort]
                return function(*args)
        with FlopCounter() as counter:
            result = function(*args)
        self._last[sort] = counter.total
        self.total += self._last[sort]
        return result


def state_bytes(root: object, modules: Iterable[ModuleType] = (), limit: int = 200_000) -> int:
    """Bytes of tensors, arrays and buffers reachable from `root`, and from what `modules` (the
    agent's own) keep in their globals, classes and functions; each storage once.

    Other modules, classes and functions are not followed, nor is text in the modules themselves.

    Raises:
        RuntimeError: more than `limit` objects would have to be visited.
    """
    own = {module.__name__: module for module in modules}
    seen: set[int] = set()
    storages: dict[int, int] = {}
    total = 0
    queue: list[object] = [root, *(kept for module in own.values() for kept in _kept(module))]
    while queue:
        item = queue.pop()
        if id(item) in seen:
            continue
        if len(seen) >= limit:
            raise RuntimeError(f"expected at most {limit} objects of state; there are more")
        seen.add(id(item))
        if isinstance(item, _OPAQUE):
            if isinstance(item, type | FunctionType) and item.__module__ in own:
                queue += _kept(item)
            continue
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


def _kept(place: ModuleType | type | FunctionType) -> list[object]:
    """What a module, a class or a function keeps; its own text is code, no state."""
    found = [value for name, value in vars(place).items() if not name.startswith("__")]
    if isinstance(place, FunctionType):
        found += [*(place.__defaults__ or ()), *(place.__kwdefaults__ or {}).values()]
        for cell in place.__closure__ or ():
            with contextlib.suppress(ValueError):  # an empty cell
                found.append(cell.cell_contents)
    return [value for value in found if not isinstance(value, str)]
