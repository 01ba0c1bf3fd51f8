"""The learner contract: what the evaluator drives and an agent's `learner.py` implements.

This module is imported inside the sandbox. It needs only the standard library, numpy and torch.

`learner.py` must define a class named ``Learner``. Inheriting from the one below is a
convenience, not a duty: the evaluator calls the methods by name. Which method a kind of task calls
is said by `TaskSpec.kind` and by the benchmark's `verbs`; all verbs are in one table,
`cambrian.sandbox.runner.verbs`.

Version 2 added `query`, `suggest`, `forget` and `compress`, and made `act` and `feedback` take many
environments at once. A learner written for version 1 runs unchanged: nothing called its `act`.
"""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor

from cambrian.agents.spec import TaskSpec

CONTRACT_VERSION = 2
ADAPTATION_STEPS = 5


class Learner:
    """A learner; a subclass implements what it can, a benchmark names what it needs.

    Args:
        spec: what may be known of the stream.
        seed: every random choice must come from this seed.
        device: a torch device; tensors handed to the methods live there.

    Attributes:
        flops_spent: what the sandbox has counted of `spec.flops`, told before each batch, each
            question and each adaptation. Its own copy of the figure: changing it changes nothing.
    """

    flops_spent: int = 0

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

    def act(self, observations: Tensor) -> Tensor:
        """Actions for E environments (control).

        Args:
            observations: (E, *input_shape) float32.

        Returns:
            (E,) int64 below `spec.actions`; where actions are continuous, (E, *action_shape)
            float32, each value in [-1, 1].
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement act")

    def feedback(
        self, rewards: Tensor, terminated: Tensor, truncated: Tensor, next_observations: Tensor
    ) -> None:
        """What the last actions led to (control).

        Args:
            rewards: (E,) float32.
            terminated: (E,) bool, the episode came to an end of its own: no reward follows.
            truncated: (E,) bool, it was cut off: rewards would have followed.
            next_observations: (E, *input_shape) float32, what the actions led to. Where an episode
                ended, the next `act` is given the first observation of a new one instead.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement feedback")

    def query(self, pool: Tensor, count: int) -> Tensor:
        """Which inputs it wants to be told the labels of (active learning).

        Args:
            pool: (N, *input_shape) float32, unlabelled.
            count: how many.

        Returns:
            min(count, N) different positions in the pool, int64. Their labels come by `observe`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement query")

    def suggest(self, count: int) -> Tensor:
        """Inputs whose values it wants to be told next (optimisation).

        Returns:
            (count, *input_shape) float32. Their values come by `observe`, the smaller the better.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement suggest")

    def forget(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        """Be as if these samples had never been observed (unlearning): x (B, *input_shape)
        float32, y as for `observe`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement forget")

    def compress(self, bytes: int) -> None:  # noqa: A002 - the contract's word
        """Get down to so many bytes of state, with as little lost as possible."""
        raise NotImplementedError(f"{type(self).__name__} does not implement compress")


__all__ = ["ADAPTATION_STEPS", "CONTRACT_VERSION", "Learner", "TaskSpec"]
