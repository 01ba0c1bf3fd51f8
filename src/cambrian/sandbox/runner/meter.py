"""What a learner costs: floating point operations and bytes of state.

Counted inside the learner's process, so they can be falsified by it; the evaluator holds them
against the processor time that the outside measured.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import numpy as np
import torch

from cambrian.sandbox.runner.operations import Operations, count_operations

T = TypeVar("T")

_OPAQUE = (type, type(sys), type(lambda: 0), type(len), property, classmethod, staticmethod)


class AllowanceSpent(Exception):
    """The learner has used more than it may; what is left of its stream would change nothing."""


class FlopMeter:
    """Counts the operations of a learner's calls, all of them.

    Args:
        most: no call is begun any more once so many are used; 0: no bound.
    """

    def __init__(self, most: int = 0) -> None:
        count_operations()
        self._most = most
        self.total = 0

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call the function and add its FLOPs to `total`, also if it raises; that is passed on.

        Raises:
            AllowanceSpent: `most` were used before.
        """
        if 0 < self._most < self.total:
            raise AllowanceSpent(f"{self.total:.3g} FLOPs, over its allowance of {self._most:.3g}")
        before = Operations.total
        try:
            return function(*args)
        finally:
            self.total += Operations.total - before


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
