"""Reptile: walk a little way towards what each task would have the weights be.

Nichol, Achiam and Schulman 2018, "On First-Order Meta-Learning Algorithms", algorithm 1: from the
weights w, a few steps of descent on one task lead to w'; then w moves to w + e (w' - w).
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner

CARD = {
    "name": "reptile",
    "role": "meta",
    "title": "Reptile",
    "paper": "Nichol, Achiam and Schulman 2018, arXiv:1803.02999",
    "year": 2018,
    "claim": "Moving towards the weights that each task ends at finds a start from which a few "
    "steps fit any of them.",
    "measured": "10-shot sinusoids, 32 steps: squared error 3.24 -> 0.33 (10,000 tasks)",
    "knobs": {
        "rate": {"default": 1.0, "range": [0.1, 1.0], "scale": "log", "type": "float"},
        "inner": {"default": 5, "range": [2, 10], "scale": "log", "type": "int"},
        "rows": {"default": 10, "range": [5, 25], "scale": "log", "type": "int"},
        "clip": {"default": 2.0, "range": [0.5, 10.0], "scale": "log", "type": "float"},
        "adaptation": {"default": 16, "range": [4, 40], "scale": "log", "type": "int"},
    },
    "tags": ["meta-learning"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["meta"],
}


class Reptile:
    """rate: e, falling to a tenth in the end. inner, rows: steps within a task while learning, and
    its rows at each. clip: the longest gradient. adaptation: steps on a support set, all of it,
    where the benchmark does not say."""

    def __init__(
        self,
        rate: float = 1.0,
        inner: int = 5,
        rows: int = 10,
        clip: float = 2.0,
        adaptation: int = 16,
    ) -> None:
        self.rate, self.inner, self.rows = rate, inner, rows
        self.clip, self.adaptation = clip, adaptation

    def build(self, learner: PartsLearner) -> None:
        self.generator = learner.generator()
        self.learning = learner.spec.episodic

    def gradients(self, learner: PartsLearner, batch: Batch, grads: list[Tensor]) -> list[Tensor]:
        length = torch.stack(torch._foreach_norm(grads)).norm()
        shorter = (self.clip / (length + 1e-6)).clamp(max=1.0)
        return list(torch._foreach_mul(grads, shorter))

    def adapt(self, learner: PartsLearner, x: Tensor, y: Tensor, steps: int | None) -> None:
        if self.learning and steps is None:
            for _ in range(self.inner):
                rows = torch.randint(0, len(x), (self.rows,), generator=self.generator)
                rows = rows.to(x.device)
                learner.learn(x[rows], y[rows], learner.task)
            return
        for _ in range(self.adaptation if steps is None else steps):
            learner.learn(x, y, learner.task)

    def meta_step(self, learner: PartsLearner, start: list[Tensor]) -> None:
        done = learner.clock.seen / max(learner.spec.observations, learner.clock.seen, 1)
        rate = self.rate * (1.0 - 0.9 * min(1.0, done))
        for weight, old in zip(learner.weights, start, strict=True):
            weight.copy_(torch.lerp(old, weight, rate))

    def episode(self, learner: PartsLearner) -> None:
        self.learning = False
