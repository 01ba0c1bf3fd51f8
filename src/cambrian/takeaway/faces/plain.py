"""The learner with tensors: what it was in its archive, and answers what it answered there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .agent.learner import Learner
from .agent.spec import TaskSpec

MEMORY_BYTES = 4 << 20
"""What the learner may hold unless told otherwise; parts fit themselves into it."""


class Stream:
    """One learner on one stream: `predict` and `observe` in any order.

    Random numbers that the learner draws from torch, numpy or `random` come of its own seed, and
    leave yours as they were.

    Args:
        inputs: how many values a row has, or the shape of one input.
        outputs: how many classes there are.
        seed: decides every random choice.
        device: a torch device.
        told: other fields of `TaskSpec`: observations, batch_size, memory_bytes, ...
    """

    def __init__(
        self,
        inputs: int | tuple[int, ...],
        outputs: int,
        *,
        seed: int = 0,
        device: str = "cpu",
        **told: Any,
    ) -> None:
        shape = (inputs,) if isinstance(inputs, int) else tuple(inputs)
        fields = {"kind": "classification", "memory_bytes": MEMORY_BYTES, **told}
        self.spec = TaskSpec(input_shape=shape, outputs=outputs, **fields)
        self.device = torch.device(device)
        self._chance = _seeded(seed)
        with self._own_chance():
            self.learner = Learner(self.spec, seed=seed, device=device)

    def observe(self, x: Any, y: Any, task: int | None = None) -> None:
        """Learn from a batch: x (B, *inputs), y (B,) whole numbers below `outputs`."""
        rows = self._rows(x)
        labels = torch.tensor(np.asarray(y), dtype=torch.int64, device=self.device)
        if len(labels) != len(rows):
            raise ValueError(f"expected as many labels as rows, {len(rows)}; got {len(labels)}")
        with self._own_chance():
            self.learner.observe(rows, labels, task)

    def predict(self, x: Any, task: int | None = None) -> Tensor:
        """Scores (B, outputs) float32 for x (B, *inputs); the largest wins."""
        rows = self._rows(x)
        with self._own_chance():
            scores = self.learner.predict(rows, task)
        return torch.as_tensor(scores).detach().to("cpu", torch.float32)

    def task_boundary(self) -> None:
        """Say that a task has ended; only needed where the learner is to know."""
        with self._own_chance():
            self.learner.task_boundary()

    def _rows(self, x: Any) -> Tensor:
        """A copy in torch's own memory: where data begins can change the last bit of a sum."""
        given = x.detach().cpu().numpy() if isinstance(x, Tensor) else x
        rows = torch.tensor(np.array(given, dtype=np.float32), device=self.device)
        if rows.shape[1:] != self.spec.input_shape:
            wanted = ("B", *self.spec.input_shape)
            raise ValueError(f"expected x of shape {wanted}; got {tuple(rows.shape)}")
        return rows

    @contextmanager
    def _own_chance(self) -> Iterator[None]:
        yours = _chance()
        _restore(self._chance)
        try:
            with torch.enable_grad():
                yield
        finally:
            self._chance = _chance()
            _restore(yours)


def _chance() -> tuple[Any, Any, Tensor]:
    """Where the three generators that code can draw from without naming one stand."""
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _restore(chance: tuple[Any, Any, Tensor]) -> None:
    random.setstate(chance[0])
    np.random.set_state(chance[1])
    torch.set_rng_state(chance[2])


def _seeded(seed: int) -> tuple[Any, Any, Tensor]:
    """The generators as they stand where a learner is made in the archive's sandbox."""
    yours = _chance()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    made = _chance()
    _restore(yours)
    return made
