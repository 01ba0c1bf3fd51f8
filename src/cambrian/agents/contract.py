"""The learner contract: what the evaluator drives and an agent's `learner.py` implements.

This module is imported inside the sandbox. It needs only the standard library, numpy and torch.

`learner.py` must define a class named ``Learner``. Inheriting from the one below is a
convenience, not a duty: the evaluator calls the methods by name.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

CONTRACT_VERSION = 1
ADAPTATION_STEPS = 5


@dataclass(frozen=True)
class TaskSpec:
    """What a learner may know of the stream before it starts.

    Attributes:
        kind: "classification" (labels y (B,) int64) or "regression" (y (B, outputs) float32).
        input_shape: shape of one input, without the batch axis.
        outputs: number of classes (or regression targets).
        task_identity: whether `task` is given to `observe` and `predict`.
        boundaries: whether `task_boundary()` is called when a task ends.
        observations: how many samples `observe` will be given in total (repeats counted).
        batch_size: how many samples a batch of `observe` holds (the last may be smaller).
        memory_bytes: bytes of state the learner may hold (parameters, buffers, stored samples).
        flops: floating point operations it may spend over the whole stream.
        episodic: whether each batch of `observe` is one small task of its own, whose labels mean
            nothing outside it, until `new_episode` is called for the first time.
        support: above 0 where learning to learn is judged: by how well the learner does on small
            tasks it never saw, after at most so many samples of them, given to `adapt` at once
            or, after `new_episode`, to `observe` one by one.
    """

    kind: str
    input_shape: tuple[int, ...]
    outputs: int
    task_identity: bool = False
    boundaries: bool = False
    observations: int = 0
    batch_size: int = 0
    memory_bytes: int = 0
    flops: int = 0
    episodic: bool = False
    support: int = 0

    @property
    def inputs(self) -> int:
        """Number of values in one input."""
        size = 1
        for side in self.input_shape:
            size *= side
        return size


class Learner:
    """A learner; a subclass implements what it can, a benchmark names what it needs.

    Args:
        spec: what may be known of the stream.
        seed: every random choice must come from this seed.
        device: a torch device; tensors handed to the methods live there.
    """

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        self.spec = spec
        self.seed = seed
        self.device = torch.device(device)

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        """Learn from one batch: x (B, *input_shape) float32, y (B,) int64 or (B, k) float32."""
        raise NotImplementedError(f"{type(self).__name__} does not implement observe")

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        """Scores (B, outputs) float32 for x (B, *input_shape) float32; the largest wins.

        For regression, the values themselves.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement predict")

    def task_boundary(self) -> None:
        """A task has ended. Called only where the benchmark reveals boundaries."""

    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Self:
        """A copy fitted to a support set; the original is untouched (few-shot, meta).

        The same learner and support give the same copy, which is asked to `predict` and then
        thrown away. Here: a deep copy that observes the support set `steps` times.

        Args:
            x, y: the support set, as for `observe`; of classification, the labels are 0, 1, ...
            steps: how many steps of adaptation, where the benchmark counts them; a learner that
                does not adapt in steps leaves it aside.
        """
        copied = copy.deepcopy(self)
        for _ in range(ADAPTATION_STEPS if steps is None else steps):
            copied.observe(x, y)
        return copied

    def new_episode(self) -> None:
        """What is observed from here on belongs to a new small task, and nothing of the last
        one helps with it. Called only where `spec.support` is above 0."""

    def act(self, observation: Tensor) -> Any:
        """An action for one observation (control)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement act")

    def feedback(self, reward: float, done: bool) -> None:
        """What the last action earned, and whether the episode ended (control)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement feedback")
