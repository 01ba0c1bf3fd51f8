"""What goes on inside a network while it predicts: activations of its layers, size of its weights.

Read off at torch's dispatcher, so no learner has to expose anything. Made inside the learner's
process, which can falsify it: for reports, never for a score.
"""

from __future__ import annotations

import gc
import types
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cambrian.sandbox.runner.frames import Array
from cambrian.sandbox.runner.modes import uncompiled

MAX_LAYERS, MAX_ROWS, MAX_UNITS = 4, 128, 512
# In place or not: a trailing underscore is dropped before the name is looked up.
NONLINEAR = frozenset(
    (
        *("relu", "gelu", "silu", "elu", "leaky_relu", "tanh", "sigmoid", "hardtanh"),
        *("softplus", "threshold", "celu", "mish"),
    )
)
_OPAQUE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)


@uncompiled
class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call,unused-ignore]
    """Keeps what the nonlinearities give for the rows of one batch."""

    def __init__(self, rows: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call,unused-ignore]
        self.rows = rows
        self.layers: list[Array] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(getattr(func, "_overloadpacket", func)).rsplit(".", 1)[-1].rstrip("_")
        if name in NONLINEAR and isinstance(result, Tensor) and self._is_layer(result):
            kept = result.detach().reshape(self.rows, -1)[:MAX_ROWS, :MAX_UNITS]
            self.layers.append(kept.to("cpu", torch.float32).numpy().copy())
        return result

    def _is_layer(self, result: Tensor) -> bool:
        return result.ndim > 1 and len(result) == self.rows and len(self.layers) < MAX_LAYERS


def diagnose(learner: Any, x: Tensor, task: int | None = None) -> tuple[dict[str, Any], Array]:
    """Description and activations of the layers for x (B, *input_shape), one layer after the other,
    as one float32 array (numbers,); `layers` of the description says their shapes."""
    with Watch(len(x)) as watch:
        learner.predict(x, task)
    weights = [w.detach().double() for w in trained(learner)]
    count = sum(w.numel() for w in weights)
    total = sum(float(w.abs().sum()) for w in weights)
    square = sum(float((w * w).sum()) for w in weights)
    described = {
        "layers": [list(layer.shape) for layer in watch.layers],
        "weights": count,
        "weight_magnitude": _number(total / count if count else 0.0),
        "weight_norm": _number(square**0.5),
    }
    flat = [layer.ravel() for layer in watch.layers] or [np.zeros(0, dtype=np.float32)]
    return described, np.concatenate(flat)


def trained(root: object, limit: int = 100_000) -> list[Tensor]:
    """The leaf tensors, of whatever shapes, with a gradient that can be reached from `root`;
    `limit` objects are looked at."""
    seen: set[int] = set()
    found: list[Tensor] = []
    queue: list[object] = [root]
    while queue and len(seen) < limit:
        item = queue.pop()
        if id(item) in seen or isinstance(item, _OPAQUE):
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            if item.requires_grad and item.is_leaf:
                found.append(item)
        elif not isinstance(item, np.ndarray | str | bytes):
            queue.extend(gc.get_referents(item))
    return found


def _number(value: float) -> float:
    """What the host takes is a float32; -1 stands for what is none."""
    return value if abs(value) <= np.finfo(np.float32).max else -1.0
