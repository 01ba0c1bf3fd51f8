"""Floating point operations: every one that torch has a formula for is counted, at each call.

The formulas are torch's own (`torch.utils.flop_counter`): products of matrices, convolutions,
attention. What has none there is not counted: sums, functions of each number, decompositions.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

_KEY = torch._C.DispatchKey.BackendSelect
_BELOW = torch._C._dispatch_keyset_full_after(_KEY)


class _Counted(threading.local):
    """Whether this thread is within an operation that is counted as a whole."""

    within = False


class Operations:
    """What this process has counted since it began."""

    total = 0


@functools.cache
def count_operations() -> torch.library.Library:
    """Count from now on, whatever thread of this process computes, and whoever calls it.

    The counting kernels stand at the dispatch key from which torch goes on to a device's own
    kernels. It lies below autograd, autocast and `torch.func`, so what passes is what is computed,
    products within other operations (`torch.cdist`) included. All other operations run as they are:
    a mode of the dispatcher (as torch's own counter is) sees every operation, in Python, and makes
    a call three times dearer, so that only a sample of the calls could be counted.

    Returns:
        What holds the kernels; they go with it.
    """
    library = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call,unused-ignore]
    for packet, formula in flop_registry.items():
        if isinstance(packet, torch._ops.OpOverloadPacket):
            for overload in packet.overloads():  # type: ignore[no-untyped-call,unused-ignore]
                operation = getattr(packet, overload)
                count = _PRODUCTS.get(str(packet), _by(formula, operation))
                kernel = _counting(operation, count)
                library.impl(  # type: ignore[no-untyped-call,unused-ignore]
                    operation, kernel, _KEY.name, with_keyset=True
                )
    return library


def _counting(operation: Any, count: Callable[..., int]) -> Callable[..., Any]:
    go_on = operation.redispatch

    def kernel(keys: Any, *args: Any, **kwargs: Any) -> Any:
        if _COUNTED.within:
            return go_on(keys & _BELOW, *args, **kwargs)
        _COUNTED.within = True
        try:
            result = go_on(keys & _BELOW, *args, **kwargs)
        finally:
            _COUNTED.within = False
        Operations.total += count(result, *args, **kwargs)
        return result

    return kernel


def _by(formula: Callable[..., Any], operation: Any) -> Callable[..., int]:
    """A count by torch's formula, which is given every argument, those left at a default too."""
    expected = operation._schema.arguments

    def count(result: Any, *args: Any, **kwargs: Any) -> int:
        left = [one for one in expected[len(args) :] if not one.kwarg_only]
        whole = [*args, *(kwargs.pop(one.name, one.default_value) for one in left)]
        return int(formula(*whole, **kwargs, out_val=result))

    return count


def _product(result: Any, a: Any, b: Any, *rest: Any, **kwargs: Any) -> int:
    return 2 * int(a.shape[0]) * int(a.shape[1]) * int(b.shape[1])


def _added_product(result: Any, start: Any, a: Any, b: Any, *rest: Any, **kwargs: Any) -> int:
    return 2 * int(a.shape[0]) * int(a.shape[1]) * int(b.shape[1])


_COUNTED = _Counted()
_PRODUCTS: dict[str, Callable[..., int]] = {"aten.mm": _product, "aten.addmm": _added_product}
"""The commonest, whose formula is here, for torch's own takes longer than the product."""
